//! Which categories a target category can learn from: how near their items lie, and how many there are.

use std::collections::{BTreeMap, HashSet};

use candle_core::Tensor;
use rand::{SeedableRng, rngs::SmallRng, seq::SliceRandom};
use serde::Serialize;

use super::{Example, Pairs, TrainError};
use crate::space::tower::{Standardise, unit};

/// Most items of a category that are compared: the figures settle long before.
const SAMPLE: usize = 200;
/// Nearest items of other categories that a target item looks at.
const NEIGHBOURS: usize = 20;
/// Fewest items a source must have.
pub const LEAST: usize = 20;

/// A source category beside the target.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Ranked {
    /// The category.
    pub source: String,
    /// Its items with text and photo.
    pub items: usize,
    /// Squared maximum mean discrepancy to the target, RBF kernel, median heuristic ([Gretton et al. 2012](https://jmlr.org/papers/v13/gretton12a.html)); 0: alike.
    pub mmd: f64,
    /// Cosine of the two categories' centroids, the mean of all items taken off.
    pub centroid_cosine: f64,
    /// Share of the nearest items of other categories that lie in this one, over its share of all those items; 1: as by chance.
    pub neighbour_lift: f64,
    /// How alike the two are, 0 to 1: 1 where their items are spread alike and their centroids lie one way.
    pub likeness: f64,
    /// People who touched both; absent without events.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shared_users: Option<usize>,
    /// What can be hoped for, 0 to 1: of what would be known of the target, the share that this source would bring.
    pub expected_gain: f64,
    /// The same in words.
    pub reason: String,
}

/// People by category, from events.
pub type Users = BTreeMap<String, HashSet<String>>;

/// The category path cut to its first `depth` levels.
pub fn level(category: &str, depth: usize) -> String {
    let levels: Vec<&str> = category.split(" > ").take(depth).collect();
    levels.join(" > ")
}

/// Whether an item of `category` is of the domain `domain`: the category itself or one below it.
pub fn within(category: &str, domain: &str) -> bool {
    let rest = category.strip_prefix(domain);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(" > "))
}

/// Ranks the categories on the level of `target` as sources for it, best first.
///
/// # Errors
/// The target has no items with text and photo, or there is no other category with enough of them.
pub fn rank(
    examples: &[Example],
    target: &str,
    users: Option<&Users>,
) -> Result<Vec<Ranked>, TrainError> {
    let depth = target.split(" > ").count();
    let mut groups: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (row, example) in examples.iter().enumerate() {
        groups
            .entry(level(&example.category, depth))
            .or_default()
            .push(row);
    }
    let own = groups.remove(target).unwrap_or_default();
    if own.len() < 2 {
        return Err(TrainError::TooFew {
            what: format!("items with text and photo in `{target}`"),
            found: own.len(),
            least: 2,
        });
    }
    groups.retain(|name, rows| !name.is_empty() && rows.len() >= LEAST);
    if groups.is_empty() {
        return Err(TrainError::TooFew {
            what: format!(
                "other categories of {LEAST} items with text and photo beside `{target}`"
            ),
            found: 0,
            least: 1,
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
    let sample = choose(&own);
    let sources: Vec<(String, Vec<usize>, usize)> = groups
        .into_iter()
        .map(|(name, rows)| (name, choose(&rows), rows.len()))
        .collect();
    let points = Points::of(&compared)?;
    let lifts = neighbour_lifts(&points, &sample, &sources);
    let mut ranked: Vec<Ranked> = sources
        .iter()
        .zip(lifts)
        .map(|((name, rows, items), neighbour_lift)| {
            let kernel = Kernel::median(&points, &sample, rows);
            let cross = kernel.mean(&points, &sample, rows);
            let within = kernel.mean(&points, &sample, &sample);
            let mmd = (within + kernel.mean(&points, rows, rows) - 2.0 * cross).max(0.0);
            let centroid_cosine = points.centroid_cosine(&sample, rows);
            let shared_users = users.map(|users| shared(users, target, name));
            Ranked {
                source: name.clone(),
                items: *items,
                mmd,
                centroid_cosine,
                neighbour_lift,
                likeness: likeness(mmd, centroid_cosine),
                shared_users,
                expected_gain: 0.0,
                reason: String::new(),
            }
        })
        .collect();
    for r in &mut ranked {
        r.expected_gain = expected_gain(r, own.len());
        r.reason = reason(r, target);
    }
    ranked.sort_by(|a, b| b.expected_gain.total_cmp(&a.expected_gain));
    Ok(ranked)
}

/// Items as points: unit features of text and photo side by side, standardised over all that are compared first, so
/// that what all share says nothing. Held as their inner products.
struct Points(Vec<Vec<f32>>);

impl Points {
    fn of(examples: &[&Example]) -> Result<Self, TrainError> {
        let pairs = Pairs::of(examples.iter().copied())?;
        let each = |x: &Tensor| unit(&Standardise::of(x)?.apply(x)?);
        let both = unit(&Tensor::cat(&[each(&pairs.text)?, each(&pairs.photo)?], 1)?)?;
        Ok(Self(both.matmul(&both.t()?)?.to_vec2()?))
    }

    /// Squared distance.
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

/// exp(-distance^2 / width).
struct Kernel {
    width: f64,
}

impl Kernel {
    /// As wide as the median squared distance between the two sets' items.
    fn median(points: &Points, a: &[usize], b: &[usize]) -> Self {
        let all: Vec<usize> = a.iter().chain(b).copied().collect();
        let mut distances = Vec::new();
        for (at, i) in all.iter().enumerate() {
            distances.extend(all[..at].iter().map(|j| points.distance(*i, *j)));
        }
        let middle = distances.len() / 2;
        let (_, median, _) = distances.select_nth_unstable_by(middle, f64::total_cmp);
        Self {
            width: median.max(1e-9),
        }
    }

    /// Mean over the pairs of two sets; an item is no pair with itself.
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
    rows.truncate(SAMPLE);
    rows
}

/// By source, see [`Ranked::neighbour_lift`].
fn neighbour_lifts(
    points: &Points,
    target: &[usize],
    sources: &[(String, Vec<usize>, usize)],
) -> Vec<f64> {
    let others: Vec<(usize, usize)> = sources
        .iter()
        .enumerate()
        .flat_map(|(at, (_, rows, _))| rows.iter().map(move |row| (at, *row)))
        .collect();
    let k = NEIGHBOURS.min(others.len());
    let mut counts = vec![0usize; sources.len()];
    for item in target {
        let mut near: Vec<(f64, usize)> = others
            .iter()
            .map(|(at, row)| (points.distance(*item, *row), *at))
            .collect();
        near.select_nth_unstable_by(k - 1, |a, b| a.0.total_cmp(&b.0));
        near[..k].iter().for_each(|(_, at)| counts[*at] += 1);
    }
    let share = |at: usize| sources[at].1.len() as f64 / others.len() as f64;
    let hits = (target.len() * k) as f64;
    (0..sources.len())
        .map(|at| counts[at] as f64 / hits / share(at))
        .collect()
}

fn shared(users: &Users, target: &str, source: &str) -> usize {
    match (users.get(target), users.get(source)) {
        (Some(a), Some(b)) => a.intersection(b).count(),
        _ => 0,
    }
}

/// Spread and direction must both fit. Nothing here is fitted to measured gains: the discrepancy's root is a distance that
/// is 0 for what is alike and seldom above 1, and the cosine is brought to 0 to 1.
fn likeness(mmd: f64, centroid_cosine: f64) -> f64 {
    (1.0 - mmd.sqrt()).max(0.0) * (1.0 + centroid_cosine) / 2.0
}

/// What items teach grows with the logarithm of their number, as learning curves do: ten times as many are not ten times as
/// good. [`LEAST`] is one unit of it. Volume that is not alike teaches nothing.
fn expected_gain(ranked: &Ranked, target_items: usize) -> f64 {
    let volume = |items: usize| (1.0 + items as f64 / LEAST as f64).ln();
    let brought = ranked.likeness * volume(ranked.items);
    brought / (brought + volume(target_items))
}

fn reason(ranked: &Ranked, target: &str) -> String {
    let alike = match ranked.neighbour_lift {
        x if x >= 2.0 => "much like those of",
        x if x >= 0.8 => "somewhat like those of",
        x if x >= 0.3 => "little like those of",
        _ => "unlike those of",
    };
    let volume = match ranked.items {
        n if n >= 1000 => "many",
        n if n >= 200 => "some",
        _ => "few",
    };
    let mut reason = format!(
        "its items are {alike} {target}, and there are {volume} ({})",
        ranked.items
    );
    match ranked.shared_users {
        Some(0) => reason.push_str("; nobody touched both"),
        Some(1) => reason.push_str("; one person touched both"),
        Some(n) => reason.push_str(&format!("; {n} people touched both")),
        None => {}
    }
    reason
}
