//! What the vectors of a category have in common, to be taken off.

use std::collections::BTreeMap;

use faer::{Mat, Side};

/// Between the steps of a category's path.
const STEP: &str = " > ";

/// Vectors at which a category's own mean counts as much as that of the category above it: with fewer, the mean is mostly
/// that of chance.
const SHRINKAGE: f64 = 100.0;

/// Categories that the directions are found from, the largest, and directions at most, those that categories differ most in.
const MOST_KINDS: usize = 256;
const MOST_DIRECTIONS: usize = 64;

/// Vectors that say how much items of one category differ.
const SPREAD: usize = 8_192;

/// Share of the variance between categories below which a direction is noise.
const NOISE: f64 = 1e-6;

/// Sums that an inner product is taken in.
const LANES: usize = 16;

/// A category as [`Centring::fit`] sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct Kind {
    /// Path: `Clothing > Shoes`.
    pub path: String,
    /// Items it has.
    pub size: u64,
    /// Numbers of items to learn from, all or some.
    pub sample: Vec<u32>,
}

/// Takes off a vector what its category has in common, so that likeness is not drowned by being of one kind.
///
/// The mean of a category shrinks towards that of the category above it, the more the fewer its items are. Of the difference
/// to the mean of all, that part goes which items of one category do not share with others of it: along each direction in which
/// categories differ, `b / (b + w)` of it, with `b` the variance between categories and `w` that within them (a Wiener
/// filter). That heels are shoes is taken off; that they are for women is not, since women's and men's are within other
/// categories too.
#[derive(Clone, Debug, PartialEq)]
pub struct Centring {
    /// Mean of all vectors: what is taken off where the category is not known.
    mean: Vec<f32>,
    /// What is taken off, by path; those above the categories of items too.
    offsets: BTreeMap<String, Vec<f32>>,
}

impl Centring {
    /// Fits to vectors of `dim` components: `vector` gives that of a number, None where there is none. The same vectors
    /// give the same centring.
    pub fn fit(dim: usize, kinds: &[Kind], vector: impl Fn(u32) -> Option<Vec<f32>>) -> Self {
        let tree = Tree::of(dim, kinds, &vector);
        let means = tree.shrunk_means();
        let mean = means.get("").cloned().unwrap_or_else(|| vec![0.0; dim]);
        let directions = directions(&mean, kinds, &means);
        let kept = kept(&directions, kinds, &vector);
        let offset = |own: &Vec<f64>| -> Vec<f32> {
            let mut offset = mean.clone();
            for ((direction, _), kept) in directions.iter().zip(&kept) {
                let along = product(own, direction) - product(&mean, direction);
                add(&mut offset, direction, (1.0 - kept) * along);
            }
            narrow(&offset)
        };
        Self {
            offsets: means.iter().map(|(p, m)| (p.clone(), offset(m))).collect(),
            mean: narrow(&mean),
        }
    }

    /// What is taken off the vectors of a category; of one not known, what is taken off those of the nearest above it.
    pub fn offset(&self, category: &str) -> &[f32] {
        let mut path = category;
        loop {
            match (self.offsets.get(path), path.rfind(STEP)) {
                (Some(offset), _) => return offset,
                (None, Some(end)) => path = &path[..end],
                (None, None) => return &self.mean,
            }
        }
    }

    /// The vector without it.
    pub fn centred(&self, category: &str, vector: &[f32]) -> Vec<f32> {
        let offset = self.offset(category);
        vector.iter().zip(offset).map(|(x, o)| x - o).collect()
    }

    /// Bytes in memory, about.
    pub fn bytes(&self) -> u64 {
        let paths = self.offsets.keys().map(|path| path.len() as u64 + 64);
        paths.sum::<u64>() + 4 * (self.mean.len() * (1 + self.offsets.len())) as u64
    }
}

/// Sums of vectors by path, those below included.
struct Tree {
    nodes: BTreeMap<String, Node>,
}

#[derive(Default)]
struct Node {
    /// Sum of the vectors of its items, as their sample says.
    sum: Vec<f64>,
    /// Items that it stands for, and vectors seen.
    size: f64,
    seen: f64,
}

impl Tree {
    fn of(dim: usize, kinds: &[Kind], vector: &impl Fn(u32) -> Option<Vec<f32>>) -> Self {
        let mut nodes: BTreeMap<String, Node> = BTreeMap::new();
        for kind in kinds {
            let (mut sum, mut seen) = (vec![0.0; dim], 0.0_f64);
            for vector in kind.sample.iter().filter_map(|number| vector(*number)) {
                sum.iter_mut()
                    .zip(&vector)
                    .for_each(|(s, x)| *s += f64::from(*x));
                seen += 1.0;
            }
            if seen == 0.0 {
                continue;
            }
            let size = kind.size as f64;
            for path in std::iter::successors(Some(kind.path.as_str()), |path| above(path)) {
                let node = nodes.entry(path.to_owned()).or_default();
                node.sum.resize(dim, 0.0);
                add(&mut node.sum, &sum, size / seen);
                node.size += size;
                node.seen += seen;
            }
        }
        Self { nodes }
    }

    /// Means of all paths, that of everything under the empty one.
    fn shrunk_means(&self) -> BTreeMap<String, Vec<f64>> {
        let mut means: BTreeMap<String, Vec<f64>> = BTreeMap::new();
        // A path comes after what is above it.
        for (path, node) in &self.nodes {
            let mut mean: Vec<f64> = node.sum.iter().map(|s| s / node.size).collect();
            if let Some(above) = above(path).and_then(|above| means.get(above)) {
                let own = node.seen / (node.seen + SHRINKAGE);
                mean.iter_mut()
                    .zip(above)
                    .for_each(|(m, a)| *m = own * *m + (1.0 - own) * a);
            }
            means.insert(path.clone(), mean);
        }
        means
    }
}

/// The path above one; that of everything is empty.
fn above(path: &str) -> Option<&str> {
    match path.rfind(STEP) {
        _ if path.is_empty() => None,
        Some(end) => Some(&path[..end]),
        None => Some(""),
    }
}

/// Unit directions in which categories differ with the variance between them, the most first.
fn directions(
    mean: &[f64],
    kinds: &[Kind],
    means: &BTreeMap<String, Vec<f64>>,
) -> Vec<(Vec<f64>, f64)> {
    let mut kinds: Vec<&Kind> = kinds
        .iter()
        .filter(|k| means.contains_key(&k.path))
        .collect();
    kinds.sort_by(|a, b| b.size.cmp(&a.size).then(a.path.cmp(&b.path)));
    kinds.truncate(MOST_KINDS);
    let total: f64 = kinds.iter().map(|k| k.size as f64).sum();
    let rows: Vec<Vec<f64>> = kinds
        .iter()
        .map(|kind| {
            let share = (kind.size as f64 / total).sqrt();
            let differences = means[&kind.path].iter().zip(mean);
            differences.map(|(x, m)| share * (x - m)).collect()
        })
        .collect();
    // Of rows x rows, which are fewer than components or hardly more.
    let gram = Mat::from_fn(rows.len(), rows.len(), |i, j| product(&rows[i], &rows[j]));
    let trace: f64 = (0..rows.len()).map(|i| gram[(i, i)]).sum();
    let eigen = (trace > 0.0 && trace.is_finite()).then(|| gram.self_adjoint_eigen(Side::Lower));
    let Some(Ok(eigen)) = eigen else {
        return Vec::new();
    };
    let values = eigen.S().column_vector();
    let leading = (0..rows.len()).rev().take(MOST_DIRECTIONS);
    let leading = leading.filter(|n| values[*n] > NOISE * trace);
    leading
        .map(|n| {
            let mut direction = vec![0.0; mean.len()];
            for (i, row) in rows.iter().enumerate() {
                add(&mut direction, row, eigen.U()[(i, n)] / values[n].sqrt());
            }
            (direction, values[n])
        })
        .collect()
}

/// For each direction the part of a category's difference that is not taken off: `w / (w + b)`.
fn kept(
    directions: &[(Vec<f64>, f64)],
    kinds: &[Kind],
    vector: &impl Fn(u32) -> Option<Vec<f32>>,
) -> Vec<f64> {
    let all: usize = kinds.iter().map(|k| k.sample.len()).sum();
    let step = all.div_ceil(SPREAD).max(1);
    let (mut within, mut total) = (vec![0.0; directions.len()], 0.0);
    for kind in kinds {
        let sample = kind.sample.iter().step_by(step);
        let vectors: Vec<Vec<f64>> = sample
            .filter_map(|number| Some(vector(*number)?.into_iter().map(f64::from).collect()))
            .collect();
        if vectors.len() < 2 {
            continue;
        }
        let size = kind.size as f64;
        for (within, (direction, _)) in within.iter_mut().zip(directions) {
            let along: Vec<f64> = vectors.iter().map(|v| product(v, direction)).collect();
            *within += size * variance(&along);
        }
        total += size;
    }
    let kept = within.iter().zip(directions).map(|(w, (_, between))| {
        let within = if total > 0.0 { w / total } else { 0.0 };
        within / (within + between)
    });
    kept.collect()
}

/// Without bias, of at least two values.
fn variance(values: &[f64]) -> f64 {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (count - 1.0)
}

/// In several sums at once, so that an addition need not wait for the one before.
fn product(a: &[f64], b: &[f64]) -> f64 {
    let (a, a_rest) = a.as_chunks::<LANES>();
    let (b, b_rest) = b.as_chunks::<LANES>();
    let mut sums = [0.0; LANES];
    for (a, b) in a.iter().zip(b) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let rest = a_rest.iter().zip(b_rest).map(|(a, b)| a * b);
    sums.iter().sum::<f64>() + rest.sum::<f64>()
}

fn add(to: &mut [f64], row: &[f64], factor: f64) {
    to.iter_mut().zip(row).for_each(|(t, x)| *t += factor * x);
}

fn narrow(values: &[f64]) -> Vec<f32> {
    values.iter().map(|x| *x as f32).collect()
}
