//! The log against lists of events, and live neighborhoods against a new fit.

use std::collections::BTreeMap;

use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use vitrine_schemas::{BehaviorConfig, CollectionConfig, Event};

use super::{training_data::TrainingData, *};
use crate::cf::{ItemKnn, ItemKnnOptions, Matrix, Popularity, Recommender, SequentialRules};

fn event(value: Value) -> Event {
    let mut fields = json!({"kind": "view", "collection": "shop"});
    let given = value.as_object().expect("fields").clone();
    fields.as_object_mut().expect("fields").extend(given);
    serde_json::from_value(fields).expect("an event")
}

fn log(events: &[Event]) -> Log {
    let mut log = Log::new(Vec::new(), &BehaviorConfig::default(), &Consents::default());
    for (second, event) in (0..).zip(events) {
        log.add(event, second * 1_000_000);
    }
    log
}

fn user(name: &str) -> Subject {
    Subject::User(name.to_owned())
}

#[test]
fn rules_counted_with_each_event_are_those_of_a_training() {
    let seed = rand::rng().random();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let mut add_events = |log: &mut Log, times: std::ops::Range<i64>| {
        for second in times {
            // Users, and sessions without one; repeated views count once.
            let who = ["user", "session"][random.random_range(0..2)];
            let name = format!("{}", random.random_range(0..10));
            let item = format!("i{}", random.random_range(0..6));
            let view = event(json!({who: name, "items": [item]}));
            log.add(&view, second * 1_000_000);
        }
    };
    let config = BehaviorConfig::default();
    let mut log = Log::new(Vec::new(), &config, &Consents::default());
    add_events(&mut log, 0..200);
    let shared = RwLock::new(log);
    let data = TrainingData::from_log(&shared, &config).expect("gathered");
    let none = || {
        ItemKnn::fit(
            &Matrix::from_triples(0, 6, []).expect("valid"),
            &Default::default(),
        )
    };
    let fitted = || none().expect("fits");
    let mut live = live::Live::new(fitted(), fitted(), data.rules, data.popularity);
    add_events(&mut shared.write(), 200..400);
    let log = shared.read();
    (log.training_mark()..log.end()).for_each(|row| live.count(&log, row));
    let replayed = live::rules_of(&log, log.end()).expect("counted");
    drop(log);
    let again = TrainingData::from_log(&shared, &config).expect("gathered");
    let popularity = |model: &Popularity| {
        let mut scores = Vec::new();
        model.scores(&[], &mut scores);
        scores
    };
    let counted = popularity(&live.popularity);
    for (a, b) in counted.iter().zip(popularity(&again.popularity)) {
        assert!((a - b).abs() < 1e-4, "{counted:?}");
    }
    for item in 0..6 {
        let scores = |rules: &SequentialRules| {
            let mut scores = Vec::new();
            rules.scores(&[(item, 1.0), ((item + 1) % 6, 1.0)], &mut scores);
            scores
        };
        let expected = scores(&again.rules);
        for counted in [scores(&live.rules), scores(&replayed)] {
            for (a, b) in counted.iter().zip(&expected) {
                assert!((a - b).abs() < 1e-4, "{counted:?} {expected:?}");
            }
        }
    }
}

/// Names and weights of the touched items, and names of the rejected items.
fn seen(log: &Log, activity: Option<Activity>) -> (Vec<(String, f32)>, Vec<String>) {
    let Some(activity) = activity else {
        return Default::default();
    };
    let touched = activity.touches.iter();
    let touched = touched.map(|t| (log.names()[t.item as usize].clone(), t.weight));
    let rejected = activity
        .rejected
        .iter()
        .map(|i| log.names()[i as usize].clone());
    (touched.collect(), rejected.collect())
}

#[test]
fn kinds_and_ratings_have_the_configured_weights_also_afterwards() {
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
    let (touched, rejected) = seen(&log, log.user("u", Purposes::EVERY_USE));
    assert_eq!(
        touched,
        pairs(&[("a", 1.0), ("b", 1.0), ("d", 3.0), ("e", 3.0)])
    );
    assert_eq!(rejected, ["c", "f"]);
    let config = json!({"weights": {"view": 0.5}, "liked_rating": 2.0});
    log.configure(&serde_json::from_value(config).expect("a configuration"));
    let (touched, rejected) = seen(&log, log.user("u", Purposes::EVERY_USE));
    assert_eq!(
        touched,
        pairs(&[("a", 0.5), ("b", 0.5), ("c", 3.0), ("d", 3.0), ("e", 3.0)])
    );
    assert_eq!(rejected, ["f"]);
    assert!(
        log.user("nobody", Purposes::EVERY_USE).is_none()
            && log.session("u", Purposes::EVERY_USE).is_none()
    );
}

#[test]
fn an_erased_user_is_gone_with_the_sessions_of_no_other_user() {
    let mut log = log(&[
        event(json!({"user": "u", "session": "own", "items": ["a"]})),
        event(json!({"session": "own", "items": ["b"]})),
        event(json!({"user": "u", "session": "shared", "items": ["c"]})),
        event(json!({"user": "v", "session": "shared", "items": ["d"]})),
        event(json!({"session": "shared", "items": ["e"]})),
        event(json!({"session": "other", "items": ["f"]})),
    ]);
    log.erase(&user("u"));
    assert!(
        log.user("u", Purposes::EVERY_USE).is_none()
            && log.session("own", Purposes::EVERY_USE).is_none()
    );
    let names = |activity| -> Vec<_> {
        let (touched, _) = seen(&log, activity);
        touched.into_iter().map(|(name, _)| name).collect()
    };
    assert_eq!(names(log.user("v", Purposes::EVERY_USE)), ["d"]);
    assert_eq!(names(log.session("shared", Purposes::EVERY_USE)), ["d"]);
    assert_eq!(names(log.session("other", Purposes::EVERY_USE)), ["f"]);
    assert_eq!((log.touches(), log.counts()), (2, (1, 2)));
    log.erase(&user("u"));
    assert_eq!(log.touches(), 2);
}

#[test]
fn an_erased_session_is_gone_whichever_user_it_belongs_to() {
    let mut log = log(&[
        event(json!({"session": "erased", "items": ["a", "b"]})),
        event(json!({"user": "u", "session": "erased", "items": ["c"]})),
        event(json!({"user": "u", "session": "other", "items": ["d"]})),
    ]);
    log.erase(&Subject::Session("erased".into()));
    assert!(log.session("erased", Purposes::EVERY_USE).is_none());
    assert_eq!(
        seen(&log, log.user("u", Purposes::EVERY_USE)).0,
        [("d".to_owned(), 1.0)]
    );
    assert_eq!((log.touches(), log.counts()), (1, (1, 1)));
    log.erase(&Subject::Session("none".into()));
    assert_eq!(log.touches(), 1);
}

#[test]
fn an_erased_session_is_gone_from_what_its_users_follow() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let store = Store::open(folder.path(), crate::Durability::default(), true).expect("open");
    let (store, config) = (Arc::new(store), CollectionConfig::default());
    let events = [
        json!({"kind": "follow", "session": "kept", "items": ["anna", "ben"]}),
        json!({"kind": "unfollow", "session": "erased", "items": ["ben"]}),
        json!({"kind": "follow", "session": "erased", "items": ["cleo"]}),
    ];
    let mut batch = Batch::default();
    for (number, mut fields) in (1..).zip(events) {
        fields["user"] = json!("u");
        fields["id"] = json!(format!("e{number}"));
        let at = EventRef::first_at(Clock::default().now() + number);
        batch.put_event(1, at, &event(fields)).expect("encoded");
    }
    store.write(batch).expect("stored");
    let behavior = Behavior::open(store, 1, &config, Clock::default()).expect("read");
    assert_eq!(behavior.log.read().followed_by("u"), ["cleo", "anna"]);
    let erased = behavior.erase(&Subject::Session("erased".into()));
    assert_eq!(erased.expect("erased"), 2);
    let log = behavior.log.read();
    let mut followed = log.followed_by("u");
    followed.sort_unstable();
    assert_eq!(followed, ["anna", "ben"], "as before the session");
}

/// Random events, erasures and copies against lists by user.
#[test]
fn a_log_equals_lists_by_user_through_erasures_and_copies() {
    let seed = rand::rng().random();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let mut log = Log::new(
        vec!["i3".into()],
        &BehaviorConfig::default(),
        &Consents::default(),
    );
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
                log.erase(&Subject::User(user.clone()));
                users.remove(&user);
            }
            4..8 if copying.is_none() => copying = Some(log.copy(u64::MAX, Horizons::default())),
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
    assert_eq!(log.names()[0], "i3", "numbers are kept");
    for number in 0..40 {
        let user = format!("u{number}");
        let expected = users.remove(&user).unwrap_or_default();
        for activity in [
            log.user(&user, Purposes::EVERY_USE),
            log.session(&format!("s of {user}"), Purposes::EVERY_USE),
        ] {
            let (touched, _) = seen(&log, activity);
            let touched: Vec<_> = touched.into_iter().map(|(name, _)| name).collect();
            assert_eq!(touched, expected, "{user}");
        }
    }
}

#[test]
fn a_copy_keeps_the_latest_and_leaves_out_the_old() {
    let events: Vec<_> = (0..1000)
        .map(|n| event(json!({"user": format!("u{}", n % 7), "items": [format!("i{n}")]})))
        .collect();
    let mut log = log(&events);
    assert!(!log.needs_compaction(1000) && log.needs_compaction(500));
    let compacted = |log: &Log, most, from: i64| {
        let mut copy = log.copy(most, Horizons::from_time(from * 1_000_000));
        while copy.step(log) {}
        copy.finish(log)
    };
    let small = compacted(&log, 300, 0);
    assert_eq!((small.touches(), small.names().len()), (300, 1000));
    let (touched, _) = seen(&small, small.user("u0", Purposes::EVERY_USE));
    assert_eq!(touched.first().expect("a touch").0, "i700");
    assert_eq!(compacted(&log, 1000, 900).touches(), 100);
    log.erase(&user("u0"));
    assert_eq!(compacted(&log, 1000, 0).touches(), log.touches());
}

/// Events during a training and during a copy of the log are counted exactly once.
#[test]
fn rows_from_the_mark_on_are_those_a_training_did_not_read() {
    let seed = rand::rng().random();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let mut add_events = |log: &mut Log, count: i64| {
        for second in 0..count {
            let user = random.random_range(0..30);
            let item = random.random_range(0..20);
            let view = json!({"user": format!("u{user}"), "items": [format!("i{item}")]});
            log.add(&event(view), second * 1_000_000);
        }
    };
    let config = BehaviorConfig::default();
    let mut log = Log::new(Vec::new(), &config, &Consents::default());
    add_events(&mut log, 500);
    let shared = RwLock::new(log);
    let data = TrainingData::from_log(&shared, &config).expect("gathered");
    let fit = |data: &TrainingData| {
        let (subjects, items) = (data.subjects as usize, data.names.len());
        let matrix = Matrix::from_triples(subjects, items, data.touched.clone()).expect("valid");
        ItemKnn::fit(&matrix, &ItemKnnOptions::default()).expect("fits")
    };
    let mut live = live::Live::new(
        fit(&data),
        fit(&data),
        data.rules.clone(),
        data.popularity.clone(),
    );
    add_events(&mut shared.write(), 200);
    // A copy leaves out erased rows, so that row numbers change.
    shared.write().erase(&user("u3"));
    let mut copying = shared.read().copy(u64::MAX, Horizons::default());
    while copying.step(&shared.read()) {}
    let copy = copying.finish(&shared.read());
    assert!(
        copy.training_mark() < shared.read().training_mark() && copy.end() < shared.read().end()
    );
    (copy.training_mark()..copy.end()).for_each(|row| live.count(&copy, row));
    let shared = RwLock::new(copy);
    let again = fit(&TrainingData::from_log(&shared, &config).expect("gathered"));
    // The first fit includes u3; common users are otherwise the same as in one fit to all events.
    for item in 0..20 {
        for neighbor in again.neighbors(item) {
            let counted = live.item_knn.neighbors(item);
            let counted = counted
                .iter()
                .find(|n| n.item == neighbor.item)
                .expect("a neighbor");
            let more = counted.users - neighbor.users;
            assert!(more <= 1, "{item} {neighbor:?} {counted:?}");
        }
    }
}

#[test]
fn clicks_count_that_follow_an_impression() {
    let by =
        |kind: &str, who: &str, name: &str| event(json!({"kind": kind, who: name, "items": ["a"]}));
    let mut log = log(&[
        by("impression", "user", "u"),
        by("view", "user", "u"),
        by("click", "user", "u"),
        // Neither a second click, nor one of an item that a search found.
        by("click", "user", "u"),
        by("click", "user", "v"),
        by("impression", "session", "s"),
        by("click", "session", "s"),
    ]);
    let counts = |log: &Log| {
        let exposure = log.exposures.of(log.number("a").expect("known"));
        assert_eq!(exposure, log.exposures.total());
        (exposure.impressions, exposure.clicks)
    };
    assert_eq!(counts(&log), (2, 2));
    let mut copy = log.copy(u64::MAX, Horizons::default());
    while copy.step(&log) {}
    assert_eq!(counts(&copy.finish(&log)), (2, 2));
    log.erase(&user("u"));
    assert_eq!(counts(&log), (1, 1));
    log.erase(&Subject::Session("s".to_owned()));
    assert_eq!(counts(&log), (0, 0));
}

/// Opens the behavior of a collection with one event of each of two users.
fn behavior_of_two(folder: &tempfile::TempDir, config: &CollectionConfig) -> Behavior {
    let store = Store::open(folder.path(), crate::Durability::default(), true).expect("open");
    let mut batch = Batch::default();
    for (number, name) in (1..).zip(["a", "b"]) {
        let fields = json!({"id": name, "user": name, "items": ["i", format!("of {name}")]});
        let at = EventRef::first_at(Clock::default().now() + number);
        batch.put_event(1, at, &event(fields)).expect("encoded");
    }
    store.write(batch).expect("stored");
    Behavior::open(Arc::new(store), 1, config, Clock::default()).expect("read")
}

fn one_category(ids: &[String]) -> Result<Categories> {
    Categories::new(vec![String::new(); ids.len()])
}

fn refuse(behavior: &Behavior, name: &str) {
    let decisions = serde_json::from_value(json!({"training": "denied"})).expect("decisions");
    let set = behavior.set_consent(&user(name), Some(&decisions));
    set.expect("stored");
}

#[test]
fn what_is_removed_during_a_training_is_due_again() {
    let erase = |behavior: &Behavior| behavior.erase(&user("b")).map(|_| ()).expect("erased");
    let withdraw = |behavior: &Behavior| refuse(behavior, "b");
    let removals: [&dyn Fn(&Behavior); 2] = [&erase, &withdraw];
    for remove in removals {
        let folder = tempfile::tempdir().expect("temporary folder");
        let behavior = behavior_of_two(&folder, &CollectionConfig::default());
        behavior.erase(&user("a")).expect("erased");
        refuse(&behavior, "a");
        // The categories are asked for after the events are read.
        let during = |ids: &[String]| {
            remove(&behavior);
            one_category(ids)
        };
        behavior
            .train(&Training::default(), &during)
            .expect("trained");
        let removed = behavior.removed();
        assert!(removed.erased || removed.withdrawn, "the model has them");
        behavior
            .train(&Training::default(), &one_category)
            .expect("trained");
        let removed = behavior.removed();
        assert!(!removed.erased && !removed.withdrawn);
    }
}

#[test]
fn models_with_withdrawn_events_do_not_stay_if_trainings_fail() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let mut config = CollectionConfig::default();
    let behavior = behavior_of_two(&folder, &config);
    behavior
        .train(&Training::default(), &one_category)
        .expect("trained");
    config.behavior.training_memory_mib = 0;
    behavior.configure(&config.behavior);
    refuse(&behavior, "b");
    for failed in 1..=MAX_FAILED_TRAININGS {
        *behavior.due.lock() = None;
        assert!(behavior.train_if_due(&one_category).is_err());
        let has_models = !behavior.models().models.is_empty();
        assert_eq!(has_models, failed < MAX_FAILED_TRAININGS);
    }
}
