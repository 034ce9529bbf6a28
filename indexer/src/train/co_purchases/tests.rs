use std::sync::Arc;

use rand::{Rng, SeedableRng, rngs::SmallRng};

use super::*;
use crate::train::guard::{HeldOutScores, decide};
use crate::train::metrics::measure_co_purchases;
use crate::train::transfer::{Domains, Transfer, train_fresh, transfer};
use crate::train::{Recipe, TrainingSet, behavior};

fn item(id: &str, category: &str, text: &[f32]) -> ItemFeatures {
    ItemFeatures {
        id: id.to_owned(),
        category: category.to_owned(),
        label: category.to_owned(),
        text: Some(text.to_vec()),
        image: None,
        untrained: [Some(text.to_vec()), None],
    }
}

fn ids(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// Returns 40 items in each of two categories, and choices of users. An item has one of 8 styles,
/// encoded in a text that encodes the category much more strongly. Users choose items of one style.
fn world(seed: u64, users: usize) -> (Vec<ItemFeatures>, Vec<Vec<String>>) {
    let mut views = SmallRng::seed_from_u64(99);
    let mut items = Vec::new();
    for category in 0..2 {
        for n in 0..40 {
            let mut text: Vec<f32> = (0..12).map(|_| views.random_range(-0.2..0.2)).collect();
            // The encodings of a style differ between the categories, so that similarity is
            // useless.
            text[(n % 8 + 3 * category) % 8] += 1.0;
            text[8 + category] += 4.0;
            items.push(item(
                &format!("{category}-{n}"),
                ["Home", "Wear"][category],
                &text,
            ));
        }
    }
    let mut rng = SmallRng::seed_from_u64(seed);
    let choices = (0..users).map(|_| {
        let style = rng.random_range(0..8);
        let mut one =
            |category: usize| format!("{category}-{}", style + 8 * rng.random_range(0..5));
        vec![one(0), one(1), one(1)]
    });
    (items, choices.collect())
}

fn small() -> Recipe {
    Recipe {
        dim: 12,
        text_hidden: 32,
        batch: 64,
        epochs: 30,
        rate: 1e-2,
        dropout: 0.0,
        feature_dropout: 0.0,
        neighbor_weight: 0.0,
        ..Recipe::default()
    }
}

fn set(bought: &CoPurchases) -> TrainingSet<'_> {
    TrainingSet {
        pairs: None,
        co_purchases: Some(bought),
    }
}

fn mean(scores: &[f64]) -> f64 {
    scores.iter().sum::<f64>() / scores.len() as f64
}

#[test]
fn pairs_are_of_one_user_and_of_two_categories() {
    let items = [
        item("cup", "Home", &[1.0]),
        item("pot", "Home", &[2.0]),
        item("hat", "Wear", &[3.0]),
        item("gift", "", &[4.0]),
    ];
    let choices = [
        ids(&["cup", "pot"]),
        ids(&["cup", "hat", "hat", "unknown"]),
        ids(&["gift"]),
    ];
    let known = Arc::default();
    let bought = CoPurchases::of(&items, &known, &choices).expect("features fit");
    assert_eq!(
        bought.users(),
        [[0, 2]],
        "a pair of one category is none, nor is one item"
    );
    assert!(bought.is_pair(3, 0) && bought.is_pair(0, 3) && !bought.is_pair(3, 3));
    let mut rng = SmallRng::seed_from_u64(1);
    let mut drawn: Vec<_> = bought
        .draw(&mut rng)
        .iter()
        .map(|p| (p.left, p.right))
        .collect();
    drawn.sort_unstable();
    assert_eq!(drawn, [(0, 2), (2, 0)]);
    assert_eq!(bought.pairs_per_epoch(), 2);
    let from_hats = bought.clone().restricted(|id| id == "hat", |_| false);
    assert_eq!(
        from_hats.draw(&mut rng),
        [CoPurchase {
            left: 2,
            right: 0,
            user: 0
        }]
    );
    assert!(
        bought
            .restricted(|_| true, |id| id == "hat")
            .users()
            .is_empty()
    );
}

#[test]
fn features_of_different_length_are_refused() {
    let items = [
        item("cup", "Home", &[1.0]),
        item("hat", "Wear", &[3.0, 1.0]),
    ];
    let error = CoPurchases::of(&items, &Arc::default(), &[])
        .err()
        .expect("refused");
    assert!(error.to_string().contains("different encoders"), "{error}");
}

#[test]
fn ndcg_by_hand() {
    let items = [
        item("cup", "Home", &[1.0, 0.0]),
        item("hat", "Wear", &[0.8, 0.6]),
        item("cap", "Wear", &[1.0, 0.0]),
    ];
    let choices = [ids(&["cup", "hat"])];
    let bought = CoPurchases::of(&items, &Arc::default(), &choices).expect("features fit");
    let space = bought.fused_untrained().expect("computed").expect("texts");
    // The cup finds the cap first, then the hat; the hat finds the cup at once.
    let score = measure_co_purchases(&space, &bought).expect("computed")[0];
    let second = 1.0 / 3f64.log2();
    assert!(
        (score - second).abs() < 1e-6 || (score - 1.0).abs() < 1e-6,
        "{score}"
    );
}

#[test]
fn heads_learn_what_is_chosen_together_from_texts_and_from_behavior() {
    let (items, train) = world(1, 300);
    let (_, test) = world(2, 100);
    let known = Arc::new(behavior::features(&train, 0).expect("factors"));
    assert!(
        known.len() > 70,
        "an item is left out that fewer than three chose"
    );
    let train = CoPurchases::of(&items, &known, &train).expect("features fit");
    let test = CoPurchases::of(&items, &known, &test).expect("features fit");
    let heads =
        train_fresh("e", &small(), set(&train), set(&test), None, &mut |_| ()).expect("trained");
    let evaluate = |heads: &Heads, from: &CoPurchases| {
        measure_co_purchases(&from.fused(heads).expect("fits"), from).expect("computed")
    };
    let space = test.fused_untrained().expect("computed").expect("texts");
    let before = measure_co_purchases(&space, &test).expect("computed");
    let after = evaluate(&heads.heads, &test);
    assert!(
        mean(&after) > 0.5 && mean(&before) < 0.25,
        "{} {}",
        mean(&after),
        mean(&before)
    );
    let best = heads.curve[heads.best - 1].co_purchases.expect("evaluated");
    assert!((best - mean(&after)).abs() < 1e-6);

    // Each modality is trained on its own: items that nobody chose yet are found by their text.
    let unknown = CoPurchases::of(&items, &Arc::default(), &world(2, 100).1).expect("features fit");
    assert!(mean(&evaluate(&heads.heads, &unknown)) > 0.5);
    let (weight, _) = heads
        .heads
        .embed_behavior("0-3")
        .expect("computed")
        .expect("known");
    assert!(weight > 0.3 && weight < 1.0);

    let of = |scores: Vec<f64>| HeldOutScores {
        pairs: None,
        co_purchases: Some(scores),
    };
    let decision = decide(
        &of(after.clone()),
        &[("the space without heads", &of(before.clone()))],
    );
    assert!(
        decision.promoted && decision.users == after.len(),
        "{}",
        decision.reason
    );
    let decision = decide(&of(before), &[("the heads in use", &of(after))]);
    assert!(!decision.promoted);
}

#[test]
fn a_target_learns_from_what_users_chose_elsewhere() {
    let (items, choices) = world(1, 300);
    let source = CoPurchases::of(&items, &Arc::default(), &choices).expect("features fit");
    let from = train_fresh(
        "e",
        &small(),
        set(&source),
        TrainingSet::default(),
        None,
        &mut |_| (),
    )
    .expect("trained");
    // The target has only three users.
    let target = CoPurchases::of(&items, &Arc::default(), &world(3, 3).1).expect("features fit");
    let test = CoPurchases::of(&items, &Arc::default(), &world(2, 100).1).expect("features fit");
    let evaluate = |heads: &Heads| {
        mean(&measure_co_purchases(&test.fused(heads).expect("fits"), &test).expect("computed"))
    };
    let alone = train_fresh(
        "e",
        &small(),
        set(&target),
        TrainingSet::default(),
        None,
        &mut |_| (),
    )
    .expect("trained");
    let domains = Domains {
        source_heads: &from.heads,
        source: set(&source),
        target: set(&target),
        held_out: TrainingSet::default(),
    };
    for how in [Transfer::Feature, Transfer::Model, Transfer::Finetune] {
        let heads = transfer(how, &domains, &small(), 1.0, &mut |_| ())
            .expect("trained")
            .heads;
        assert!(
            evaluate(&heads) > evaluate(&alone.heads) + 0.1,
            "{how:?}: {} {}",
            evaluate(&heads),
            evaluate(&alone.heads)
        );
    }
}

#[test]
fn a_modality_without_a_tower_is_skipped() {
    let (items, choices) = world(1, 100);
    let plain = CoPurchases::of(&items, &Arc::default(), &choices).expect("features fit");
    let from = train_fresh(
        "e",
        &small(),
        set(&plain),
        TrainingSet::default(),
        None,
        &mut |_| (),
    )
    .expect("trained");
    let known = Arc::new(behavior::features(&choices, 0).expect("factors"));
    let mut nameless = items.clone();
    nameless
        .iter_mut()
        .take(5)
        .for_each(|item| item.text = None);
    let target = CoPurchases::of(&nameless, &known, &choices).expect("features fit");
    let domains = Domains {
        source_heads: &from.heads,
        source: set(&plain),
        target: set(&target),
        held_out: TrainingSet::default(),
    };
    let heads = transfer(Transfer::Model, &domains, &small(), 1.0, &mut |_| ())
        .expect("trained")
        .heads;
    assert_eq!(heads.towers.keys().collect::<Vec<_>>(), [&Modality::Text]);
}
