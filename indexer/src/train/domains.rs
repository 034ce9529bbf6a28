//! Ranking of source categories for a target category, by the similarity and the number of their
//! items.

use std::collections::{BTreeMap, HashSet};

use candle_core::Tensor;
use rand::{SeedableRng, rngs::SmallRng, seq::SliceRandom};
use serde::Serialize;
use vitrine_schemas::CategoryPath;

use super::{Example, Pairs, TrainError};
use crate::space::tower::{Standardize, unit};

/// Maximum number of items of a category that are compared; the metrics converge with far fewer.
const SAMPLE_SIZE: usize = 200;
/// Number of nearest items of other categories for [`RankedSource::neighbor_lift`].
const NEIGHBORS: usize = 20;
/// Minimum number of items of a source.
pub const MIN_SOURCE_ITEMS: usize = 20;

/// A source category compared with the target.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RankedSource {
    /// Category path.
    pub source: String,
    /// Number of its items with text and image.
    pub items: usize,
    /// Squared maximum mean discrepancy to the target, RBF kernel, median heuristic ([Gretton et
    /// al. 2012](https://jmlr.org/papers/v13/gretton12a.html)); 0 for equal distributions.
    pub mmd: f64,
    /// Cosine of the two categories' centroids, after subtracting the mean of all items.
    pub centroid_cosine: f64,
    /// Share of the target's nearest items of other categories that are of this one, over its share
    /// of all these items; 1 by chance.
    pub neighbor_lift: f64,
    /// Similarity of the two categories, 0 to 1: 1 for equal distributions and parallel centroids.
    pub likeness: f64,
    /// Number of users who interacted with both; absent without events.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shared_users: Option<usize>,
    /// Expected gain, 0 to 1: the source's share of the knowledge about the target after a
    /// transfer.
    pub expected_gain: f64,
    /// Explanation in words.
    pub reason: String,
}

/// Users by category, from events.
pub type Users = BTreeMap<String, HashSet<String>>;

/// Returns the first `depth` levels of a category path.
pub fn level(category: &str, depth: usize) -> String {
    CategoryPath::new(category)
        .prefix(depth)
        .as_str()
        .to_owned()
}

/// Returns true if `category` is the category `domain` or below it.
pub fn within(category: &str, domain: &str) -> bool {
    CategoryPath::new(domain).contains(CategoryPath::new(category))
}

/// Ranks the categories on the level of `target` as sources for it, best first.
///
/// # Errors
/// The target has fewer than 2 items with text and image, or no other category has enough of them.
pub fn rank(
    examples: &[Example],
    target: &str,
    users: Option<&Users>,
) -> Result<Vec<RankedSource>, TrainError> {
    let depth = CategoryPath::new(target).depth();
    let mut groups: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (row, example) in examples.iter().enumerate() {
        groups
            .entry(level(&example.category, depth))
            .or_default()
            .push(row);
    }
    let target_rows = groups.remove(target).unwrap_or_default();
    if target_rows.len() < 2 {
        return Err(TrainError::TooFew {
            what: format!("items with text and image in `{target}`"),
            found: target_rows.len(),
            min: 2,
        });
    }
    groups.retain(|name, rows| !name.is_empty() && rows.len() >= MIN_SOURCE_ITEMS);
    if groups.is_empty() {
        return Err(TrainError::TooFew {
            what: format!(
                "categories of {MIN_SOURCE_ITEMS} items with text and image beside `{target}`"
            ),
            found: 0,
            min: 1,
        });
    }
    let mut rng = SmallRng::seed_from_u64(0);
    let mut compared: Vec<&Example> = Vec::new();
    let mut choose = |rows: &[usize]| -> Vec<usize> {
        let from = compared.len();
        let rows = sample(rows, &mut rng);
        compared.extend(rows.iter().map(|row| &examples[*row]));
        (from..compared.len()).collect()
    };
    let sample = choose(&target_rows);
    let sources: Vec<(String, Vec<usize>, usize)> = groups
        .into_iter()
        .map(|(name, rows)| (name, choose(&rows), rows.len()))
        .collect();
    let points = Points::of(&compared)?;
    let lifts = neighbor_lifts(&points, &sample, &sources);
    let mut ranked: Vec<RankedSource> = sources
        .iter()
        .zip(lifts)
        .map(|((name, rows, items), neighbor_lift)| {
            let kernel = Kernel::median(&points, &sample, rows);
            let cross = kernel.mean(&points, &sample, rows);
            let within = kernel.mean(&points, &sample, &sample);
            let mmd = (within + kernel.mean(&points, rows, rows) - 2.0 * cross).max(0.0);
            let centroid_cosine = points.centroid_cosine(&sample, rows);
            let shared_users = users.map(|users| shared(users, target, name));
            RankedSource {
                source: name.clone(),
                items: *items,
                mmd,
                centroid_cosine,
                neighbor_lift,
                likeness: likeness(mmd, centroid_cosine),
                shared_users,
                expected_gain: 0.0,
                reason: String::new(),
            }
        })
        .collect();
    for r in &mut ranked {
        r.expected_gain = expected_gain(r, target_rows.len());
        r.reason = reason(r, target);
    }
    ranked.sort_by(|a, b| b.expected_gain.total_cmp(&a.expected_gain));
    Ok(ranked)
}

/// Inner products of items as points: the concatenated unit features of text and image,
/// standardized over all compared items first, which removes what all have in common.
struct Points(Vec<Vec<f32>>);

impl Points {
    fn of(examples: &[&Example]) -> Result<Self, TrainError> {
        let pairs = Pairs::of(examples.iter().copied())?;
        let each = |x: &Tensor| unit(&Standardize::of(x)?.apply(x)?);
        let both = unit(&Tensor::cat(&[each(&pairs.text)?, each(&pairs.image)?], 1)?)?;
        Ok(Self(both.matmul(&both.t()?)?.to_vec2()?))
    }

    /// Squared distance of two items.
    fn distance(&self, a: usize, b: usize) -> f64 {
        (2.0 - 2.0 * f64::from(self.0[a][b])).max(0.0)
    }

    fn centroid_cosine(&self, a: &[usize], b: &[usize]) -> f64 {
        // The inner product of two sums is the sum of all inner products.
        let product = |a: &[usize], b: &[usize]| -> f64 {
            let row = |i: &usize| b.iter().map(|j| f64::from(self.0[*i][*j])).sum::<f64>();
            a.iter().map(row).sum()
        };
        product(a, b) / (product(a, a) * product(b, b)).sqrt().max(1e-12)
    }
}

/// The kernel exp(-distance^2 / width).
struct Kernel {
    width: f64,
}

impl Kernel {
    /// Returns a kernel whose width is the median squared distance between all items of two sets.
    fn median(points: &Points, a: &[usize], b: &[usize]) -> Self {
        let all: Vec<usize> = a.iter().chain(b).copied().collect();
        let mut distances = Vec::new();
        for (index, i) in all.iter().enumerate() {
            distances.extend(all[..index].iter().map(|j| points.distance(*i, *j)));
        }
        let middle = distances.len() / 2;
        let (_, median, _) = distances.select_nth_unstable_by(middle, f64::total_cmp);
        Self {
            width: median.max(1e-9),
        }
    }

    /// Mean of the kernel over the pairs of two sets, except those of an item with itself.
    fn mean(&self, points: &Points, a: &[usize], b: &[usize]) -> f64 {
        let (mut sum, mut n) = (0.0, 0usize);
        for &i in a {
            for &j in b.iter().filter(|j| **j != i) {
                sum += (-points.distance(i, j) / self.width).exp();
                n += 1;
            }
        }
        sum / n.max(1) as f64
    }
}

fn sample(rows: &[usize], rng: &mut SmallRng) -> Vec<usize> {
    let mut rows = rows.to_vec();
    rows.shuffle(rng);
    rows.truncate(SAMPLE_SIZE);
    rows
}

/// Returns [`RankedSource::neighbor_lift`] of each source.
fn neighbor_lifts(
    points: &Points,
    target: &[usize],
    sources: &[(String, Vec<usize>, usize)],
) -> Vec<f64> {
    let others: Vec<(usize, usize)> = sources
        .iter()
        .enumerate()
        .flat_map(|(source, (_, rows, _))| rows.iter().map(move |row| (source, *row)))
        .collect();
    let k = NEIGHBORS.min(others.len());
    let mut counts = vec![0usize; sources.len()];
    for item in target {
        let mut near: Vec<(f64, usize)> = others
            .iter()
            .map(|(source, row)| (points.distance(*item, *row), *source))
            .collect();
        near.select_nth_unstable_by(k - 1, |a, b| a.0.total_cmp(&b.0));
        near[..k]
            .iter()
            .for_each(|(_, source)| counts[*source] += 1);
    }
    let share = |source: usize| sources[source].1.len() as f64 / others.len() as f64;
    let hits = (target.len() * k) as f64;
    (0..sources.len())
        .map(|source| counts[source] as f64 / hits / share(source))
        .collect()
}

fn shared(users: &Users, target: &str, source: &str) -> usize {
    match (users.get(target), users.get(source)) {
        (Some(a), Some(b)) => a.intersection(b).count(),
        _ => 0,
    }
}

/// Similarity from 0 to 1, which requires similar distributions and directions. It is not fitted to
/// measured gains: the square root of the discrepancy is a distance that is 0 for equal
/// distributions and rarely above 1, and the cosine is mapped to 0 to 1.
fn likeness(mmd: f64, centroid_cosine: f64) -> f64 {
    (1.0 - mmd.sqrt()).max(0.0) * (1.0 + centroid_cosine) / 2.0
}

/// Expected gain of a transfer. The value of items grows with the logarithm of their number, as in
/// learning curves, in units of [`MIN_SOURCE_ITEMS`]; dissimilar items have no value.
fn expected_gain(ranked: &RankedSource, target_items: usize) -> f64 {
    let volume = |items: usize| (1.0 + items as f64 / MIN_SOURCE_ITEMS as f64).ln();
    let gained = ranked.likeness * volume(ranked.items);
    gained / (gained + volume(target_items))
}

fn reason(ranked: &RankedSource, target: &str) -> String {
    let similarity = match ranked.neighbor_lift {
        x if x >= 2.0 => "very similar to",
        x if x >= 0.8 => "somewhat similar to",
        x if x >= 0.3 => "slightly similar to",
        _ => "dissimilar to",
    };
    let volume = match ranked.items {
        n if n >= 1000 => "many",
        n if n >= 200 => "some",
        _ => "few",
    };
    let mut reason = format!(
        "its items are {similarity} those of {target}, and there are {volume} ({})",
        ranked.items
    );
    match ranked.shared_users {
        Some(0) => reason.push_str("; no user interacted with both"),
        Some(1) => reason.push_str("; one user interacted with both"),
        Some(n) => reason.push_str(&format!("; {n} users interacted with both")),
        None => {}
    }
    reason
}
