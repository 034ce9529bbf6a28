//! Tests of protocols.

use proptest::prelude::*;

use super::*;

/// Returns a protocol with a split, and otherwise the defaults.
pub fn protocol(hold_out: &str) -> Protocol {
    Protocol {
        hold_out: hold_out.parse().expect("a split"),
        weights: Weights::Sum,
        new_only: true,
        min_history: 1,
        negatives: None,
        max_users: None,
        cold_items: None,
        max_history: None,
        seed: 1,
    }
}

fn data(events: &[(u32, u32, i64)]) -> Dataset {
    let mut data = Dataset::new("test");
    for (user, item, at) in events {
        data.add(&format!("u{user}"), &format!("i{item}"), Some(1.0), *at);
    }
    data
}

#[test]
fn who_is_tested_and_on_what() {
    // User 0 has a history, buys item 1 again and item 3 for the first time; user 1 only
    // repeats; user 2 has no history.
    let day = 86_400_000_000;
    let data = data(&[
        (0, 1, 0),
        (0, 2, 1),
        (0, 1, 2),
        (1, 5, 3),
        (0, 1, 10 * day),
        (0, 3, 11 * day),
        (1, 5, 11 * day),
        (2, 2, 11 * day),
    ]);
    let trial = protocol("temporal:5d").prepare(&data).expect("fine");
    assert_eq!((trial.held_out, trial.candidates), (4, 3));
    assert_eq!((trial.without_history, trial.without_new), (1, 1));
    assert_eq!(trial.cut, Some(10 * day));
    let [task] = trial.tasks.as_slice() else {
        panic!("{:?}", trial.tasks)
    };
    // i1 = 0, i2 = 1, i5 = 2, i3 = 3.
    assert_eq!(task.history, [(1, 1.0), (0, 2.0)]);
    assert_eq!((task.events, task.relevant.as_slice()), (3, &[3][..]));
    let all = Protocol {
        new_only: false,
        min_history: 0,
        ..protocol("temporal:5d")
    };
    let trial = all.prepare(&data).expect("fine");
    let relevant: Vec<_> = trial.tasks.iter().map(|t| t.relevant.as_slice()).collect();
    assert_eq!(relevant, [&[0, 3][..], &[2], &[1]]);
}

#[test]
fn a_history_keeps_its_latest_items_and_the_others_are_not_recommended() {
    let data = data(&[(0, 1, 0), (0, 2, 1), (0, 1, 2), (0, 3, 9)]);
    let trial = |max_history| {
        let rules = Protocol {
            max_history: Some(max_history),
            ..protocol("leave-last")
        };
        rules.prepare(&data).expect("fine").tasks.remove(0)
    };
    assert_eq!(trial(1).history, [(0, 2.0)]);
    assert!(trial(0).history.is_empty() && trial(0).events == 0);
    assert_eq!(trial(0).excluded.len(), 2);
}

#[test]
fn only_hidden_items_are_ranked_and_nothing_is_learned_of_them() {
    let events: Vec<_> = (0..20)
        .flat_map(|i| (0..4).map(move |u| (u, i, 0)))
        .collect();
    let held_out = (0..20).map(|i| (4, i, 9));
    let before = [(4, 0, 0), (4, 1, 0), (4, 2, 0)];
    let data = data(&[events, before.to_vec(), held_out.collect()].concat());
    let rules = Protocol {
        cold_items: Some(0.5),
        ..protocol("temporal:0.00000000005d")
    };
    let trial = rules.prepare(&data).expect("fine");
    let learned: RoaringBitmap = trial.train.iter().map(|i| i.item).collect();
    assert_eq!(learned.len(), 10);
    let task = trial.tasks.iter().find(|t| t.user == 4).expect("tested");
    assert!(task.relevant.iter().all(|item| !learned.contains(*item)));
    // Items that the user had before, hidden or not, are neither relevant nor ranked.
    let had = (0..3).filter(|item| !learned.contains(*item)).count();
    assert_eq!(task.relevant.len(), 10 - had);
    assert_eq!(task.unranked(20).len() as usize, 10 + had);
}

#[test]
fn events_with_one_item_are_joined() {
    let data = data(&[(0, 1, 5), (0, 2, 1), (0, 1, 3)]);
    let joined = |weights: Weights| {
        let merged = weights.merged(&data.interactions);
        merged
            .iter()
            .map(|i| (i.item, i.weight, i.at))
            .collect::<Vec<_>>()
    };
    assert_eq!(joined(Weights::Sum), [(0, 2.0, 5), (1, 1.0, 1)]);
    assert_eq!(joined(Weights::One), [(0, 1.0, 5), (1, 1.0, 1)]);
    assert_eq!(joined(Weights::Log)[0].1, 3.0_f32.ln());
}

#[test]
fn what_was_rejected_before_is_not_asked_for() {
    let mut data = data(&[(0, 1, 0), (0, 2, 100), (0, 3, 101)]);
    data.add("u0", "i2", None, 50);
    data.add("u0", "i3", None, 150);
    let trial = protocol("leave-last:2").prepare(&data).expect("fine");
    assert_eq!(trial.tasks[0].relevant, [2]);
    assert!(trial.tasks[0].excluded.contains(1) && !trial.tasks[0].excluded.contains(2));
}

#[test]
fn nothing_to_do_is_said() {
    let lone = data(&[(0, 1, 7), (1, 1, 7)]);
    let error = protocol("temporal:30d")
        .prepare(&lone)
        .expect_err("all of it");
    assert!(
        matches!(error, EvaluateError::NothingToLearn { .. }),
        "{error}"
    );
    let error = protocol("leave-last").prepare(&lone).expect_err("one each");
    assert!(
        matches!(error, EvaluateError::NobodyToTest { .. }),
        "{error}"
    );
}

proptest! {
    #[test]
    fn nothing_leaks(
        events in prop::collection::vec((0_u32..6, 0_u32..12, 0_i64..40), 1..120),
        split in prop::sample::select(vec!["temporal:0.3", "temporal:0.00000000015d", "leave-last:2", "random:0.3"]),
        new_only in any::<bool>(),
    ) {
        let data = data(&events);
        let rules = Protocol { new_only, negatives: Some(3), ..protocol(split) };
        let Ok(trial) = rules.prepare(&data) else { return Ok(()) };
        prop_assert_eq!(trial.train.len() + trial.held_out, events.len());
        if let Some(cut) = trial.cut {
            prop_assert!(trial.train.iter().all(|i| i.at < cut), "learned from the future");
        }
        for task in &trial.tasks {
            let own: Vec<_> = trial.train.iter().filter(|i| i.user == task.user).collect();
            prop_assert_eq!(own.len(), task.events);
            prop_assert_eq!(task.history.iter().map(|(_, w)| *w as usize).sum::<usize>(), own.len());
            if new_only {
                prop_assert!(task.relevant.iter().all(|r| own.iter().all(|i| i.item != *r)));
            }
            if split.starts_with("leave-last") {
                let last = own.iter().map(|i| i.at).max().unwrap_or(i64::MIN);
                let all = data.interactions.iter().filter(|i| i.user == task.user && i.at < last);
                prop_assert!(all.count() <= own.len(), "something earlier was held out");
            }
            let ranked = data.items() as u64 - task.unranked(data.items()).len();
            prop_assert!(ranked <= task.relevant.len() as u64 + 3);
            prop_assert!(task.relevant.iter().all(|r| !task.unranked(data.items()).contains(*r)));
        }
    }
}
