//! Choice of how much other domains count for a target, so that transfer between categories,
//! markets or shops never makes recommendations worse.

use std::cmp::Ordering;

use rand::{SeedableRng, rngs::StdRng, seq::index};
use rayon::prelude::*;

use super::{ItemDomains, Matrix, Model, ModelSettings, Recommender, metrics::Interval};
use crate::Result;

/// Weights of other domains that are compared with none.
const WEIGHTS: [f32; 3] = [1.0, 0.5, 0.25];

/// Minimum number of test users of a target; a comparison on fewer is not meaningful.
pub(super) const MIN_TEST_USERS: usize = 50;

/// Minimum depth of the ranking, and the share of the target's items that it is otherwise: held-out
/// items of large catalogs are rarely among the first 20, so these would tell nothing apart.
const MIN_DEPTH: usize = 20;
const DEPTH_SHARE: f64 = 0.01;

/// Maximum number of users scored at a time by a thread, and about the bytes of their scores.
const BATCH: usize = 64;
pub(crate) const TRIAL_BYTES: usize = 16 << 20;

/// Draws of the bootstrap.
const RESAMPLES: usize = 1_000;

/// Effect of other domains on the recommendations of a target.
#[derive(Clone, Debug, PartialEq)]
pub struct TransferEstimate {
    /// The target.
    pub target: u32,
    /// Weight of a history in other domains; 0 is none: neither histories nor users of other
    /// domains count, as if there were no others.
    pub weight: f32,
    /// Gain in NDCG of the best weight above 0 over none, on held-out items.
    pub gain: Interval,
    /// Number of test users.
    pub users: usize,
}

/// Held-out items of each domain, and models of the rest.
pub struct TransferTrial<'a> {
    domains: &'a ItemDomains,
    train: Matrix,
    /// Held-out pairs of user and item by domain.
    tested: Vec<Vec<(u32, u32)>>,
    /// Number of users of each item, which breaks ties: models with more relations would otherwise
    /// gain by ranking popular items among those that others cannot tell apart.
    item_users: Vec<u32>,
    joint: Model,
    seed: u64,
}

impl<'a> TransferTrial<'a> {
    /// Holds out a random item of at most `users` random users of each domain, of those with at
    /// least two items in it, and fits the model of all domains to the rest.
    ///
    /// # Errors
    /// Options out of range.
    pub fn new(
        interactions: &Matrix,
        domains: &'a ItemDomains,
        settings: &ModelSettings,
        users: usize,
        seed: u64,
    ) -> Result<Self> {
        let tested = hold_out(interactions, domains, users, seed);
        let mut held_out: Vec<_> = tested.iter().flatten().copied().collect();
        held_out.sort_unstable();
        let kept = (0_u32..).zip(interactions.iter()).flat_map(|(user, row)| {
            let held_out = &held_out;
            row.iter()
                .map(move |(item, weight)| (user, item as u32, weight))
                .filter(move |(user, item, _)| held_out.binary_search(&(*user, *item)).is_err())
        });
        let train = Matrix::from_triples(interactions.rows(), interactions.columns(), kept)?;
        Ok(Self {
            joint: settings.fit_matrix(&train)?,
            item_users: train.column_counts(),
            domains,
            tested,
            train,
            seed,
        })
    }

    /// Chooses the weight of other domains for a target, whose model without them has `settings`:
    /// the one whose rankings of held-out items are the best, or none, if its gain over none is not
    /// above its standard error (the rule of one standard error, Breiman, Friedman, Olshen and
    /// Stone 1984). Where other domains harm, they are then hardly ever chosen, and where they
    /// help little, little is lost. None if too few users have two items of the target.
    ///
    /// # Errors
    /// Options out of range.
    pub fn estimate(
        &self,
        target: u32,
        settings: &ModelSettings,
    ) -> Result<Option<TransferEstimate>> {
        let tested = self
            .tested
            .get(target as usize)
            .map_or(&[][..], Vec::as_slice);
        if tested.len() < MIN_TEST_USERS {
            return Ok(None);
        }
        let alone = settings.fit_matrix(&self.domains.matrix_within(target, &self.train)?)?;
        let without = self.gains(target, &alone, |history| {
            self.domains.within(target, history)
        });
        let mut best: Option<(f32, Vec<f64>)> = None;
        for weight in WEIGHTS {
            let weigh = |history: &[(u32, f32)]| self.domains.weighted(target, history, weight);
            let with = self.gains(target, &self.joint, weigh);
            let differences = with.iter().zip(&without).map(|(a, b)| a - b);
            let differences: Vec<f64> = differences.collect();
            let is_better = |(_, known): &(f32, Vec<f64>)| mean(&differences) > mean(known);
            if best.as_ref().is_none_or(is_better) {
                best = Some((weight, differences));
            }
        }
        Ok(best.map(|(weight, differences)| {
            let gain = Interval::bootstrap(&differences, RESAMPLES, self.seed);
            let is_above = gain.mean > standard_error(&differences);
            TransferEstimate {
                target,
                weight: if is_above { weight } else { 0.0 },
                gain,
                users: tested.len(),
            }
        }))
    }

    /// Returns the NDCG of each test user by a model that reads histories as `read` returns them:
    /// a model of all items, or one of the target's items alone.
    fn gains(
        &self,
        target: u32,
        model: &dyn Recommender,
        read: impl Fn(&[(u32, f32)]) -> Vec<(u32, f32)> + Sync,
    ) -> Vec<f64> {
        let members = self.domains.members(target);
        let is_alone = model.items() != self.domains.items();
        let batch = (TRIAL_BYTES / (4 * model.items().max(1))).clamp(1, BATCH);
        let batches = self.tested[target as usize].par_chunks(batch);
        let of_batch = |scores: &mut Vec<f32>, batch: &[(u32, u32)]| -> Vec<f64> {
            let rows: Vec<Vec<(u32, f32)>> = batch.iter().map(|t| self.history(t.0)).collect();
            let histories: Vec<_> = rows.iter().map(|history| read(history)).collect();
            let histories: Vec<&[(u32, f32)]> = histories.iter().map(Vec::as_slice).collect();
            model.batch_scores(&histories, scores);
            let scores = scores.chunks_exact(model.items());
            let gain = |((scores, (_, item)), history): ((&[f32], &(u32, u32)), &Vec<_>)| {
                let key = |index: usize, item: u32| {
                    let score = if is_alone {
                        scores[index]
                    } else {
                        scores[item as usize]
                    };
                    (score, self.item_users[item as usize])
                };
                gain_of(members, *item, history, key)
            };
            scores.zip(batch).zip(&rows).map(gain).collect()
        };
        let gains = batches.map_init(Vec::new, of_batch);
        gains.flatten_iter().collect()
    }

    fn history(&self, user: u32) -> Vec<(u32, f32)> {
        let row = self.train.row(user as usize);
        row.iter().map(|(item, w)| (item as u32, w)).collect()
    }
}

/// Returns the number of domains with enough users to test.
pub(super) fn count_testable(interactions: &Matrix, domains: &ItemDomains) -> usize {
    let eligible = eligible(interactions, domains);
    let enough = eligible
        .iter()
        .filter(|users| users.len() >= MIN_TEST_USERS);
    enough.count()
}

/// Returns the users with at least two items of each domain, and these items.
fn eligible(interactions: &Matrix, domains: &ItemDomains) -> Vec<Vec<(u32, Vec<u32>)>> {
    let mut eligible: Vec<Vec<(u32, Vec<u32>)>> = vec![Vec::new(); domains.count()];
    for (user, row) in (0_u32..).zip(interactions.iter()) {
        let mut own: Vec<_> = row.indices.iter().map(|i| (domains.of(*i), *i)).collect();
        own.sort_unstable();
        for of_domain in own
            .chunk_by(|a, b| a.0 == b.0)
            .filter(|items| items.len() > 1)
        {
            if let Some(domain) = of_domain[0].0 {
                let items = of_domain.iter().map(|(_, item)| *item).collect();
                eligible[domain as usize].push((user, items));
            }
        }
    }
    eligible
}

/// Returns held-out pairs of user and item by domain.
fn hold_out(
    interactions: &Matrix,
    domains: &ItemDomains,
    users: usize,
    seed: u64,
) -> Vec<Vec<(u32, u32)>> {
    let eligible = eligible(interactions, domains);
    let mut rng = StdRng::seed_from_u64(seed);
    let mut choose = |eligible: Vec<(u32, Vec<u32>)>| -> Vec<_> {
        let chosen = index::sample(&mut rng, eligible.len(), users.min(eligible.len()));
        let mut chosen: Vec<_> = chosen.into_iter().collect();
        chosen.sort_unstable();
        let pair = |n: usize| {
            let (user, items) = &eligible[n];
            (
                *user,
                items[index::sample(&mut rng, items.len(), 1).index(0)],
            )
        };
        chosen.into_iter().map(pair).collect()
    };
    eligible.into_iter().map(&mut choose).collect()
}

/// Returns the NDCG of a ranking of the target's items without those of the history, in which
/// `item` is the only relevant one; `key` gets the index and the number of an item, and the highest
/// come first. Of equal keys, half are above.
fn gain_of(
    members: &[u32],
    item: u32,
    history: &[(u32, f32)],
    key: impl Fn(usize, u32) -> (f32, u32),
) -> f64 {
    let Ok(index) = members.binary_search(&item) else {
        return 0.0;
    };
    let expected = key(index, item);
    let (mut above, mut equal) = (0_usize, 0_usize);
    let mut count = |key: (f32, u32), step: isize| {
        let counted = match key.partial_cmp(&expected) {
            Some(Ordering::Greater) => &mut above,
            Some(Ordering::Equal) => &mut equal,
            _ => return,
        };
        *counted = counted.saturating_add_signed(step);
    };
    for (index, item) in members.iter().enumerate() {
        count(key(index, *item), 1);
    }
    for (seen, _) in history {
        if let Ok(index) = members.binary_search(seen) {
            count(key(index, *seen), -1);
        }
    }
    let rank = 1.0 + above as f64 + equal.saturating_sub(1) as f64 / 2.0;
    let depth = MIN_DEPTH.max((members.len() as f64 * DEPTH_SHARE) as usize);
    match rank <= depth as f64 {
        true => 1.0 / (rank + 1.0).log2(),
        false => 0.0,
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

fn standard_error(values: &[f64]) -> f64 {
    let count = values.len().max(2) as f64;
    let mean = mean(values);
    let squares: f64 = values.iter().map(|x| (x - mean).powi(2)).sum();
    (squares / (count - 1.0) / count).sqrt()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Two domains of 60 items each. In the first, users choose within one of six groups; in the
    /// other, `related` users choose within the group of the same number, others in any.
    pub fn two_domains(related: bool) -> (Matrix, ItemDomains) {
        let mut rng = StdRng::seed_from_u64(5);
        let mut triples = Vec::new();
        let mut pick = |user: u32, first: u32, group: u32, count: usize| {
            for n in index::sample(&mut rng, 10, count) {
                triples.push((user, first + 10 * group + n as u32, 1.0));
            }
        };
        for user in 0..400_u32 {
            let group = user % 6;
            pick(user, 0, group, 3);
            match related {
                true => pick(user, 60, group, 6),
                // Half as often as not, the groups of the two have nothing to do with each other.
                false => pick(user, 60, user / 7 % 6, 9),
            }
        }
        let domains = [vec![0; 60], vec![1; 60]].concat();
        let matrix = Matrix::from_triples(400, 120, triples).expect("valid");
        (matrix, ItemDomains::new(domains).expect("valid"))
    }

    fn estimate(related: bool) -> TransferEstimate {
        let (matrix, domains) = two_domains(related);
        let settings: ModelSettings = "item-knn:neighbors=20".parse().expect("a model");
        let trial = TransferTrial::new(&matrix, &domains, &settings, 1_000, 1).expect("valid");
        let estimate = trial.estimate(0, &settings).expect("valid");
        estimate.expect("enough users")
    }

    #[test]
    fn related_domains_count_and_unrelated_ones_do_not() {
        let related = estimate(true);
        assert!(
            related.weight > 0.0 && related.gain.low > 0.0,
            "{related:?}"
        );
        let unrelated = estimate(false);
        assert!(unrelated.weight == 0.0, "{unrelated:?}");
        assert_eq!((unrelated.target, unrelated.users), (0, 400));
    }

    #[test]
    fn few_users_tell_nothing() {
        let matrix = Matrix::from_triples(1, 3, [(0, 0, 1.0), (0, 1, 1.0)]).expect("valid");
        let domains = ItemDomains::new(vec![0, 0, 1]).expect("valid");
        let settings: ModelSettings = "item-knn".parse().expect("a model");
        let trial = TransferTrial::new(&matrix, &domains, &settings, 10, 1).expect("valid");
        for target in [0, 1, 9] {
            assert_eq!(trial.estimate(target, &settings).expect("valid"), None);
        }
    }

    #[test]
    fn a_gain_is_that_of_the_rank_among_new_items() {
        let key = |index: usize, _| ([4.0, 3.0, 2.0, 2.0, 2.0][index], [0, 0, 1, 1, 5][index]);
        let gain = |item, history: &[(u32, f32)]| gain_of(&[0, 2, 4, 6, 8], item, history, key);
        assert_eq!(gain(0, &[]), 1.0);
        assert_eq!(gain(2, &[]), 1.0 / 3.0_f64.log2());
        assert_eq!(gain(2, &[(0, 1.0), (1, 1.0)]), 1.0);
        let last = 1.0 / 4.0_f64.log2();
        assert_eq!(gain(8, &[]), last, "the most popular of equal scores");
        assert_eq!(
            gain(4, &[]),
            1.0 / 5.5_f64.log2(),
            "half of the equal ones are above"
        );
        assert_eq!(gain(5, &[]), 0.0);
    }
}
