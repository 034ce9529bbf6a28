//! Content: similarity of items to a history by their vectors.

use std::{collections::HashMap, sync::Arc, time::Instant};

use vitrine_schemas::{Metric, recommend::Strategy};

use crate::{
    Error, Result,
    cf::Scored,
    collection::{
        State,
        shopper::{
            history::{History, MAX_RECENT_ITEMS},
            top_k::top_k,
        },
    },
    distance,
    index::{CandidateFilter, SearchParams, SpaceIndex, Vectors},
};

/// Power of the cosines in the strategy `sum`. With 1 the sum is the cosine to the mean, which is
/// near to no item of a diverse history; with more, an item that is very near to one item of the
/// history comes before one that is slightly near to all. On the shop, the grocery and the films of
/// `make bench-blend` and `make bench-prior` it ranks better, at any number of events.
const COSINE_POWER: i32 = 4;

/// Similarity to the vectors of a history.
pub(in crate::collection) struct Content {
    index: Arc<SpaceIndex>,
    vectors: Vectors,
    metric: Metric,
    strategy: Strategy,
    /// Offset in the history, weight and vector of its latest items.
    likes: Vec<(usize, f32, Vec<f32>)>,
    /// Weighted mean of the vectors, for the strategy `average`.
    mean: Vec<f32>,
}

impl Content {
    /// Compares with the latest items of a history that have a vector. Returns None if there are
    /// none, or if their weighted vectors cancel out.
    ///
    /// # Errors
    /// The space does not exist.
    pub fn of(
        state: &State,
        history: &History,
        space: Option<&str>,
        strategy: Strategy,
    ) -> Result<Option<Self>> {
        let Some(space) = space_of(state, space)? else {
            return Ok(None);
        };
        let index = state.space(space)?.clone();
        let vectors = index.vectors();
        let Some(metric) = state.config.vectors.get(space).map(|s| s.metric) else {
            return Err(Error::invalid("/space", "no such space"));
        };
        let latest = history
            .items
            .iter()
            .enumerate()
            .rev()
            .take(MAX_RECENT_ITEMS);
        let likes: Vec<_> = latest
            .filter_map(|(offset, item)| {
                let vector = vectors.get(*state.internal_ids.get(&item.id)?)?;
                // Ten views of one item count less than views of ten items.
                let weight = item.weight.signum() * item.weight.abs().ln_1p();
                Some((offset, weight, vector.to_vec()))
            })
            .collect();
        let mut mean: Vec<f32> = Vec::new();
        for (_, weight, vector) in &likes {
            mean.resize(vector.len(), 0.0);
            let summed = mean.iter_mut().zip(vector);
            summed.for_each(|(m, x)| *m += weight * x);
        }
        let total: f32 = likes.iter().map(|(_, weight, _)| weight.abs()).sum();
        let usable = match (strategy, metric) {
            (Strategy::Average, Metric::Cosine) => distance::normalize(&mut mean),
            (Strategy::Average, _) => {
                mean.iter_mut().for_each(|x| *x /= total);
                total > 0.0 && mean.iter().all(|x| x.is_finite())
            }
            _ => likes.iter().any(|(_, weight, _)| *weight > 0.0),
        };
        Ok((usable && !likes.is_empty()).then_some(Self {
            index,
            vectors,
            metric,
            strategy,
            likes,
            mean,
        }))
    }

    /// Returns the `count` nearest eligible items.
    pub fn nearest(
        &self,
        count: usize,
        eligible: &CandidateFilter,
        deadline: Option<Instant>,
    ) -> Result<Vec<Scored>> {
        let near = |vector: &[f32], count| -> Result<_> {
            let params = SearchParams {
                k: count,
                filter: Some(eligible),
                deadline,
                ..SearchParams::default()
            };
            let (found, _) = self.index.search(vector, &params)?;
            Ok(found)
        };
        if self.strategy == Strategy::Average {
            let scored = near(&self.mean, count)?.into_iter().map(|n| Scored {
                item: n.id,
                score: distance::score(self.metric, n.distance),
            });
            return Ok(scored.collect());
        }
        let liked = self.likes.iter().filter(|(_, weight, _)| *weight > 0.0);
        let each = (2 * count).div_ceil(liked.clone().count().max(1)).max(10);
        let mut found = HashMap::new();
        for (_, _, vector) in liked {
            for neighbor in near(vector, each.min(count))? {
                let score = self.score(neighbor.id);
                found.entry(neighbor.id).or_insert(score);
            }
        }
        let scored = found
            .into_iter()
            .filter_map(|(item, score)| score.map(|score| Scored { item, score }));
        Ok(top_k(scored.collect(), count))
    }

    /// Returns the score of an item; None without a vector.
    pub fn score(&self, internal_id: u32) -> Option<f32> {
        let vector = self.vectors.get(internal_id)?;
        let near = |(_, weight, other): &(usize, f32, Vec<f32>)| {
            (*weight, weight.abs() * nearness(self.metric, vector, other))
        };
        match self.strategy {
            Strategy::Average => {
                let distance = distance::distance(self.metric, &self.mean, vector);
                Some(distance::score(self.metric, distance))
            }
            Strategy::Sum => {
                let total: f32 = self.likes.iter().map(|(_, weight, _)| weight.abs()).sum();
                let parts = self.likes.iter().map(|(_, weight, other)| {
                    let near = match self.metric {
                        Metric::Cosine => cosine(vector, other).max(0.0).powi(COSINE_POWER),
                        metric => nearness(metric, vector, other),
                    };
                    weight * near
                });
                Some(parts.sum::<f32>() / total)
            }
            Strategy::BestScore => {
                let (mut best, mut worst) = (0.0_f32, 0.0_f32);
                for (weight, near) in self.likes.iter().map(near) {
                    let side = if weight > 0.0 { &mut best } else { &mut worst };
                    *side = side.max(near);
                }
                Some(if best > worst { best } else { -worst })
            }
        }
    }

    /// Returns the offsets of the history's liked items, the nearest to an item first.
    pub fn nearest_in_history(&self, internal_id: u32) -> Vec<usize> {
        let Some(vector) = self.vectors.get(internal_id) else {
            return Vec::new();
        };
        let liked = self.likes.iter().filter(|(_, weight, _)| *weight > 0.0);
        let mut near: Vec<_> = liked
            .map(|(offset, _, other)| (*offset, distance::distance(self.metric, vector, other)))
            .collect();
        near.sort_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)));
        near.into_iter().map(|(offset, _)| offset).collect()
    }
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    distance::score(Metric::Cosine, distance::distance(Metric::Cosine, a, b))
}

/// Returns the similarity of two vectors, from 0 to 1, so that it can be multiplied by a weight.
fn nearness(metric: Metric, a: &[f32], b: &[f32]) -> f32 {
    let score = distance::score(metric, distance::distance(metric, a, b));
    match metric {
        Metric::Cosine => (1.0 + score) / 2.0,
        Metric::Dot => 1.0 / (1.0 + (-score).exp()),
        Metric::L2 => score,
    }
}

/// Returns the space that content is compared in: the requested one, the only one, or `shared`.
pub(in crate::collection) fn space_of<'a>(
    state: &'a State,
    requested: Option<&'a str>,
) -> Result<Option<&'a str>> {
    if let Some(space) = requested {
        state.space(space)?;
        return Ok(Some(space));
    }
    let mut names = state.spaces.keys().map(String::as_str);
    match (names.next(), names.next()) {
        (Some(only), None) => Ok(Some(only)),
        _ => Ok(state.spaces.contains_key("shared").then_some("shared")),
    }
}
