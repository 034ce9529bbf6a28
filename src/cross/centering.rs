//! Category-centered vectors.

use std::collections::BTreeMap;

use faer::{Mat, Side};
use vitrine_schemas::CategoryPath;

/// Number of vectors at which the mean of a category counts as much as that of its parent: the mean
/// of fewer is mostly noise.
const SHRINKAGE: f64 = 100.0;

/// Maximum number of categories, the largest, that the directions are computed from.
const MAX_CATEGORIES: usize = 256;

/// Maximum number of directions, those in which categories differ most.
const MAX_DIRECTIONS: usize = 64;

/// Number of vectors that the variance within categories is estimated from.
const VARIANCE_SAMPLE: usize = 8_192;

/// Share of the variance between categories below which a direction is noise.
const NOISE_SHARE: f64 = 1e-6;

/// Number of partial sums of an inner product.
const LANES: usize = 16;

/// A category with a sample of its items, as input of [`Centering::fit`].
#[derive(Clone, Debug, PartialEq)]
pub struct CategorySample {
    /// Path, such as `Clothing > Shoes`.
    pub path: String,
    /// Number of items.
    pub size: u64,
    /// Numbers of the sampled items, all or some.
    pub sample: Vec<u32>,
}

/// Subtracts the category centroid, so that same-category similarity does not dominate.
///
/// The mean of a category shrinks towards that of its parent, the more the fewer items it has. Of
/// the difference to the overall mean, only the component that is specific to the category is
/// subtracted: along each direction in which categories differ, the share `b / (b + w)` of it, with
/// `b` the variance between categories and `w` that within them (a Wiener filter). For heels,
/// "shoe" is subtracted; "for women" is not, since other categories also contain women's and men's
/// items.
#[derive(Clone, Debug, PartialEq)]
pub struct Centering {
    /// Mean of all vectors, the offset of unknown categories.
    mean: Vec<f32>,
    /// Subtracted vectors by path, including the parents of the categories of items.
    offsets: BTreeMap<String, Vec<f32>>,
}

impl Centering {
    /// Fits to vectors of `dim` components; `vector` returns that of an item number, or None. The
    /// result is deterministic.
    pub fn fit(
        dim: usize,
        categories: &[CategorySample],
        vector: impl Fn(u32) -> Option<Vec<f32>>,
    ) -> Self {
        let tree = Tree::of(dim, categories, &vector);
        let means = tree.shrunk_means();
        let mean = means.get("").cloned().unwrap_or_else(|| vec![0.0; dim]);
        let directions = directions(&mean, categories, &means);
        let kept_shares = kept_shares(&directions, categories, &vector);
        let offset = |centroid: &Vec<f64>| -> Vec<f32> {
            let mut offset = mean.clone();
            for ((direction, _), kept) in directions.iter().zip(&kept_shares) {
                let along = product(centroid, direction) - product(&mean, direction);
                add(&mut offset, direction, (1.0 - kept) * along);
            }
            narrow(&offset)
        };
        Self {
            offsets: means.iter().map(|(p, m)| (p.clone(), offset(m))).collect(),
            mean: narrow(&mean),
        }
    }

    /// Returns the vector subtracted from those of a category; for an unknown category, that of its
    /// nearest known ancestor.
    pub fn offset(&self, category: &str) -> &[f32] {
        let mut path = Some(CategoryPath::new(category));
        while let Some(known) = path {
            if let Some(offset) = self.offsets.get(known.as_str()) {
                return offset;
            }
            path = known.parent();
        }
        &self.mean
    }

    /// Returns the vector minus the offset of its category.
    pub fn centered(&self, category: &str, vector: &[f32]) -> Vec<f32> {
        let offset = self.offset(category);
        vector.iter().zip(offset).map(|(x, o)| x - o).collect()
    }

    /// Returns the approximate bytes of memory.
    pub fn bytes(&self) -> u64 {
        let paths = self.offsets.keys().map(|path| path.len() as u64 + 64);
        paths.sum::<u64>() + 4 * (self.mean.len() * (1 + self.offsets.len())) as u64
    }
}

/// Sums of vectors by path, including descendants.
struct Tree {
    nodes: BTreeMap<String, Node>,
}

#[derive(Default)]
struct Node {
    /// Sum of the vectors of its items, estimated from the samples.
    sum: Vec<f64>,
    /// Number of items.
    size: f64,
    /// Number of sampled vectors.
    seen: f64,
}

impl Tree {
    fn of(
        dim: usize,
        categories: &[CategorySample],
        vector: &impl Fn(u32) -> Option<Vec<f32>>,
    ) -> Self {
        let mut nodes: BTreeMap<String, Node> = BTreeMap::new();
        for category in categories {
            let (mut sum, mut seen) = (vec![0.0; dim], 0.0_f64);
            for vector in category.sample.iter().filter_map(|number| vector(*number)) {
                sum.iter_mut()
                    .zip(&vector)
                    .for_each(|(s, x)| *s += f64::from(*x));
                seen += 1.0;
            }
            if seen == 0.0 {
                continue;
            }
            let size = category.size as f64;
            for path in std::iter::successors(Some(category.path.as_str()), |path| parent(path)) {
                let node = nodes.entry(path.to_owned()).or_default();
                node.sum.resize(dim, 0.0);
                add(&mut node.sum, &sum, size / seen);
                node.size += size;
                node.seen += seen;
            }
        }
        Self { nodes }
    }

    /// Returns the means by path; the empty path has the overall mean.
    fn shrunk_means(&self) -> BTreeMap<String, Vec<f64>> {
        let mut means: BTreeMap<String, Vec<f64>> = BTreeMap::new();
        // Parents come first in the order of paths.
        for (path, node) in &self.nodes {
            let mut mean: Vec<f64> = node.sum.iter().map(|s| s / node.size).collect();
            if let Some(parent) = parent(path).and_then(|parent| means.get(parent)) {
                let share = node.seen / (node.seen + SHRINKAGE);
                mean.iter_mut()
                    .zip(parent)
                    .for_each(|(m, p)| *m = share * *m + (1.0 - share) * p);
            }
            means.insert(path.clone(), mean);
        }
        means
    }
}

/// Returns the parent of a path; the root is the empty path.
fn parent(path: &str) -> Option<&str> {
    (!path.is_empty()).then(|| {
        let parent = CategoryPath::new(path).parent();
        parent.map_or("", CategoryPath::as_str)
    })
}

/// Returns unit directions in which categories differ, with the variance between categories along
/// each, the largest first.
fn directions(
    mean: &[f64],
    categories: &[CategorySample],
    means: &BTreeMap<String, Vec<f64>>,
) -> Vec<(Vec<f64>, f64)> {
    let mut categories: Vec<&CategorySample> = categories
        .iter()
        .filter(|c| means.contains_key(&c.path))
        .collect();
    categories.sort_by(|a, b| b.size.cmp(&a.size).then(a.path.cmp(&b.path)));
    categories.truncate(MAX_CATEGORIES);
    let total: f64 = categories.iter().map(|c| c.size as f64).sum();
    let rows: Vec<Vec<f64>> = categories
        .iter()
        .map(|category| {
            let share = (category.size as f64 / total).sqrt();
            let differences = means[&category.path].iter().zip(mean);
            differences.map(|(x, m)| share * (x - m)).collect()
        })
        .collect();
    // The Gram matrix is rows x rows, since there are not many more rows than components.
    let gram = Mat::from_fn(rows.len(), rows.len(), |i, j| product(&rows[i], &rows[j]));
    let trace: f64 = (0..rows.len()).map(|i| gram[(i, i)]).sum();
    let eigen = (trace > 0.0 && trace.is_finite()).then(|| gram.self_adjoint_eigen(Side::Lower));
    let Some(Ok(eigen)) = eigen else {
        return Vec::new();
    };
    let values = eigen.S().column_vector();
    let leading = (0..rows.len()).rev().take(MAX_DIRECTIONS);
    let leading = leading.filter(|n| values[*n] > NOISE_SHARE * trace);
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

/// Returns, per direction, the share of a category's difference that is kept: `w / (w + b)`.
fn kept_shares(
    directions: &[(Vec<f64>, f64)],
    categories: &[CategorySample],
    vector: &impl Fn(u32) -> Option<Vec<f32>>,
) -> Vec<f64> {
    let all: usize = categories.iter().map(|c| c.sample.len()).sum();
    let step = all.div_ceil(VARIANCE_SAMPLE).max(1);
    let (mut within, mut total) = (vec![0.0; directions.len()], 0.0);
    for category in categories {
        let sample = category.sample.iter().step_by(step);
        let vectors: Vec<Vec<f64>> = sample
            .filter_map(|number| Some(vector(*number)?.into_iter().map(f64::from).collect()))
            .collect();
        if vectors.len() < 2 {
            continue;
        }
        let size = category.size as f64;
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

/// Returns the unbiased variance of at least two values.
fn variance(values: &[f64]) -> f64 {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (count - 1.0)
}

/// Returns the inner product, from independent partial sums, which hide the latency of additions.
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
