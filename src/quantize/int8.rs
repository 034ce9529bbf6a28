//! One signed byte per component.

use super::simd::{Loop, with_best_simd};
use crate::distance;

/// Minimum mean deviation of a component, in steps. Below it, most components would have one of a
/// handful of codes (a few far outliers stretch the scale) and near vectors would be
/// indistinguishable.
const MIN_STEPS: f64 = 3.0;

/// Constant that, added to a number from -127 to 127, leaves the rounded number in the lowest byte:
/// the bits after it do not fit a 23-bit fraction.
const ROUND: f32 = 12_582_912.0;

/// Largest absolute value of a component of a code.
const MAX_CODE: i64 = 127;

/// Number of components that a step of the kernel takes; codes are padded with zeros to a multiple
/// of it.
const MULTIPLE: usize = 64;

/// Scalar quantization: `round((x - mean) / step)`, with one step for all components, so that the
/// squared distance of two codes is the squared Euclidean distance of their vectors in units of
/// `step * step`. For unit vectors that is twice the cosine distance, so one code serves both
/// metrics.
pub(crate) struct Int8 {
    mean: Vec<f32>,
    step: f32,
}

/// Sums over a code that distances need in addition to its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub(crate) struct CodeTerms {
    /// Inner product of the code with itself.
    square: i32,
    /// Sum of its components.
    sum: i32,
}

/// A query prepared to be compared with codes.
#[derive(Default)]
pub(crate) struct Int8Query {
    /// The code, with 128 added to every component.
    raised: Vec<u8>,
    square: i32,
}

impl Int8 {
    /// Fits the codec to vectors of `dim` components; `each` calls its argument with all of them,
    /// and is called twice. None if 8 bits cannot distinguish them.
    pub fn fit(dim: usize, mut each: impl FnMut(&mut dyn FnMut(&[f32]))) -> Option<Self> {
        let mut sums = vec![0.0_f64; dim];
        let mut count = 0.0_f64;
        each(&mut |v| {
            sums.iter_mut()
                .zip(v)
                .for_each(|(s, x)| *s += f64::from(*x));
            count += 1.0;
        });
        let mean: Vec<f32> = sums.iter().map(|s| (s / count) as f32).collect();
        let (mut largest, mut total) = (0.0_f32, 0.0_f64);
        each(&mut |v| {
            let mut deviations = 0.0_f32;
            for (x, m) in v.iter().zip(&mean) {
                let deviation = (x - m).abs();
                largest = largest.max(deviation);
                deviations += deviation;
            }
            total += f64::from(deviations);
        });
        let step = largest / f32::from(i8::MAX);
        let average = total / (count * dim as f64);
        (step > 0.0 && step.is_finite() && average >= MIN_STEPS * f64::from(step))
            .then_some(Self { mean, step })
    }

    /// Returns the fitted mean, by component, and step, to be stored.
    pub fn parts(&self) -> (&[f32], f32) {
        (&self.mean, self.step)
    }

    /// Restores a codec from what [`Int8::parts`] returned.
    pub fn from_parts(mean: Vec<f32>, step: f32) -> Self {
        Self { mean, step }
    }

    /// Number of bytes of a code.
    pub fn code_bytes(&self) -> usize {
        self.mean.len().next_multiple_of(MULTIPLE)
    }

    /// Returns true if a code can have these terms; others would overflow in distances.
    pub fn is_in_range(&self, terms: CodeTerms) -> bool {
        let width = i64::try_from(self.code_bytes()).unwrap_or(i64::MAX);
        let (square, sum) = (i64::from(terms.square), i64::from(terms.sum));
        (0..=width.saturating_mul(MAX_CODE * MAX_CODE)).contains(&square)
            && sum.abs() <= width.saturating_mul(MAX_CODE)
    }

    /// Writes the code of `vector` to `code` ([`Int8::code_bytes`] long); components beyond the
    /// fitted range are clamped to it.
    pub fn encode(&self, vector: &[f32], code: &mut [i8]) -> CodeTerms {
        with_best_simd(Encode {
            int8: self,
            vector,
            code,
        })
    }

    /// Prepares `vector` as a query.
    pub fn query(&self, vector: &[f32]) -> Int8Query {
        let mut code = vec![0; self.code_bytes()];
        let terms = self.encode(vector, &mut code);
        let mut query = Int8Query::default();
        query.set(&code, terms);
        query
    }

    /// Returns the squared Euclidean distance of the vectors that two codes represent.
    #[inline]
    pub fn distance(&self, query: &Int8Query, code: &[i8], terms: CodeTerms) -> f32 {
        self.squared_l2(query, distance::dot_u8_i8(&query.raised, code), terms)
    }

    /// Calls `each` with [`Int8::distance`] to the code of each of some point offsets; `codes` and
    /// `terms` have those of all points.
    #[inline]
    pub fn distances(
        &self,
        query: &Int8Query,
        codes: &[i8],
        terms: &[CodeTerms],
        offsets: &[u32],
        mut each: impl FnMut(u32, f32),
    ) {
        distance::dots_at_u8_i8(codes, offsets, &query.raised, |i, dot| {
            let offset = offsets[i];
            each(offset, self.squared_l2(query, dot, terms[offset as usize]));
        });
    }

    /// Returns the squared distance from the inner product of the raised query and a code.
    #[inline]
    fn squared_l2(&self, query: &Int8Query, raised: i32, terms: CodeTerms) -> f32 {
        let dot = raised - 128 * terms.sum;
        (query.square + terms.square - 2 * dot) as f32 * (self.step * self.step)
    }
}

struct Encode<'a> {
    int8: &'a Int8,
    vector: &'a [f32],
    code: &'a mut [i8],
}

impl Loop for Encode<'_> {
    type Output = CodeTerms;

    #[inline(always)]
    fn run(self) -> CodeTerms {
        let (head, padding) = self.code.split_at_mut(self.int8.mean.len());
        padding.fill(0);
        let scale = 1.0 / self.int8.step;
        for ((c, x), m) in head.iter_mut().zip(self.vector).zip(&self.int8.mean) {
            let steps = ((x - m) * scale).clamp(-127.0, 127.0);
            *c = (steps + ROUND).to_bits() as i8;
        }
        let code = head.iter().map(|c| i32::from(*c));
        CodeTerms {
            square: code.clone().map(|c| c * c).sum(),
            sum: code.sum(),
        }
    }
}

impl Int8Query {
    /// Makes an encoded vector the query.
    pub fn set(&mut self, code: &[i8], terms: CodeTerms) {
        self.raised.clear();
        self.raised
            .extend(code.iter().map(|c| c.cast_unsigned() ^ 128));
        self.square = terms.square;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fit(rows: &[Vec<f32>]) -> Option<Int8> {
        let dim = rows.first().map_or(3, Vec::len);
        Int8::fit(dim, |add| rows.iter().for_each(|v| add(v)))
    }

    #[test]
    fn outliers_that_stretch_the_scale_are_not_coded() {
        let mut rows = vec![vec![0.01_f32, -0.01, 0.02]; 100];
        assert!(fit(&rows).is_none(), "all the same");
        rows.extend([vec![0.0, 0.01, 0.0], vec![1e6, 0.0, 0.0]]);
        assert!(fit(&rows).is_none());
        assert!(fit(&[]).is_none());
    }

    proptest! {
        #[test]
        fn distances_of_codes_are_distances_of_vectors(
            rows in prop::collection::vec(prop::collection::vec(-5.0_f32..5.0, 33), 3..20)
        ) {
            let codes = fit(&rows).expect("evenly spread");
            let query = codes.query(&rows[0]);
            for v in &rows {
                let mut code = vec![0; codes.code_bytes()];
                let terms = codes.encode(v, &mut code);
                let coded = f64::from(codes.distance(&query, &code, terms)).sqrt();
                let exact = distance::scalar::l2(&rows[0], v);
                // Each component is off by half a step in either vector at most.
                let step = f64::from(codes.step);
                prop_assert!((coded - exact).abs() <= step * 33_f64.sqrt() + 1e-4, "{coded} {exact}");
            }
        }
    }
}
