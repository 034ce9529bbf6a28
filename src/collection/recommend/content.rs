//! Items whose vectors are near to those of a history.

use std::{collections::HashMap, sync::Arc, time::Instant};

use vitrine_schemas::{Metric, recommend::Strategy};

use super::{super::State, best::best, history::History};
use crate::{
    Error, Result,
    cf::Scored,
    distance,
    index::{Allowed, SpaceIndex},
};

/// Items of a history whose vectors are compared, the latest.
const RECENT: usize = 20;

/// For the strategy `sum`, cosines count by this power. With 1 the sum is the cosine to the mean, which lies near to none
/// of unlike things; with more, what is very near to one item of the history comes before what is a little near to all.
/// On the shop, the grocery and the films of `make bench-blend` and `make bench-prior` it ranks better, at any number of events.
const POWER: i32 = 4;

/// What is near to the vectors of a history.
pub(super) struct Content {
    index: Arc<SpaceIndex>,
    metric: Metric,
    strategy: Strategy,
    /// Of the latest items of the history: place in it, weight, vector.
    likes: Vec<(usize, f32, Vec<f32>)>,
    /// Weighted mean of the vectors; for the strategy `average`.
    mean: Vec<f32>,
}

impl Content {
    /// Of the latest items of a history that have a vector; None where none has, or where they cancel each other out.
    ///
    /// # Errors
    /// A space that does not exist.
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
        let Some(metric) = state.config.vectors.get(space).map(|s| s.metric) else {
            return Err(Error::invalid("/space", "no such space"));
        };
        let latest = history.items.iter().enumerate().rev().take(RECENT);
        let likes: Vec<_> = latest
            .filter_map(|(place, given)| {
                let vector = index.vector(*state.numbers.get(&given.id)?)?;
                // Ten views of one item do not make it ten items.
                let weight = given.weight.signum() * given.weight.abs().ln_1p();
                Some((place, weight, vector))
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
            metric,
            strategy,
            likes,
            mean,
        }))
    }

    /// The `count` best allowed items.
    pub fn find(
        &self,
        count: usize,
        allowed: &Allowed,
        deadline: Option<Instant>,
    ) -> Result<Vec<Scored>> {
        let near = |vector: &[f32], count| -> Result<_> {
            let (found, _) = self
                .index
                .search(vector, count, None, false, allowed, deadline)?;
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
        Ok(best(scored.collect(), count))
    }

    /// Score of an item; None without a vector.
    pub fn score(&self, number: u32) -> Option<f32> {
        let vector = self.index.vector(number)?;
        let near = |(_, weight, other): &(usize, f32, Vec<f32>)| {
            (
                *weight,
                weight.abs() * nearness(self.metric, &vector, other),
            )
        };
        match self.strategy {
            Strategy::Average => {
                let distance = distance::distance(self.metric, &self.mean, &vector);
                Some(distance::score(self.metric, distance))
            }
            Strategy::Sum => {
                let total: f32 = self.likes.iter().map(|(_, weight, _)| weight.abs()).sum();
                let parts = self.likes.iter().map(|(_, weight, other)| {
                    let near = match self.metric {
                        Metric::Cosine => cosine(&vector, other).max(0.0).powi(POWER),
                        metric => nearness(metric, &vector, other),
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

    /// Places in the history of what is nearest to an item, the nearest first.
    pub fn reasons(&self, number: u32) -> Vec<usize> {
        let Some(vector) = self.index.vector(number) else {
            return Vec::new();
        };
        let liked = self.likes.iter().filter(|(_, weight, _)| *weight > 0.0);
        let mut near: Vec<_> = liked
            .map(|(place, _, other)| (*place, distance::distance(self.metric, &vector, other)))
            .collect();
        near.sort_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)));
        near.into_iter().map(|(place, _)| place).collect()
    }
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    distance::score(Metric::Cosine, distance::distance(Metric::Cosine, a, b))
}

/// How near two vectors are, from 0 to 1, so that it can be multiplied by a weight.
fn nearness(metric: Metric, a: &[f32], b: &[f32]) -> f32 {
    let score = distance::score(metric, distance::distance(metric, a, b));
    match metric {
        Metric::Cosine => (1.0 + score) / 2.0,
        Metric::Dot => 1.0 / (1.0 + (-score).exp()),
        Metric::L2 => score,
    }
}

/// The space that content is compared in: the one asked for, the only one, or `shared`.
pub(in super::super) fn space_of<'a>(
    state: &'a State,
    asked: Option<&'a str>,
) -> Result<Option<&'a str>> {
    if let Some(space) = asked {
        state.space(space)?;
        return Ok(Some(space));
    }
    let mut names = state.spaces.keys().map(String::as_str);
    match (names.next(), names.next()) {
        (Some(only), None) => Ok(Some(only)),
        _ => Ok(state.spaces.contains_key("shared").then_some("shared")),
    }
}
