//! Category statistics: centroids and transitions, fitted on first use and again once a tenth of
//! the items has changed.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use parking_lot::Mutex;
use roaring::RoaringBitmap;

use crate::{
    Result,
    behavior::{CategoryPairs, Log, Model},
    collection::{Collection, State},
    cross::{CategorySample, Centering, Transitions},
};

/// Maximum number of vectors sampled from a category.
const MAX_SAMPLE_PER_CATEGORY: u64 = 1_024;

/// Number of vectors sampled from all categories together.
const MAX_SAMPLE: u64 = 32_768;

/// Minimum number of vectors sampled from a category, if there are very many categories.
const MIN_SAMPLE_PER_CATEGORY: u64 = 16;

/// Maximum number of categories with a centroid of their own, the largest ones; others use that of
/// their parent.
const MAX_CATEGORIES: usize = 4_096;

/// Maximum number of sessions that transitions are counted in, the latest.
const MAX_SESSIONS: usize = 100_000;

/// Cached statistics of a collection.
#[derive(Default)]
pub(in crate::collection) struct CategoryStats {
    /// Centroids by space.
    centerings: Mutex<BTreeMap<String, Fitted<Centering>>>,
    /// Transitions with the version of the behavior model that they were counted with.
    transitions: Mutex<Option<(u64, Fitted<Transitions>)>>,
    bytes: AtomicU64,
}

/// A statistic with the items that it was fitted to.
struct Fitted<T> {
    value: Arc<T>,
    live: RoaringBitmap,
}

impl<T> Fitted<T> {
    fn new(value: T, live: RoaringBitmap) -> Self {
        let value = Arc::new(value);
        Self { value, live }
    }

    /// Returns true if at most a tenth of the items has changed since the fit.
    fn is_current(&self, live: &RoaringBitmap) -> bool {
        10 * (&self.live ^ live).len() <= self.live.len()
    }
}

impl CategoryStats {
    /// Returns the approximate number of bytes in memory.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }
}

impl Collection {
    /// Returns the category centroids in a space.
    ///
    /// # Errors
    /// The space does not exist.
    pub(in crate::collection) fn centering(
        &self,
        state: &State,
        space: &str,
    ) -> Result<Arc<Centering>> {
        let index = state.space(space)?;
        let live = &state.live & index.members();
        // One request fits, the others wait for it.
        let mut cached = self.category_stats.centerings.lock();
        if let Some(fitted) = cached.get(space).filter(|fitted| fitted.is_current(&live)) {
            return Ok(fitted.value.clone());
        }
        let dim = state.config.vectors.get(space).map_or(0, |s| s.dim);
        let samples = category_samples(state, &live);
        let centering = Centering::fit(dim, &samples, |internal_id| index.vector(internal_id));
        let fitted = Fitted::new(centering, live);
        let centering = fitted.value.clone();
        cached.insert(space.to_owned(), fitted);
        let bytes = cached.values().map(|c| c.value.bytes()).sum();
        self.category_stats.bytes.store(bytes, Relaxed);
        Ok(centering)
    }

    /// Returns the transitions of users between categories; None if no behavior model is trained.
    pub(in crate::collection) fn transitions(&self, state: &State) -> Option<Arc<Transitions>> {
        let log = self.behavior.log.read();
        let model = self.behavior.model()?;
        let version = model.info().version;
        let mut cached = self.category_stats.transitions.lock();
        if let Some((cached_version, fitted)) = cached.as_ref()
            && *cached_version == version
            && fitted.is_current(&state.live)
        {
            return Some(fitted.value.clone());
        }
        let counted = match model.released_pairs() {
            Some(pairs) => released_transitions(state, pairs),
            None => count_transitions(state, &log, &model),
        };
        let fitted = Fitted::new(counted, state.live.clone());
        let transitions = fitted.value.clone();
        *cached = Some((version, fitted));
        Some(transitions)
    }
}

/// Counts the transitions in the latest sessions of a model.
fn count_transitions(state: &State, log: &Log, model: &Model) -> Transitions {
    let (paths, category_of) = state.numbered_categories();
    let category = |id: &String| category_of.get(state.internal_ids.get(id)?).copied();
    let categories: Vec<Option<u32>> = log.names().iter().map(category).collect();
    let sessions = model.sessions.latest().take(MAX_SESSIONS);
    let sessions = sessions.map(|items| {
        let category = |item: &u32| categories.get(*item as usize).copied().flatten();
        items.iter().filter_map(category).collect()
    });
    Transitions::count(paths, sessions)
}

/// Returns the transitions that a private collection released.
fn released_transitions(state: &State, pairs: &CategoryPairs) -> Transitions {
    let (paths, _) = state.numbered_categories();
    let pairs = pairs
        .iter()
        .map(|((a, b), users)| (a.as_str(), b.as_str(), *users));
    Transitions::of_pairs(paths, pairs)
}

/// Returns a sample of each category's items; large categories are sampled, every n-th item.
fn category_samples(state: &State, live: &RoaringBitmap) -> Vec<CategorySample> {
    let mut categories: Vec<(&String, RoaringBitmap)> = state
        .categories
        .iter()
        .map(|(path, items)| (path, items & live))
        .filter(|(_, items)| !items.is_empty())
        .collect();
    categories.sort_by(|a, b| b.1.len().cmp(&a.1.len()).then(a.0.cmp(b.0)));
    categories.truncate(MAX_CATEGORIES);
    let mut left = MAX_SAMPLE;
    let mut samples = Vec::with_capacity(categories.len());
    // Starts with the smallest categories; the larger ones share the rest.
    while let Some((path, items)) = categories.pop() {
        let share = left / (categories.len() as u64 + 1);
        let size = share.clamp(MIN_SAMPLE_PER_CATEGORY, MAX_SAMPLE_PER_CATEGORY);
        let step = items.len().div_ceil(size).max(1) as usize;
        let sample: Vec<_> = items.iter().step_by(step).collect();
        left = left.saturating_sub(sample.len() as u64);
        samples.push(CategorySample {
            path: path.clone(),
            size: items.len(),
            sample,
        });
    }
    samples
}
