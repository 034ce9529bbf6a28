//! The log against a plain list of events, and models through their bytes.

use std::collections::BTreeMap;

use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use vitrine_schemas::{BehaviorConfig, Event};

use super::{gathered::Gathered, *};
use crate::cf::{ItemKnn, ItemKnnOptions, Matrix};

fn event(value: Value) -> Event {
    let mut fields = json!({"kind": "view", "collection": "shop"});
    let given = value.as_object().expect("fields").clone();
    fields.as_object_mut().expect("fields").extend(given);
    serde_json::from_value(fields).expect("an event")
}

fn log(events: &[Event]) -> Log {
    let mut log = Log::new(Vec::new(), &BehaviorConfig::default());
    for (second, event) in (0..).zip(events) {
        log.add(event, second * 1_000_000);
    }
    log
}

fn user(name: &str) -> Who {
    Who::User(name.to_owned())
}

/// Names and weights of what a person touched, and names of what they rejected.
fn seen(log: &Log, person: Option<Person>) -> (Vec<(String, f32)>, Vec<String>) {
    let Some(person) = person else {
        return Default::default();
    };
    let touched = person.touches.iter();
    let touched = touched.map(|t| (log.names()[t.item as usize].clone(), t.weight));
    let rejected = person
        .rejected
        .iter()
        .map(|i| log.names()[i as usize].clone());
    (touched.collect(), rejected.collect())
}

#[test]
fn kinds_and_ratings_weigh_as_configured_also_afterwards() {
    let mut log = log(&[
        event(json!({"user": "u", "items": ["a", "b"]})),
        event(json!({"user": "u", "kind": "rating", "value": 2.5, "items": ["c"]})),
        event(json!({"user": "u", "kind": "rating", "value": 4.0, "items": ["d"]})),
        event(json!({"user": "u", "kind": "rating", "items": ["e"]})),
        event(json!({"user": "u", "kind": "hide", "items": ["f"]})),
    ]);
    let pairs = |list: &[(&str, f32)]| -> Vec<_> {
        list.iter().map(|(n, w)| ((*n).to_owned(), *w)).collect()
    };
    let (touched, rejected) = seen(&log, log.user("u"));
    assert_eq!(
        touched,
        pairs(&[("a", 1.0), ("b", 1.0), ("d", 3.0), ("e", 3.0)])
    );
    assert_eq!(rejected, ["c", "f"]);
    let config = json!({"weights": {"view": 0.5}, "liked_rating": 2.0});
    log.configure(&serde_json::from_value(config).expect("a configuration"));
    let (touched, rejected) = seen(&log, log.user("u"));
    assert_eq!(
        touched,
        pairs(&[("a", 0.5), ("b", 0.5), ("c", 3.0), ("d", 3.0), ("e", 3.0)])
    );
    assert_eq!(rejected, ["f"]);
    assert!(log.user("nobody").is_none() && log.session("u").is_none());
}

#[test]
fn an_erased_user_is_gone_with_the_visits_that_were_theirs_alone() {
    let mut log = log(&[
        event(json!({"user": "u", "session": "own", "items": ["a"]})),
        event(json!({"session": "own", "items": ["b"]})),
        event(json!({"user": "u", "session": "shared", "items": ["c"]})),
        event(json!({"user": "v", "session": "shared", "items": ["d"]})),
        event(json!({"session": "shared", "items": ["e"]})),
        event(json!({"session": "other", "items": ["f"]})),
    ]);
    log.erase(&user("u"));
    assert!(log.user("u").is_none() && log.session("own").is_none());
    let names = |person| -> Vec<_> {
        let (touched, _) = seen(&log, person);
        touched.into_iter().map(|(name, _)| name).collect()
    };
    assert_eq!(names(log.user("v")), ["d"]);
    assert_eq!(names(log.session("shared")), ["d"]);
    assert_eq!(names(log.session("other")), ["f"]);
    assert_eq!((log.touches(), log.counts()), (2, (1, 2)));
    log.erase(&user("u"));
    assert_eq!(log.touches(), 2);
}

#[test]
fn an_erased_visit_is_gone_whoever_it_was() {
    let mut log = log(&[
        event(json!({"session": "visit", "items": ["a", "b"]})),
        event(json!({"user": "u", "session": "visit", "items": ["c"]})),
        event(json!({"user": "u", "session": "other", "items": ["d"]})),
    ]);
    log.erase(&Who::Session("visit".into()));
    assert!(log.session("visit").is_none());
    assert_eq!(seen(&log, log.user("u")).0, [("d".to_owned(), 1.0)]);
    assert_eq!((log.touches(), log.counts()), (1, (1, 1)));
    log.erase(&Who::Session("none".into()));
    assert_eq!(log.touches(), 1);
}

/// Random events, erasures and copies against lists by person.
#[test]
fn a_log_equals_lists_by_person_through_erasures_and_copies() {
    let seed = rand::rng().random();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let mut log = Log::new(vec!["i3".into()], &BehaviorConfig::default());
    let mut users: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut copying = None;
    for second in 0..40_000_i64 {
        let user = format!("u{}", random.random_range(0..40));
        let item = format!("i{}", random.random_range(0..30));
        let of_user =
            event(json!({"user": user, "session": format!("s of {user}"), "items": [item]}));
        log.add(&of_user, second * 1_000_000);
        users.entry(user).or_default().push(item);
        match random.random_range(0..2_000) {
            0..4 if copying.is_none() => {
                let user = format!("u{}", random.random_range(0..40));
                log.erase(&Who::User(user.clone()));
                users.remove(&user);
            }
            4..8 if copying.is_none() => copying = Some(log.copy(u64::MAX, 0)),
            8..16 => {
                if let Some(mut copy) = copying.take() {
                    if copy.step(&log) {
                        copying = Some(copy);
                    } else {
                        log = copy.finish(&log);
                    }
                }
            }
            _ => {}
        }
    }
    let touched: usize = users.values().map(Vec::len).sum();
    assert_eq!(log.touches(), touched as u64);
    assert_eq!(log.names()[0], "i3", "numbers stay");
    for number in 0..40 {
        let user = format!("u{number}");
        let wanted = users.remove(&user).unwrap_or_default();
        for person in [log.user(&user), log.session(&format!("s of {user}"))] {
            let (touched, _) = seen(&log, person);
            let touched: Vec<_> = touched.into_iter().map(|(name, _)| name).collect();
            assert_eq!(touched, wanted, "{user}");
        }
    }
}

#[test]
fn a_copy_keeps_the_latest_and_leaves_out_the_old() {
    let events: Vec<_> = (0..1000)
        .map(|n| event(json!({"user": format!("u{}", n % 7), "items": [format!("i{n}")]})))
        .collect();
    let mut log = log(&events);
    assert!(!log.is_wasteful(1000) && log.is_wasteful(500));
    let shrunk = |log: &Log, most, from| {
        let mut copy = log.copy(most, from);
        while copy.step(log) {}
        copy.finish(log)
    };
    let small = shrunk(&log, 300, 0);
    assert_eq!((small.touches(), small.names().len()), (300, 1000));
    let (touched, _) = seen(&small, small.user("u0"));
    assert_eq!(touched.first().expect("a touch").0, "i700");
    assert_eq!(shrunk(&log, 1000, 900).touches(), 100);
    log.erase(&user("u0"));
    assert_eq!(shrunk(&log, 1000, 0).touches(), log.touches());
}

/// What is counted while a training reads, and while the log is copied, comes into the model once.
#[test]
fn rows_from_the_mark_on_are_those_a_training_left_out() {
    let seed = rand::rng().random();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let mut happened = |log: &mut Log, count: i64| {
        for second in 0..count {
            let user = random.random_range(0..30);
            let item = random.random_range(0..20);
            let view = json!({"user": format!("u{user}"), "items": [format!("i{item}")]});
            log.add(&event(view), second * 1_000_000);
        }
    };
    let config = BehaviorConfig::default();
    let mut log = Log::new(Vec::new(), &config);
    happened(&mut log, 500);
    let shared = RwLock::new(log);
    let data = Gathered::from_log(&shared, &config).expect("gathered");
    let fit = |data: &Gathered| {
        let (people, items) = (data.people as usize, data.names.len());
        let matrix = Matrix::from_triples(people, items, data.touched.clone()).expect("valid");
        ItemKnn::fit(&matrix, &ItemKnnOptions::default()).expect("fits")
    };
    let mut live = live::Live::new(fit(&data), fit(&data));
    happened(&mut shared.write(), 200);
    // Erased rows are let go, so that numbers change.
    shared.write().erase(&user("u3"));
    let mut copying = shared.read().copy(u64::MAX, 0);
    while copying.step(&shared.read()) {}
    let copy = copying.finish(&shared.read());
    assert!(copy.mark() < shared.read().mark() && copy.end() < shared.read().end());
    (copy.mark()..copy.end()).for_each(|row| live.count(&copy, row));
    let shared = RwLock::new(copy);
    let again = fit(&Gathered::from_log(&shared, &config).expect("gathered"));
    // u3 was in the first fit; of the others the common users are as if all were learned at once.
    for item in 0..20 {
        for neighbor in again.neighbors(item) {
            let counted = live.item_knn.neighbors(item);
            let counted = counted
                .iter()
                .find(|n| n.item == neighbor.item)
                .expect("a neighbour");
            let more = counted.users - neighbor.users;
            assert!(more <= 1, "{item} {neighbor:?} {counted:?}");
        }
    }
}
