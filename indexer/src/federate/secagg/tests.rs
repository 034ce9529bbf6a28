use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use rand::{Rng, SeedableRng, rngs::SmallRng};

use super::{
    Advertised, Aggregation, Context, Id, Masked, SecureError, Shared, crypto, graph,
    graph::SPARSE_DEGREE, least_survivors, shares,
};

const LENGTH: usize = 40;

fn context() -> Context {
    Context {
        session: "a session".to_owned(),
        round: 3,
        attempt: 1,
    }
}

fn vectors(participants: usize) -> BTreeMap<Id, Vec<u32>> {
    let mut rng = SmallRng::seed_from_u64(7);
    let mut vector = || (0..LENGTH).map(|_| rng.random()).collect();
    (1..).map(|id| (id, vector())).take(participants).collect()
}

fn plain_sum(vectors: &BTreeMap<Id, Vec<u32>>, of: &BTreeSet<Id>) -> Vec<u32> {
    let mut sum = vec![0_u32; LENGTH];
    for vector in of.iter().map(|id| &vectors[id]) {
        let pairs = sum.iter_mut().zip(vector);
        pairs.for_each(|(sum, value)| *sum = sum.wrapping_add(*value));
    }
    sum
}

/// A sum after the second message.
fn shared(ids: impl Iterator<Item = Id>) -> (BTreeMap<Id, Shared>, Aggregation) {
    let advertised: BTreeMap<Id, Advertised> = ids
        .map(|id| (id, Advertised::new(context()).expect("keys")))
        .collect();
    let keys = advertised.iter().map(|(id, a)| (*id, a.keys())).collect();
    let mut sum = Aggregation::new(context(), keys, LENGTH).expect("enough participants");
    let mut all = BTreeMap::new();
    for (id, participant) in advertised {
        let roster = sum.roster().clone();
        let (shared, sealed) = participant.share(id, roster).expect("shares");
        all.insert(id, (shared, sealed));
    }
    let mut participants = BTreeMap::new();
    for (id, (shared, sealed)) in all {
        sum.add_shares(id, sealed).expect("shares in order");
        participants.insert(id, shared);
    }
    (participants, sum)
}

/// A sum after the third message of all but `early`, who left after the second.
fn masked(
    participants: usize,
    early: &BTreeSet<Id>,
) -> (BTreeMap<Id, Vec<u32>>, BTreeMap<Id, Masked>, Aggregation) {
    let vectors = vectors(participants);
    let (participants, mut sum) = shared(vectors.keys().copied());
    let mut all = BTreeMap::new();
    for (id, participant) in participants {
        let inbox = sum.inbox(id);
        let (masked, vector) = participant
            .mask(&inbox, vectors[&id].clone())
            .expect("a vector");
        if !early.contains(&id) {
            assert_ne!(vector, vectors[&id], "the vector is hidden");
            sum.add_masked(id, &vector).expect("a vector in order");
            all.insert(id, masked);
        }
    }
    (vectors, all, sum)
}

/// Runs a sum in which `early` leave before and `late` after they sent their vectors.
fn run(
    participants: usize,
    early: &BTreeSet<Id>,
    late: &BTreeSet<Id>,
) -> (Vec<u32>, Result<Vec<u32>, SecureError>) {
    let (vectors, all, mut sum) = masked(participants, early);
    let survivors = sum.survivors().clone();
    let expected = plain_sum(&vectors, &survivors);
    for (id, participant) in all {
        if late.contains(&id) {
            continue;
        }
        match participant.reveal(&survivors) {
            Ok(revealed) => sum.add_revealed(id, &revealed).expect("shares in order"),
            Err(refused) => return (expected, Err(refused)),
        }
    }
    (expected, sum.sum())
}

/// Asserts that the error names the participant whose message was changed.
fn assert_tampered(error: &SecureError, sender: Id) {
    let is_named =
        matches!(error, SecureError::Tampered { participant, .. } if *participant == sender);
    assert!(is_named, "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn any_that_leave_above_the_threshold_do_no_harm_and_below_it_nothing_is_revealed(
        participants in 3_usize..13,
        leaving in proptest::collection::vec((1_u8..13, any::<bool>()), 0..8),
    ) {
        let known = leaving.iter().filter(|(id, _)| usize::from(*id) <= participants);
        let (mut early, mut late) = (BTreeSet::new(), BTreeSet::new());
        for (id, is_early) in known {
            match is_early {
                true => early.insert(*id),
                false => late.insert(*id),
            };
        }
        late.retain(|id| !early.contains(id));
        let min = least_survivors(participants);
        let in_sum = participants - early.len();
        let revealing = in_sum - late.len();
        let (expected, sum) = run(participants, &early, &late);
        match sum {
            Ok(sum) => {
                prop_assert!(in_sum >= min && revealing >= min);
                prop_assert_eq!(sum, expected);
            }
            Err(SecureError::TooFew { found, .. }) => {
                prop_assert!(in_sum < min || revealing < min);
                prop_assert!(found < min);
            }
            Err(other) => prop_assert!(false, "{}", other),
        }
    }
}

#[test]
fn a_sparse_graph_gives_the_same_sum() {
    let leaving: BTreeSet<Id> = (1..=30).map(|n| 3 * n).collect();
    let (expected, sum) = run(100, &leaving, &BTreeSet::new());
    assert_eq!(sum.expect("70 of 100 are enough"), expected);
    let ids: BTreeSet<Id> = (1..=100).collect();
    let neighbors = graph::neighbors(&context(), &ids);
    for (id, of) in &neighbors {
        assert_eq!(of.len(), SPARSE_DEGREE);
        assert!(!of.contains(id) && of.iter().all(|other| neighbors[other].contains(id)));
    }
    let next = Context {
        round: 4,
        ..context()
    };
    assert_ne!(
        neighbors,
        graph::neighbors(&next, &ids),
        "a new graph each round"
    );
}

/// Returns the probability that at least `from` of `drawn` balls are red, of `all` balls of which
/// `red` are.
fn tail(all: usize, red: usize, drawn: usize, from: usize) -> f64 {
    let log_factorial = |n: usize| (1..=n).map(|i| (i as f64).ln()).sum::<f64>();
    let log_choose = |n: usize, k: usize| {
        if k > n {
            f64::NEG_INFINITY
        } else {
            log_factorial(n) - log_factorial(k) - log_factorial(n - k)
        }
    };
    let each = (from..=drawn.min(red)).map(|k| {
        (log_choose(red, k) + log_choose(all - red, drawn - k) - log_choose(all, drawn)).exp()
    });
    each.sum()
}

#[test]
fn a_sparse_graph_is_dense_enough() {
    for participants in [66, 100, 200, 255] {
        let holders = SPARSE_DEGREE + 1;
        let threshold = usize::from(graph::threshold(participants, holders));
        // A fifth of the others collude with the coordinator.
        let others = participants - 1;
        let stolen = tail(others, participants / 5, SPARSE_DEGREE, threshold - 1);
        let left = tail(
            others,
            3 * participants / 10,
            SPARSE_DEGREE,
            holders - threshold,
        );
        let any = participants as f64;
        assert!(any * stolen < 1e-6, "{participants}: {}", any * stolen);
        assert!(any * left < 2e-2, "{participants}: {}", any * left);
    }
}

#[test]
fn two_participants_are_refused() {
    let keys = (1..=2).map(|id| (id, Advertised::new(context()).expect("keys").keys()));
    let error = Aggregation::new(context(), keys.collect(), LENGTH).err();
    let expected = SecureError::TooFew {
        when: "that sent keys",
        found: 2,
        min: 3,
    };
    assert_eq!(error, Some(expected));
}

#[test]
fn a_changed_ciphertext_names_its_sender() {
    let (mut participants, sum) = shared(1..=4);
    let mut inbox = sum.inbox(2);
    inbox.sealed.get_mut(&3).expect("shares of 3")[5] ^= 1;
    let participant = participants.remove(&2).expect("a participant");
    let error = participant
        .mask(&inbox, vec![0; LENGTH])
        .err()
        .expect("refused");
    assert_tampered(&error, 3);
    assert!(error.to_string().contains("participant 3"));
}

#[test]
fn a_ciphertext_for_someone_else_is_refused() {
    let (mut participants, sum) = shared(1..=4);
    let mut inbox = sum.inbox(2);
    let other = sum.inbox(4).sealed[&3].clone();
    inbox.sealed.insert(3, other);
    let participant = participants.remove(&2).expect("a participant");
    let error = participant
        .mask(&inbox, vec![0; LENGTH])
        .err()
        .expect("refused");
    assert_tampered(&error, 3);
}

#[test]
fn a_changed_share_names_its_holder() {
    let (_, all, mut sum) = masked(4, &BTreeSet::new());
    let survivors = sum.survivors().clone();
    for (id, participant) in all {
        let mut revealed = participant.reveal(&survivors).expect("shares");
        if id == 2 {
            revealed.seeds.get_mut(&1).expect("a share of 1")[0] ^= 1;
            let error = sum.add_revealed(id, &revealed).expect_err("refused");
            assert_tampered(&error, 2);
        } else {
            sum.add_revealed(id, &revealed).expect("shares in order");
        }
    }
    assert!(sum.is_complete(), "three of four shares are enough");
    assert!(sum.sum().is_ok());
}

#[test]
fn a_participant_reveals_nothing_about_too_small_a_sum() {
    let (_, mut all, _) = masked(5, &BTreeSet::new());
    let one = all.remove(&1).expect("a participant");
    let error = one.reveal(&BTreeSet::from([1, 2])).expect_err("refused");
    let expected = SecureError::TooFew {
        when: "in the sum",
        found: 2,
        min: 4,
    };
    assert_eq!(error, expected);
    let two = all.remove(&2).expect("a participant");
    let without = BTreeSet::from([1, 3, 4, 5]);
    assert!(matches!(two.reveal(&without), Err(SecureError::Refused(_))));
}

#[test]
fn keys_of_small_order_are_refused() {
    let advertised = Advertised::new(context()).expect("keys");
    let mut keys: BTreeMap<Id, _> = (1..=3)
        .map(|id| (id, Advertised::new(context()).expect("keys").keys()))
        .collect();
    keys.insert(1, advertised.keys());
    keys.get_mut(&2).expect("a key").sealing = [0; 32];
    let sum = Aggregation::new(context(), keys, LENGTH).expect("three participants");
    let error = advertised
        .share(1, sum.roster().clone())
        .err()
        .expect("refused");
    assert_tampered(&error, 2);
}

#[test]
fn messages_survive_json() {
    let (_, sum) = shared(1..=3);
    let inbox = sum.inbox(1);
    let text = serde_json::to_string(&inbox).expect("JSON");
    assert_eq!(
        serde_json::from_str::<super::Inbox>(&text).expect("JSON"),
        inbox
    );
    let text = serde_json::to_string(sum.roster()).expect("JSON");
    assert_eq!(
        serde_json::from_str::<super::Roster>(&text).expect("JSON"),
        *sum.roster()
    );
}

#[test]
fn fewer_shares_than_the_threshold_restore_nothing() {
    let key = [9; 32];
    let split = shares::split(&key, 3, &[1, 4, 7, 9]);
    let of = |range: std::ops::Range<usize>| {
        split[range]
            .iter()
            .map(|(id, share)| (*id, share.as_slice()))
    };
    assert_eq!(shares::restore(3, of(1..4)), Some(key));
    assert_eq!(shares::restore(3, of(0..2)), None);
    let wrong = split[1..4]
        .iter()
        .map(|(id, share)| (id + 1, share.as_slice()));
    assert_ne!(shares::restore(3, wrong), Some(key));
}

#[test]
fn masks_are_the_keystream_of_rfc_8439() {
    // Test vector 1 of appendix A.1: key and nonce are zero.
    let mut values = [0_u32; 3];
    crypto::add_mask(&mut values, &[0; 32], crypto::Sign::Plus);
    assert_eq!(values, [0xade0_b876, 0x903d_f1a0, 0xe56a_5d40]);
    crypto::add_mask(&mut values, &[0; 32], crypto::Sign::Minus);
    assert_eq!(values, [0; 3]);
}
