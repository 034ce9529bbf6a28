//! Recommenders from counts with differentially private noise, to show what a guarantee costs.
//!
//! All training events count as one period with one release.

use rand::SeedableRng;
use rand_distr::{Distribution, Normal};
use serde::{Deserialize, Serialize};
use vitrine::{
    Error,
    cf::{Recommender, split::Interaction},
    privacy::{release, rho_of},
};

/// Maximum number of items whose pairs are counted: every pair gets noise.
const MAX_PAIR_ITEMS: usize = 5_000;

/// Options of the private models.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PrivateOptions {
    /// Privacy loss; `inf` in the exact counts of bounded contributions.
    pub epsilon: f64,
    /// Probability of a larger loss.
    pub delta: f64,
    /// Maximum number of items, or of pairs, of a user that count.
    pub max_items: usize,
}

impl Default for PrivateOptions {
    fn default() -> Self {
        Self {
            epsilon: 1.0,
            delta: 1e-6,
            max_items: 10,
        }
    }
}

impl PrivateOptions {
    fn check(&self) -> Result<(), Error> {
        let detail = match self {
            options if !(0.001..=1e6).contains(&options.epsilon) => "expected epsilon 0.001 to 1e6",
            options if !(1e-12..=0.1).contains(&options.delta) => "expected delta 1e-12 to 0.1",
            options if options.max_items == 0 => "expected max_items 1 or more",
            _ => return Ok(()),
        };
        Err(Error::invalid("/model", detail))
    }
}

/// Scores of released counts.
pub struct Private {
    popularity: Vec<f32>,
    /// Similarity of each pair of items, row by row; empty for popularity.
    pairs: Vec<f32>,
}

impl Private {
    /// Releases the number of users by item, as a private collection does.
    ///
    /// # Errors
    /// Options out of range.
    pub fn popularity(
        train: &[Interaction],
        items: usize,
        options: &PrivateOptions,
    ) -> Result<Self, Error> {
        options.check()?;
        let rho = rho_of(options.epsilon, options.delta);
        Ok(Self {
            popularity: released_popularity(&items_by_user(train), items, options, rho)?,
            pairs: Vec::new(),
        })
    }

    /// Counts the users by pair of items with Gaussian noise, for half of the budget; the other
    /// half is for the popularity that norms them. No collection releases pairs: the noise is drawn
    /// in floating point here, which is the same for accuracy and much faster.
    ///
    /// # Errors
    /// Options out of range, or too many items.
    pub fn pairs(
        train: &[Interaction],
        items: usize,
        options: &PrivateOptions,
    ) -> Result<Self, Error> {
        options.check()?;
        if items > MAX_PAIR_ITEMS {
            let detail = format!("expected at most {MAX_PAIR_ITEMS} items for pairs, got {items}");
            return Err(Error::invalid("/model", detail));
        }
        let rho = rho_of(options.epsilon, options.delta) / 2.0;
        let users = items_by_user(train);
        let popularity = released_popularity(&users, items, options, rho)?;
        let mut rng = rand::rngs::StdRng::from_os_rng();
        let mut pairs = vec![0.0_f32; items * items];
        for user in users {
            for (a, b) in some_pairs(&user, options.max_items, &mut rng) {
                pairs[a as usize * items + b as usize] += 1.0;
            }
        }
        let sigma = (options.max_items as f64).sqrt() / (2.0 * rho).sqrt();
        let noise = Normal::new(0.0, sigma as f32);
        let noise = noise.map_err(|e| Error::invalid("/model", e.to_string()))?;
        for a in 0..items {
            for b in a + 1..items {
                let count = pairs[a * items + b] + noise.sample(&mut rng);
                let norm = (popularity[a] * popularity[b]).sqrt();
                let similarity = if norm > 0.0 {
                    count.max(0.0) / norm
                } else {
                    0.0
                };
                pairs[a * items + b] = similarity;
                pairs[b * items + a] = similarity;
            }
        }
        Ok(Self { popularity, pairs })
    }
}

impl Recommender for Private {
    fn items(&self) -> usize {
        self.popularity.len()
    }

    fn scores(&self, history: &[(u32, f32)], out: &mut Vec<f32>) {
        out.clear();
        if self.pairs.is_empty() {
            out.extend_from_slice(&self.popularity);
            return;
        }
        let items = self.popularity.len();
        out.resize(items, 0.0);
        for (item, _) in history.iter().filter(|(item, _)| (*item as usize) < items) {
            let row = &self.pairs[*item as usize * items..][..items];
            for (score, similarity) in out.iter_mut().zip(row) {
                *score += similarity;
            }
        }
    }
}

/// Returns the released number of users of each item; 0 if it was not released.
fn released_popularity(
    users: &[Vec<u32>],
    items: usize,
    options: &PrivateOptions,
    rho: f64,
) -> Result<Vec<f32>, Error> {
    let released = release(items, users.iter().cloned(), options.max_items, rho)?;
    let mut popularity = vec![0.0; items];
    for (item, count) in released.counts {
        popularity[item as usize] = count as f32;
    }
    Ok(popularity)
}

/// Returns the different items of each user.
fn items_by_user(train: &[Interaction]) -> Vec<Vec<u32>> {
    let positive = train.iter().filter(|i| i.weight > 0.0);
    let mut rows: Vec<(u32, u32)> = positive.map(|i| (i.user, i.item)).collect();
    rows.sort_unstable();
    rows.dedup();
    let users = rows.chunk_by(|a, b| a.0 == b.0);
    users
        .map(|user| user.iter().map(|(_, item)| *item).collect())
        .collect()
}

/// Returns a random choice of the pairs of a user, each `(a, b)` with `a < b` once.
fn some_pairs(items: &[u32], count: usize, rng: &mut impl rand::Rng) -> Vec<(u32, u32)> {
    let all = items.len() * items.len().saturating_sub(1) / 2;
    let chosen = rand::seq::index::sample(rng, all, count.min(all));
    let pair = |number: usize| {
        // Pairs are numbered by their larger position.
        let mut b = ((1.0 + (1.0 + 8.0 * number as f64).sqrt()) / 2.0) as usize;
        while b * (b - 1) / 2 > number {
            b -= 1;
        }
        while b * (b + 1) / 2 <= number {
            b += 1;
        }
        (items[number - b * (b - 1) / 2], items[b])
    };
    chosen.into_iter().map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn train() -> Vec<Interaction> {
        let users = (0..300).flat_map(|user| {
            let items: &[u32] = if user % 3 == 0 { &[0, 1] } else { &[2] };
            items.iter().map(move |item| (user, *item))
        });
        let interaction = |(user, item)| Interaction {
            user,
            item,
            weight: 1.0,
            at: 0,
        };
        users.map(interaction).collect()
    }

    #[test]
    fn with_little_noise_counts_are_exact() {
        let options = PrivateOptions {
            epsilon: 1e5,
            ..Default::default()
        };
        let mut scores = Vec::new();
        let popularity = Private::popularity(&train(), 4, &options).expect("released");
        popularity.scores(&[], &mut scores);
        assert_eq!(scores, [100.0, 100.0, 200.0, 0.0]);
        let pairs = Private::pairs(&train(), 4, &options).expect("released");
        pairs.scores(&[(0, 1.0)], &mut scores);
        assert!(
            (scores[1] - 1.0).abs() < 0.01 && scores[2] < 0.01,
            "{scores:?}"
        );
    }

    #[test]
    fn pairs_are_all_there_and_none_twice() {
        let items: Vec<u32> = (10..30).collect();
        let mut pairs = some_pairs(&items, usize::MAX, &mut rand::rng());
        assert_eq!(pairs.len(), 190);
        assert!(pairs.iter().all(|(a, b)| a < b));
        pairs.sort_unstable();
        pairs.dedup();
        assert_eq!(pairs.len(), 190);
        assert_eq!(some_pairs(&items, 7, &mut rand::rng()).len(), 7);
        assert!(some_pairs(&[5], 7, &mut rand::rng()).is_empty());
    }
}
