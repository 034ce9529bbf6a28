//! Whether the vectors of an index may be walked by their leading principal components, and by how many: decided by how well
//! those find the neighbours of some of the vectors.

use vitrine_schemas::Metric;

use super::points::{Lift, Points};
use crate::{
    Result,
    distance::{self, CHUNK},
    index::{Neighbor, best::best_of},
    quantize::{Fit, MOST_DIM, Principal, Projected, kept},
};

/// Vectors below which finding the components costs more than it saves.
const LEAST: usize = 4_096;

/// Vectors that the components are found from; as many for each component where that is more.
const SAMPLE: (usize, usize) = (8_192, 8);

/// Vectors whose neighbours are looked for, and among how many.
const ASKED: usize = 128;
const AMONG: usize = 32_768;

/// Neighbours looked for, among so many with the least estimates.
const NEAR: usize = 10;
const RANKED: usize = 24;

/// Share of the estimates that the error is not above.
const HARDLY: f64 = 0.99;

/// Share of the variance that codes have to keep to be tried.
const LEAST_SHARE: f32 = 0.5;

/// Share of the neighbours that has to be found.
const FOUND: f64 = 0.99;

/// Most bytes of a code for each component of the vectors.
const MOST_BYTES: f64 = 0.55;

/// The shortest codes that are good enough, where there are any. `vectors` are in random order.
pub(super) fn choose(lift: Lift, vectors: &[&[f32]], threads: usize) -> Result<Option<Projected>> {
    let dim = lift.lifted_dim();
    if vectors.len() < LEAST || dim > MOST_DIM {
        return Ok(None);
    }
    let (asked, others) = vectors.split_at(ASKED);
    let among = &others[..others.len().min(AMONG)];
    let count = SAMPLE.0.max(SAMPLE.1 * dim).min(others.len());
    let mut sample = vec![0.0; count * dim];
    // From the end: of many vectors, others than those that are looked among.
    for (row, v) in sample.chunks_exact_mut(dim).zip(others.iter().rev()) {
        lift.lift(v, row);
    }
    let Some(principal) = Principal::fit(dim, sample) else {
        return Ok(None);
    };
    let trial = Trial::new(lift, asked, among)?;
    for bytes in (CHUNK..).step_by(CHUNK) {
        let least = principal.share(kept(bytes)) >= LEAST_SHARE;
        if bytes as f64 > MOST_BYTES * dim as f64 {
            break;
        }
        if !least {
            continue;
        }
        let codec = Projected::new(&principal, bytes);
        let fit = trial.fit(&codec)?;
        let codec = codec.with_fit(fit);
        let found = trial.found(codec.clone(), threads)?;
        tracing::debug!(bytes, found, ?fit, "leading components tried");
        if found >= FOUND {
            return Ok(Some(codec));
        }
        if kept(bytes) >= dim {
            break;
        }
    }
    Ok(None)
}

/// Vectors that ask for their neighbours among others.
struct Trial<'a> {
    lift: Lift,
    among: &'a [&'a [f32]],
    asked: Vec<Asked>,
}

struct Asked {
    /// As a query.
    lifted: Vec<f32>,
    /// Places of the neighbours.
    near: Vec<u32>,
}

impl<'a> Trial<'a> {
    fn new(lift: Lift, asked: &[&[f32]], among: &'a [&'a [f32]]) -> Result<Self> {
        let places: Vec<u32> = (0..among.len() as u32).collect();
        let asked = asked.iter().map(|v| {
            let near = best_of(&places, NEAR, lift.dim * 4, None, |places, best| {
                for &id in places {
                    let distance = distance::distance(lift.metric, v, among[id as usize]);
                    best.push(Neighbor { id, distance });
                }
            })?;
            Ok(Asked {
                lifted: lift.lift_query(v),
                near: near.iter().map(|n| n.id).collect(),
            })
        });
        Ok(Self {
            lift,
            among,
            asked: asked.collect::<Result<_>>()?,
        })
    }

    /// Measures the estimates of neighbours' distances.
    fn fit(&self, codec: &Projected) -> Result<Fit> {
        let near = self.asked.iter().flat_map(|a| a.near.iter());
        let near: Vec<_> = near.map(|place| self.among[*place as usize]).collect();
        let mut lifted = vec![0.0; self.lift.lifted_dim()];
        let exact = self.each(|query, at| {
            self.lift.lift(near[at as usize], &mut lifted);
            distance::distance(Metric::L2, query, &lifted).powi(2)
        });
        let points = |fit| Points::projected(self.lift, codec.clone().with_fit(fit), &near, 1);
        let estimated =
            |points: &Points| self.each(|query, at| points.distance(&points.probe(query), at));
        let sum = |all: &[f32]| all.iter().map(|d| f64::from(*d)).sum::<f64>();
        let none = sum(&estimated(&points(Fit::with(0.0))?));
        let all = sum(&estimated(&points(Fit::with(1.0))?));
        let left = ((sum(&exact) - none) / (all - none)) as f32;
        let left = if left.is_finite() {
            left.clamp(0.0, 1.0)
        } else {
            0.0
        };
        let points = points(Fit::with(left))?;
        let mut unknown = self.each(|query, _| points.probe(query).unknown());
        let errors = estimated(&points).into_iter().zip(&exact).zip(&unknown);
        let mut errors: Vec<f32> = errors.map(|((e, d), u)| (e - d).max(0.0) / u).collect();
        Ok(Fit {
            left,
            error: quantile(&mut errors, HARDLY),
            unknown: quantile(&mut unknown, 0.5),
        })
    }

    /// Something of each who asks and each of their neighbours, which are numbered through.
    fn each(&self, mut of: impl FnMut(&[f32], u32) -> f32) -> Vec<f32> {
        let pairs = self
            .asked
            .iter()
            .flat_map(|a| a.near.iter().map(move |_| a));
        pairs.zip(0..).map(|(a, at)| of(&a.lifted, at)).collect()
    }

    /// The share of neighbours found by codes.
    fn found(&self, codec: Projected, threads: usize) -> Result<f64> {
        let points = Points::projected(self.lift, codec, self.among, threads)?;
        let places: Vec<u32> = (0..self.among.len() as u32).collect();
        let (mut found, mut total) = (0, 0);
        for Asked { lifted, near } in &self.asked {
            let probe = points.probe(lifted);
            let best = best_of(&places, RANKED, points.bytes(), None, |places, best| {
                points.distances(&probe, places, |id, distance| {
                    best.push(Neighbor { id, distance });
                });
            })?;
            found += near
                .iter()
                .filter(|n| best.iter().any(|b| b.id == **n))
                .count();
            total += near.len();
        }
        Ok(found as f64 / total.max(1) as f64)
    }
}

/// The number that the share `share` of all is not above; 0 of none.
fn quantile(all: &mut [f32], share: f64) -> f32 {
    all.sort_unstable_by(f32::total_cmp);
    let at = (share * all.len() as f64) as usize;
    all.get(at).or(all.last()).copied().unwrap_or_default()
}
