//! Estimators on simulated logs, whose true values are known, and on pages of the engine.

use rand::{Rng, SeedableRng, distr::weighted::WeightedIndex, prelude::Distribution, rngs::StdRng};
use rayon::prelude::*;
use serde_json::json;
use vitrine::{Database, Options};

use super::{
    estimators::Estimate,
    log::{Action, LoggedPage, PolicyLog, Shown},
    report::PolicyReport,
};

/// Kinds of requests; each item has a click rate for each.
const CONTEXTS: usize = 4;

/// Places of a page, and items that each chooses from.
const SLOTS: usize = 3;
const CHOICES: usize = 8;

/// Number of simulated logs of a case, and of one where the bias is plain.
const LOGS: u64 = 400;
const FEW_LOGS: u64 = 40;

/// Pages of a log.
const PAGES: usize = 1200;

/// Numbers by context, slot and choice: click rates, or probabilities of a policy.
type Table = Vec<Vec<Vec<f64>>>;

fn table(mut of_slot: impl FnMut(usize, usize) -> Vec<f64>) -> Table {
    (0..CONTEXTS)
        .map(|context| (0..SLOTS).map(|slot| of_slot(context, slot)).collect())
        .collect()
}

/// Click rates of 5 % to 45 %.
fn rates(random: &mut StdRng) -> Table {
    table(|_, _| {
        (0..CHOICES)
            .map(|_| random.random_range(0.05..0.45))
            .collect()
    })
}

fn uniform() -> Table {
    table(|_, _| vec![1.0 / CHOICES as f64; CHOICES])
}

/// Probabilities that grow with scores.
fn softmax(scores: &Table, temperature: f64) -> Table {
    table(|context, slot| {
        let powers = scores[context][slot]
            .iter()
            .map(|score| (score / temperature).exp());
        let powers: Vec<f64> = powers.collect();
        let sum: f64 = powers.iter().sum();
        powers.into_iter().map(|power| power / sum).collect()
    })
}

/// The choice with the best score, for certain.
fn greedy(scores: &Table) -> Table {
    table(|context, slot| {
        let scores = &scores[context][slot];
        let best = scores.iter().copied().fold(f64::MIN, f64::max);
        scores
            .iter()
            .map(|score| f64::from(u8::from(*score == best)))
            .collect()
    })
}

/// The first slot of one policy, and the others of a mixture of another with equal chances.
fn explored(ranking: &Table, others: &Table) -> Table {
    table(|context, slot| match slot {
        0 => ranking[context][slot].clone(),
        _ => {
            let chances = others[context][slot].iter();
            chances.map(|p| 0.7 * p + 0.3 / CHOICES as f64).collect()
        }
    })
}

/// Quality of an estimator in a case.
#[derive(Debug)]
struct Quality {
    bias: f64,
    coverage: f64,
}

/// Policies to log with and to evaluate, in a world of known click rates.
struct Case {
    rates: Table,
    logged: Table,
    target: Table,
    /// Factors of the click rates of a user; their mean is 1.
    appetites: [f64; 2],
}

impl Case {
    /// Returns the expected reward per page of the target.
    fn value(&self) -> f64 {
        let contexts = self.target.iter().zip(&self.rates);
        let slots = contexts.flat_map(|(target, rates)| target.iter().zip(rates));
        let choices = slots.flat_map(|(target, rates)| target.iter().zip(rates));
        choices.map(|(target, rate)| target * rate).sum::<f64>() / CONTEXTS as f64
    }

    /// Simulates a log of users with two pages each; `propensity` returns what is logged for a
    /// probability.
    fn log(&self, seed: u64, propensity: impl Fn(f64) -> f64) -> PolicyLog {
        let mut random = StdRng::seed_from_u64(seed);
        let mut pages = Vec::with_capacity(PAGES);
        for user in 0..PAGES / 2 {
            let appetite = self.appetites[random.random_range(0..2)];
            for _ in 0..2 {
                let context = random.random_range(0..CONTEXTS);
                let shown = (0..SLOTS).map(|slot| {
                    let chances = &self.logged[context][slot];
                    let chosen = WeightedIndex::new(chances)
                        .expect("chances")
                        .sample(&mut random);
                    let rate = appetite * self.rates[context][slot][chosen];
                    Shown {
                        action: action(slot, chosen),
                        propensity: propensity(chances[chosen]),
                        target: self.target[context][slot][chosen],
                        reward: f64::from(u8::from(random.random_bool(rate))),
                    }
                });
                pages.push(LoggedPage {
                    user,
                    shown: shown.collect(),
                    target: Some(self.page_of_target(context)),
                });
            }
        }
        PolicyLog::of_pages(pages)
    }

    fn page_of_target(&self, context: usize) -> Vec<(Action, f64)> {
        let slots = self.target[context].iter().enumerate();
        let items = slots.flat_map(|(slot, chances)| {
            let chances = chances.iter().enumerate();
            chances.map(move |(choice, chance)| (action(slot, choice), *chance))
        });
        items.filter(|(_, chance)| *chance > 0.0).collect()
    }

    /// Returns for IPS, SNIPS and DR the relative bias over many logs, and the share of intervals
    /// that contain the true value.
    fn quality(&self, logs: u64, propensity: impl Fn(f64) -> f64 + Sync) -> [Quality; 3] {
        let seeds = (0..logs).into_par_iter();
        let estimates = seeds.map(|seed| {
            let report = PolicyReport::of(&self.log(seed, &propensity));
            let robust = report.doubly_robust.expect("the target is known");
            [report.ips, report.snips, robust]
        });
        let estimates: Vec<[Estimate; 3]> = estimates.collect();
        let value = self.value();
        [0, 1, 2].map(|estimator| {
            let own = estimates.iter().map(|estimates| estimates[estimator]);
            let mean = own.clone().map(|e| e.value).sum::<f64>() / logs as f64;
            let covers = |e: &Estimate| {
                let (low, high) = (e.low.expect("low"), e.high.expect("high"));
                (low..=high).contains(&value)
            };
            Quality {
                bias: mean / value - 1.0,
                coverage: own.filter(covers).count() as f64 / logs as f64,
            }
        })
    }
}

fn action(slot: usize, choice: usize) -> Action {
    Action {
        item: (slot * CHOICES + choice) as u32,
        position: 0,
    }
}

/// Pairs of policies: chance against a ranking, two random policies, and a ranking with two
/// explored slots against another ranking of these.
fn cases() -> Vec<(&'static str, Case)> {
    let mut random = StdRng::seed_from_u64(17);
    let (rates, noise) = (rates(&mut random), rates(&mut random));
    let ranked = greedy(&noise);
    let logged = explored(&ranked, &softmax(&noise, 0.15));
    let mut target = greedy(&rates);
    for (context, slots) in target.iter_mut().enumerate() {
        slots[0] = ranked[context][0].clone();
    }
    let case = |logged, target| Case {
        rates: rates.clone(),
        logged,
        target,
        appetites: [0.5, 1.5],
    };
    vec![
        ("uniform to ranking", case(uniform(), greedy(&rates))),
        (
            "softmax to softmax",
            case(softmax(&noise, 0.2), softmax(&rates, 0.1)),
        ),
        ("explored to ranking", case(logged, target)),
    ]
}

#[test]
fn estimates_on_simulated_logs_have_little_bias_and_honest_intervals() {
    for (name, case) in cases() {
        let qualities = case.quality(LOGS, |p| p);
        println!("{name}: {qualities:?}");
        for quality in qualities {
            assert!(quality.bias.abs() < 0.05, "{name}: {quality:?}");
            assert!(
                (0.90..=0.98).contains(&quality.coverage),
                "{name}: {quality:?}"
            );
        }
    }
}

#[test]
fn wrong_propensities_break_the_estimates() {
    for (name, case) in cases().into_iter().skip(1) {
        // Logged as if all choices had equal chances.
        let equal = |_| 1.0 / CHOICES as f64;
        let [ips, ..] = case.quality(FEW_LOGS, equal);
        println!("{name}: {ips:?}");
        assert!(
            ips.bias.abs() > 0.05 && ips.coverage < 0.9,
            "{name}: {ips:?}"
        );
        let warnings = |log: PolicyLog| PolicyReport::of(&log).warnings.join("\n");
        let wrong = warnings(case.log(1, equal));
        assert!(wrong.contains("propensities are wrong"), "{name}: {wrong}");
        assert_eq!(warnings(case.log(1, |p| p)), "", "{name}");
    }
}

#[test]
fn a_right_model_makes_up_for_wrong_propensities() {
    // The rates are the same in each context, so the model can learn them.
    let mut random = StdRng::seed_from_u64(23);
    let (rates, noise) = (rates(&mut random), rates(&mut random));
    let same = |table: &Table| vec![table[0].clone(); CONTEXTS];
    let case = Case {
        rates: same(&rates),
        logged: softmax(&same(&noise), 0.2),
        target: softmax(&same(&rates), 0.1),
        appetites: [1.0, 1.0],
    };
    let [ips, _, robust] = case.quality(FEW_LOGS, |p| 0.5 + 0.5 * p);
    println!("{ips:?}, {robust:?}");
    assert!(ips.bias.abs() > 0.05, "{ips:?}");
    assert!(robust.bias.abs() < 0.05, "{robust:?}");
}

#[test]
fn poor_overlap_is_reported() {
    let page = |propensity: f64, target: f64| LoggedPage {
        user: 0,
        shown: vec![Shown {
            action: action(0, 0),
            propensity,
            target,
            reward: 1.0,
        }],
        target: None,
    };
    let mut pages: Vec<_> = (0..500).map(|_| page(0.5, 0.5)).collect();
    pages.push(page(0.001, 1.0));
    for (user, page) in pages.iter_mut().enumerate() {
        page.user = user;
    }
    let report = PolicyReport::of(&PolicyLog::of_pages(pages));
    assert!(report.doubly_robust.is_none());
    let warnings = report.warnings.join("\n");
    assert!(
        warnings.contains("the effective sample size is 2"),
        "{warnings}"
    );
    assert!(warnings.contains("one hit has 67 %"), "{warnings}");
    assert!(report.text().contains("warning: "), "{}", report.text());
}

/// Pages of the engine with three explored hits, and clicks of known rates: the value of another
/// page is estimated from the propensities of the hits.
#[test]
fn pages_of_the_engine_are_evaluated_by_their_propensities() {
    let folder = tempfile::tempdir().expect("a folder");
    let db = Database::open(folder.path(), Options::default()).expect("open");
    let config = json!({"vectors": {"shared": {"dim": 2}}});
    let config = serde_json::from_value(config).expect("a config");
    let shop = db.create_collection("shop", config).expect("created");
    let item = |n: usize| json!({"id": n.to_string(), "vectors": {"shared": [1.0, 0.0]}});
    let items: Vec<_> = (0..24).map(item).collect();
    let items = serde_json::from_value(json!(items)).expect("items");
    for written in shop.upsert(items).expect("written") {
        written.expect("accepted");
    }
    let rate = |id: &str| 0.1 + 0.02 * id.parse::<f64>().expect("a number");
    // Without events the newest come first: 23, 22 and 21, and then explored ones.
    let target = ["23", "22", "21", "4", "9", "15"];
    let value: f64 = target.iter().map(|id| rate(id)).sum();
    let mut random = StdRng::seed_from_u64(3);
    let (mut lines, mut careless) = (Vec::new(), Vec::new());
    for user in 0..2000 {
        let user = format!("u{user}");
        let request = json!({"user": user, "limit": 6, "explore": {"max_per_page": 3}});
        let request = serde_json::from_value(request).expect("a request");
        let page = shop.recommend(&request, None).expect("an answer");
        let shown = page.hits.iter().map(|hit| {
            let reward = u8::from(random.random_bool(rate(&hit.id)));
            json!({"id": hit.id, "propensity": hit.propensity, "reward": reward})
        });
        let mut shown: Vec<_> = shown.collect();
        lines.push(json!({"user": user, "shown": shown, "target": target}).to_string());
        for hit in &mut shown {
            hit["propensity"] = json!(1);
        }
        careless.push(json!({"user": user, "shown": shown, "target": target}).to_string());
    }
    let report = |lines: Vec<String>| {
        let log = PolicyLog::read(lines.join("\n").as_bytes(), false).expect("readable");
        assert!(log.rejections.is_empty(), "{:?}", log.rejections);
        PolicyReport::of(&log)
    };
    let right = report(lines);
    println!("true value {value:.3}\n{}", right.text());
    let distance = |estimate: Estimate| {
        let half = (estimate.high.expect("high") - estimate.low.expect("low")) / 2.0;
        (estimate.value - value).abs() / half
    };
    let robust = right.doubly_robust.expect("the target is known");
    for estimate in [right.ips, right.snips, robust] {
        assert!(distance(estimate) < 2.0, "{estimate:?} of {value}");
    }
    assert!(right.warnings.is_empty(), "{:?}", right.warnings);
    // Without the propensities, the estimate is far off.
    let wrong = report(careless);
    assert!(distance(wrong.ips) > 2.0, "{:?} of {value}", wrong.ips);
}
