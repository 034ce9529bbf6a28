use rand::{Rng, SeedableRng, rngs::SmallRng};

use super::{Privacy, gradient::Gradients, groups, train_private};
use crate::fixed_point::norm;
use crate::train::{Pairs, Recipe, TrainError, trainer::evaluate_pairs};

/// Pairs whose images are their texts, turned and with noise.
fn pairs(count: usize, seed: u64) -> Pairs {
    const WIDTH: usize = 8;
    let mut rng = SmallRng::seed_from_u64(seed);
    let text: Vec<f32> = (0..count * WIDTH)
        .map(|_| rng.random_range(-1.0..1.0))
        .collect();
    let turned = text
        .chunks_exact(WIDTH)
        .flat_map(|row| row.iter().rev().copied());
    let image: Vec<f32> = turned.map(|v| v + rng.random_range(-0.02..0.02)).collect();
    Pairs::of_features(seed, count, &text, &image)
}

#[test]
fn a_pair_changes_the_gradient_of_its_own_group_alone() {
    let all = pairs(200, 1);
    let of = groups(&all, 20);
    assert_eq!(of.iter().map(Vec::len).sum::<usize>(), 200);
    let without = Pairs {
        ids: all.ids[..199].to_vec(),
        text: all.text.narrow(0, 0, 199).expect("rows"),
        image: all.image.narrow(0, 0, 199).expect("rows"),
        labels: vec![0; 199],
        untrained: all.untrained.clone(),
    };
    let recipe = Recipe::default().for_private();
    let gradients = |pairs: &Pairs| -> Vec<Vec<f32>> {
        let gradients = Gradients::new("test", &recipe, pairs).expect("heads");
        let groups = groups(pairs, 20);
        groups
            .iter()
            .map(|rows| gradients.of(rows).expect("a gradient"))
            .collect()
    };
    let (before, after) = (gradients(&all), gradients(&without));
    let changed: Vec<usize> = (0..20).filter(|n| before[*n] != after[*n]).collect();
    let own = of.iter().position(|rows| rows.contains(&199));
    assert_eq!(changed, own.into_iter().collect::<Vec<_>>());
    assert!(before.iter().all(|gradient| norm(gradient) > 0.0));
}

#[test]
fn heads_learn_under_little_noise_and_the_account_is_within_the_budget() {
    let (train, test) = (pairs(600, 1), pairs(100, 2));
    let recipe = Recipe::default();
    let trained = |epsilon| {
        let privacy = Privacy {
            epsilon,
            rate: 2.0,
            ..Privacy::default()
        };
        train_private("test", &recipe, &privacy, &train).expect("heads")
    };
    let recall = |heads| {
        let measured = evaluate_pairs(heads, &test).expect("measured");
        measured.quality.text_to_image.recall_10
    };
    let free = trained(100.0);
    let strict = trained(0.05);
    assert!(recall(&free.heads) > 0.4, "{}", recall(&free.heads));
    assert!(
        recall(&free.heads) > recall(&strict.heads) + 0.1,
        "noise has a price"
    );
    for (private, epsilon) in [(&free, 100.0), (&strict, 0.05)] {
        assert!(private.account.epsilon <= epsilon && private.account.epsilon > 0.9 * epsilon);
    }
    assert!(strict.account.noise_multiplier > 20.0 * free.account.noise_multiplier);
}

#[test]
fn impossible_settings_are_refused() {
    let own = pairs(600, 1);
    let refused = |privacy: Privacy, pairs: &Pairs| {
        let result = train_private("test", &Recipe::default(), &privacy, pairs);
        result.err().expect("refused")
    };
    let error = refused(
        Privacy {
            epsilon: -1.0,
            ..Privacy::default()
        },
        &own,
    );
    assert!(
        error.to_string().contains("expected 0.01 to 100, got -1"),
        "{error}"
    );
    let error = refused(
        Privacy {
            delta: 0.5,
            ..Privacy::default()
        },
        &own,
    );
    assert!(error.to_string().contains("private delta"), "{error}");
    let error = refused(Privacy::default(), &pairs(100, 1));
    assert!(
        matches!(
            error,
            TrainError::TooFew {
                found: 100,
                min: 160,
                ..
            }
        ),
        "{error}"
    );
}
