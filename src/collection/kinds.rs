//! What is known of a collection's categories as kinds of things, fitted when it is asked for and again when a tenth of the
//! items is new.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use parking_lot::Mutex;
use roaring::RoaringBitmap;

use super::{Collection, State};
use crate::{
    Result,
    cross::{Centring, Kind, Transitions},
};

/// Vectors that a category is known by, and that all are.
const MOST_OF_KIND: u64 = 1_024;
const MOST_SAMPLED: u64 = 32_768;

/// Fewest of a category, where there are very many.
const LEAST_OF_KIND: u64 = 16;

/// Categories that have a centre of their own, the largest; others have that of the one above.
const MOST_KINDS: usize = 4_096;

/// People whose histories say how categories go together, the latest.
const MOST_PEOPLE: usize = 100_000;

/// Fits of a collection.
#[derive(Default)]
pub(super) struct Kinds {
    centrings: Mutex<BTreeMap<String, Fitted<Centring>>>,
    transitions: Mutex<Option<(u64, Fitted<Transitions>)>>,
    bytes: AtomicU64,
}

/// Something fitted to the items there were.
struct Fitted<T> {
    what: Arc<T>,
    live: RoaringBitmap,
}

impl<T> Fitted<T> {
    fn new(what: T, live: RoaringBitmap) -> Self {
        let what = Arc::new(what);
        Self { what, live }
    }

    /// Whether not too much has changed since.
    fn holds(&self, live: &RoaringBitmap) -> bool {
        10 * (&self.live ^ live).len() <= self.live.len()
    }
}

impl Kinds {
    /// Bytes in memory, about.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }
}

impl Collection {
    /// What the categories have in common in a space.
    pub(super) fn centring(&self, state: &State, space: &str) -> Result<Arc<Centring>> {
        let index = state.space(space)?;
        let live = &state.live & index.members();
        // One fits, the others wait for it: it takes a moment.
        let mut known = self.kinds.centrings.lock();
        if let Some(fitted) = known.get(space).filter(|fitted| fitted.holds(&live)) {
            return Ok(fitted.what.clone());
        }
        let dim = state.config.vectors.get(space).map_or(0, |s| s.dim);
        let centring = Centring::fit(dim, &kinds(state, &live), |number| index.vector(number));
        let fitted = Fitted::new(centring, live);
        let centring = fitted.what.clone();
        known.insert(space.to_owned(), fitted);
        let bytes = known.values().map(|c| c.what.bytes()).sum();
        self.kinds.bytes.store(bytes, Relaxed);
        Ok(centring)
    }

    /// How the shop's people go from category to category; None where nothing was learned from behaviour.
    pub(super) fn transitions(&self, state: &State) -> Option<Arc<Transitions>> {
        let log = self.behaviour.log.read();
        let model = self.behaviour.model()?;
        let version = model.info().version;
        let mut known = self.kinds.transitions.lock();
        if let Some((of, fitted)) = known.as_ref()
            && *of == version
            && fitted.holds(&state.live)
        {
            return Some(fitted.what.clone());
        }
        let (mut names, mut of_item) = (Vec::new(), HashMap::new());
        for (name, numbers) in state.categories.iter().collect::<BTreeMap<_, _>>() {
            let kind = names.len() as u32;
            names.push(name.clone());
            of_item.extend(numbers.iter().map(|number| (number, kind)));
        }
        let kind_of = |name: &String| of_item.get(state.numbers.get(name)?).copied();
        let kind_of: Vec<Option<u32>> = log.names().iter().map(kind_of).collect();
        let people = model.sessions.latest().take(MOST_PEOPLE).map(|items| {
            let kinds = items
                .iter()
                .filter_map(|item| kind_of.get(*item as usize).copied().flatten());
            kinds.collect()
        });
        let fitted = Fitted::new(Transitions::count(names, people), state.live.clone());
        let transitions = fitted.what.clone();
        *known = Some((version, fitted));
        Some(transitions)
    }
}

/// The categories with the items that they are learned from: of large ones every so manieth.
fn kinds(state: &State, live: &RoaringBitmap) -> Vec<Kind> {
    let mut kinds: Vec<(&String, RoaringBitmap)> = state
        .categories
        .iter()
        .map(|(path, numbers)| (path, numbers & live))
        .filter(|(_, numbers)| !numbers.is_empty())
        .collect();
    kinds.sort_by(|a, b| b.1.len().cmp(&a.1.len()).then(a.0.cmp(b.0)));
    kinds.truncate(MOST_KINDS);
    let mut left = MOST_SAMPLED;
    let mut sampled = Vec::with_capacity(kinds.len());
    // What small categories leave, large ones may take.
    while let Some((path, numbers)) = kinds.pop() {
        let fair = left / (kinds.len() as u64 + 1);
        let most = fair.clamp(LEAST_OF_KIND, MOST_OF_KIND);
        let step = numbers.len().div_ceil(most).max(1) as usize;
        let sample: Vec<_> = numbers.iter().step_by(step).collect();
        left = left.saturating_sub(sample.len() as u64);
        sampled.push(Kind {
            path: path.clone(),
            size: numbers.len(),
            sample,
        });
    }
    sampled
}
