//! The vectors of a graph as its builder and its walks compare them.
//!
//! Every metric becomes squared Euclidean distance: unit vectors have it from cosine; for inner products a component
//! is added that brings all vectors to one length (Bachrach et al. 2014), so that the nearest has the largest product.

use vitrine_schemas::Metric;

use super::{memory::Memory, prefetch::prefetch};
use crate::{
    Result, distance,
    quantize::{Int8, Projected, ProjectedQuery, Query, Terms},
};

/// Points that a scan has the processor fetch while it compares as many.
const AHEAD: usize = 16;

/// Vectors lifted at a time.
const LIFTED: usize = 256;

/// Codes may tell so many times less of a query than of the vectors before a walk is made wider, and so much wider at most.
const USUAL: f32 = 1.5;
const MOST_WIDENING: f32 = 4.0;

/// How vectors of a metric are laid into Euclidean space.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Lift {
    pub metric: Metric,
    /// Components of the vectors as they come.
    pub dim: usize,
    /// Square of the length that all vectors are brought to; of inner products only.
    pub radius: f32,
}

impl Lift {
    /// The lift for these vectors.
    pub fn of<'a>(metric: Metric, dim: usize, vectors: impl Iterator<Item = &'a [f32]>) -> Self {
        let radius = match metric {
            Metric::Dot => vectors.map(square).fold(0.0, f32::max),
            _ => 0.0,
        };
        Self {
            metric,
            dim,
            radius,
        }
    }

    /// Components of a lifted vector.
    pub fn lifted_dim(&self) -> usize {
        self.dim + usize::from(self.metric == Metric::Dot)
    }

    /// Lifts a vector of the index.
    pub fn lift(&self, vector: &[f32], out: &mut [f32]) {
        out[..self.dim].copy_from_slice(vector);
        if self.metric == Metric::Dot {
            out[self.dim] = (self.radius - square(vector)).max(0.0).sqrt();
        }
    }

    /// Mean of the lifted vectors.
    pub fn mean<'a>(&self, vectors: impl ExactSizeIterator<Item = &'a [f32]>) -> Vec<f32> {
        let count = vectors.len() as f64;
        let mut sums = vec![0.0_f64; self.lifted_dim()];
        let mut lifted = vec![0.0; self.lifted_dim()];
        for v in vectors {
            self.lift(v, &mut lifted);
            sums.iter_mut()
                .zip(&lifted)
                .for_each(|(s, x)| *s += f64::from(*x));
        }
        sums.iter().map(|s| (s / count) as f32).collect()
    }

    /// Squared distance of a lifted vector to a lifted query, from their distance by the metric.
    pub fn squared(&self, lifted_by: f32, distance: f32) -> f32 {
        match self.metric {
            Metric::Cosine => 2.0 * distance,
            Metric::L2 => distance * distance,
            Metric::Dot => 2.0 * (self.radius + lifted_by * distance),
        }
    }

    /// What a query of inner products is multiplied by when it is lifted.
    pub fn query_scale(&self, query: &[f32]) -> f32 {
        let scale = (self.radius / square(query)).sqrt();
        if self.metric == Metric::Dot && scale.is_normal() {
            scale
        } else {
            1.0
        }
    }

    /// Lifts a query. Its length does not change the order of inner products: it gets that of the vectors, for which
    /// codes are made.
    pub fn lift_query(&self, query: &[f32]) -> Vec<f32> {
        let mut lifted = query.to_vec();
        if self.metric == Metric::Dot {
            let scale = self.query_scale(query);
            lifted.iter_mut().for_each(|x| *x *= scale);
            lifted.push(0.0);
        }
        lifted
    }
}

/// Squared length.
pub(super) fn square(vector: &[f32]) -> f32 {
    -distance::distance(Metric::Dot, vector, vector)
}

/// Lifted vectors to build a graph over: coded, or as they are where 8 bits do not suffice.
pub(super) enum Points {
    Projected {
        codec: Projected,
        codes: Memory,
    },
    Coded {
        int8: Int8,
        codes: Memory,
        terms: Vec<Terms>,
    },
    Full {
        dim: usize,
        vectors: Memory,
    },
}

/// A point that others are compared with.
#[derive(Default)]
pub(super) struct Probe<'a> {
    code: Query,
    projected: ProjectedQuery,
    vector: &'a [f32],
}

impl Probe<'_> {
    /// See [`ProjectedQuery::unknown`].
    pub fn unknown(&self) -> f32 {
        self.projected.unknown()
    }
}

impl Points {
    /// Lifts and codes `vectors`; `coded: false` keeps them as they are.
    pub fn new<'a>(
        lift: Lift,
        vectors: impl ExactSizeIterator<Item = &'a [f32]> + Clone,
        coded: bool,
    ) -> Result<Self> {
        let dim = lift.lifted_dim();
        let count = vectors.len();
        let mut buffer = vec![0.0; dim];
        let fitted = coded
            .then(|| {
                Int8::fit(dim, |visit| {
                    for v in vectors.clone() {
                        lift.lift(v, &mut buffer);
                        visit(&buffer);
                    }
                })
            })
            .flatten();
        let Some(int8) = fitted else {
            let mut memory = Memory::zeroed(count * dim * size_of::<f32>())?;
            for (row, v) in memory.of_mut().chunks_exact_mut(dim).zip(vectors) {
                lift.lift(v, row);
            }
            return Ok(Self::Full {
                dim,
                vectors: memory,
            });
        };
        let bytes = int8.code_bytes();
        let mut codes = Memory::zeroed(count * bytes)?;
        let terms = codes
            .of_mut()
            .chunks_exact_mut(bytes)
            .zip(vectors)
            .map(|(code, v)| {
                lift.lift(v, &mut buffer);
                int8.encode(&buffer, code)
            })
            .collect();
        Ok(Self::Coded { int8, codes, terms })
    }

    /// Lifts and codes `vectors`.
    pub fn projected(
        lift: Lift,
        codec: Projected,
        vectors: &[&[f32]],
        threads: usize,
    ) -> Result<Self> {
        let (dim, bytes) = (lift.lifted_dim(), codec.code_bytes());
        let mut codes = Memory::zeroed(vectors.len() * bytes)?;
        let part = vectors.len().div_ceil(threads.max(1)).max(1);
        std::thread::scope(|scope| {
            let parts = codes.of_mut::<u8>().chunks_mut(part * bytes);
            for (codes, vectors) in parts.zip(vectors.chunks(part)) {
                let codec = &codec;
                scope.spawn(move || {
                    let mut lifted = vec![0.0; LIFTED * dim];
                    let batches = vectors.chunks(LIFTED).zip(codes.chunks_mut(LIFTED * bytes));
                    for (vectors, codes) in batches {
                        for (row, v) in lifted.chunks_exact_mut(dim).zip(vectors) {
                            lift.lift(v, row);
                        }
                        codec.encode(&lifted[..vectors.len() * dim], codes);
                    }
                });
            }
        });
        Ok(Self::Projected { codec, codes })
    }

    /// The same points in another order: `order` has the old place of each.
    pub fn reordered(self, order: &[u32]) -> Result<Self> {
        let rows = |memory: &Memory, bytes: usize| -> Result<Memory> {
            let mut out = Memory::zeroed(memory.len())?;
            let places = out.of_mut::<u8>().chunks_exact_mut(bytes).zip(order);
            places.for_each(|(place, at)| place.copy_from_slice(row(memory.of(), *at, bytes)));
            Ok(out)
        };
        Ok(match self {
            Self::Projected { codec, codes } => Self::Projected {
                codes: rows(&codes, codec.code_bytes())?,
                codec,
            },
            Self::Coded { int8, codes, terms } => Self::Coded {
                codes: rows(&codes, int8.code_bytes())?,
                int8,
                terms: order.iter().map(|at| terms[*at as usize]).collect(),
            },
            Self::Full { dim, vectors } => Self::Full {
                vectors: rows(&vectors, dim * size_of::<f32>())?,
                dim,
            },
        })
    }

    /// The int8 codec, where it is used.
    pub fn int8(&self) -> Option<&Int8> {
        match self {
            Self::Coded { int8, .. } => Some(int8),
            Self::Projected { .. } | Self::Full { .. } => None,
        }
    }

    /// Whether they are coded.
    pub fn is_coded(&self) -> bool {
        !matches!(self, Self::Full { .. })
    }

    /// Bytes that a comparison reads.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Projected { codec, .. } => codec.code_bytes(),
            Self::Coded { int8, .. } => int8.code_bytes(),
            Self::Full { dim, .. } => dim * size_of::<f32>(),
        }
    }

    /// Bytes in memory.
    pub fn len_bytes(&self) -> usize {
        match self {
            Self::Projected { codec, codes } => codes.len() + codec.len_bytes(),
            Self::Coded { codes, terms, .. } => codes.len() + size_of_val(terms.as_slice()),
            Self::Full { vectors, .. } => vectors.len(),
        }
    }

    /// Prepares to compare points with a lifted vector.
    pub fn probe<'a>(&self, lifted: &'a [f32]) -> Probe<'a> {
        let mut probe = Probe {
            vector: lifted,
            ..Probe::default()
        };
        match self {
            Self::Projected { codec, .. } => codec.query(lifted, &mut probe.projected),
            Self::Coded { int8, .. } => probe.code = int8.query(lifted),
            Self::Full { .. } => {}
        }
        probe
    }

    /// Points `probe` at the point `at`.
    pub fn aim<'a>(&'a self, probe: &mut Probe<'a>, at: u32) {
        match self {
            Self::Projected { codec, codes } => {
                let code = row(codes.of(), at, codec.code_bytes());
                codec.aim(&mut probe.projected, code);
            }
            Self::Coded { int8, codes, terms } => {
                let code = row(codes.of(), at, int8.code_bytes());
                probe.code.set(code, terms[at as usize]);
            }
            Self::Full { dim, vectors } => probe.vector = row(vectors.of(), at, *dim),
        }
    }

    /// Squared distance of the probe's point to the point `to`, estimated where they are projected.
    #[inline]
    pub fn distance(&self, probe: &Probe, to: u32) -> f32 {
        match self {
            Self::Projected { codec, codes } => {
                let mut distance = 0.0;
                codec.distances(&probe.projected, codes.of(), &[to], |_, d| distance = d);
                distance
            }
            Self::Coded { int8, codes, terms } => {
                let code = row(codes.of(), to, int8.code_bytes());
                int8.distance(&probe.code, code, terms[to as usize])
            }
            Self::Full { dim, vectors } => {
                let vector = row(vectors.of(), to, *dim);
                distance::distance(Metric::L2, probe.vector, vector).powi(2)
            }
        }
    }

    /// Calls `each` with [`Points::distance`] to each of `points`.
    #[inline]
    pub fn distances(&self, probe: &Probe, points: &[u32], mut each: impl FnMut(u32, f32)) {
        let Self::Projected { codec, codes } = self else {
            return points
                .iter()
                .for_each(|p| each(*p, self.distance(probe, *p)));
        };
        codec.distances(&probe.projected, codes.of(), points, each);
    }

    /// As [`Points::distances`], of points that are not on their way into the cache.
    #[inline]
    pub fn scan(&self, probe: &Probe, points: &[u32], mut each: impl FnMut(u32, f32)) {
        let ahead = points.chunks(AHEAD).skip(1).chain([&[][..]]);
        for (points, ahead) in points.chunks(AHEAD).zip(ahead) {
            ahead.iter().for_each(|p| self.prefetch(*p));
            self.distances(probe, points, &mut each);
        }
    }

    /// By how much a near vector's distance may be estimated too high; None where estimates are as good as distances.
    pub fn error(&self, probe: &Probe) -> Option<f32> {
        match self {
            Self::Projected { codec, .. } => Some(codec.fit().error * probe.projected.unknown()),
            _ => None,
        }
    }

    /// How many times as many candidates as usual a walk has to keep, since codes tell less of this query than of one like
    /// the vectors.
    pub fn widening(&self, probe: &Probe) -> f32 {
        match self {
            Self::Projected { codec, .. } => {
                let ratio = probe.projected.unknown() / codec.fit().unknown;
                (ratio / USUAL).clamp(1.0, MOST_WIDENING)
            }
            _ => 1.0,
        }
    }

    /// Has the processor fetch a point that will be compared soon.
    #[inline]
    pub fn prefetch(&self, at: u32) {
        match self {
            Self::Projected { codec, codes } => {
                prefetch(row::<u8>(codes.of(), at, codec.code_bytes()));
            }
            Self::Coded { int8, codes, terms } => {
                prefetch(row::<i8>(codes.of(), at, int8.code_bytes()));
                prefetch(std::slice::from_ref(&terms[at as usize]));
            }
            Self::Full { dim, vectors } => prefetch(row::<f32>(vectors.of(), at, *dim)),
        }
    }
}

/// One of equally long rows.
#[inline]
pub(super) fn row<T>(all: &[T], at: u32, len: usize) -> &[T] {
    let start = at as usize * len;
    &all[start..start + len]
}
