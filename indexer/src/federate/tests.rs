use super::{
    Features, FederateError, Global, Plan, ServerOptimizer, Shop, noise,
    samples::{IMAGE, TEXT, pairs, plan},
    shop::FEATURE_BOUND,
    simulate::Simulation,
    state, vector,
};
use crate::fixed_point::{LEVELS, quantize};
use crate::train::Pairs;

#[test]
fn a_plan_says_what_is_wrong_with_it() {
    let wrong = |plan: Plan| plan.check().expect_err("refused").to_string();
    assert!(
        wrong(Plan {
            rounds: 0,
            ..plan(1)
        })
        .contains("`rounds`")
    );
    assert!(
        wrong(Plan {
            clip: f64::NAN,
            ..plan(1)
        })
        .contains("`clip`")
    );
    assert!(
        wrong(Plan {
            noise: 1.0,
            ..plan(1)
        })
        .contains("full_weight_pairs")
    );
    assert!(
        wrong(Plan {
            min_shops: 2,
            ..plan(1)
        })
        .contains("expected 3 to 255, got 2")
    );
    assert!(
        wrong(Plan {
            protocol: 7,
            ..plan(1)
        })
        .contains("expected protocol 1, got 7")
    );
    let wide = |text: usize| Plan {
        features: Features {
            text,
            ..plan(1).features
        },
        ..plan(1)
    };
    assert!(wrong(wide(65_537)).contains("expected 0 to 65536 features of text, got 65537"));
    assert!(wide(65_536).check().is_ok() && wide(0).check().is_ok());
    assert!(plan(1).check().is_ok());
    let other = Features {
        text: 7,
        ..plan(1).features
    };
    let error = plan(1)
        .check_features(&other)
        .expect_err("refused")
        .to_string();
    assert!(
        error.contains("expected 6 features of text, got 7"),
        "{error}"
    );
    assert_ne!(plan(1).fingerprint(), plan(2).fingerprint());
}

#[test]
fn heads_survive_bytes_and_vectors() {
    let start = plan(1).start().expect("heads");
    let bytes = vector::to_bytes(&start).expect("bytes");
    let same = vector::from_bytes(&start, &bytes).expect("heads");
    assert_eq!(
        same.digest().expect("a digest"),
        start.digest().expect("a digest")
    );
    assert!(
        vector::from_bytes(&start, &bytes[4..]).is_err(),
        "too short"
    );
    let mut damaged = bytes;
    damaged[0..4].copy_from_slice(&f32::NAN.to_le_bytes());
    let error = vector::from_bytes(&start, &damaged)
        .err()
        .expect("refused")
        .to_string();
    assert!(
        error.contains("expected finite numbers, got NaN at 0"),
        "{error}"
    );
}

#[test]
fn sums_that_honest_shops_cannot_send_are_void() {
    let plan = plan(1);
    let mut global = Global::new(&plan).expect("a start");
    let before = global.heads.digest().expect("a digest");
    let length = global.length(&plan, 1);
    let sum = |value: f64, weight: f64| {
        let mut sum = vec![quantize(value, plan.clip); length - 1];
        sum.push((weight * LEVELS) as u32);
        sum
    };
    // A norm of 10 is the bound.
    let honest = plan.clip / (length as f64).sqrt();
    let mut refused = |sum: Vec<u32>| {
        let error = global
            .apply(&plan, &sum, 3)
            .expect_err("refused")
            .to_string();
        assert_eq!(
            global.heads.digest().expect("a digest"),
            before,
            "unchanged"
        );
        error
    };
    assert!(refused(sum(1.5 * honest, 1.0)).contains("does not clip"));
    assert!(refused(sum(honest, 4.0)).contains("expected a weight of at most 3"));
    assert!(refused(sum(honest, 0.0)).contains("above 0"));
    assert!(refused(vec![1; 5]).contains("numbers, got 5"));
    global.apply(&plan, &sum(honest, 1.0), 3).expect("a step");
    assert_ne!(global.heads.digest().expect("a digest"), before);
}

#[test]
fn the_mean_weighs_shops_by_their_pairs() {
    let plan = Plan {
        recipe: crate::train::Recipe {
            standardize: false,
            ..plan(1).recipe
        },
        ..plan(1)
    };
    let mut global = Global::new(&plan).expect("a start");
    let before = vector::flatten(&global.heads).expect("numbers");
    let (small, large) = (pairs(25, 1), pairs(100, 2));
    let mut sum = vec![0_u32; global.length(&plan, 1)];
    let mut expected = before.clone();
    let mut updates = Vec::new();
    for (own, seed) in [(&small, 1), (&large, 2)] {
        let shop = Shop::new(&plan, own, seed).expect("a shop");
        let update = shop.train(&global.heads, 1).expect("an update");
        let vector = shop.quantized(&update, 3).expect("integers");
        sum.iter_mut()
            .zip(vector)
            .for_each(|(s, v)| *s = s.wrapping_add(v));
        updates.push(update);
    }
    assert_eq!((updates[0].weight, updates[1].weight), (0.25, 1.0));
    for (n, value) in expected.iter_mut().enumerate() {
        *value += (0.25 * updates[0].change[n] + updates[1].change[n]) / 1.25;
    }
    global.apply(&plan, &sum, 3).expect("a step");
    let after = vector::flatten(&global.heads).expect("numbers");
    let difference = after.iter().zip(&expected).map(|(a, b)| (a - b).abs());
    assert!(difference.fold(0.0, f32::max) < 1e-5);
}

#[test]
fn moments_of_all_shops_standardize_the_features() {
    let plan = plan(1);
    let mut global = Global::new(&plan).expect("a start");
    let all: Vec<Pairs> = (1..=3).map(|seed| pairs(100, seed)).collect();
    let mut sum = vec![0_u32; global.length(&plan, 0)];
    for own in &all {
        let shop = Shop::new(&plan, own, 0).expect("a shop");
        let vector = shop.statistics().expect("moments");
        sum.iter_mut()
            .zip(vector)
            .for_each(|(s, v)| *s = s.wrapping_add(v));
    }
    global.apply_statistics(&plan, &sum, 3).expect("moments");
    let texts: Vec<_> = all.iter().map(|pairs| &pairs.text).collect();
    let together = candle_core::Tensor::cat(&texts, 0).expect("all rows");
    let expected = crate::space::tower::Standardize::of(&together).expect("moments");
    let modality = crate::space::heads::Modality::Text;
    let got = global
        .heads
        .tower(modality)
        .expect("a tower")
        .standardize()
        .clone();
    for (a, b) in got.mean.iter().zip(&expected.mean) {
        assert!((a - b).abs() < 1e-4, "{a} {b}");
    }
    for (a, b) in got.scale.iter().zip(&expected.scale) {
        assert!((a / b - 1.0).abs() < 1e-2, "{a} {b}");
    }
}

#[test]
fn moments_that_honest_shops_cannot_send_are_refused() {
    let plan = plan(1);
    let mut global = Global::new(&plan).expect("a start");
    let before = global.heads.digest().expect("a digest");
    let length = global.length(&plan, 0);
    let sum = |at: usize, value: f64, weight: f64| {
        let mut sum = vec![0; length];
        sum[at] = (value / FEATURE_BOUND * LEVELS) as i32 as u32;
        sum[length - 1] = (weight * LEVELS) as u32;
        sum
    };
    let mut refused = |sum: Vec<u32>| {
        let error = global.apply_statistics(&plan, &sum, 3);
        let error = error.expect_err("refused").to_string();
        let digest = global.heads.digest().expect("a digest");
        assert_eq!(digest, before, "unchanged");
        error
    };
    let squares = TEXT;
    assert!(refused(sum(0, 0.0, 4.0)).contains("expected a weight of at most 3"));
    assert!(refused(sum(0, 17.0, 2.0)).contains("as mean of text feature 0"));
    assert!(refused(sum(0, -17.0, 2.0)).contains("as mean of text feature 0"));
    assert!(refused(sum(squares + 1, 17.0, 2.0)).contains("as mean square of text feature 1"));
    assert!(refused(sum(squares, -1.0, 2.0)).contains("as mean square of text feature 0"));
    assert!(refused(sum(2 * TEXT + IMAGE - 1, 17.0, 2.0)).contains("mean of image feature 7"));
    // The greatest features with the least weight, rounded apart.
    let mut extreme = vec![4; length - 1];
    extreme.push(3);
    let extreme = global.apply_statistics(&plan, &extreme, 3);
    extreme.expect("as far as features go");
    assert_ne!(global.heads.digest().expect("a digest"), before);
}

#[test]
fn a_simulation_learns_with_both_optimizers_and_its_sums_are_exact() {
    let shops: Vec<Pairs> = (1..=10).map(|seed| pairs(40, seed)).collect();
    let test = pairs(100, 77);
    for server in [ServerOptimizer::FedAvg, ServerOptimizer::FedAdam] {
        let plan = Plan {
            server,
            server_rate: if server == ServerOptimizer::FedAdam {
                0.02
            } else {
                1.0
            },
            ..plan(15)
        };
        let simulation = Simulation {
            plan: &plan,
            shops: &shops,
            leaving: 0.3,
            test: &test,
            masked_rounds: 3,
        };
        let result = simulation.run(&mut |_, _| {}).expect("a training");
        let recall = |n: usize| result.curve[n].text_to_image.recall_1;
        assert!(
            recall(14) > 0.3,
            "{server:?}: {} after {}",
            recall(14),
            recall(0)
        );
        assert_eq!((result.masks.sums, result.masks.different), (3, 0));
        assert!(
            result.masks.max_correlation < 5.0,
            "{}",
            result.masks.max_correlation
        );
    }
}

#[test]
fn noise_of_all_shops_adds_up_to_the_claim() {
    let (length, shops, multiplier) = (20_000, 7, 2.0);
    let sigma = noise::scale(multiplier, length, shops);
    let mut sum = vec![0_u32; length];
    for _ in 0..shops {
        noise::add(&mut sum, sigma).expect("noise");
    }
    let squares = sum.iter().map(|v| f64::from(*v as i32).powi(2));
    let deviation = (squares.sum::<f64>() / length as f64).sqrt();
    let expected = multiplier * crate::fixed_point::sensitivity(length);
    assert!(
        (deviation / expected - 1.0).abs() < 0.03,
        "{deviation} {expected}"
    );
    // The Gaussian mechanism costs 1 / (2 z^2); the sum of discrete ones no more to speak of.
    let rho = noise::rho(sigma, length, shops);
    assert!((rho - 0.125).abs() < 1e-6, "{rho}");
    // Little noise per shop: the sum is far from a discrete Gaussian, and costs more.
    assert!(noise::rho(0.3, length, shops) > 1e6);
}

#[test]
fn a_saved_training_resumes() {
    let folder = tempfile::tempdir().expect("a folder");
    let plan = plan(3);
    assert!(state::load(folder.path()).expect("no state").is_none());
    let mut global = Global::new(&plan).expect("a start");
    global.moments = [
        vec![1.0; global.length(&plan, 1) - 1],
        vec![2.0; global.length(&plan, 1) - 1],
    ];
    global.steps = 4;
    state::save(folder.path(), &plan, &global, 2).expect("saved");
    state::save(folder.path(), &plan, &global, 3).expect("saved");
    let saved = state::load(folder.path())
        .expect("readable")
        .expect("a state");
    assert_eq!((saved.plan, saved.round, saved.global.steps), (plan, 3, 4));
    assert_eq!(saved.global.moments, global.moments);
    let digests = [&saved.global, &global].map(|g| g.heads.digest().expect("a digest"));
    assert_eq!(digests[0], digests[1]);
    assert_eq!(
        std::fs::read_dir(folder.path()).expect("files").count(),
        2,
        "old weights are gone"
    );
}

#[test]
fn a_shop_with_few_pairs_is_refused() {
    let (plan, own) = (plan(1), pairs(19, 1));
    let error = Shop::new(&plan, &own, 1).err().expect("refused");
    assert!(matches!(error, FederateError::Misfit(_)));
    assert!(
        error.to_string().contains("expected at least 20"),
        "{error}"
    );
}
