//! The points of a graph: vectors or codes as construction and searches compare them.
//!
//! Every metric becomes squared Euclidean distance ([`MipsToL2`]).

use vitrine_schemas::Metric;

use super::{
    buffer::Buffer,
    mips::MipsToL2,
    prefetch::prefetch,
    tuning::{EF_WIDENING_FROM, ENCODE_BATCH, MAX_EF_WIDENING, SCAN_BATCH},
};
use crate::{
    Result, distance,
    quantize::{CodeTerms, Int8, Int8Query, Projected, ProjectedQuery},
};

/// Transformed vectors that a graph is built over, by point offset: encoded, or full where 8 bits
/// do not suffice.
pub(super) enum Points {
    Projected {
        codec: Projected,
        codes: Buffer,
    },
    Int8 {
        codec: Int8,
        codes: Buffer,
        terms: Vec<CodeTerms>,
    },
    Full {
        dim: usize,
        vectors: Buffer,
    },
}

/// A query prepared to be compared with points.
#[derive(Default)]
pub(super) struct PreparedQuery<'a> {
    int8: Int8Query,
    projected: ProjectedQuery,
    vector: &'a [f32],
}

impl PreparedQuery<'_> {
    /// See [`ProjectedQuery::residual_norm`].
    pub fn residual_norm(&self) -> f32 {
        self.projected.residual_norm()
    }
}

impl Points {
    /// Transforms `vectors` and encodes them as int8; `coded: false` keeps them as they are.
    pub fn new<'a>(
        to_l2: MipsToL2,
        vectors: impl ExactSizeIterator<Item = &'a [f32]> + Clone,
        coded: bool,
    ) -> Result<Self> {
        let dim = to_l2.transformed_dim();
        let count = vectors.len();
        let mut transformed = vec![0.0; dim];
        let fitted = coded
            .then(|| {
                Int8::fit(dim, |add| {
                    for v in vectors.clone() {
                        to_l2.transform(v, &mut transformed);
                        add(&transformed);
                    }
                })
            })
            .flatten();
        let Some(codec) = fitted else {
            let mut buffer = Buffer::zeroed(count * dim * size_of::<f32>())?;
            for (row, v) in buffer.as_mut_slice().chunks_exact_mut(dim).zip(vectors) {
                to_l2.transform(v, row);
            }
            return Ok(Self::Full {
                dim,
                vectors: buffer,
            });
        };
        let bytes = codec.code_bytes();
        let mut codes = Buffer::zeroed(count * bytes)?;
        let terms = codes
            .as_mut_slice()
            .chunks_exact_mut(bytes)
            .zip(vectors)
            .map(|(code, v)| {
                to_l2.transform(v, &mut transformed);
                codec.encode(&transformed, code)
            })
            .collect();
        Ok(Self::Int8 {
            codec,
            codes,
            terms,
        })
    }

    /// Transforms `vectors` and encodes them by their principal components.
    pub fn projected(
        to_l2: MipsToL2,
        codec: Projected,
        vectors: &[&[f32]],
        threads: usize,
    ) -> Result<Self> {
        let (dim, bytes) = (to_l2.transformed_dim(), codec.code_bytes());
        let mut codes = Buffer::zeroed(vectors.len() * bytes)?;
        let per_thread = vectors.len().div_ceil(threads.max(1)).max(1);
        std::thread::scope(|scope| {
            let shares = codes.as_mut_slice::<u8>().chunks_mut(per_thread * bytes);
            for (codes, vectors) in shares.zip(vectors.chunks(per_thread)) {
                let codec = &codec;
                scope.spawn(move || {
                    let mut transformed = vec![0.0; ENCODE_BATCH * dim];
                    let batches = vectors
                        .chunks(ENCODE_BATCH)
                        .zip(codes.chunks_mut(ENCODE_BATCH * bytes));
                    for (vectors, codes) in batches {
                        for (row, v) in transformed.chunks_exact_mut(dim).zip(vectors) {
                            to_l2.transform(v, row);
                        }
                        codec.encode(&transformed[..vectors.len() * dim], codes);
                    }
                });
            }
        });
        Ok(Self::Projected { codec, codes })
    }

    /// Returns the same points in another order: `order` has the old point offset of each.
    pub fn reordered(self, order: &[u32]) -> Result<Self> {
        let reorder = |buffer: &Buffer, bytes: usize| -> Result<Buffer> {
            let mut out = Buffer::zeroed(buffer.len())?;
            let rows = out.as_mut_slice::<u8>().chunks_exact_mut(bytes).zip(order);
            rows.for_each(|(out, old)| out.copy_from_slice(row(buffer.as_slice(), *old, bytes)));
            Ok(out)
        };
        Ok(match self {
            Self::Projected { codec, codes } => Self::Projected {
                codes: reorder(&codes, codec.code_bytes())?,
                codec,
            },
            Self::Int8 {
                codec,
                codes,
                terms,
            } => Self::Int8 {
                codes: reorder(&codes, codec.code_bytes())?,
                codec,
                terms: order.iter().map(|old| terms[*old as usize]).collect(),
            },
            Self::Full { dim, vectors } => Self::Full {
                vectors: reorder(&vectors, dim * size_of::<f32>())?,
                dim,
            },
        })
    }

    /// The int8 codec; None if other points are used.
    pub fn int8(&self) -> Option<&Int8> {
        match self {
            Self::Int8 { codec, .. } => Some(codec),
            Self::Projected { .. } | Self::Full { .. } => None,
        }
    }

    /// True if the points are encoded.
    pub fn is_coded(&self) -> bool {
        !matches!(self, Self::Full { .. })
    }

    /// Number of bytes that a comparison reads.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Projected { codec, .. } => codec.code_bytes(),
            Self::Int8 { codec, .. } => codec.code_bytes(),
            Self::Full { dim, .. } => dim * size_of::<f32>(),
        }
    }

    /// Number of bytes in memory.
    pub fn len_bytes(&self) -> usize {
        match self {
            Self::Projected { codec, codes } => codes.len() + codec.len_bytes(),
            Self::Int8 { codes, terms, .. } => codes.len() + size_of_val(terms.as_slice()),
            Self::Full { vectors, .. } => vectors.len(),
        }
    }

    /// Prepares a transformed query.
    pub fn prepare_query<'a>(&self, transformed: &'a [f32]) -> PreparedQuery<'a> {
        let mut query = PreparedQuery {
            vector: transformed,
            ..PreparedQuery::default()
        };
        match self {
            Self::Projected { codec, .. } => codec.query(transformed, &mut query.projected),
            Self::Int8 { codec, .. } => query.int8 = codec.query(transformed),
            Self::Full { .. } => {}
        }
        query
    }

    /// Makes a point the query.
    pub fn set_query_to<'a>(&'a self, query: &mut PreparedQuery<'a>, offset: u32) {
        match self {
            Self::Projected { codec, codes } => {
                let code = row(codes.as_slice(), offset, codec.code_bytes());
                codec.set_query_to(&mut query.projected, code);
            }
            Self::Int8 {
                codec,
                codes,
                terms,
            } => {
                let code = row(codes.as_slice(), offset, codec.code_bytes());
                query.int8.set(code, terms[offset as usize]);
            }
            Self::Full { dim, vectors } => query.vector = row(vectors.as_slice(), offset, *dim),
        }
    }

    /// Returns the squared distance of the query to a point, estimated if points are projected.
    #[inline]
    pub fn distance(&self, query: &PreparedQuery, offset: u32) -> f32 {
        match self {
            Self::Projected { codec, codes } => {
                let mut distance = 0.0;
                let offsets = [offset];
                codec.distances(&query.projected, codes.as_slice(), &offsets, |_, d| {
                    distance = d;
                });
                distance
            }
            Self::Int8 {
                codec,
                codes,
                terms,
            } => {
                let code = row(codes.as_slice(), offset, codec.code_bytes());
                codec.distance(&query.int8, code, terms[offset as usize])
            }
            Self::Full { dim, vectors } => {
                let vector = row(vectors.as_slice(), offset, *dim);
                distance::distance(Metric::L2, query.vector, vector).powi(2)
            }
        }
    }

    /// Calls `each` with [`Points::distance`] to each of some points.
    #[inline]
    pub fn distances(
        &self,
        query: &PreparedQuery,
        offsets: &[u32],
        mut each: impl FnMut(u32, f32),
    ) {
        match self {
            Self::Projected { codec, codes } => {
                codec.distances(&query.projected, codes.as_slice(), offsets, each);
            }
            Self::Int8 {
                codec,
                codes,
                terms,
            } => codec.distances(&query.int8, codes.as_slice(), terms, offsets, each),
            Self::Full { .. } => {
                let distances = offsets.iter().map(|p| (*p, self.distance(query, *p)));
                distances.for_each(|(p, distance)| each(p, distance));
            }
        }
    }

    /// Calls `each` as [`Points::distances`] does, for points that were not prefetched.
    #[inline]
    pub fn scan(&self, query: &PreparedQuery, offsets: &[u32], mut each: impl FnMut(u32, f32)) {
        let ahead = offsets.chunks(SCAN_BATCH).skip(1).chain([&[][..]]);
        for (offsets, ahead) in offsets.chunks(SCAN_BATCH).zip(ahead) {
            ahead.iter().for_each(|p| self.prefetch(*p));
            self.distances(query, offsets, &mut each);
        }
    }

    /// Returns the maximum by which a near vector's squared distance is overestimated
    /// ([`super::tuning::ERROR_QUANTILE`]); None if estimates are as good as distances.
    pub fn error_bound(&self, query: &PreparedQuery) -> Option<f32> {
        match self {
            Self::Projected { codec, .. } => {
                Some(codec.fit().error * query.projected.residual_norm())
            }
            _ => None,
        }
    }

    /// Returns the factor of the beam width for a query that the codes approximate worse than a
    /// query like the vectors.
    pub fn ef_widening(&self, query: &PreparedQuery) -> f32 {
        match self {
            Self::Projected { codec, .. } => {
                let ratio = query.projected.residual_norm() / codec.fit().residual_norm;
                (ratio / EF_WIDENING_FROM).clamp(1.0, MAX_EF_WIDENING)
            }
            _ => 1.0,
        }
    }

    /// Prefetches a point.
    #[inline]
    pub fn prefetch(&self, offset: u32) {
        match self {
            Self::Projected { codec, codes } => {
                prefetch(row::<u8>(codes.as_slice(), offset, codec.code_bytes()));
            }
            Self::Int8 {
                codec,
                codes,
                terms,
            } => {
                prefetch(row::<i8>(codes.as_slice(), offset, codec.code_bytes()));
                prefetch(std::slice::from_ref(&terms[offset as usize]));
            }
            Self::Full { dim, vectors } => {
                prefetch(row::<f32>(vectors.as_slice(), offset, *dim));
            }
        }
    }
}

/// Returns one of the rows, `len` numbers each, of a matrix.
#[inline]
pub(super) fn row<T>(all: &[T], index: u32, len: usize) -> &[T] {
    let start = index as usize * len;
    &all[start..start + len]
}
