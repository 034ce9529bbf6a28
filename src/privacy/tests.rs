use rayon::prelude::*;

use super::{
    accountant::{delta_of, epsilon_of, rho_of},
    noise::add_noise,
    release, users_for_pairs,
};

/// Costs in zCDP, deltas, and the epsilon of the Gaussian mechanism of that cost by the Renyi
/// accountant of the Python package `dp-accounting` 0.6.0.
const BY_DP_ACCOUNTING: [(f64, f64, f64); 20] = [
    (0.001, 1e-9, 0.245119),
    (0.001, 1e-7, 0.205576),
    (0.001, 1e-6, 0.182896),
    (0.001, 1e-5, 0.157335),
    (0.01, 1e-9, 0.810185),
    (0.01, 1e-7, 0.689960),
    (0.01, 1e-6, 0.621697),
    (0.01, 1e-5, 0.545813),
    (0.05, 1e-9, 1.881735),
    (0.05, 1e-7, 1.619681),
    (0.05, 1e-6, 1.471656),
    (0.05, 1e-5, 1.308497),
    (0.2, 1e-9, 3.933654),
    (0.2, 1e-7, 3.419480),
    (0.2, 1e-6, 3.131056),
    (0.2, 1e-5, 2.813633),
    (1.0, 1e-9, 9.521467),
    (1.0, 1e-7, 8.395152),
    (1.0, 1e-6, 7.766238),
    (1.0, 1e-5, 7.077203),
];

#[test]
fn the_account_is_that_of_another_library() {
    for (rho, delta, expected) in BY_DP_ACCOUNTING {
        let epsilon = epsilon_of(rho, delta);
        assert!(
            (epsilon / expected - 1.0).abs() < 0.01,
            "rho {rho}, delta {delta}: {epsilon}, expected {expected}"
        );
        let simple = rho + 2.0 * (rho * (1.0 / delta).ln()).sqrt();
        assert!(epsilon < simple, "tighter than the simple bound");
    }
}

#[test]
fn conversions_are_inverse() {
    for epsilon in [0.01, 0.5, 1.0, 4.0, 10.0] {
        for delta in [1e-12, 1e-6, 1e-3] {
            let rho = rho_of(epsilon, delta);
            assert!(delta_of(rho, epsilon) <= delta);
            assert!(delta_of(rho * 1.001, epsilon) > delta, "the largest rho");
            assert!((epsilon_of(rho, delta) / epsilon - 1.0).abs() < 1e-6);
        }
    }
    assert_eq!((epsilon_of(0.0, 1e-6), delta_of(0.0, 1.0)), (0.0, 0.0));
}

#[test]
fn noise_has_the_scale_of_its_cost() {
    let (sensitivity, rho) = (10.0_f64.sqrt(), 0.02);
    let zeros = vec![0; 20_000];
    let noisy = add_noise(&zeros, sensitivity, rho).expect("noise");
    assert!(noisy.rho <= rho && noisy.rho > 0.999 * rho, "{}", noisy.rho);
    assert!((noisy.sigma - sensitivity / (2.0 * rho).sqrt()).abs() < 1e-6);
    let count = zeros.len() as f64;
    let mean = noisy.counts.iter().sum::<i64>() as f64 / count;
    let squares = noisy.counts.iter().map(|n| (*n as f64).powi(2));
    let deviation = (squares.sum::<f64>() / count).sqrt();
    // Five standard errors: fails by chance once in a million runs.
    assert!(mean.abs() < 5.0 * noisy.sigma / count.sqrt(), "{mean}");
    assert!((deviation / noisy.sigma - 1.0).abs() < 5.0 / (2.0 * count).sqrt());
}

#[test]
fn a_user_counts_in_few_cells_and_noise_does_not_rise_above_the_threshold_often() {
    // Without noise to speak of, the bound of each user shows.
    let users = (0..1_000).map(|_| (0..50).chain(0..50).collect());
    let bounded = release(100, users, 10, 1e6).expect("a release");
    let total: u32 = bounded.counts.iter().map(|(_, count)| count).sum();
    assert_eq!(total, 10_000, "10 cells per user, each once");
    assert!(bounded.counts.iter().all(|(cell, _)| *cell < 50));
    assert!((bounded.sensitivity - 10.0_f64.sqrt()).abs() < 1e-12);

    let users = (0..400).map(|_| vec![7]);
    let noisy = release(10_000, users, 10, 0.02).expect("a release");
    assert!(noisy.counts.iter().any(|(cell, _)| *cell == 7));
    let by_chance = noisy.counts.len() - 1;
    // 2.3 % of a normal distribution are above two standard deviations.
    assert!((100..400).contains(&by_chance), "{by_chance}");
    assert_eq!(noisy.cells, 10_000);
}

#[test]
fn pairs_need_more_users_the_stronger_the_guarantee() {
    let needed = |epsilon| users_for_pairs(10, rho_of(epsilon, 1e-6));
    assert!(needed(1.0) > 20_000 && needed(1.0) > 4 * needed(8.0));
}

/// Trials per world of the audit; half of them choose the test.
const TRIALS: usize = 10_000;

/// Standard errors of the bounds of the audit.
const Z: f64 = 3.0;

/// Returns a lower bound of the epsilon of releases of cost `rho`: a canary user is in the counts
/// or not, and a test on the released counts tells the two apart (auditing by distinguishing, as in
/// Jagielski, Ullman and Oprea 2020).
fn audited_epsilon(rho: f64, delta: f64) -> f64 {
    const CELLS: usize = 10;
    let total = |has_canary: bool| {
        let others = (0..80).map(|_| (0..CELLS as u32).collect::<Vec<_>>());
        let canary = has_canary.then(|| (0..CELLS as u32).collect());
        let released = release(CELLS, others.chain(canary), CELLS, rho).expect("a release");
        f64::from(released.counts.iter().map(|(_, count)| count).sum::<u32>())
    };
    let world = |has_canary| {
        let trials = (0..TRIALS).into_par_iter();
        trials.map(|_| total(has_canary)).collect::<Vec<f64>>()
    };
    let (with, without) = (world(true), world(false));
    let half = TRIALS / 2;
    let share = |values: &[f64], from: f64| {
        let above = values.iter().filter(|v| **v >= from).count();
        above as f64 / values.len() as f64
    };
    // Wilson's bounds of a share of `half` trials.
    let wilson = |share: f64, sign: f64| {
        let n = half as f64;
        let middle = share + Z * Z / (2.0 * n);
        let width = Z * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
        (middle + sign * width) / (1.0 + Z * Z / n)
    };
    let epsilon = |with: &[f64], without: &[f64], from: f64| {
        let found = wilson(share(with, from), -1.0) - delta;
        (found / wilson(share(without, from), 1.0)).max(1.0).ln()
    };
    let mut candidates = with[..half].to_vec();
    candidates.sort_by(f64::total_cmp);
    let tests = candidates.iter().step_by(20).copied();
    let of = |from: &f64| epsilon(&with[..half], &without[..half], *from);
    let best = tests.max_by(|a, b| of(a).total_cmp(&of(b)));
    best.map_or(0.0, |from| epsilon(&with[half..], &without[half..], from))
}

#[test]
fn an_audit_by_canaries_finds_no_more_than_is_claimed_and_finds_too_little_noise() {
    let delta = 1e-6;
    for claim in [1.0, 4.0] {
        let rho = rho_of(claim, delta);
        let honest = audited_epsilon(rho, delta);
        assert!(honest <= claim, "{honest} of {claim}");
        // A quarter of the noise costs 16 times as much.
        let wrong = audited_epsilon(16.0 * rho, delta);
        assert!(wrong > claim, "{wrong} of {claim}");
    }
}
