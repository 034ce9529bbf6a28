//! Choice of the number of leading principal components for projected codes, if they suffice for a
//! segment: a trial measures how well they find the neighbors of some of the vectors.

use vitrine_schemas::Metric;

use super::{
    mips::MipsToL2,
    points::Points,
    tuning::{
        ERROR_QUANTILE, MAX_BYTES_PER_COMPONENT, MIN_PROJECTED_VECTORS, MIN_SAMPLE,
        MIN_TRIAL_RECALL, MIN_VARIANCE_SHARE, SAMPLE_PER_COMPONENT, TRIAL_CANDIDATES,
        TRIAL_NEIGHBORS, TRIAL_QUERIES, TRIAL_VECTORS,
    },
};
use crate::{
    Result,
    distance::{self, CHUNK},
    index::{Neighbor, top_k::top_k},
    quantize::{MAX_PROJECTED_DIM, PrincipalComponents, Projected, ProjectionFit, kept_components},
};

/// Returns the codec with the shortest codes that are good enough; None if there are none.
/// `vectors` are in random order.
pub(super) fn choose(
    to_l2: MipsToL2,
    vectors: &[&[f32]],
    threads: usize,
) -> Result<Option<Projected>> {
    let dim = to_l2.transformed_dim();
    if vectors.len() < MIN_PROJECTED_VECTORS || dim > MAX_PROJECTED_DIM {
        return Ok(None);
    }
    let (queries, others) = vectors.split_at(TRIAL_QUERIES);
    let candidates = &others[..others.len().min(TRIAL_VECTORS)];
    let count = MIN_SAMPLE.max(SAMPLE_PER_COMPONENT * dim).min(others.len());
    let mut sample = vec![0.0; count * dim];
    // From the end: if there are many vectors, others than the candidates of the trial.
    for (row, v) in sample.chunks_exact_mut(dim).zip(others.iter().rev()) {
        to_l2.transform(v, row);
    }
    let Some(principal) = PrincipalComponents::fit(dim, sample) else {
        return Ok(None);
    };
    let trial = Trial::new(to_l2, queries, candidates)?;
    for bytes in (CHUNK..).step_by(CHUNK) {
        let keeps_enough = principal.share(kept_components(bytes)) >= MIN_VARIANCE_SHARE;
        if bytes as f64 > MAX_BYTES_PER_COMPONENT * dim as f64 {
            break;
        }
        if !keeps_enough {
            continue;
        }
        let codec = Projected::new(&principal, bytes);
        let fit = trial.fit(&codec)?;
        let codec = codec.with_fit(fit);
        let recall = trial.recall(codec.clone(), threads)?;
        tracing::debug!(bytes, recall, ?fit, "tried leading components");
        if recall >= MIN_TRIAL_RECALL {
            return Ok(Some(codec));
        }
        if kept_components(bytes) >= dim {
            break;
        }
    }
    Ok(None)
}

/// Queries and the vectors among which their neighbors are searched.
struct Trial<'a> {
    to_l2: MipsToL2,
    candidates: &'a [&'a [f32]],
    queries: Vec<TrialQuery>,
}

struct TrialQuery {
    transformed: Vec<f32>,
    /// The true neighbors: indexes of candidates.
    neighbors: Vec<u32>,
}

impl<'a> Trial<'a> {
    fn new(to_l2: MipsToL2, queries: &[&[f32]], candidates: &'a [&'a [f32]]) -> Result<Self> {
        let all: Vec<u32> = (0..candidates.len() as u32).collect();
        let queries = queries.iter().map(|v| {
            let near = top_k(&all, TRIAL_NEIGHBORS, to_l2.dim * 4, None, |ids, best| {
                for &id in ids {
                    let distance = distance::distance(to_l2.metric, v, candidates[id as usize]);
                    best.push(Neighbor { id, distance });
                }
            })?;
            Ok(TrialQuery {
                transformed: to_l2.transform_query(v),
                neighbors: near.iter().map(|n| n.id).collect(),
            })
        });
        Ok(Self {
            to_l2,
            candidates,
            queries: queries.collect::<Result<_>>()?,
        })
    }

    /// Measures the estimates of neighbors' distances.
    fn fit(&self, codec: &Projected) -> Result<ProjectionFit> {
        let near = self.queries.iter().flat_map(|q| q.neighbors.iter());
        let near: Vec<_> = near.map(|id| self.candidates[*id as usize]).collect();
        let mut transformed = vec![0.0; self.to_l2.transformed_dim()];
        let exact = self.per_pair(|query, pair| {
            self.to_l2.transform(near[pair as usize], &mut transformed);
            distance::distance(Metric::L2, query, &transformed).powi(2)
        });
        let points = |fit| Points::projected(self.to_l2, codec.clone().with_fit(fit), &near, 1);
        let estimated = |points: &Points| {
            self.per_pair(|query, pair| points.distance(&points.prepare_query(query), pair))
        };
        let sum = |all: &[f32]| all.iter().map(|d| f64::from(*d)).sum::<f64>();
        let none = sum(&estimated(&points(ProjectionFit::with_share(0.0))?));
        let all = sum(&estimated(&points(ProjectionFit::with_share(1.0))?));
        let share = ((sum(&exact) - none) / (all - none)) as f32;
        let share = if share.is_finite() {
            share.clamp(0.0, 1.0)
        } else {
            0.0
        };
        let points = points(ProjectionFit::with_share(share))?;
        let mut residuals = self.per_pair(|query, _| points.prepare_query(query).residual_norm());
        let errors = estimated(&points).into_iter().zip(&exact).zip(&residuals);
        let mut errors: Vec<f32> = errors.map(|((e, d), r)| (e - d).max(0.0) / r).collect();
        Ok(ProjectionFit {
            residual_share: share,
            error: quantile(&mut errors, ERROR_QUANTILE),
            residual_norm: quantile(&mut residuals, 0.5),
        })
    }

    /// Returns one value per (query, neighbor) pair, in row-major order; `value` gets the query and
    /// the index of the pair.
    fn per_pair(&self, mut value: impl FnMut(&[f32], u32) -> f32) -> Vec<f32> {
        let pairs = self
            .queries
            .iter()
            .flat_map(|q| q.neighbors.iter().map(move |_| q));
        pairs
            .zip(0..)
            .map(|(q, pair)| value(&q.transformed, pair))
            .collect()
    }

    /// Returns the share of neighbors found by codes.
    fn recall(&self, codec: Projected, threads: usize) -> Result<f64> {
        let points = Points::projected(self.to_l2, codec, self.candidates, threads)?;
        let all: Vec<u32> = (0..self.candidates.len() as u32).collect();
        let (mut hits, mut total) = (0, 0);
        for TrialQuery {
            transformed,
            neighbors,
        } in &self.queries
        {
            let query = points.prepare_query(transformed);
            let best = top_k(&all, TRIAL_CANDIDATES, points.bytes(), None, |ids, best| {
                points.distances(&query, ids, |id, distance| {
                    best.push(Neighbor { id, distance });
                });
            })?;
            hits += neighbors
                .iter()
                .filter(|n| best.iter().any(|b| b.id == **n))
                .count();
            total += neighbors.len();
        }
        Ok(hits as f64 / total.max(1) as f64)
    }
}

/// Returns the `q`-quantile of some numbers; 0 if there are none.
pub(super) fn quantile(all: &mut [f32], q: f64) -> f32 {
    all.sort_unstable_by(f32::total_cmp);
    let index = (q * all.len() as f64) as usize;
    all.get(index).or(all.last()).copied().unwrap_or_default()
}
