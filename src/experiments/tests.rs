//! Experiments on simulated users, whose click rates are known.

use std::collections::HashSet;

use rand::{Rng, SeedableRng, rngs::SmallRng};
use serde_json::json;
use vitrine_schemas::{
    EventKind, Experiment, ExperimentUse, SearchEvent, SearchFollowUp, SearchOutcome,
};

use super::{
    statistics::{Ratio, difference, sign_test, wilson},
    *,
};

/// Significance level of all tests.
const LEVEL: f64 = 0.05;

fn split(id: &str) -> Experiment {
    let experiment = json!({"id": id, "variants": [{"name": "a"}, {"name": "b"}]});
    serde_json::from_value(experiment).expect("an experiment")
}

fn event(kind: EventKind, item: &str, value: Option<f64>) -> SearchFollowUp {
    SearchFollowUp {
        kind,
        item: item.to_owned(),
        position: None,
        ts: String::new(),
        value,
    }
}

/// Simulates users with one to seven searches each; a search is clicked at a rate of the user,
/// which varies around `rates` by variant.
fn simulate(
    experiment: &Experiment,
    users: usize,
    rates: [f64; 2],
    seed: u64,
) -> Vec<SearchOutcome> {
    let mut random = SmallRng::seed_from_u64(seed);
    let mut outcomes = Vec::new();
    for user in 0..users {
        let user = format!("user {user}");
        let variant = variant_of(experiment, &user);
        let rate = rates[variant] + random.random_range(-0.2..0.2);
        for _ in 0..random.random_range(1..8) {
            let mut events = Vec::new();
            if random.random_bool(rate) {
                events.push(event(EventKind::Click, "x", None));
                if random.random_bool(0.2) {
                    let value = Some(random.random_range(5.0..100.0));
                    events.push(event(EventKind::Purchase, "x", value));
                }
            }
            outcomes.push(SearchOutcome {
                search: SearchEvent {
                    user: Some(user.clone()),
                    hits: 1,
                    experiment: Some(ExperimentUse {
                        id: experiment.id.clone(),
                        variant: Some(experiment.variants[variant].name.clone()),
                        teams: Vec::new(),
                    }),
                    ..SearchEvent::default()
                },
                events,
            });
        }
    }
    outcomes
}

/// Returns the number of runs with a significant difference in click-through, and the mean of the
/// standard errors.
fn runs(count: u64, users: usize, rates: [f64; 2]) -> (u64, f64) {
    let (mut significant, mut errors) = (0, 0.0);
    for seed in 0..count {
        let experiment = split(&format!("run {seed}"));
        let outcomes = simulate(&experiment, users, rates, seed);
        let results = experiment_results(outcomes, &experiment.id, Some("a"));
        let differences = results.variants[1].differences.expect("two users");
        let click_through = differences.click_through;
        significant += u64::from(click_through.significant);
        errors += (click_through.high - click_through.low) / (2.0 * 1.96);
    }
    (significant, errors / count as f64)
}

/// 50 of 1,000 A/A runs are expected to be significant, with a standard deviation of 6.9; the
/// tolerance is two of these.
#[test]
fn equal_variants_differ_as_often_as_chance_makes_them() {
    let (significant, _) = runs(1_000, 150, [0.35, 0.35]);
    println!("{significant} of 1000 A/A runs are significant");
    assert!((36..=64).contains(&significant), "{significant}");
}

/// The power that theory gives is that of a normal test with the standard error. Of 300 runs at a
/// power near 0.5, the share has a standard deviation of 0.03; the tolerance is three of these.
#[test]
fn a_winner_is_found_with_the_power_of_the_test() {
    let effect = 0.06;
    let (significant, error) = runs(300, 500, [0.3, 0.3 + effect]);
    let normal = |x: f64| 0.5 * libm::erfc(-x / std::f64::consts::SQRT_2);
    let power = normal(effect / error - 1.96) + normal(-effect / error - 1.96);
    let found = significant as f64 / 300.0;
    println!("power {power:.2}, found {found:.2}");
    assert!((0.2..0.8).contains(&power), "{power}");
    assert!((found - power).abs() < 0.09, "{found} {power}");
}

#[test]
fn the_interval_is_that_of_a_bootstrap_over_users() {
    let mut random = SmallRng::seed_from_u64(3);
    let users: Vec<(f64, f64)> = (0..400)
        .map(|_| {
            let searches = random.random_range(1..20);
            let rate = random.random_range(0.0..0.8);
            let clicked = (0..searches).filter(|_| random.random_bool(rate)).count();
            (clicked as f64, f64::from(searches))
        })
        .collect();
    let mut ratio = Ratio::default();
    users.iter().for_each(|(y, n)| ratio.add(*y, *n));
    let samples: Vec<f64> = (0..2_000)
        .map(|_| {
            let mut sample = Ratio::default();
            for _ in 0..users.len() {
                let (y, n) = users[random.random_range(0..users.len())];
                sample.add(y, n);
            }
            sample.value()
        })
        .collect();
    let mean = samples.iter().sum::<f64>() / samples.len() as f64;
    let variance = samples.iter().map(|s| (s - mean).powi(2)).sum::<f64>() / samples.len() as f64;
    let error = ratio.variance().expect("many users").sqrt();
    assert!(
        (error / variance.sqrt() - 1.0).abs() < 0.08,
        "{error} {}",
        variance.sqrt()
    );
}

#[test]
fn figures_of_variants_are_sums_of_their_searches() {
    let experiment = split("sums");
    let mut outcomes = simulate(&experiment, 50, [0.3, 0.5], 1);
    let expected = outcomes.len() as u64;
    // Searches of others do not count.
    let mut other = outcomes[0].clone();
    other.search.experiment.as_mut().expect("a variant").id = "other".to_owned();
    let mut anonymous = outcomes[0].clone();
    anonymous.search.user = None;
    outcomes.extend([other, anonymous, SearchOutcome::default()]);
    let results = experiment_results(outcomes.clone(), "sums", Some("b"));
    let names: Vec<_> = results.variants.iter().map(|v| v.name.as_str()).collect();
    assert_eq!(names, ["b", "a"], "the control comes first");
    assert!(results.variants[0].differences.is_none());
    let all: u64 = results.variants.iter().map(|v| v.figures.searches).sum();
    assert_eq!(all, expected);
    for variant in &results.variants {
        let revenue = variant.revenue_per_search * variant.figures.searches as f64;
        assert!((revenue - variant.figures.revenue).abs() < 1e-9);
    }
    let [b, a] = &results.variants[..] else {
        panic!("two variants")
    };
    let found = a.differences.expect("many users").click_through;
    let difference = a.figures.click_through - b.figures.click_through;
    assert!((found.difference - difference).abs() < 1e-12);
    assert!(found.low < difference && difference < found.high);
    let one = experiment_results(outcomes[..1].to_vec(), "sums", None);
    assert!(one.variants[0].differences.is_none());
}

#[test]
fn users_are_assigned_in_proportion_and_independently() {
    let experiment = json!({"id": "x", "variants": [
        {"name": "a", "share": 2}, {"name": "b", "share": 1}, {"name": "off", "share": 0}, {"name": "c", "share": 1}
    ]});
    let experiment: Experiment = serde_json::from_value(experiment).expect("an experiment");
    let other = Experiment {
        id: "y".to_owned(),
        ..experiment.clone()
    };
    let mut counts = [[0_u32; 4]; 4];
    for n in 0..8_000 {
        let user = format!("u{n}");
        let variant = variant_of(&experiment, &user);
        assert_eq!(variant, variant_of(&experiment, &user));
        counts[variant][variant_of(&other, &user)] += 1;
    }
    let expected = [0.5, 0.25, 0.0, 0.25];
    for (row, share) in counts.iter().zip(expected) {
        for (count, other) in row.iter().zip(expected) {
            let mean = 8_000.0 * share * other;
            assert!(
                (f64::from(*count) - mean).abs() <= 4.0 * f64::sqrt(mean),
                "{counts:?}"
            );
        }
    }
}

#[test]
fn a_draft_is_fair_and_keeps_the_order_of_both_rankings() {
    let mut random = SmallRng::seed_from_u64(5);
    let mut firsts = 0;
    for seed in 0..2_000 {
        let mut ranking = || {
            let mut all: Vec<u32> = (0..30).collect();
            (0..random.random_range(5..20))
                .map(|_| all.swap_remove(random.random_range(0..all.len())))
                .collect::<Vec<_>>()
        };
        let rankings = [ranking(), ranking()];
        let drafted = team_draft(rankings.clone(), |id| id.to_string(), 10, seed);
        let distinct: HashSet<_> = drafted.iter().map(|(_, id)| id).collect();
        let union: HashSet<_> = rankings.iter().flatten().collect();
        assert_eq!(distinct.len(), drafted.len());
        assert_eq!(drafted.len(), union.len().min(10));
        for team in [0_u8, 1] {
            let picks: Vec<_> = drafted
                .iter()
                .filter(|d| d.0 == team)
                .map(|d| d.1)
                .collect();
            let places = picks.iter().map(|id| {
                let place = rankings[usize::from(team)]
                    .iter()
                    .position(|other| other == id);
                place.expect("in its ranking")
            });
            assert!(places.collect::<Vec<_>>().windows(2).all(|w| w[0] < w[1]));
        }
        if rankings.iter().all(|ranking| ranking.len() >= 10) {
            let team = drafted.iter().filter(|d| d.0 == 0).count();
            assert_eq!(team, 5);
        }
        firsts += drafted[0].0 as u32;
    }
    assert!((900..1_100).contains(&firsts), "{firsts}");
    assert_ne!(draft_seed("x", "u", "q"), draft_seed("x", "u", "r"));
}

/// Simulates users who click relevant items; `quality` is the probability that a ranking has a
/// relevant item at a place.
fn interleave(users: usize, quality: [f64; 2], seed: u64) -> Vec<SearchOutcome> {
    let mut random = SmallRng::seed_from_u64(seed);
    let mut outcomes = Vec::new();
    for n in 0..users * 3 {
        let user = format!("user {}", n % users);
        let mut ranking = |quality: f64| -> Vec<(u32, bool)> {
            let relevant = (0..20).map(|_| random.random_bool(quality));
            relevant
                .zip(0..)
                .map(|(relevant, id)| (id, relevant))
                .collect()
        };
        let mut rankings = quality.map(&mut ranking);
        rankings[1].iter_mut().for_each(|(id, _)| *id += 100);
        let draft = team_draft(
            rankings,
            |(id, _)| id.to_string(),
            10,
            draft_seed("i", &user, &n.to_string()),
        );
        let clicked = draft
            .iter()
            .filter(|(_, (_, relevant))| *relevant && random.random_bool(0.3));
        let events = clicked.map(|(_, (id, _))| event(EventKind::Click, &id.to_string(), None));
        let events = events.collect();
        outcomes.push(SearchOutcome {
            search: SearchEvent {
                user: Some(user),
                shown: draft.iter().map(|(_, (id, _))| id.to_string()).collect(),
                experiment: Some(ExperimentUse {
                    id: "i".to_owned(),
                    variant: None,
                    teams: draft.iter().map(|(team, _)| *team).collect(),
                }),
                ..SearchEvent::default()
            },
            events,
        });
    }
    outcomes
}

/// At most 20 of 400 runs with equal rankings are expected to be significant, with a standard
/// deviation of 4.4; the tolerance is two of these.
#[test]
fn interleaving_finds_the_better_ranking_and_none_of_equal_ones() {
    let results = |quality, seed| {
        let outcomes = interleave(120, quality, seed);
        let results = experiment_results(outcomes, "i", Some("a"));
        results.interleaving.expect("interleaved")
    };
    let equal = (0..400).filter(|seed| results([0.4, 0.4], *seed).significant);
    let equal = equal.count();
    println!("{equal} of 400 equal rankings differ");
    assert!(equal <= 29, "{equal}");
    for seed in 0..20 {
        let better = results([0.3, 0.5], seed);
        assert!(
            better.significant && better.variant_wins > better.control_wins,
            "{better:?}"
        );
        assert!(better.low > 0.5 && better.high <= 1.0, "{better:?}");
        let users = better.control_wins + better.variant_wins + better.ties;
        assert_eq!((users, better.searches), (120, 360));
        let worse = results([0.5, 0.3], seed);
        assert!(worse.significant && worse.variant_wins < worse.control_wins);
    }
}

#[test]
fn tests_and_intervals_have_their_textbook_values() {
    let close = |a: f64, b: f64| (a - b).abs() < 1e-4;
    assert!(close(sign_test(2, 8), 0.109_375));
    assert!(close(sign_test(8, 2), 0.109_375));
    assert!(close(sign_test(0, 0), 1.0) && close(sign_test(5, 5), 1.0));
    // The normal approximation with a correction for continuity: z = 1.999.
    assert!((sign_test(499_000, 501_000) - 0.045_6).abs() < 1e-3);
    let (low, high) = wilson(8, 10);
    assert!(close(low, 0.490_2) && close(high, 0.943_3), "{low} {high}");
    assert_eq!(wilson(0, 0), (0.0, 1.0));
    let mut alike = Ratio::default();
    alike.add(1.0, 2.0);
    assert!(difference(&alike, &alike, LEVEL).is_none(), "of one user");
    alike.add(1.0, 2.0);
    let same = difference(&alike, &alike, LEVEL).expect("two users");
    assert_eq!(
        (same.difference, same.p_value, same.significant),
        (0.0, 1.0, false)
    );
}
