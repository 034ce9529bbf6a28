//! Vectorized functions: exponential, GELU, softmax, layer norm.

use pulp::{Arch, Simd, WithSimd};

/// `max(low, min(high, x))`.
#[inline(always)]
pub fn clamp<S: Simd>(simd: S, x: S::f32s, low: f32, high: f32) -> S::f32s {
    let x = simd.min_f32s(x, simd.splat_f32s(high));
    simd.max_f32s(x, simd.splat_f32s(low))
}

/// Polynomial by Horner's rule, lowest coefficient first.
#[inline(always)]
fn polynomial<S: Simd, const N: usize>(simd: S, x: S::f32s, coefficients: [f32; N]) -> S::f32s {
    let mut sum = simd.splat_f32s(coefficients[N - 1]);
    for &coefficient in coefficients[..N - 1].iter().rev() {
        sum = simd.mul_add_e_f32s(sum, x, simd.splat_f32s(coefficient));
    }
    sum
}

/// Argument above which the normal distribution function is treated as 1: the error x * (1 - phi)
/// is below 2e-6.
const GELU_END: f32 = 5.0;
/// Minimax fit of `(phi(x) - 1/2) / x` over `t = 2 x^2 / GELU_END^2 - 1`; the error of x * phi is
/// below 2e-6.
const GELU: [f32; 12] = [
    1.413_637_5e-1,
    -7.029_823e-2,
    5.152_539_5e-2,
    -4.039_198_5e-2,
    3.135_673e-2,
    -2.362_495_7e-2,
    1.691_011_7e-2,
    -1.016_543_8e-2,
    5.113_294e-3,
    -3.886_895e-3,
    3.194_445e-3,
    -1.096_344e-3,
];

/// Computes `x * phi(x)` with the normal distribution function phi.
#[inline(always)]
pub fn gelu<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let near = clamp(simd, x, -GELU_END, GELU_END);
    let square = simd.mul_f32s(near, near);
    let factor = simd.splat_f32s(2.0 / (GELU_END * GELU_END));
    let t = simd.mul_add_e_f32s(square, factor, simd.splat_f32s(-1.0));
    let phi = simd.mul_add_e_f32s(near, polynomial(simd, t, GELU), simd.splat_f32s(0.5));
    simd.mul_f32s(x, phi)
}

/// Adding this rounds a float to an integer, stored in the low bits.
const ROUND: f32 = 12_582_912.0;
/// Taylor coefficients of `2^f`: ln(2)^k / k!; the error is below 2e-7 for f in -0.5..=0.5.
const EXP2: [f32; 7] = [
    1.0,
    std::f32::consts::LN_2,
    2.402_265e-1,
    5.550_411e-2,
    9.618_129e-3,
    1.333_355_8e-3,
    1.540_353e-4,
];

/// Computes `e^x` for x up to 87; below -87 the result is almost zero.
#[inline(always)]
fn exp<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let x = simd.max_f32s(x, simd.splat_f32s(-87.0));
    let x = simd.mul_f32s(x, simd.splat_f32s(std::f32::consts::LOG2_E));
    let round = simd.splat_f32s(ROUND);
    let shifted = simd.add_f32s(x, round);
    let fraction = simd.sub_f32s(x, simd.sub_f32s(shifted, round));
    let power = simd.transmute_u32s_f32s(polynomial(simd, fraction, EXP2));
    let bits = simd.transmute_u32s_f32s(shifted);
    let exponent = simd.wrapping_dyn_shl_u32s(bits, simd.splat_u32s(23));
    simd.transmute_f32s_u32s(simd.add_u32s(power, exponent))
}

/// Computes `x / (1 + e^-x)`; below -88 the result is almost zero.
#[inline(always)]
pub fn silu<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let negative = simd.min_f32s(simd.neg_f32s(x), simd.splat_f32s(87.0));
    let below = simd.add_f32s(simd.splat_f32s(1.0), exp(simd, negative));
    simd.div_f32s(x, below)
}

/// Computes the softmax of each row of `[rows, len]`, in place.
pub fn softmax(values: &mut [f32], len: usize) {
    Arch::new().dispatch(Softmax { values, len });
}

struct Softmax<'a> {
    values: &'a mut [f32],
    len: usize,
}

impl WithSimd for Softmax<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        for row in self.values.chunks_exact_mut(self.len) {
            let (head, tail) = S::as_mut_simd_f32s(row);
            let low = simd.splat_f32s(f32::NEG_INFINITY);
            let max = head.iter().fold(low, |max, x| simd.max_f32s(max, *x));
            let max = tail
                .iter()
                .fold(simd.reduce_max_f32s(max), |max, x| max.max(*x));
            let max = simd.splat_f32s(max);
            let mut sum = simd.splat_f32s(0.0);
            for x in head.iter_mut() {
                *x = exp(simd, simd.sub_f32s(*x, max));
                sum = simd.add_f32s(sum, *x);
            }
            let mut sum = simd.reduce_sum_f32s(sum);
            if !tail.is_empty() {
                let exps = exp(simd, simd.sub_f32s(simd.partial_load_f32s(tail), max));
                simd.partial_store_f32s(tail, exps);
                sum += tail.iter().sum::<f32>();
            }
            let factor = simd.splat_f32s(1.0 / sum);
            for x in head {
                *x = simd.mul_f32s(*x, factor);
            }
            tail.iter_mut().for_each(|x| *x /= sum);
        }
    }
}

/// Applies [layer normalization](https://arxiv.org/abs/1607.06450) to each row of
/// `[rows, weight.len()]`, in place.
pub fn layer_norm(values: &mut [f32], weight: &[f32], bias: &[f32], eps: f32) {
    Arch::new().dispatch(LayerNorm {
        values,
        weight,
        bias,
        eps,
    });
}

struct LayerNorm<'a> {
    values: &'a mut [f32],
    weight: &'a [f32],
    bias: &'a [f32],
    eps: f32,
}

impl WithSimd for LayerNorm<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let len = self.weight.len();
        let (weight, weight_tail) = S::as_simd_f32s(self.weight);
        let (bias, bias_tail) = S::as_simd_f32s(&self.bias[..len]);
        for row in self.values.chunks_exact_mut(len) {
            let (head, tail) = S::as_mut_simd_f32s(row);
            let zero = simd.splat_f32s(0.0);
            let sum = head.iter().fold(zero, |sum, x| simd.add_f32s(sum, *x));
            let mean = (simd.reduce_sum_f32s(sum) + tail.iter().sum::<f32>()) / len as f32;
            let center = simd.splat_f32s(mean);
            let squares = head.iter().fold(zero, |sum, x| {
                let x = simd.sub_f32s(*x, center);
                simd.mul_add_e_f32s(x, x, sum)
            });
            let rest: f32 = tail.iter().map(|x| (x - mean) * (x - mean)).sum();
            let variance = (simd.reduce_sum_f32s(squares) + rest) / len as f32;
            let factor = 1.0 / (variance + self.eps).sqrt();
            let scale = simd.splat_f32s(factor);
            for ((x, w), b) in head.iter_mut().zip(weight).zip(bias) {
                let unit = simd.mul_f32s(simd.sub_f32s(*x, center), scale);
                *x = simd.mul_add_e_f32s(unit, *w, *b);
            }
            for ((x, w), b) in tail.iter_mut().zip(weight_tail).zip(bias_tail) {
                *x = (*x - mean) * factor * w + b;
            }
        }
    }
}
