//! A graph that no longer grows, laid out for the processor's caches.
//!
//! hnsw_rs builds the graph; what serves it is one flat array of links a fixed number a vector, in breadth-first
//! order, with int8 codes beside it to walk by. The candidates that are left are ranked again by their vectors.
//! Of the upper layers only a sample of vectors stays, as the places where a walk may start: they were drawn at
//! random, and trying all of them costs less than the descent (Malkov & Yashunin 2018 give the descent).

mod layout;
mod walk;

use std::time::Instant;

use roaring::RoaringBitmap;
use vitrine_schemas::Metric;

use super::{FlatIndex, GrowingIndex, Neighbor, VectorSearcher, check_deadline, flat::Rows, order};
use crate::{Result, distance, quantize::Int8};

/// Links of a vector: twice hnsw_rs's `M`, the ground layer's most.
const DEGREE: usize = 2 * super::growing::M;

/// Fills the places of links that are not there.
const NONE: u32 = u32::MAX;

/// Where walks may start, before the repair of reachability adds to it.
const ENTRIES: usize = 128;

/// A vector of the graph that is laid out.
pub(super) struct Node {
    /// Internal item number.
    pub number: u32,
    /// Highest layer it stands on.
    pub level: u8,
    /// Numbers it links to on the ground layer.
    pub links: Vec<u32>,
}

/// Read-only approximate index. Vectors are at *positions*, in the order of the layout.
pub struct SealedIndex {
    metric: Metric,
    dim: usize,
    numbers: Vec<u32>,
    links: Vec<u32>,
    entries: Vec<u32>,
    codes: Option<(Int8, Vec<i8>)>,
    rows: Rows,
}

impl SealedIndex {
    /// Lays out what `growing` holds. The vectors stay those of `flat`, nothing is copied.
    pub fn freeze(growing: &GrowingIndex, flat: &FlatIndex, dim: usize, metric: Metric) -> Self {
        let rows = flat.rows();
        let mut nodes = growing.nodes();
        nodes.retain(|node| rows.get(node.number).is_some());
        let layout = layout::lay_out(&nodes);
        let vectors = || layout.numbers.iter().filter_map(|n| rows.get(*n));
        let codes = Int8::fit(dim, vectors()).map(|int8| {
            let mut codes = Vec::with_capacity(layout.numbers.len() * dim);
            vectors().for_each(|v| int8.encode(v, &mut codes));
            (int8, codes)
        });
        Self {
            metric,
            dim,
            numbers: layout.numbers,
            links: layout.links,
            entries: layout.entries,
            codes,
            rows,
        }
    }

    fn neighbours(&self, position: u32) -> impl Iterator<Item = u32> + '_ {
        let start = position as usize * DEGREE;
        self.links[start..start + DEGREE]
            .iter()
            .copied()
            .take_while(|p| *p != NONE)
    }

    /// Distance of the query to the vector at a position; infinitely far where there is none.
    fn exact(&self, query: &[f32], position: u32) -> f32 {
        let vector = self.rows.get(self.numbers[position as usize]);
        vector.map_or(f32::INFINITY, |v| distance::distance(self.metric, query, v))
    }

    fn walk(
        &self,
        query: &[f32],
        ef: usize,
        allowed: &RoaringBitmap,
        deadline: Option<Instant>,
    ) -> Result<Vec<u32>> {
        let pass = |p: u32| allowed.contains(self.numbers[p as usize]);
        let Some((int8, codes)) = &self.codes else {
            return walk::walk(self, ef, deadline, |p| self.exact(query, p), pass);
        };
        let mut code = Vec::with_capacity(self.dim);
        int8.encode(query, &mut code);
        let coded = |p| {
            let start = p as usize * self.dim;
            distance::squared_l2_i8(&code, &codes[start..start + self.dim]) as f32
        };
        walk::walk(self, ef, deadline, coded, pass)
    }
}

impl VectorSearcher for SealedIndex {
    fn len(&self) -> usize {
        self.numbers.len()
    }

    fn search(
        &self,
        query: &[f32],
        k: usize,
        ef: usize,
        allowed: &RoaringBitmap,
        deadline: Option<Instant>,
    ) -> Result<Vec<Neighbor>> {
        check_deadline(deadline)?;
        let mut found: Vec<_> = self
            .walk(query, ef.max(k).min(self.len()).max(1), allowed, deadline)?
            .into_iter()
            .map(|p| (p, self.numbers[p as usize]))
            .map(|(p, id)| Neighbor {
                id,
                distance: self.exact(query, p),
            })
            .collect();
        found.sort_unstable_by(order);
        found.truncate(k);
        Ok(found)
    }
}
