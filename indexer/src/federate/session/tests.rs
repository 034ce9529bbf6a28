use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use super::{
    Denied, Session, Waits,
    rounds::MAX_ATTEMPTS,
    sum::{Outcome, Sum},
};
use crate::federate::{
    Features, Plan,
    messages::{Join, Step},
    plan::PROTOCOL,
    samples::plan,
    secagg::{Advertised, Context, Id, Masked, PublicKeys, Revealed, SealedShares, Shared},
};
use crate::fixed_point::quantize;

const SECOND: Duration = Duration::from_secs(1);

fn waits() -> Waits {
    Waits {
        join: SECOND,
        train: 100 * SECOND,
        message: 50 * SECOND,
        silence: 10 * SECOND,
    }
}

/// A session with simulated time, and shops that send no change, with full weight.
struct World {
    session: Session,
    now: Instant,
    plan: Plan,
    advertised: BTreeMap<String, Advertised>,
    shared: BTreeMap<String, Shared>,
    masked: BTreeMap<String, Masked>,
    /// Weight of a shop in the sums, by round.
    weight: fn(u32) -> f64,
    /// Number of times that each message is sent.
    sends: usize,
}

impl World {
    fn new(plan: Plan, folder: Option<&std::path::Path>) -> Self {
        let folder = folder.map(std::path::Path::to_owned);
        Self {
            session: Session::open(plan.clone(), waits(), folder).expect("a session"),
            now: Instant::now(),
            plan,
            advertised: BTreeMap::new(),
            shared: BTreeMap::new(),
            masked: BTreeMap::new(),
            weight: |_| 1.0,
            sends: 1,
        }
    }

    fn join(&mut self, shop: &str) -> String {
        let join = Join {
            protocol: PROTOCOL,
            shop: shop.to_owned(),
            features: self.plan.features.clone(),
            summed: None,
        };
        self.session.join(&join, self.now).expect("joined").member
    }

    fn pass(&mut self, seconds: u32) {
        self.now += seconds * SECOND;
    }

    /// Lets a shop do the next thing; returns its name.
    fn act(&mut self, member: &str) -> &'static str {
        let (now, session) = (self.now, &mut self.session);
        match session.step(member, now).expect("a known shop") {
            Step::Keys { context } => {
                let advertised = Advertised::new(context).expect("keys");
                for _ in 0..self.sends {
                    session.keys(member, advertised.keys(), now).expect("taken");
                }
                self.advertised.insert(member.to_owned(), advertised);
                "keys"
            }
            Step::Shares { id, roster } => {
                let advertised = self.advertised.remove(member).expect("keys before");
                let (shared, sealed) = advertised.share(id, roster).expect("shares");
                for _ in 0..self.sends {
                    let taken = session.shares(member, sealed.clone(), now);
                    taken.expect("taken");
                }
                self.shared.insert(member.to_owned(), shared);
                "shares"
            }
            Step::Vector { inbox } => {
                let shared = self.shared.remove(member).expect("shares before");
                let (_, global) = session.training().expect("a training");
                let round = session.progress().0;
                let length = global.length(&self.plan, round);
                let mut vector = vec![0; length - 1];
                vector.push(quantize((self.weight)(round), 1.0));
                let (masked, vector) = shared.mask(&inbox, vector).expect("a vector");
                for _ in 0..self.sends {
                    session.vector(member, &vector, now).expect("taken");
                }
                self.masked.insert(member.to_owned(), masked);
                "vector"
            }
            Step::Reveal { survivors } => {
                let masked = self.masked.remove(member).expect("a vector before");
                let revealed = masked.reveal(&survivors).expect("shares");
                for _ in 0..self.sends {
                    session.reveal(member, &revealed, now).expect("taken");
                }
                "reveal"
            }
            Step::Wait => "wait",
            Step::Done => "done",
            Step::Failed { .. } => "failed",
        }
    }

    fn all(&mut self, members: &[String]) -> Vec<&'static str> {
        members.iter().map(|member| self.act(member)).collect()
    }
}

#[test]
fn a_round_goes_on_without_a_shop_that_falls_silent() {
    let mut world = World::new(plan(1), None);
    let members: Vec<String> = (0..4).map(|n| world.join(&format!("shop {n}"))).collect();
    assert_eq!(world.all(&members), ["wait"; 4], "more shops may come");
    world.pass(2);
    assert_eq!(world.all(&members), ["keys"; 4]);
    assert_eq!(world.all(&members), ["shares"; 4]);
    let (silent, living) = members.split_last().expect("four");
    assert_eq!(world.all(living), ["vector"; 3]);
    assert_eq!(world.all(living), ["wait"; 3], "the fourth may still send");
    world.pass(9);
    world.all(living);
    world.pass(2);
    assert_eq!(world.all(living)[1..], ["reveal"; 2], "without the fourth");
    assert!(matches!(
        world.session.step(silent, world.now),
        Err(Denied::Unknown)
    ));
    world.all(living);
    assert_eq!(
        world.session.progress(),
        (1, 3),
        "the sum of moments is done"
    );
}

#[test]
fn a_round_with_too_few_shops_is_void_and_given_up_in_the_end() {
    let mut world = World::new(plan(1), None);
    for attempt in 1..=MAX_ATTEMPTS {
        let members: Vec<String> = (0..4).map(|n| world.join(&format!("shop {n}"))).collect();
        world.all(&members);
        world.pass(2);
        assert_eq!(world.all(&members), ["keys"; 4], "attempt {attempt}");
        assert_eq!(world.all(&members), ["shares"; 4]);
        let two = &members[..2];
        assert_eq!(world.all(two), ["vector"; 2]);
        world.pass(9);
        world.all(two);
        world.pass(2);
        world.all(two);
        assert!(attempt == MAX_ATTEMPTS || world.session.finished().is_none());
    }
    let failed = world.session.finished().expect("given up");
    let reason = failed.expect_err("a reason");
    assert!(
        reason.contains("expected 3 shops that stay, got 2"),
        "{reason}"
    );
}

/// Returns a training whose round 0 is over, with three shops.
fn after_moments(plan: Plan, folder: Option<&std::path::Path>) -> (World, Vec<String>) {
    let mut world = World::new(plan, folder);
    let members = shops(&mut world, 3);
    round(&mut world, &members);
    assert_eq!(world.session.progress().0, 1);
    (world, members)
}

/// Lets shops join, and waits until the next sum begins.
fn shops(world: &mut World, count: usize) -> Vec<String> {
    let members: Vec<String> = (0..count)
        .map(|n| world.join(&format!("shop {n}")))
        .collect();
    world.pass(2);
    world.session.advance(world.now);
    members
}

/// Lets all shops send all messages of a sum.
fn round(world: &mut World, members: &[String]) {
    for message in ["keys", "shares", "vector", "reveal"] {
        assert!(world.all(members).iter().all(|sent| *sent == message));
    }
}

#[test]
fn a_sum_that_is_refused_is_never_repeated() {
    let (mut world, members) = after_moments(plan(9), None);
    let before = world.session.digest().expect("heads");
    // A sum of weight 0 has no mean.
    world.weight = |round| f64::from(u8::from(round > 2));
    for expected in [2, 3] {
        round(&mut world, &members);
        assert_eq!(world.session.progress().0, expected, "skipped");
        assert_eq!(world.session.digest().expect("heads"), before);
    }
    round(&mut world, &members);
    assert_eq!(world.session.progress().0, 4);
    world.weight = |_| 0.0;
    for attempt in 1..=MAX_ATTEMPTS {
        assert!(world.session.finished().is_none(), "attempt {attempt}");
        round(&mut world, &members);
    }
    let failed = world.session.finished().expect("given up");
    let reason = failed.expect_err("a reason");
    assert!(reason.contains("round 8"), "{reason}");
}

#[test]
fn refused_moments_end_the_training_and_a_refused_last_round_finishes_it() {
    let mut world = World::new(plan(1), None);
    world.weight = |_| 0.0;
    let members = shops(&mut world, 3);
    round(&mut world, &members);
    let failed = world.session.finished().expect("given up");
    let reason = failed.expect_err("a reason");
    assert!(reason.contains("summed only once"), "{reason}");

    let (mut world, members) = after_moments(plan(1), None);
    world.weight = |_| 0.0;
    round(&mut world, &members);
    assert!(matches!(world.session.finished(), Some(Ok(()))));
}

#[test]
fn a_round_is_skipped_if_shares_were_revealed_without_a_sum() {
    let (mut world, members) = after_moments(plan(3), None);
    for message in ["keys", "shares", "vector"] {
        assert_eq!(world.all(&members), [message; 3]);
    }
    assert_eq!(world.act(&members[0]), "reveal");
    world.session.leave(&members[1], "a test", world.now);
    world.session.leave(&members[2], "a test", world.now);
    assert_eq!(world.session.progress().0, 2, "not tried again");
}

#[test]
fn a_state_that_cannot_be_saved_repeats_no_round() {
    let folder = tempfile::tempdir().expect("a folder");
    let blocked = folder.path().join("a file");
    std::fs::write(&blocked, "").expect("written");
    let below = blocked.join("state");
    // A folder below a file can be neither read nor made.
    let mut world = World::new(plan(2), None);
    world.session.folder = Some(below);
    let members = shops(&mut world, 3);
    for expected in 1..=3 {
        round(&mut world, &members);
        assert_eq!(world.session.progress().0, expected);
    }
    assert!(matches!(world.session.finished(), Some(Ok(()))));
}

#[test]
fn a_restarted_coordinator_skips_rounds_that_shops_have_summed() {
    let folder = tempfile::tempdir().expect("a folder");
    let (world, _) = after_moments(plan(5), Some(folder.path()));
    let join = |summed: u32| Join {
        protocol: PROTOCOL,
        shop: format!("summed {summed}"),
        features: world.plan.features.clone(),
        summed: Some(summed),
    };
    let mut again = World::new(plan(5), Some(folder.path()));
    assert_eq!(again.session.progress().0, 1);
    for (summed, next) in [(0, 1), (2, 3), (1, 3)] {
        let joined = again.session.join(&join(summed), again.now);
        joined.expect("joined");
        assert_eq!(again.session.progress().0, next);
    }
    again.pass(2);
    again.session.advance(again.now);
    again.session.join(&join(4), again.now).expect("joined");
    assert_eq!(again.session.progress().0, 3, "only before the first sum");
}

#[test]
fn a_restarted_coordinator_resumes_after_the_last_round() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = |world: &mut World, rounds: u32| {
        let members: Vec<String> = (0..3).map(|n| world.join(&format!("shop {n}"))).collect();
        world.all(&members);
        world.pass(2);
        let until = world.session.progress().0 + rounds;
        for _ in 0..100 {
            world.all(&members);
            if world.session.progress().0 >= until {
                return;
            }
        }
        panic!("the rounds do not end");
    };
    let mut world = World::new(plan(2), Some(folder.path()));
    run(&mut world, 2);
    let (round, digest) = (
        world.session.progress().0,
        world.session.digest().expect("heads"),
    );
    assert_eq!(round, 2);
    let mut again = World::new(plan(2), Some(folder.path()));
    assert_eq!(again.session.progress().0, 2);
    assert_eq!(again.session.digest().expect("heads"), digest);
    run(&mut again, 1);
    assert!(matches!(again.session.finished(), Some(Ok(()))));
    let other = Session::open(plan(9), waits(), Some(folder.path().to_owned()));
    let error = other.err().expect("refused").to_string();
    assert!(error.contains("other settings"), "{error}");
}

#[test]
fn a_repeated_message_has_no_effect_and_a_different_one_is_refused() {
    let mut world = World::new(plan(1), None);
    // The last shop of a turn repeats its message in the next turn, and at the end in no turn.
    world.sends = 2;
    let members = shops(&mut world, 3);
    round(&mut world, &members);
    let state = (world.session.progress().0, world.session.attempt);
    assert_eq!(state, (1, 1), "the sum of moments was applied");

    let (first, now) = (&members[0], world.now);
    assert_eq!(world.act(first), "keys");
    let others = Advertised::new(Context {
        session: "another".to_owned(),
        round: 1,
        attempt: 1,
    });
    let others = others.expect("keys").keys();
    assert!(world.session.keys(first, others, now).is_err());
    assert_eq!(world.all(&members[1..]), ["keys"; 2]);
    assert_eq!(world.act(first), "shares");
    let no_shares = SealedShares {
        sealed: BTreeMap::new(),
        commitments: BTreeMap::new(),
    };
    assert!(world.session.shares(first, no_shares, now).is_err());
    assert_eq!(world.all(&members[1..]), ["shares"; 2]);
    assert_eq!(world.act(first), "vector");
    let (_, global) = world.session.training().expect("a training");
    let zeros = vec![0; global.length(&world.plan, 1)];
    assert!(world.session.vector(first, &zeros, now).is_err());
    assert_eq!(world.all(&members[1..]), ["vector"; 2]);
    assert_eq!(world.act(first), "reveal");
    let nothing = Revealed::default();
    assert!(world.session.reveal(first, &nothing, now).is_err());
    assert_eq!(world.all(&members[1..]), ["reveal"; 2]);
    assert!(matches!(world.session.finished(), Some(Ok(()))));
    assert_eq!(world.session.attempt, 1, "the sum was applied");
}

#[test]
fn a_first_shop_with_features_that_no_encoder_has_is_refused() {
    let mut world = World::new(plan(1), None);
    for wrong in [0, 65_537, 1 << 40, 1 << 63] {
        let right = world.plan.features.clone();
        for features in [
            Features {
                text: wrong,
                ..right.clone()
            },
            Features {
                image: wrong,
                ..right
            },
        ] {
            let join = Join {
                protocol: PROTOCOL,
                shop: "a shop".to_owned(),
                features,
                summed: None,
            };
            let error = world.session.join(&join, world.now).expect_err("refused");
            let error = error.to_string();
            assert!(error.contains("expected 1 to 65536 features"), "{error}");
        }
    }
    world.join("the next one decides");
}

#[test]
fn messages_out_of_turn_are_refused() {
    let mut world = World::new(plan(1), None);
    let members: Vec<String> = (0..3).map(|n| world.join(&format!("shop {n}"))).collect();
    let now = world.now;
    assert!(
        world.session.vector(&members[0], &[1], now).is_err(),
        "no round yet"
    );
    assert!(matches!(
        world.session.step("nobody", now),
        Err(Denied::Unknown)
    ));
    world.pass(2);
    world.all(&members);
    let now = world.now;
    assert!(
        world.session.vector(&members[0], &[1], now).is_err(),
        "shares come first"
    );
    let before = world.join("shop 0");
    assert!(matches!(
        world.session.step(&members[0], now),
        Err(Denied::Unknown)
    ));
    assert!(
        world.session.step(&before, now).is_ok(),
        "a restarted shop has a new secret"
    );
}

#[test]
fn a_sum_takes_255_shops_and_the_others_wait() {
    for count in [254_u16, 255, 256] {
        let now = Instant::now();
        let context = Context {
            session: "a session".to_owned(),
            round: 1,
            attempt: 1,
        };
        let mut sum = Sum::new(context, 4, 3, now);
        let members: BTreeSet<String> = (0..count).map(|n| format!("shop {n}")).collect();
        for member in &members {
            let key = *blake3::hash(member.as_bytes()).as_bytes();
            let keys = PublicKeys {
                sealing: key,
                masking: key,
            };
            sum.keys(member, keys).expect("taken");
        }
        assert!(matches!(sum.advance(&members, waits(), now), Outcome::Open));
        let id = |member: &String| match sum.step(member) {
            Step::Shares { id, .. } => Some(id),
            _ => None,
        };
        let ids: BTreeSet<Id> = members.iter().filter_map(id).collect();
        let expected = (1..=Id::MAX).filter(|id| u16::from(*id) <= count);
        assert_eq!(ids, expected.collect(), "{count} shops");
    }
}
