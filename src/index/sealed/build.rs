//! Construction of a sealed segment: codes, graph, layout.

use std::sync::OnceLock;

use rand::{SeedableRng, rngs::SmallRng, seq::SliceRandom};
use vitrine_schemas::Metric;

use super::{
    Codes, DEGREE, NONE, SealedSegment,
    blocks::Blocks,
    buffer::Buffer,
    clusters::{Clusters, cluster},
    graph_builder,
    graph_search::{BeamWidth, beam_search},
    layout,
    mips::MipsToL2,
    point_offsets::PointOffsets,
    points::{Points, row},
    projection::{self, quantile},
    segment::{Graph, next_serial},
    tuning::{
        ENTRY_POINT_BYTES, MAX_ENTRY_POINTS, MIN_DEFAULT_EF, MIN_ENTRY_POINTS, OOD_FACTOR,
        OOD_NEIGHBORS, OOD_QUANTILE, OOD_SAMPLE,
    },
};
use crate::{Error, Result, index::Progress};

impl SealedSegment {
    /// Builds a segment of `vectors` (`dim` components each) with their internal ids.
    ///
    /// # Errors
    /// [`crate::Error::Invalid`] if an internal id is repeated; [`crate::Error::OutOfMemory`];
    /// [`crate::Error::Cancelled`].
    pub fn build(
        metric: Metric,
        dim: usize,
        vectors: &[(u32, &[f32])],
        codes: Codes,
        progress: &Progress,
    ) -> Result<Self> {
        let mut vectors = vectors.to_vec();
        let mut random = SmallRng::seed_from_u64(vectors.len() as u64);
        vectors.shuffle(&mut random);
        let to_l2 = MipsToL2::fit(metric, dim, vectors.iter().map(|(_, v)| *v));
        let points = encode(to_l2, &vectors, codes, progress)?;
        let entry_points = (ENTRY_POINT_BYTES / points.bytes())
            .clamp(MIN_ENTRY_POINTS, MAX_ENTRY_POINTS)
            .min(vectors.len());
        let mut links = graph_builder::build(&points, vectors.len(), entry_points, progress);
        progress.check()?;
        let mut order = layout::reachable_order(&mut links, entry_points);
        let all: Vec<_> = vectors.iter().map(|(_, v)| *v).collect();
        let clusters = match cluster(to_l2, &all, progress.threads()) {
            Some(clustering) => {
                let starts = clustering.sort(&mut order, entry_points);
                let dim = to_l2.transformed_dim();
                Some(Clusters::new(dim, clustering.centroids, starts, 0.0)?)
            }
            None => None,
        };
        drop(all);
        let vectors: Vec<_> = order.iter().map(|i| vectors[*i as usize]).collect();
        let links = reorder_links(&links, &order)?;
        let points = points.reordered(&order)?;
        let mut originals = Buffer::zeroed(vectors.len() * dim * size_of::<f32>())?;
        let rows = originals.as_mut_slice().chunks_exact_mut(dim);
        for (row, (_, v)) in rows.zip(&vectors) {
            row.copy_from_slice(v);
        }
        let blocks = match codes {
            // If 8 bits do not suffice, rounding errors would exceed the estimates too.
            Codes::RaBitQ if points.int8().is_some() => {
                let vector = |p: u32| vectors[p as usize].1;
                let mean = to_l2.mean(vectors.iter().map(|(_, v)| *v));
                Blocks::new(to_l2, links.as_slice(), vector, mean, progress.threads())?
            }
            _ => None,
        };
        let internal_ids: Vec<u32> = vectors.iter().map(|(id, _)| *id).collect();
        let offsets = PointOffsets::new(&internal_ids)
            .ok_or_else(|| Error::invalid("/vectors", "duplicate item id"))?;
        let mut segment = Self {
            to_l2,
            members: internal_ids.iter().collect(),
            internal_ids,
            offsets,
            entry_points: entry_points as u32,
            points,
            clusters,
            graph: blocks.map_or(Graph::Adjacency(links), Graph::QuantizedAdjacency),
            vectors: originals,
            file: None,
            serial: next_serial(),
            unreachable: OnceLock::new(),
        };
        if let Some(mut clusters) = segment.clusters.take() {
            clusters.set_ood_threshold(segment.measure_ood_threshold()?);
            segment.clusters = Some(clusters);
        }
        Ok(segment)
    }

    /// Returns the value of [`Clusters::ood_threshold`].
    fn measure_ood_threshold(&self) -> Result<f32> {
        let step = (self.internal_ids.len() / OOD_SAMPLE).max(1);
        let width = BeamWidth {
            ef: 2 * MIN_DEFAULT_EF,
            max_ef: 2 * MIN_DEFAULT_EF,
            exact_width: OOD_NEIGHBORS,
            stable_top_n: OOD_NEIGHBORS,
        };
        let mut distances = Vec::with_capacity(OOD_SAMPLE);
        for offset in (0..self.internal_ids.len() as u32).step_by(step) {
            let vector = row(self.vectors.as_slice(), offset, self.to_l2.dim);
            let nearest = beam_search(self, vector, &width, None, |result| {
                result.beam.candidates().nth(OOD_NEIGHBORS - 1)
            })?;
            distances.extend(nearest.map(|c| c.distance));
        }
        Ok(quantile(&mut distances, OOD_QUANTILE) * OOD_FACTOR)
    }
}

/// Returns the points that the graph is built over and searched by.
fn encode(
    to_l2: MipsToL2,
    vectors: &[(u32, &[f32])],
    codes: Codes,
    progress: &Progress,
) -> Result<Points> {
    let vectors = || vectors.iter().map(|(_, v)| *v);
    if codes == Codes::Projected {
        let vectors: Vec<_> = vectors().collect();
        if let Some(codec) = projection::choose(to_l2, &vectors, progress.threads())? {
            return Points::projected(to_l2, codec, &vectors, progress.threads());
        }
    }
    Points::new(to_l2, vectors(), codes != Codes::None)
}

/// Returns `links` by new point offsets; `order` has the old point offset of each new one.
fn reorder_links(links: &[u32], order: &[u32]) -> Result<Buffer> {
    let mut new_offset = vec![NONE; order.len()];
    for (old, new) in order.iter().zip(0..) {
        new_offset[*old as usize] = new;
    }
    let mut reordered = Buffer::zeroed(size_of_val(links))?;
    let rows = reordered.as_mut_slice().chunks_exact_mut(DEGREE);
    for (out, old) in rows.zip(order) {
        let from = row(links, *old, DEGREE);
        for (out, to) in out.iter_mut().zip(from) {
            *out = new_offset.get(*to as usize).copied().unwrap_or(NONE);
        }
    }
    Ok(reordered)
}
