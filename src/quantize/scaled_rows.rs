//! Rows of a matrix as signed bytes with a step each, for the inner products of a vector with all
//! rows.

use crate::distance;

/// Number of components that a step of the kernel takes; codes are padded with zeros to a multiple
/// of it.
const MULTIPLE: usize = 64;

/// Rows multiplied at a time: their products stay in the first-level cache.
const BLOCK: usize = 1024;

/// Value that makes the components of the vector unsigned, as the kernel expects.
const RAISE: i32 = 128;

/// Rows of a matrix as codes `round(x / step)`, with a step for each row, so that long and short
/// rows are equally precise. 64 components take 72 bytes instead of 256.
#[derive(Clone, Debug)]
pub(crate) struct ScaledRows {
    /// Length of a code, the dimension rounded up to a multiple of 64.
    width: usize,
    codes: Vec<i8>,
    rows: Vec<RowTerms>,
}

/// Terms of the product with a row in addition to its code.
#[derive(Clone, Copy, Debug)]
struct RowTerms {
    step: f32,
    /// Sum of the components of the code, times [`RAISE`].
    raised: i32,
}

impl ScaledRows {
    /// Encodes rows of `dim` finite components, one after the other; `dim` is at least 1.
    pub fn new(rows: &[f32], dim: usize) -> Self {
        let width = dim.next_multiple_of(MULTIPLE);
        let count = rows.len() / dim;
        let mut codes = vec![0_i8; count * width];
        let mut terms = Vec::with_capacity(count);
        for (row, code) in rows.chunks_exact(dim).zip(codes.chunks_exact_mut(width)) {
            let step = encode(row, code);
            let sum: i32 = code.iter().map(|c| i32::from(*c)).sum();
            terms.push(RowTerms {
                step,
                raised: RAISE * sum,
            });
        }
        Self {
            width,
            codes,
            rows: terms,
        }
    }

    /// Replaces `out` by the approximate inner products of all rows with a vector of `dim` finite
    /// components.
    pub fn products(&self, vector: &[f32], out: &mut Vec<f32>) {
        let mut code = vec![0_i8; self.width];
        let step = encode(vector, &mut code);
        let raised: Vec<u8> = code.iter().map(|c| (i32::from(*c) + RAISE) as u8).collect();
        out.clear();
        out.reserve(self.rows.len());
        let mut dots = [0_i32; BLOCK];
        let codes = self.codes.chunks(BLOCK * self.width);
        for (rows, codes) in self.rows.chunks(BLOCK).zip(codes) {
            let dots = &mut dots[..rows.len()];
            distance::dots_u8_i8(&raised, codes, dots);
            let products = rows.iter().zip(dots);
            out.extend(products.map(|(row, dot)| (*dot - row.raised) as f32 * (row.step * step)));
        }
    }
}

/// Writes the code of a vector, whose padding stays as it is, and returns its step.
fn encode(vector: &[f32], code: &mut [i8]) -> f32 {
    let largest = vector.iter().fold(0.0_f32, |m, x| m.max(x.abs()));
    let step = largest / f32::from(i8::MAX);
    if step > 0.0 {
        for (code, x) in code.iter_mut().zip(vector) {
            *code = (x / step).round() as i8;
        }
    }
    step
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn products_are_within_the_error_of_the_codes(
            dim in 1_usize..150,
            values in prop::collection::vec(-3.0_f32..3.0, 1_500..1_600),
        ) {
            let (vector, rows) = values.split_at(dim);
            let rows = &rows[..rows.len() / dim * dim];
            let mut products = Vec::new();
            ScaledRows::new(rows, dim).products(vector, &mut products);
            prop_assert_eq!(products.len(), rows.len() / dim);
            let largest = |x: &[f32]| x.iter().fold(0.0_f32, |m, x| m.max(x.abs()));
            let sum = |x: &[f32]| x.iter().map(|x| x.abs()).sum::<f32>();
            for (row, product) in rows.chunks_exact(dim).zip(products) {
                let expected: f32 = row.iter().zip(vector).map(|(a, b)| a * b).sum();
                // Half a step in each component of both.
                let (a, b) = (largest(row) / 254.0, largest(vector) / 254.0);
                let error = a * sum(vector) + b * sum(row) + dim as f32 * a * b + 1e-3;
                prop_assert!((product - expected).abs() <= error, "{product} is not {expected}");
            }
        }
    }

    #[test]
    fn more_rows_than_a_block_and_rows_of_zeros() {
        let rows: Vec<f32> = (0..3 * BLOCK + 1).flat_map(|n| [n as f32, 0.0]).collect();
        let mut products = Vec::new();
        ScaledRows::new(&rows, 2).products(&[0.5, 3.0], &mut products);
        assert_eq!(products.len(), 3 * BLOCK + 1);
        assert_eq!(products[0], 0.0);
        let last = 1.5 * BLOCK as f32;
        assert!((products[3 * BLOCK] / last - 1.0).abs() < 0.02);
        ScaledRows::new(&rows, 2).products(&[0.0, 0.0], &mut products);
        assert!(products.iter().all(|product| *product == 0.0));
    }
}
