//! Tests of each kernel against its scalar version, over random sizes.

use proptest::prelude::*;

use super::int8::{self, PackedInt8, QuantizedRows};
use super::tile_int8::Kernel;
use super::*;
use crate::encode::Precision;

/// Returns `n` reproducible values in -1..1.
fn values(seed: u64, n: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    (0..n).map(|_| next()).collect()
}

/// Computes `x W^T + b` in f64.
fn linear(x: &[f32], weight: &[f32], bias: &[f32]) -> Vec<f64> {
    let k = weight.len() / bias.len();
    let dot = |row: &[f32], w: &[f32]| {
        row.iter()
            .zip(w)
            .map(|(a, b)| f64::from(*a) * f64::from(*b))
            .sum::<f64>()
    };
    let row = |row: &[f32]| {
        weight
            .chunks(k)
            .zip(bias)
            .map(|(w, b)| dot(row, w) + f64::from(*b))
            .collect::<Vec<_>>()
    };
    x.chunks(k).flat_map(row).collect()
}

fn near(found: &[f32], wanted: &[f64], most: f64) -> Result<(), TestCaseError> {
    prop_assert_eq!(found.len(), wanted.len());
    for (at, (f, w)) in found.iter().zip(wanted).enumerate() {
        prop_assert!(
            (f64::from(*f) - w).abs() <= most,
            "{} is {}, not {}",
            at,
            f,
            w
        );
    }
    Ok(())
}

/// Computes the normal distribution function by its series; beyond 8 it is 0 or 1 in floats.
fn phi(x: f64) -> f64 {
    if x.abs() > 8.0 {
        return if x > 0.0 { 1.0 } else { 0.0 };
    }
    let mut term = x;
    let mut sum = x;
    for n in 1..400 {
        term *= x * x / f64::from(2 * n + 1);
        sum += term;
    }
    (0.5 + sum * (-x * x / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt()).clamp(0.0, 1.0)
}

#[test]
fn silu_of_large_numbers_is_finite() {
    let mut values = [-1e30, -200.0, -88.0, 0.0, 88.0, 1e30];
    activate(&mut values, Activation::Silu);
    assert!(values[..3].iter().all(|x| x.abs() < 1e-5), "{values:?}");
    assert_eq!(values[3..], [0.0, 88.0, 1e30]);
}

proptest! {
    #[test]
    fn products_are_sums_of_products(rows in 1usize..40, k in 1usize..130, n in 1usize..150, seed: u64) {
        let (x, weight, bias) = (values(seed, rows * k), values(seed ^ 1, n * k), values(seed ^ 2, n));
        let wanted = linear(&x, &weight, &bias);
        let mut found = vec![0.5; rows * n];
        let f32s = |activation| Linear::new(&weight, bias.clone(), activation, Precision::F32);
        f32s(Activation::Identity).forward(&x, &mut found);
        near(&found, &wanted, 1e-4)?;
        f32s(Activation::Identity).add(&x, &mut found);
        near(&found, &wanted.iter().map(|w| 2.0 * w).collect::<Vec<_>>(), 2e-4)?;
        f32s(Activation::Relu).forward(&x, &mut found);
        near(&found, &wanted.iter().map(|w| w.max(0.0)).collect::<Vec<_>>(), 1e-4)?;
        f32s(Activation::Relu6).forward(&x, &mut found);
        near(&found, &wanted.iter().map(|w| w.clamp(0.0, 6.0)).collect::<Vec<_>>(), 1e-4)?;
        let silu: Vec<f64> = wanted.iter().map(|w| w / (1.0 + (-w).exp())).collect();
        f32s(Activation::Silu).forward(&x, &mut found);
        near(&found, &silu, 2e-4)?;
        f32s(Activation::Identity).forward(&x, &mut found);
        activate(&mut found, Activation::Silu);
        near(&found, &silu, 2e-4)?;
        f32s(Activation::Gelu).forward(&x, &mut found);
        near(&found, &wanted.iter().map(|w| w * phi(*w)).collect::<Vec<_>>(), 2e-4)?;
    }

    #[test]
    fn a_part_of_a_matrix_is_multiplied_in_place(rows in 1usize..20, k in 1usize..40, n in 1usize..40, gap in 0usize..9, seed: u64) {
        let (left, right) = (values(seed, rows * (k + gap)), values(seed ^ 1, k * (n + gap)));
        let mut packed = Packed::empty();
        packed.set(&right, n + gap, k, n);
        let mut found = vec![7.0; rows * (n + gap)];
        let scaled = Epilogue { scale: 0.5, ..Epilogue::NONE };
        matmul(Rows { data: &left, stride: k + gap, rows }, &packed, scaled, &mut found, Place::rows(n + gap));
        for (row, found) in found.chunks(n + gap).enumerate() {
            for (column, found) in found.iter().enumerate() {
                let product = |l: usize| left[row * (k + gap) + l] * right[l * (n + gap) + column];
                let wanted = if column < n { 0.5 * (0..k).map(product).sum::<f32>() } else { 7.0 };
                prop_assert!((found - wanted).abs() < 1e-4);
            }
        }
    }

    #[test]
    fn integer_products_are_near_and_the_same_by_every_kernel(
        rows in 1usize..20, k in 1usize..300, n in 1usize..110, seed: u64
    ) {
        let (x, weight) = (values(seed, rows * k), values(seed ^ 1, n * k));
        let wanted = linear(&x, &weight, &vec![0.0; n]);
        let left = QuantizedRows::new(&x, k);
        let product = |kernel| {
            let mut found = vec![0.0; rows * n];
            int8::matmul(&left, &PackedInt8::with_kernel(&weight, k, kernel), Epilogue::NONE, &mut found, Place::rows(n));
            found
        };
        let portable = product(Kernel::Portable);
        // Half a quantization step of each side: 1/255 for x in -1..1, 1/254 for w.
        near(&portable, &wanted, 0.008 * k as f64)?;
        for kernel in [Kernel::Avx512Vnni, Kernel::AvxVnni] {
            if kernel.is_there() {
                prop_assert_eq!(&product(kernel), &portable);
            }
        }
    }

    #[test]
    fn softmax_is_a_distribution(rows in 1usize..5, len in 1usize..100, seed: u64) {
        let scores: Vec<f32> = values(seed, rows * len).into_iter().map(|x| x * 30.0).collect();
        let mut found = scores.clone();
        softmax(&mut found, len);
        for (found, scores) in found.chunks(len).zip(scores.chunks(len)) {
            let powers: Vec<f64> = scores.iter().map(|x| f64::from(*x).exp()).collect();
            let sum: f64 = powers.iter().sum();
            near(found, &powers.iter().map(|p| p / sum).collect::<Vec<_>>(), 1e-6)?;
        }
    }

    #[test]
    fn layer_norm_has_the_mean_and_deviation_asked_for(rows in 1usize..4, len in 2usize..100, seed: u64) {
        let (x, weight, bias) = (values(seed, rows * len), values(seed ^ 1, len), values(seed ^ 2, len));
        let mut found = x.clone();
        layer_norm(&mut found, &weight, &bias, 1e-12);
        for (found, x) in found.chunks(len).zip(x.chunks(len)) {
            let mean = x.iter().map(|x| f64::from(*x)).sum::<f64>() / len as f64;
            let variance = x.iter().map(|x| (f64::from(*x) - mean).powi(2)).sum::<f64>() / len as f64;
            let unit = |x: &f32| (f64::from(*x) - mean) / (variance + 1e-12).sqrt();
            let wanted: Vec<f64> =
                x.iter().zip(&weight).zip(&bias).map(|((x, w), b)| unit(x) * f64::from(*w) + f64::from(*b)).collect();
            near(found, &wanted, 1e-3)?;
        }
    }

    #[test]
    fn lines_of_a_frame_leave_its_border_alone(lines in 1usize..5, line in 1usize..12, n in 1usize..40, border in 0usize..3, seed: u64) {
        let (k, width) = (5, line + border);
        let (left, right) = (values(seed, lines * line * k), values(seed ^ 1, k * n));
        let mut packed = Packed::empty();
        packed.set(&right, n, k, n);
        let mut found = vec![7.0; lines * width * n];
        let rows = Rows { data: &left, stride: k, rows: lines * line };
        matmul(rows, &packed, Epilogue::NONE, &mut found, Place { stride: n, line, gap: border * n });
        for (at, found) in found.iter().enumerate() {
            let (y, x, column) = (at / n / width, at / n % width, at % n);
            let product = |l: usize| left[(y * line + x) * k + l] * right[l * n + column];
            let wanted = if x < line { (0..k).map(product).sum::<f32>() } else { 7.0 };
            prop_assert!((found - wanted).abs() < 1e-4);
        }
    }

    #[test]
    fn depthwise_rows_are_as_the_scalar_ones(
        kernel in prop_oneof![Just(3usize), Just(5), Just(7)], stride in 1usize..3, pixels in 1usize..20, channels in 1usize..50,
        range in prop_oneof![Just(Activation::Identity), Just(Activation::Relu), Just(Activation::Relu6)], seed: u64
    ) {
        let width = (pixels - 1) * stride + kernel;
        let weight = values(seed, channels * kernel * kernel);
        let convolution = Depthwise::new(&weight, values(seed ^ 1, channels), kernel, stride, range.range());
        let input = values(seed ^ 2, kernel * width * channels);
        let mut found = vec![0.0; pixels * channels];
        convolution.row(&input, width, &mut found);
        for (at, found) in found.iter().enumerate() {
            let wanted = convolution.scalar(&input, width, at / channels, at % channels);
            prop_assert!((found - wanted).abs() < 1e-4, "{} is {}, not {}", at, found, wanted);
        }
    }
}
