//! One bit per component: the neighbors of a vertex, relative to it.
//!
//! RaBitQ (Gao & Long 2024) keeps the signs of a randomly rotated vector and estimates inner
//! products from them without bias. As in SymphonyQG (Gou et al. 2024) the origin is the vertex
//! whose neighbors are coded, so that the estimate is most precise near it, and the 32 neighbors
//! are scanned as one block.
//!
//! With `c` the vertex, `o` a neighbor, `r = P(o - c)`, `s` the signs of `r` and `q` the query,
//! `|q - o|^2 = |q - c|^2 + |r|^2 - 2 <r, P(q - c)>`, and `<r, P(q - c)>` is estimated as
//! `|r|^2 / <r, s> * (<s, Pq> - <s, Pc>)`. Everything except `|q - c|^2` and `<s, Pq>` is
//! precomputed.

use super::{
    fastscan::{self, BLOCK, Tables},
    rotation::Rotation,
    simd::{Loop, with_best_simd},
};

/// Codec of one rotation.
pub(crate) struct RaBitQ {
    rotation: Rotation,
    mean: Vec<f32>,
}

/// Factors of the estimate of one neighbor's distance, in addition to its bits.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Factors {
    /// Added to the distance of the vertex.
    pub add: f32,
    /// Multiplied by `<s, Pq> / 2`.
    pub scale: f32,
}

/// A rotated query.
#[derive(Default)]
pub(crate) struct RotatedQuery {
    rotated: Vec<f32>,
    tables: Tables,
}

/// Rotates and encodes the neighbors of a vertex.
pub(crate) struct Encoder<'a> {
    codec: &'a RaBitQ,
    center: Vec<f32>,
    rotated_center: Vec<f32>,
    difference: Vec<f32>,
    rotated: Vec<f32>,
}

impl RaBitQ {
    /// Creates the codec with the rotation of `seed`. Queries are relative to `mean`: the nearer it
    /// is to them, the more precise are their tables. None if there are more components than a scan
    /// can add up.
    pub fn new(mean: Vec<f32>, seed: u64) -> Option<Self> {
        let rotation = Rotation::new(mean.len(), seed);
        (rotation.padded() <= fastscan::MAX_DIM).then_some(Self { rotation, mean })
    }

    /// The mean passed to [`RaBitQ::new`], to be stored.
    pub fn mean(&self) -> &[f32] {
        &self.mean
    }

    /// Number of bytes of the codes of a vertex's neighbors.
    pub fn block_bytes(&self) -> usize {
        fastscan::block_bytes(self.rotation.padded())
    }

    /// Returns an encoder of neighbors.
    pub fn encoder(&self) -> Encoder<'_> {
        let zeros = |n| vec![0.0; n];
        Encoder {
            codec: self,
            center: zeros(self.mean.len()),
            rotated_center: zeros(self.rotation.padded()),
            difference: zeros(self.mean.len()),
            rotated: zeros(self.rotation.padded()),
        }
    }

    /// Prepares a query.
    pub fn query(&self, vector: &[f32], query: &mut RotatedQuery) {
        let centered: Vec<f32> = vector.iter().zip(&self.mean).map(|(x, m)| x - m).collect();
        query.rotated.resize(self.rotation.padded(), 0.0);
        self.rotation.apply(&centered, &mut query.rotated);
        query.tables.fill(&query.rotated);
    }
}

impl Encoder<'_> {
    /// Sets the vertex whose neighbors are encoded.
    pub fn center(&mut self, vector: &[f32]) {
        self.center.copy_from_slice(vector);
        let centered = vector.iter().zip(&self.codec.mean).map(|(x, m)| x - m);
        self.difference
            .iter_mut()
            .zip(centered)
            .for_each(|(d, x)| *d = x);
        self.codec
            .rotation
            .apply(&self.difference, &mut self.rotated_center);
    }

    /// Encodes a neighbor of the vertex as code `code` (0 to 31) of a block that was all zero.
    pub fn neighbor(&mut self, vector: &[f32], code: usize, block: &mut [u8]) -> Factors {
        let differences = vector.iter().zip(&self.center).map(|(x, c)| x - c);
        self.difference
            .iter_mut()
            .zip(differences)
            .for_each(|(d, x)| *d = x);
        self.codec
            .rotation
            .apply(&self.difference, &mut self.rotated);
        fastscan::pack(&self.rotated, code, block);
        let (mut square, mut absolute, mut center) = (0.0_f32, 0.0_f32, 0.0_f32);
        for (x, c) in self.rotated.iter().zip(&self.rotated_center) {
            square += x * x;
            absolute += x.abs();
            center += if *x > 0.0 { *c } else { -*c };
        }
        if absolute == 0.0 {
            return Factors::default();
        }
        let ratio = square / absolute;
        Factors {
            add: square + 2.0 * ratio * center,
            scale: -4.0 * ratio,
        }
    }
}

impl RotatedQuery {
    /// Returns the estimated squared distances of the query to the 32 neighbors of a vertex, given
    /// the squared distance to the vertex itself.
    #[inline]
    pub fn estimate(
        &self,
        vertex: f32,
        adds: &[f32; BLOCK],
        scales: &[f32; BLOCK],
        block: &[u8],
    ) -> [f32; BLOCK] {
        with_best_simd(Estimate {
            sums: fastscan::sums(&self.tables, block),
            tables: &self.tables,
            vertex,
            adds,
            scales,
        })
    }
}

struct Estimate<'a> {
    sums: [u32; BLOCK],
    tables: &'a Tables,
    vertex: f32,
    adds: &'a [f32; BLOCK],
    scales: &'a [f32; BLOCK],
}

impl Loop for Estimate<'_> {
    type Output = [f32; BLOCK];

    #[inline(always)]
    fn run(self) -> [f32; BLOCK] {
        let mut distances = [0.0; BLOCK];
        for (i, distance) in distances.iter_mut().enumerate() {
            // A signed integer converts in one instruction; sums are below 2^24.
            let sum = self.sums[i].cast_signed() as f32;
            let half_product = self.tables.offset + self.tables.step * sum;
            *distance = self.vertex + self.adds[i] + self.scales[i] * half_product;
        }
        distances
    }
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng, rngs::StdRng};

    use super::*;

    /// The estimate's error is within the bound of the paper's theorem 3.2, `O(1 / sqrt(dim))` of
    /// the product of the norms, and it is unbiased.
    #[test]
    fn estimates_are_near_and_unbiased() {
        let mut rng = StdRng::seed_from_u64(5);
        for dim in [64, 100, 384] {
            let mut random = |scale: f32| -> Vec<f32> {
                (0..dim).map(|_| rng.random_range(-scale..scale)).collect()
            };
            let codec = RaBitQ::new(random(1.0), 3).unwrap();
            let vertex = random(1.0);
            let neighbors: Vec<_> = (0..BLOCK)
                .map(|_| {
                    let step = random(0.5);
                    vertex
                        .iter()
                        .zip(step)
                        .map(|(x, s)| x + s)
                        .collect::<Vec<_>>()
                })
                .collect();
            let mut block = vec![0; codec.block_bytes()];
            let (mut adds, mut scales) = ([0.0; BLOCK], [0.0; BLOCK]);
            let mut encoder = codec.encoder();
            encoder.center(&vertex);
            for (i, n) in neighbors.iter().enumerate() {
                let factors = encoder.neighbor(n, i, &mut block);
                (adds[i], scales[i]) = (factors.add, factors.scale);
            }
            let square = |a: &[f32], b: &[f32]| -> f32 {
                a.iter().zip(b).map(|(x, y)| (x - y).powi(2)).sum()
            };
            let (mut bias, mut worst, mut count) = (0.0, 0.0_f32, 0.0);
            for _ in 0..100 {
                let query = random(1.2);
                let mut rotated = RotatedQuery::default();
                codec.query(&query, &mut rotated);
                let near = square(&query, &vertex);
                let estimates = rotated.estimate(near, &adds, &scales, &block);
                for (estimate, n) in estimates.iter().zip(&neighbors) {
                    let lengths = (near * square(n, &vertex)).sqrt();
                    let error = (estimate - square(&query, n)) / (2.0 * lengths);
                    bias += error;
                    worst = worst.max(error.abs());
                    count += 1.0;
                }
            }
            let bias: f32 = bias / count;
            let deviation = 1.0 / (dim as f32).sqrt();
            assert!(worst <= 5.0 * deviation, "{dim}: {worst}");
            assert!(bias.abs() <= 0.1 * deviation, "{dim}: {bias}");
        }
    }

    #[test]
    fn a_neighbor_at_the_vertex() {
        let codec = RaBitQ::new(vec![0.0; 10], 3).unwrap();
        let mut block = vec![0; codec.block_bytes()];
        let mut encoder = codec.encoder();
        encoder.center(&[1.0; 10]);
        assert_eq!(
            encoder.neighbor(&[1.0; 10], 0, &mut block),
            Factors::default()
        );
        assert!(RaBitQ::new(vec![0.0; 5_000], 3).is_none());
    }
}
