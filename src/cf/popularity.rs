//! What is popular now, over all or in the categories a history is about.

use serde::{Deserialize, Serialize};

use super::{Recommender, known};
use crate::{Error, Result};

/// Half-lives after which the landmark is moved: 2^500 is far from the end of f64.
const FAR: f64 = 500.0;

/// Evidence of a history at which its own categories count as much as everybody's.
const PRIOR: f64 = 1.0;

/// Counts of events that fade, halving every half-life.
///
/// A count is kept as of a landmark and grows by `weight * 2^((t - landmark) / half-life)` (forward decay, Cormode,
/// Shkapenyuk, Srivastava and Xu 2009): the order of items needs no clock, and late events are simply added.
///
/// With categories, an item scores `P(category | history) * P(item | category)`. The former is the category's share
/// of the history, smoothed by its share of all events, so that without history the score is the plain popularity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Popularity {
    half_life: f64,
    /// Seconds since 1970 at which an event counts its plain weight.
    landmark: f64,
    counts: Vec<f64>,
    /// Their sum.
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
    /// No events yet, for `items` items; `half_life` is in seconds.
    ///
    /// # Errors
    /// A half-life that is not positive and finite.
    pub fn new(items: usize, half_life: f64) -> Result<Self> {
        if !(half_life > 0.0 && half_life.is_finite()) {
            return Err(Error::invalid(
                "/half_life",
                format!("{half_life} is not a time, give seconds above 0"),
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

    /// Ranks by category too: `categories` has the category number of each item.
    ///
    /// # Errors
    /// Another number of categories than items, or numbers that are not below the number of items.
    pub fn with_categories(mut self, categories: Vec<u32>) -> Result<Self> {
        let items = self.counts.len();
        if categories.len() != items || categories.iter().any(|c| *c as usize >= items) {
            return Err(Error::invalid(
                "/categories",
                format!("give each of the {items} items a category number below {items}"),
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

    /// Counts an event; `at` is in seconds since 1970.
    ///
    /// # Errors
    /// An unknown item, a weight that is not positive and finite, a time that is not finite.
    pub fn add(&mut self, item: u32, weight: f32, at: f64) -> Result<()> {
        if item as usize >= self.counts.len() {
            return Err(Error::invalid(
                "/item",
                format!(
                    "number {item} is out of range, there are {}",
                    self.counts.len()
                ),
            ));
        }
        if !(weight > 0.0 && weight.is_finite() && at.is_finite()) {
            return Err(Error::invalid(
                "/weight",
                "give a positive finite weight and a finite time",
            ));
        }
        if (at - self.landmark) / self.half_life > FAR {
            self.move_landmark(at);
        }
        let count = f64::from(weight) * ((at - self.landmark) / self.half_life).exp2();
        self.counts[item as usize] += count;
        self.total += count;
        if let Some(categories) = &mut self.categories {
            categories.totals[categories.of[item as usize] as usize] += count;
        }
        Ok(())
    }

    pub(super) fn is_sound(&self) -> bool {
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

    fn move_landmark(&mut self, to: f64) {
        let fade = ((self.landmark - to) / self.half_life).exp2();
        let totals = self.categories.iter_mut().flat_map(|c| &mut c.totals);
        for count in self.counts.iter_mut().chain(totals) {
            *count *= fade;
        }
        self.total *= fade;
        self.landmark = to;
    }

    /// Share of each category in what the history is about, smoothed by its share in all events.
    fn shares(&self, categories: &Categories, history: &[(u32, f32)], total: f64) -> Vec<f64> {
        let mut evidence = vec![0.0; categories.totals.len()];
        for (item, weight) in known(history, self.counts.len()).filter(|(_, w)| *w > 0.0) {
            evidence[categories.of[item] as usize] += f64::from(weight);
        }
        let all: f64 = evidence.iter().sum();
        let smoothed = evidence.iter().zip(&categories.totals);
        smoothed
            .map(|(e, t)| (e + PRIOR * t / total) / (all + PRIOR))
            .collect()
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

    const DAY: f64 = 86_400.0;

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
    fn the_history_says_which_category_counts() {
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
    fn bad_input_is_refused() {
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
