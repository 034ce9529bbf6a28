//! Category-centered vector search: nearest items of other categories after the centroid of each
//! category is subtracted from its vectors.
//!
//! No index holds centered vectors, since the centroids change with the catalog. Each category is
//! searched with the item's centered vector plus that category's centroid, and the results are
//! reranked by centered vectors.

use std::{sync::Arc, time::Instant};

use roaring::RoaringBitmap;
use vitrine_schemas::Metric;

use crate::{
    Error, Result,
    cf::Scored,
    collection::{Collection, State},
    cross::Centering,
    distance,
    index::{CandidateFilter, Plan, SearchParams, SearchStats, SpaceIndex},
};

/// Maximum number of candidates that are all compared, without a search.
const MAX_SCAN: u64 = 4_096;

/// Maximum number of categories searched individually; the rest share one search.
const MAX_SEARCHED_CATEGORIES: usize = 64;

/// Minimum number of candidates of each category.
const MIN_PER_CATEGORY: usize = 32;
/// Factor of the candidates of a category over its share of the results.
const OVERSAMPLING: usize = 4;

/// A category with its eligible items.
pub(in crate::collection) struct CategoryItems<'a> {
    pub path: &'a String,
    /// Probability that users go there from the query's category, if known.
    pub probability: Option<f32>,
    pub items: RoaringBitmap,
}

/// The centered vector of the query item.
pub(in crate::collection) struct CenteredQuery {
    index: Arc<SpaceIndex>,
    metric: Metric,
    centering: Arc<Centering>,
    /// The item's vector minus its category's centroid; normalized if cosines are compared, or
    /// zero.
    vector: Vec<f32>,
    /// Length of the centered vector before normalization.
    length: f32,
}

/// Nearest items by centered vectors.
pub(in crate::collection) struct CenteredMatches {
    /// Best first, equal scores in the order of ids.
    pub hits: Vec<Scored>,
    pub stats: SearchStats,
    /// True if there are no other eligible items with a vector.
    pub is_exhausted: bool,
}

impl Collection {
    /// Returns the centered vector of an item; None if it has no vector or the collection has no
    /// spaces.
    ///
    /// # Errors
    /// The space does not exist.
    pub(in crate::collection) fn centered(
        &self,
        state: &State,
        id: &str,
        category: &str,
        space: &str,
    ) -> Result<Option<CenteredQuery>> {
        if state.spaces.is_empty() {
            return Ok(None);
        }
        let index = state.space(space)?.clone();
        let metric = state.config.vectors.get(space).map(|s| s.metric);
        let internal_id = state.internal_ids.get(id);
        let vector = internal_id.and_then(|id| index.vector(*id));
        let (Some(metric), Some(vector)) = (metric, vector) else {
            return Ok(None);
        };
        let centering = self.centering(state, space)?;
        let mut vector = centering.centered(category, &vector);
        let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
        if metric == Metric::Cosine {
            distance::normalize(&mut vector);
        }
        Ok(Some(CenteredQuery {
            index,
            metric,
            centering,
            vector,
            length,
        }))
    }
}

impl CenteredQuery {
    /// Returns the similarity of an item of a category, by the space's metric; None without a
    /// vector.
    pub fn score(&self, category: &str, internal_id: u32) -> Option<f32> {
        let vector = self
            .centering
            .centered(category, &self.index.vector(internal_id)?);
        let product = |a: &[f32], b: &[f32]| -distance::distance(Metric::Dot, a, b);
        Some(match self.metric {
            Metric::Cosine => {
                let length = product(&vector, &vector).sqrt();
                let cosine = product(&self.vector, &vector) / length.max(f32::MIN_POSITIVE);
                cosine.clamp(-1.0, 1.0)
            }
            metric => distance::score(metric, distance::distance(metric, &self.vector, &vector)),
        })
    }

    /// Returns the `count` nearest items of all categories, or of each target if there are several.
    pub fn nearest(
        &self,
        state: &State,
        categories: &[CategoryItems<'_>],
        targets: &[RoaringBitmap],
        count: usize,
        deadline: Option<Instant>,
    ) -> Result<CenteredMatches> {
        if deadline.is_some_and(|at| Instant::now() >= at) {
            return Err(Error::DeadlineExceeded);
        }
        let members = self.index.members();
        let matching: u64 = categories
            .iter()
            .map(|category| category.items.intersection_len(&members))
            .sum();
        let mut search = CategorySearch {
            centered: self,
            scored: Vec::new(),
            is_exhausted: true,
            stats: SearchStats {
                plan: Plan::BruteForce,
                matching,
                vectors: members.len(),
                distance_computations: 0,
            },
        };
        if matching <= MAX_SCAN {
            for category in categories {
                search.score(category, (&category.items & &members).iter());
            }
        } else {
            let searched = categories.len().min(MAX_SEARCHED_CATEGORIES);
            let (searched, rest) = categories.split_at(searched);
            let share = count * targets.len().max(1) * OVERSAMPLING / searched.len().max(1);
            let per_category = share.max(MIN_PER_CATEGORY);
            for category in searched {
                let (path, items) = (category.path, &category.items);
                let near = search.near(Some(path), items, per_category, deadline)?;
                search.score(category, near.iter());
            }
            if !rest.is_empty() {
                let items = rest
                    .iter()
                    .fold(RoaringBitmap::new(), |all, category| all | &category.items);
                let near = search.near(None, &items, share.max(count), deadline)?;
                for category in rest {
                    search.score(category, (&category.items & &near).iter());
                }
            }
        }
        Ok(search.top_k(state, targets, count))
    }

    /// Returns the vector that finds items of a category that are near once centered: the query
    /// item's vector as if it were of that category (None: of no category). With inner products,
    /// subtracting the centroid does not change the order within a category.
    fn query(&self, category: Option<&str>) -> Vec<f32> {
        let scale = match self.metric {
            Metric::Cosine => self.length,
            Metric::L2 | Metric::Dot => 1.0,
        };
        let offset = self.centering.offset(category.unwrap_or(""));
        let offset_scale = if self.metric == Metric::Dot { 0.0 } else { 1.0 };
        let components = self.vector.iter().zip(offset);
        components
            .map(|(x, o)| scale * x + offset_scale * o)
            .collect()
    }
}

/// A search over several categories.
struct CategorySearch<'a> {
    centered: &'a CenteredQuery,
    scored: Vec<Scored>,
    is_exhausted: bool,
    stats: SearchStats,
}

impl CategorySearch<'_> {
    /// Returns the items that are nearest to the query item as one of a category.
    fn near(
        &mut self,
        category: Option<&str>,
        items: &RoaringBitmap,
        count: usize,
        deadline: Option<Instant>,
    ) -> Result<RoaringBitmap> {
        let eligible = CandidateFilter::from(items.clone());
        let mut query = self.centered.query(category);
        if self.centered.metric == Metric::Cosine && !distance::normalize(&mut query) {
            query = self.centered.vector.clone();
        }
        let index = &self.centered.index;
        let params = SearchParams {
            k: count,
            filter: Some(&eligible),
            deadline,
            ..SearchParams::default()
        };
        let (neighbors, stats) = index.search(&query, &params)?;
        self.is_exhausted &= neighbors.len() < count;
        self.stats.distance_computations += stats.distance_computations;
        self.stats.plan = match (self.stats.plan, stats.plan) {
            (Plan::Graph, _) | (_, Plan::Graph) => Plan::Graph,
            (Plan::QuantizedScan, _) | (_, Plan::QuantizedScan) => Plan::QuantizedScan,
            (Plan::BruteForce, Plan::BruteForce) => Plan::BruteForce,
        };
        Ok(neighbors.into_iter().map(|n| n.id).collect())
    }

    fn score(&mut self, category: &CategoryItems<'_>, items: impl Iterator<Item = u32>) {
        let centered = self.centered;
        let scored = items.filter_map(|item| {
            let score = centered.score(category.path, item)?;
            score.is_finite().then_some(Scored { item, score })
        });
        let before = self.scored.len();
        self.scored.extend(scored);
        self.stats.distance_computations += (self.scored.len() - before) as u64;
    }

    fn top_k(mut self, state: &State, targets: &[RoaringBitmap], count: usize) -> CenteredMatches {
        self.scored.sort_by(|a, b| {
            let by_id = || state.ids.get(&a.item).cmp(&state.ids.get(&b.item));
            b.score.total_cmp(&a.score).then_with(by_id)
        });
        let all = self.scored.len();
        if targets.is_empty() {
            self.scored.truncate(count);
        } else {
            let mut left = vec![count; targets.len()];
            self.scored.retain(|scored| {
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
        CenteredMatches {
            is_exhausted: self.is_exhausted && self.scored.len() == all,
            hits: self.scored,
            stats: self.stats,
        }
    }
}
