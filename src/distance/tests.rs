use proptest::{collection::vec, prelude::*};
use vitrine_schemas::Metric;

use super::*;

/// Ordinary components, and some at the ends of f32's range.
fn component() -> impl Strategy<Value = f32> {
    prop_oneof![
        8 => -2.0_f32..2.0,
        1 => Just(0.0_f32),
        1 => prop_oneof![Just(f32::MAX), Just(f32::MIN), Just(1e-38), Just(1e-45), Just(-1e19)],
    ]
}

/// Codes, with the ends of their range often.
fn code() -> impl Strategy<Value = i8> {
    prop_oneof![2 => -127_i8..=127, 1 => Just(127_i8), 1 => Just(-127_i8)]
}

fn two() -> impl Strategy<Value = (Vec<f32>, Vec<f32>)> {
    (1_usize..300).prop_flat_map(|n| (vec(component(), n), vec(component(), n)))
}

proptest! {
    #[test]
    fn kernels_agree_with_scalar((a, b) in two()) {
        let dot = scalar::dot(&a, &b);
        let size: f64 = a.iter().zip(&b).map(|(x, y)| f64::from((x * y).abs())).sum();
        let got = kernels::dot(&a, &b);
        // An infinite tolerance only means that f32 could not hold the terms; the sum then came
        // from f64.
        prop_assert!((got - dot).abs() <= 1e-5 * size + 1e-30, "{got} {dot}");
        let l2 = scalar::l2(&a, &b);
        let got = kernels::l2(&a, &b);
        prop_assert!((got - l2).abs() <= 1e-5 * l2 + 1e-30, "{got} {l2}");
    }

    #[test]
    fn byte_kernels_are_the_scalar_one(
        (a, b) in prop_oneof![1_usize..2_100, (1_usize..40).prop_map(|n| n * 64)]
            .prop_flat_map(|n| (vec(prop_oneof![any::<u8>(), Just(255)], n), vec(code(), n)))
    ) {
        prop_assert_eq!(dot_u8_i8(&a, &b), scalar::dot_u8_i8(&a, &b));
    }

    #[test]
    fn bytes_with_many_are_the_scalar_ones(
        (a, others, count) in (prop_oneof![1_usize..200, (1_usize..20).prop_map(|n| n * 64)], 0_usize..11)
            .prop_flat_map(|(n, count)| (vec(prop_oneof![any::<u8>(), Just(255)], n), vec(code(), n * count), Just(count)))
    ) {
        let scalar: Vec<_> = others.chunks(a.len()).map(|b| scalar::dot_u8_i8(&a, b)).collect();
        let mut dots = vec![0; count];
        dots_u8_i8(&a, &others, &mut dots);
        prop_assert_eq!(dots, scalar);
    }

    #[test]
    fn bytes_at_offsets_are_the_scalar_ones(
        (query, codes, offsets) in (prop_oneof![1_usize..200, (1_usize..20).prop_map(|n| n * 64)], 1_usize..9)
            .prop_flat_map(|(n, count)| (
                vec(prop_oneof![any::<u8>(), Just(255)], n),
                vec(code(), n * count),
                vec(0..count as u32, 0..11),
            ))
    ) {
        let mut dots = Vec::new();
        dots_at_u8_i8(&codes, &offsets, &query, |i, dot| dots.push((i, dot)));
        let code = |offset: &u32| &codes[*offset as usize * query.len()..][..query.len()];
        let scalar = offsets.iter().map(|o| scalar::dot_u8_i8(&query, code(o)));
        prop_assert_eq!(dots, scalar.enumerate().collect::<Vec<_>>());
    }

    #[test]
    fn nibble_kernels_are_the_scalar_one(
        (codes, query, offsets) in (1_usize..20, 1_usize..9).prop_flat_map(|(n, count)| (
            vec(prop_oneof![any::<u8>(), Just(255)], n * count * 64),
            vec(prop_oneof![any::<i8>(), Just(127), Just(-128)], n * 128),
            vec(0..count as u32, 0..12),
        ))
    ) {
        let len = query.len() / 2;
        let code = |offset: &u32| &codes[*offset as usize * len..][..len];
        let scalar: Vec<_> = offsets.iter().map(|p| scalar::dot_u4_i8(code(p), &query)).collect();
        let mut dots = Vec::new();
        dots_u4_i8(&codes, &offsets, &query, |i, dot| dots.push((i, dot)));
        let scalar: Vec<_> = scalar.into_iter().enumerate().collect();
        prop_assert_eq!(&dots, &scalar);
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") {
            dots.clear();
            // SAFETY: the processor has AVX2; the query's length is a multiple of 128.
            unsafe { nibbles::x86::dots_avx2(&codes, &offsets, &query, |i, dot| dots.push((i, dot))) };
            prop_assert_eq!(dots, scalar);
        }
    }

    #[test]
    fn distances_are_ordered_numbers((a, b) in two()) {
        for metric in [Metric::Cosine, Metric::Dot, Metric::L2] {
            let d = distance(metric, &a, &b);
            prop_assert!(!d.is_nan());
            prop_assert!(metric == Metric::Dot || d >= 0.0);
        }
    }

    #[test]
    fn unit_length(mut v in vec(component(), 1..300)) {
        let zero = v.iter().all(|x| *x == 0.0);
        prop_assert_eq!(normalize(&mut v), !zero);
        if !zero {
            prop_assert!((scalar::dot(&v, &v) - 1.0).abs() < 1e-5);
        }
    }
}

#[test]
fn no_direction() {
    for mut v in [
        vec![],
        vec![0.0, 0.0],
        vec![1.0, f32::NAN],
        vec![f32::INFINITY],
    ] {
        let before = format!("{v:?}");
        assert!(!normalize(&mut v));
        assert_eq!(before, format!("{v:?}"));
    }
}

#[test]
fn scores_are_higher_for_nearer() {
    let (a, b) = ([1.0, 0.0], [0.6, 0.8]);
    let got = |m| score(m, distance(m, &a, &b));
    assert!((got(Metric::Cosine) - 0.6).abs() < 1e-6);
    assert!((got(Metric::Dot) - 0.6).abs() < 1e-6);
    assert!((got(Metric::L2) - 1.0 / (1.0 + 0.8_f32.sqrt())).abs() < 1e-6);
    assert_eq!(score(Metric::L2, distance(Metric::L2, &a, &a)), 1.0);
}
