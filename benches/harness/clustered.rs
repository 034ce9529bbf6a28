//! Unit vectors in nested clusters, as the departments and aisles of a shop, and queries of two
//! kinds: like the vectors, and in random directions (far from all of them, as a text is among the
//! vectors of images).

use rand::{Rng, SeedableRng, rngs::StdRng};
use rand_distr::{Distribution, StandardNormal};
use vitrine::distance;

const DEPARTMENTS: usize = 20;
const AISLES: usize = 400;

/// Dimension of the space that the clusters fill: vectors of encoders fill fewer dimensions than
/// they have.
const INNER_DIM: usize = 24;

/// Standard deviation of aisles around their department, of vectors around their aisle, and of the
/// noise in all dimensions.
const AISLE_SPREAD: f32 = 0.6;
const VECTOR_SPREAD: f32 = 0.35;
const NOISE: f32 = 0.02;

pub struct Clustered {
    dim: usize,
    aisles: Vec<Vec<f32>>,
    /// `INNER_DIM` rows of `dim` numbers.
    turn: Vec<f32>,
}

impl Clustered {
    pub fn new(dim: usize) -> Self {
        let mut random = StdRng::seed_from_u64(1);
        let mut around = |center: &[f32], spread: f32| -> Vec<f32> {
            let noise = normals(&mut random, center.len());
            center
                .iter()
                .zip(noise)
                .map(|(c, n)| c + spread * n)
                .collect()
        };
        let departments: Vec<_> = (0..DEPARTMENTS)
            .map(|_| around(&[0.0; INNER_DIM], 1.0))
            .collect();
        let aisles = (0..AISLES)
            .map(|n| around(&departments[n % DEPARTMENTS], AISLE_SPREAD))
            .collect();
        let turn = around(&vec![0.0; INNER_DIM * dim], (dim as f32).sqrt().recip());
        Self { dim, aisles, turn }
    }

    /// Returns `count` vectors, one after the other; each seed gives others.
    pub fn vectors(&self, count: usize, seed: u64) -> Vec<f32> {
        let mut random = StdRng::seed_from_u64(seed);
        let mut all = vec![0.0; count * self.dim];
        for row in all.chunks_exact_mut(self.dim) {
            let aisle = &self.aisles[random.random_range(0..AISLES)];
            let noise = normals(&mut random, INNER_DIM);
            for ((center, noise), turn) in aisle
                .iter()
                .zip(noise)
                .zip(self.turn.chunks_exact(self.dim))
            {
                let x = center + VECTOR_SPREAD * noise;
                row.iter_mut().zip(turn).for_each(|(r, t)| *r += x * t);
            }
            let noise = normals(&mut random, self.dim);
            row.iter_mut().zip(noise).for_each(|(r, n)| *r += NOISE * n);
            distance::normalize(row);
        }
        all
    }
}

/// Returns `count` unit vectors in random directions.
pub fn directions(dim: usize, count: usize, seed: u64) -> Vec<f32> {
    let mut all = normals(&mut StdRng::seed_from_u64(seed), count * dim);
    for row in all.chunks_exact_mut(dim) {
        distance::normalize(row);
    }
    all
}

fn normals(random: &mut StdRng, count: usize) -> Vec<f32> {
    let normal = StandardNormal;
    (0..count).map(|_| normal.sample(random)).collect()
}
