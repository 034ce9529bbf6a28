//! The vectors of a graph as its builder and its walks compare them.
//!
//! Every metric becomes squared Euclidean distance: unit vectors have it from cosine; for inner products a component
//! is added that brings all vectors to one length (Bachrach et al. 2014), so that the nearest has the largest product.

use vitrine_schemas::Metric;

use super::{memory::Memory, prefetch::prefetch};
use crate::{
    Result, distance,
    quantize::{Int8, Query, Terms},
};

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

    /// Lifts a query, whose length does not matter.
    pub fn lift_query(&self, query: &[f32]) -> Vec<f32> {
        let mut lifted = query.to_vec();
        lifted.resize(self.lifted_dim(), 0.0);
        lifted
    }
}

/// Squared length.
pub(super) fn square(vector: &[f32]) -> f32 {
    -distance::distance(Metric::Dot, vector, vector)
}

/// Lifted vectors to build a graph over: as int8 codes, or as they are where 8 bits do not suffice.
pub(super) enum Points {
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
    vector: &'a [f32],
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

    /// The int8 codec, where it is used.
    pub fn int8(&self) -> Option<&Int8> {
        match self {
            Self::Coded { int8, .. } => Some(int8),
            Self::Full { .. } => None,
        }
    }

    /// Bytes that a comparison reads.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Coded { int8, .. } => int8.code_bytes(),
            Self::Full { dim, .. } => dim * size_of::<f32>(),
        }
    }

    /// Bytes in memory.
    pub fn len_bytes(&self) -> usize {
        match self {
            Self::Coded { codes, terms, .. } => codes.len() + size_of_val(terms.as_slice()),
            Self::Full { vectors, .. } => vectors.len(),
        }
    }

    /// Prepares to compare points with a lifted vector.
    pub fn probe<'a>(&self, lifted: &'a [f32]) -> Probe<'a> {
        Probe {
            code: match self {
                Self::Coded { int8, .. } => int8.query(lifted),
                Self::Full { .. } => Query::default(),
            },
            vector: lifted,
        }
    }

    /// Points `probe` at the point `at`.
    pub fn aim<'a>(&'a self, probe: &mut Probe<'a>, at: u32) {
        match self {
            Self::Coded { int8, codes, terms } => {
                let code = row(codes.of(), at, int8.code_bytes());
                probe.code.set(code, terms[at as usize]);
            }
            Self::Full { dim, vectors } => probe.vector = row(vectors.of(), at, *dim),
        }
    }

    /// Squared distance of the probe's point to the point `to`.
    #[inline]
    pub fn distance(&self, probe: &Probe, to: u32) -> f32 {
        match self {
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

    /// Has the processor fetch a point that will be compared soon.
    #[inline]
    pub fn prefetch(&self, at: u32) {
        match self {
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
