use proptest::prelude::*;
use serde_json::{Value, json};
use vitrine_schemas::{InactiveReason, Rule, RulePath, Source};

use crate::{
    lexical::StopWords,
    query::blend::Ranked,
    rules::{Pinned, RuleEffects, RuleQuery, RuleSet, count_pins_on_page, interleave_pins},
};

fn set(rules: &[(&str, Value)]) -> RuleSet {
    let rules: Vec<Rule> = rules
        .iter()
        .map(|(id, rule)| {
            let mut rule = rule.clone();
            rule["id"] = json!(id);
            rule["then"] = json!({"hide": ["x"]});
            serde_json::from_value(rule).expect("a rule")
        })
        .collect();
    RuleSet::new(&rules, StopWords::default())
}

fn acting(set: &RuleSet, text: Option<&str>, categories: &[&str], at: i64) -> Vec<String> {
    let categories: Vec<String> = categories.iter().map(|c| (*c).to_owned()).collect();
    let acting = set.matching(&RuleQuery {
        path: RulePath::Search,
        text,
        categories: &categories,
        at,
    });
    acting.into_iter().map(|rule| rule.id.clone()).collect()
}

#[test]
fn texts_are_compared_by_their_words() {
    let set = set(&[
        ("any", json!({})),
        (
            "has",
            json!({"when": {"query": {"contains": ["running shoes", "跑鞋"]}}}),
        ),
        (
            "is",
            json!({"when": {"query": {"is": ["Shoes for running", "红色跑鞋"]}}}),
        ),
    ]);
    for (text, wanted) in [
        (Some("red RUNNING shoe"), vec!["any", "has"]),
        (Some("shoe running"), vec!["any", "is"]),
        (Some("shoes for the running"), vec!["any", "is"]),
        (Some("running red shoes"), vec!["any"]),
        (Some("便宜的跑鞋"), vec!["any", "has"]),
        (Some("红色跑鞋"), vec!["any", "has", "is"]),
        (Some("!!"), vec!["any"]),
        (None, vec!["any"]),
    ] {
        assert_eq!(acting(&set, text, &[], 0), wanted, "{text:?}");
    }
}

#[test]
fn categories_hold_for_what_lies_below() {
    let set = set(&[(
        "shoes",
        json!({"when": {"categories": ["Clothing > Shoes", "Toys"]}}),
    )]);
    for (about, acts) in [
        (&["Clothing > Shoes"][..], true),
        (&["Clothing>Shoes>Running"], true),
        (&["Home", "Toys"], true),
        (&["Clothing"], false),
        (&["Clothing > Shoes for men"], false),
        (&[], false),
    ] {
        assert_eq!(!acting(&set, None, about, 0).is_empty(), acts, "{about:?}");
    }
}

#[test]
fn time_counts_from_the_first_moment_to_before_the_last() {
    let second = 1_000_000;
    let set = set(&[
        ("off", json!({"enabled": false})),
        (
            "on",
            json!({"valid_from": "1970-01-01T00:00:10Z", "valid_until": "1970-01-01T01:00:20+01:00"}),
        ),
    ]);
    for (at, acts) in [(9, false), (10, true), (19, true), (20, false)] {
        let wanted = if acts { vec!["on"] } else { vec![] };
        assert_eq!(acting(&set, None, &[], at * second), wanted, "{at}");
    }
    let asked = RuleQuery {
        path: RulePath::Similar,
        text: None,
        categories: &[],
        at: 30 * second,
    };
    let why: Vec<_> = set
        .explain(&asked)
        .into_iter()
        .map(|(_, why)| why)
        .collect();
    assert_eq!(
        why,
        [
            Some(InactiveReason::Disabled),
            Some(InactiveReason::Expired)
        ]
    );
}

#[test]
fn multiplied_scores_are_the_sum_of_their_parts() {
    for (score, factor) in [(2.0, 3.0), (2.0, 0.5), (-2.0, 3.0), (-2.0, 0.5), (0.0, 9.0)] {
        let mut one = Ranked::from_source(Source::Query, 1, score, 1);
        one.multiply(factor);
        let sum: f32 = one.contributions().iter().map(|(_, part)| part).sum();
        assert_eq!(one.score, sum);
        assert_eq!(one.score > score, factor > 1.0 && score != 0.0);
    }
}

/// The whole list, made the simplest way: what is left of the ranking, then each pin put in at its
/// place.
fn whole(ranked: &[u32], pins: &[(usize, u32)]) -> Vec<u32> {
    let mut list: Vec<u32> = ranked.to_vec();
    list.retain(|n| pins.iter().all(|(_, pin)| pin != n));
    for (position, pin) in pins {
        list.insert((position - 1).min(list.len()), *pin);
    }
    list
}

proptest! {
    /// Pages of any sizes make up the list that a naive stage makes: nothing twice, nothing lost,
    /// pins at their places.
    #[test]
    fn pages_make_up_the_list(
        length in 0_u32..60, wanted in prop::collection::btree_map(1_usize..80, 0_u32..90, 0..8),
        limits in prop::collection::vec(1_usize..12, 100)
    ) {
        let ranked: Vec<u32> = (0..length).collect();
        let mut stage = RuleEffects::default();
        for (rule, (position, number)) in wanted.into_iter().enumerate() {
            stage.pins.push(Pinned { internal_id: number, position, rule });
        }
        stage.finish_pins();
        let pins: Vec<(usize, u32)> = stage.pins.iter().map(|p| (p.position, p.internal_id)).collect();
        let naive = whole(&ranked, &pins);
        let mut shown: Vec<u32> = Vec::new();
        for limit in limits {
            let due: Vec<_> = pins.iter().filter(|(_, n)| !shown.contains(n)).copied().collect();
            let positions: Vec<usize> = due.iter().map(|(p, _)| *p).collect();
            let count = limit - count_pins_on_page(&positions, shown.len(), limit);
            let others = ranked.iter().copied().filter(|n| !stage.is_pinned(*n) && !shown.contains(n));
            let page = interleave_pins(due, others.take(count), shown.len(), limit);
            if page.is_empty() {
                break;
            }
            shown.extend(page);
        }
        prop_assert_eq!(shown, naive);
    }
}
