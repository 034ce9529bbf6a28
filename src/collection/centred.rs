//! Items of other categories that are near to an item once what their categories have in common is taken off.
//!
//! No index holds centred vectors, for what is taken off changes with the catalog. Each category is searched with the item's
//! centred vector put back among that category's own, and what is found is compared by centred vectors.

use std::{sync::Arc, time::Instant};

use roaring::RoaringBitmap;
use vitrine_schemas::{Metric, SearchExplanation};

use super::{Collection, State};
use crate::{
    Error, Result,
    cf::Scored,
    cross::Centring,
    distance,
    index::{Allowed, Plan, SpaceIndex, Trace},
};

/// Candidates that are all compared, without a search.
const SCAN: u64 = 4_096;

/// Categories that are searched one by one; the rest of them at once.
const MOST_SEARCHED: usize = 64;

/// Candidates of each category at least, and how many times its share of what is wanted.
const LEAST_EACH: usize = 32;
const TIMES: usize = 4;

/// A category with what may be found of it.
pub(super) struct Part<'a> {
    pub path: &'a String,
    /// How likely people are to go there, where it is known.
    pub likely: Option<f32>,
    pub numbers: RoaringBitmap,
}

/// What to be near to.
pub(super) struct Centred {
    index: Arc<SpaceIndex>,
    metric: Metric,
    centring: Arc<Centring>,
    /// The item's vector without what its category has in common; of length 1 where cosines are compared, or zero.
    own: Vec<f32>,
    /// Its length before.
    length: f32,
}

/// What was found.
pub(super) struct Nearest {
    /// The best first, equal scores in the order of ids.
    pub hits: Vec<Scored>,
    pub trace: Trace,
    /// Whether nothing else could have been found.
    pub is_all: bool,
}

impl Collection {
    /// The item's vector centred; None where it has none, or the collection has no vectors at all.
    ///
    /// # Errors
    /// A space that does not exist.
    pub(super) fn centred(
        &self,
        state: &State,
        id: &str,
        category: &str,
        space: &str,
    ) -> Result<Option<Centred>> {
        if state.spaces.is_empty() {
            return Ok(None);
        }
        let index = state.space(space)?.clone();
        let metric = state.config.vectors.get(space).map(|s| s.metric);
        let number = state.numbers.get(id);
        let (Some(metric), Some(own)) = (metric, number.and_then(|n| index.vector(*n))) else {
            return Ok(None);
        };
        let centring = self.centring(state, space)?;
        let mut own = centring.centred(category, &own);
        let length = own.iter().map(|x| x * x).sum::<f32>().sqrt();
        if metric == Metric::Cosine {
            distance::normalize(&mut own);
        }
        Ok(Some(Centred {
            index,
            metric,
            centring,
            own,
            length,
        }))
    }
}

impl Centred {
    /// How near an item of a category is, as the space's metric has it; None without a vector.
    pub fn score(&self, category: &str, number: u32) -> Option<f32> {
        let vector = self.centring.centred(category, &self.index.vector(number)?);
        let product = |a: &[f32], b: &[f32]| -distance::distance(Metric::Dot, a, b);
        Some(match self.metric {
            Metric::Cosine => {
                let length = product(&vector, &vector).sqrt();
                let cosine = product(&self.own, &vector) / length.max(f32::MIN_POSITIVE);
                cosine.clamp(-1.0, 1.0)
            }
            metric => distance::score(metric, distance::distance(metric, &self.own, &vector)),
        })
    }

    /// The best `count`, or the best `count` of each target.
    pub fn nearest(
        &self,
        state: &State,
        parts: &[Part<'_>],
        targets: &[RoaringBitmap],
        count: usize,
        deadline: Option<Instant>,
    ) -> Result<Nearest> {
        if deadline.is_some_and(|at| Instant::now() >= at) {
            return Err(Error::DeadlineExceeded);
        }
        let members = self.index.members();
        let matching: u64 = parts
            .iter()
            .map(|p| p.numbers.intersection_len(&members))
            .sum();
        let mut search = Searching {
            centred: self,
            found: Vec::new(),
            is_all: true,
            trace: Trace {
                plan: Plan::Exact,
                matching,
                members: members.len(),
                compared: 0,
            },
        };
        if matching <= SCAN {
            for part in parts {
                search.score(part, (&part.numbers & &members).iter());
            }
        } else {
            let few = &parts[..parts.len().min(MOST_SEARCHED)];
            let wanted = count * targets.len().max(1) * TIMES / few.len().max(1);
            let each = wanted.max(LEAST_EACH);
            for part in few {
                let numbers = search.near(Some(part.path), &part.numbers, each, deadline)?;
                search.score(part, numbers.iter());
            }
            let rest = &parts[few.len()..];
            if !rest.is_empty() {
                let all = rest
                    .iter()
                    .fold(RoaringBitmap::new(), |all, p| all | &p.numbers);
                let numbers = search.near(None, &all, wanted.max(count), deadline)?;
                for part in rest {
                    search.score(part, (&part.numbers & &numbers).iter());
                }
            }
        }
        Ok(search.best(state, targets, count))
    }

    /// What finds the vectors of a category, or of any, that are near once centred: the item put where it would be if it were of
    /// that category. With inner products, what is taken off the others does not change their order.
    fn query(&self, category: Option<&str>) -> Vec<f32> {
        let scale = match self.metric {
            Metric::Cosine => self.length,
            Metric::L2 | Metric::Dot => 1.0,
        };
        let offset = self.centring.offset(category.unwrap_or(""));
        let back = if self.metric == Metric::Dot { 0.0 } else { 1.0 };
        let both = self.own.iter().zip(offset);
        both.map(|(x, o)| scale * x + back * o).collect()
    }
}

/// A search through categories.
struct Searching<'a> {
    centred: &'a Centred,
    found: Vec<Scored>,
    is_all: bool,
    trace: Trace,
}

impl Searching<'_> {
    /// Numbers near to the item as one of a category.
    fn near(
        &mut self,
        category: Option<&str>,
        numbers: &RoaringBitmap,
        count: usize,
        deadline: Option<Instant>,
    ) -> Result<RoaringBitmap> {
        let allowed = Allowed::from(numbers.clone());
        let mut query = self.centred.query(category);
        if self.centred.metric == Metric::Cosine && !distance::normalize(&mut query) {
            query = self.centred.own.clone();
        }
        let index = &self.centred.index;
        let (found, trace) = index.search(&query, count, None, false, &allowed, deadline)?;
        self.is_all &= found.len() < count;
        self.trace.compared += trace.compared;
        self.trace.plan = match (self.trace.plan, trace.plan) {
            (Plan::Graph, _) | (_, Plan::Graph) => Plan::Graph,
            (Plan::Scan, _) | (_, Plan::Scan) => Plan::Scan,
            (Plan::Exact, Plan::Exact) => Plan::Exact,
        };
        Ok(found.into_iter().map(|n| n.id).collect())
    }

    fn score(&mut self, part: &Part<'_>, numbers: impl Iterator<Item = u32>) {
        let centred = self.centred;
        let scored = numbers.filter_map(|item| {
            let score = centred.score(part.path, item)?;
            score.is_finite().then_some(Scored { item, score })
        });
        let before = self.found.len();
        self.found.extend(scored);
        self.trace.compared += (self.found.len() - before) as u64;
    }

    fn best(mut self, state: &State, targets: &[RoaringBitmap], count: usize) -> Nearest {
        self.found.sort_by(|a, b| {
            let by_id = || state.ids.get(&a.item).cmp(&state.ids.get(&b.item));
            b.score.total_cmp(&a.score).then_with(by_id)
        });
        let all = self.found.len();
        if targets.is_empty() {
            self.found.truncate(count);
        } else {
            let mut left = vec![count; targets.len()];
            self.found.retain(|scored| {
                let mut fits = false;
                for (target, left) in targets.iter().zip(&mut left) {
                    if *left > 0 && target.contains(scored.item) {
                        *left -= 1;
                        fits = true;
                    }
                }
                fits
            });
        }
        Nearest {
            is_all: self.is_all && self.found.len() == all,
            hits: self.found,
            trace: self.trace,
        }
    }
}

impl From<Trace> for SearchExplanation {
    fn from(trace: Trace) -> Self {
        Self {
            plan: trace.plan.as_str().to_owned(),
            matching: trace.matching,
            members: trace.members,
            selectivity: trace.matching as f64 / trace.members.max(1) as f64,
            compared: trace.compared,
        }
    }
}
