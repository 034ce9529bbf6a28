//! Popularity with decay, overall or by the categories of a history.

use serde::{Deserialize, Serialize};

use super::{Matrix, Recommender, kinds::ModelKind, known_items, split::Interaction};
use crate::{Error, Result};

/// Seconds in a day.
const DAY: f64 = 86_400.0;

/// Half-lives after which the landmark is moved: 2^500 is well within the range of f64.
const MAX_HALF_LIVES: f64 = 500.0;

/// Weight of a history at which its categories count as much as those of all events.
const PRIOR_WEIGHT: f64 = 1.0;

/// Options of [`Popularity`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PopularityOptions {
    /// Days after which an event counts half.
    pub half_life: f64,
}

impl Default for PopularityOptions {
    fn default() -> Self {
        Self { half_life: 30.0 }
    }
}

/// Event counts with exponential decay.
///
/// A count refers to a landmark in time and grows by `weight * 2^((t - landmark) / half-life)`
/// (forward decay, Cormode, Shkapenyuk, Srivastava and Xu 2009): the order of items needs no clock,
/// and late events are simply added.
///
/// With categories, an item scores `P(category | history) * P(item | category)`. The former is the
/// category's share of the history, smoothed by its share of all events, so that the score without
/// history is the plain popularity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Popularity {
    half_life: f64,
    /// Time at which an event counts its plain weight, in seconds since 1970.
    landmark: f64,
    counts: Vec<f64>,
    /// Sum of the counts.
    total: f64,
    categories: Option<Categories>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Categories {
    /// Category of each item.
    of: Vec<u32>,
    /// Sum of the counts in each category.
    totals: Vec<f64>,
}

impl Popularity {
    /// Creates a model of `items` items without events; `half_life` is in seconds.
    ///
    /// # Errors
    /// A half-life that is not positive and finite.
    pub fn new(items: usize, half_life: f64) -> Result<Self> {
        if !(half_life > 0.0 && half_life.is_finite()) {
            return Err(Error::invalid(
                "/half_life",
                format!("expected seconds above 0, got {half_life}"),
            ));
        }
        Ok(Self {
            half_life,
            landmark: 0.0,
            counts: vec![0.0; items],
            total: 0.0,
            categories: None,
        })
    }

    /// Adds categories: `categories` has the category number of each item.
    ///
    /// # Errors
    /// The length is not the number of items, or a category number is not below it.
    pub fn with_categories(mut self, categories: Vec<u32>) -> Result<Self> {
        let items = self.counts.len();
        if categories.len() != items || categories.iter().any(|c| *c as usize >= items) {
            return Err(Error::invalid(
                "/categories",
                format!("expected {items} category numbers below {items}, one per item"),
            ));
        }
        let mut totals = vec![0.0; categories.iter().max().map_or(0, |c| *c as usize + 1)];
        for (category, count) in categories.iter().zip(&self.counts) {
            totals[*category as usize] += count;
        }
        self.categories = Some(Categories {
            of: categories,
            totals,
        });
        Ok(self)
    }

    /// Adds items without events, up to `items` in all. Only without categories.
    pub(crate) fn grow(&mut self, items: usize) {
        debug_assert!(self.categories.is_none(), "new items have no category");
        let items = items.max(self.counts.len());
        self.counts.resize(items, 0.0);
    }

    /// Counts an event; `seconds` is its time since 1970.
    ///
    /// # Errors
    /// An unknown item, a weight that is not positive and finite, or a time that is not finite.
    pub fn add(&mut self, item: u32, weight: f32, seconds: f64) -> Result<()> {
        if item as usize >= self.counts.len() {
            return Err(Error::invalid(
                "/item",
                format!("expected a number below {}, got {item}", self.counts.len()),
            ));
        }
        if !(weight > 0.0 && weight.is_finite() && seconds.is_finite()) {
            let detail = "expected a positive finite weight and a finite time";
            return Err(Error::invalid("/weight", detail));
        }
        if (seconds - self.landmark) / self.half_life > MAX_HALF_LIVES {
            self.move_landmark(seconds);
        }
        let count = f64::from(weight) * ((seconds - self.landmark) / self.half_life).exp2();
        self.counts[item as usize] += count;
        self.total += count;
        if let Some(categories) = &mut self.categories {
            categories.totals[categories.of[item as usize] as usize] += count;
        }
        Ok(())
    }

    fn move_landmark(&mut self, to: f64) {
        let fade = ((self.landmark - to) / self.half_life).exp2();
        let totals = self.categories.iter_mut().flat_map(|c| &mut c.totals);
        for count in self.counts.iter_mut().chain(totals) {
            *count *= fade;
        }
        self.total *= fade;
        self.landmark = to;
    }

    /// Returns the share of each category in the history, smoothed by its share in all events.
    fn shares(&self, categories: &Categories, history: &[(u32, f32)], total: f64) -> Vec<f64> {
        let mut evidence = vec![0.0; categories.totals.len()];
        for (item, weight) in known_items(history, self.counts.len()).filter(|(_, w)| *w > 0.0) {
            evidence[categories.of[item] as usize] += f64::from(weight);
        }
        let all: f64 = evidence.iter().sum();
        let smoothed = evidence.iter().zip(&categories.totals);
        smoothed
            .map(|(e, t)| (e + PRIOR_WEIGHT * t / total) / (all + PRIOR_WEIGHT))
            .collect()
    }
}

impl ModelKind for Popularity {
    type Options = PopularityOptions;

    const NAME: &'static str = "popularity";
    const USES_TIMES: bool = true;

    fn fit_matrix(interactions: &Matrix, options: &PopularityOptions) -> Result<Self> {
        let mut model = Self::new(interactions.columns(), options.half_life * DAY)?;
        for (item, weight) in interactions.iter().flat_map(|row| row.iter()) {
            model.add(item as u32, weight, 0.0)?;
        }
        Ok(model)
    }

    fn fit_interactions(
        interactions: &[Interaction],
        _users: usize,
        items: usize,
        options: &PopularityOptions,
    ) -> Result<Self> {
        let mut model = Self::new(items, options.half_life * DAY)?;
        for i in interactions {
            model.add(i.item, i.weight, i.at as f64 / 1e6)?;
        }
        Ok(model)
    }

    fn is_consistent(&self) -> bool {
        let counts = |counts: &[f64]| counts.iter().all(|c| *c >= 0.0 && c.is_finite());
        let categories = self.categories.as_ref().is_none_or(|c| {
            c.of.len() == self.counts.len()
                && c.of.iter().all(|n| (*n as usize) < c.totals.len())
                && counts(&c.totals)
        });
        self.half_life > 0.0
            && self.half_life.is_finite()
            && self.landmark.is_finite()
            && counts(&self.counts)
            && counts(&[self.total])
            && categories
    }
}

impl Recommender for Popularity {
    fn items(&self) -> usize {
        self.counts.len()
    }

    fn scores(&self, history: &[(u32, f32)], out: &mut Vec<f32>) {
        out.clear();
        if self.total <= 0.0 {
            out.resize(self.counts.len(), 0.0);
            return;
        }
        let Some(categories) = &self.categories else {
            let factor = 1.0 / self.total;
            out.extend(self.counts.iter().map(|count| (count * factor) as f32));
            return;
        };
        let mut factors = self.shares(categories, history, self.total);
        for (factor, sum) in factors.iter_mut().zip(&categories.totals) {
            *factor = if *sum > 0.0 { *factor / sum } else { 0.0 };
        }
        let counts = self.counts.iter().zip(&categories.of);
        out.extend(counts.map(|(count, category)| (count * factors[*category as usize]) as f32));
    }
}

#[cfg(test)]
mod tests {
    use roaring::RoaringBitmap;

    use super::*;

    fn top(model: &Popularity, history: &[(u32, f32)]) -> Vec<u32> {
        let best = model.recommend(history, 10, &RoaringBitmap::new());
        best.iter().map(|s| s.item).collect()
    }

    #[test]
    fn old_events_fade_even_when_they_come_late() {
        let mut model = Popularity::new(3, 7.0 * DAY).expect("valid");
        let now = 20_000.0 * DAY;
        model.add(0, 1.0, now).expect("valid");
        for _ in 0..3 {
            model.add(1, 1.0, now - 14.0 * DAY).expect("valid");
        }
        let mut scores = Vec::new();
        model.scores(&[], &mut scores);
        assert_eq!(top(&model, &[]), [0, 1, 2]);
        assert!(
            (scores[1] / scores[0] - 0.75).abs() < 1e-6,
            "three quarters: {scores:?}"
        );
        model.add(1, 1.5, now - 14.0 * DAY).expect("valid");
        assert_eq!(top(&model, &[]), [1, 0, 2]);
        model.add(2, 1.0, now + 1e6 * DAY).expect("valid");
        assert_eq!(top(&model, &[])[0], 2, "the landmark moves on");
    }

    #[test]
    fn the_history_determines_which_category_counts() {
        let mut model = Popularity::new(4, DAY)
            .expect("valid")
            .with_categories(vec![0, 0, 1, 1])
            .expect("valid");
        for (item, weight) in [(0, 8.0), (1, 4.0), (2, 2.0), (3, 1.0)] {
            model.add(item, weight, 0.0).expect("valid");
        }
        assert_eq!(top(&model, &[]), [0, 1, 2, 3]);
        assert_eq!(top(&model, &[(3, 5.0)]), [2, 3, 0, 1]);
        let mut scores = Vec::new();
        model.scores(&[(3, 5.0)], &mut scores);
        assert!(
            (scores.iter().sum::<f32>() - 1.0).abs() < 1e-6,
            "a distribution: {scores:?}"
        );
    }

    #[test]
    fn bad_input_is_rejected() {
        for half_life in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(Popularity::new(1, half_life).is_err());
        }
        let mut model = Popularity::new(2, DAY).expect("valid");
        for (item, weight, at) in [
            (2, 1.0, 0.0),
            (0, 0.0, 0.0),
            (0, f32::NAN, 0.0),
            (0, 1.0, f64::NAN),
        ] {
            assert!(model.add(item, weight, at).is_err());
        }
        assert!(model.clone().with_categories(vec![0]).is_err());
        assert!(model.with_categories(vec![0, 2]).is_err());
    }
}
