use super::{divergence, noise_multiplier, sampled_gaussian_epsilon};

/// Sampling probabilities, noise multipliers, steps, deltas, and the epsilon by the Renyi
/// accountant of the Python package `dp-accounting` 0.6.0 (scripts/study/rdp.py).
const BY_DP_ACCOUNTING: [(f64, f64, u32, f64, f64); 20] = [
    (0.001, 0.8, 1_000, 1e-6, 1.461876),
    (0.001, 1.0, 10_000, 1e-5, 0.787660),
    (0.001, 4.0, 100, 1e-7, 0.081282),
    (0.01, 0.6, 100, 1e-5, 4.831307),
    (0.01, 1.0, 1_000, 1e-6, 2.436694),
    (0.01, 1.1, 10_000, 1e-5, 5.632011),
    (0.01, 2.0, 1_000, 1e-7, 0.870769),
    (0.02, 1.0, 500, 1e-5, 3.144284),
    (0.05, 0.8, 200, 1e-5, 8.743239),
    (0.05, 1.5, 1_000, 1e-6, 6.667952),
    (0.05, 5.0, 1_000, 1e-6, 1.509750),
    (0.1, 1.0, 100, 1e-5, 7.903850),
    (0.1, 2.0, 300, 1e-6, 5.082098),
    (0.1, 8.0, 300, 1e-6, 0.999155),
    (0.2, 1.0, 50, 1e-5, 11.340185),
    (0.2, 3.0, 200, 1e-6, 5.255535),
    (0.5, 2.0, 20, 1e-5, 6.229061),
    (0.5, 10.0, 200, 1e-6, 3.580867),
    (1.0, 2.0, 1, 1e-6, 2.419102),
    (1.0, 10.0, 100, 1e-5, 4.728507),
];

#[test]
fn the_account_is_that_of_another_library() {
    for (q, sigma, steps, delta, expected) in BY_DP_ACCOUNTING {
        let epsilon = sampled_gaussian_epsilon(q, sigma, steps, delta);
        assert!(
            (epsilon / expected - 1.0).abs() < 0.01,
            "q {q}, sigma {sigma}, {steps} steps, delta {delta}: {epsilon}, expected {expected}"
        );
    }
}

#[test]
fn without_sampling_it_is_the_gaussian_mechanism() {
    for order in [1.5, 2.0, 10.0, 64.0] {
        let expected = order / (2.0 * 9.0);
        assert!((divergence(1.0, 3.0, order) - expected).abs() < 1e-12);
    }
    assert!(sampled_gaussian_epsilon(0.1, 0.0, 1, 1e-6).is_infinite());
    assert!(sampled_gaussian_epsilon(0.0, 1.0, 100, 1e-6) == 0.0);
}

#[test]
fn fractional_orders_lie_between_whole_ones() {
    for (q, sigma) in [(0.01, 0.7), (0.1, 1.0), (0.5, 3.0)] {
        for order in [2.0, 5.0, 9.0] {
            let at = |order| divergence(q, sigma, order);
            assert!(at(order) < at(order + 0.5) && at(order + 0.5) < at(order + 1.0));
        }
    }
}

#[test]
fn the_multiplier_is_the_least_that_keeps_the_budget() {
    for (epsilon, q, steps) in [(1.0, 0.05, 200), (4.0, 0.1, 300), (8.0, 0.2, 100)] {
        let sigma = noise_multiplier(q, steps, epsilon, 1e-6).expect("a multiplier");
        assert!(sampled_gaussian_epsilon(q, sigma, steps, 1e-6) <= epsilon);
        assert!(sampled_gaussian_epsilon(q, 0.99 * sigma, steps, 1e-6) > epsilon);
    }
    assert_eq!(noise_multiplier(1.0, 1_000_000, 0.01, 1e-9), None);
}
