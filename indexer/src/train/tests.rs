use std::io::Write;

use candle_core::{Device, Tensor, Var};
use rand::{Rng, SeedableRng, rngs::SmallRng};

use super::adamw::AdamW;
use super::domains::{rank, within};
use super::guard::{self, HeldOutScores, decide};
use super::loss::{info_nce, info_nce_with, neighborhood, same_label};
use super::metrics::{Measured, Quality, measure};
use super::transfer::{Domains, Transfer, train_fresh, transfer};
use super::{Checkpoint, Example, FeatureCache, Pairs, Recipe, TrainError};
use crate::space::heads::{Heads, Modality};
use crate::space::tower::Parameters;

fn matrix(rows: &[&[f32]]) -> Tensor {
    let rows: Vec<Vec<f32>> = rows.iter().map(|r| r.to_vec()).collect();
    Tensor::new(rows, &Device::Cpu).unwrap()
}

fn scalar(value: f32) -> Tensor {
    Tensor::new(value, &Device::Cpu).unwrap()
}

fn value(tensor: &Tensor) -> f32 {
    tensor.to_scalar().unwrap()
}

/// Examples whose text and image are two linear projections of a hidden point near that of their
/// label.
fn world(n: usize, seed: u64) -> Vec<Example> {
    let mut rng = SmallRng::seed_from_u64(seed);
    let mut views = SmallRng::seed_from_u64(99);
    let mut view = |rows: usize| -> Vec<f32> {
        (0..rows * 6)
            .map(|_| views.random_range(-1.0..1.0))
            .collect()
    };
    let (centers, text, image) = (view(4), view(8), view(10));
    let see = |view: &[f32], point: &[f32]| -> Vec<f32> {
        let rows = view.chunks_exact(6);
        rows.map(|row| row.iter().zip(point).map(|(a, b)| a * b).sum())
            .collect()
    };
    (0..n)
        .map(|i| {
            let label = i % 4;
            let center = &centers[label * 6..label * 6 + 6];
            let point: Vec<f32> = center
                .iter()
                .map(|c| c + rng.random_range(-0.7..0.7))
                .collect();
            let noise = |v: Vec<f32>, rng: &mut SmallRng| -> Vec<f32> {
                v.into_iter()
                    .map(|x| x + rng.random_range(-0.05..0.05))
                    .collect()
            };
            Example {
                id: format!("{seed}-{i}"),
                category: format!("All > {label}"),
                label: label.to_string(),
                text: noise(see(&text, &point), &mut rng),
                image: noise(see(&image, &point), &mut rng),
                untrained: [point.clone(), point.iter().map(|_| rng.random()).collect()],
            }
        })
        .collect()
}

fn small() -> Recipe {
    Recipe {
        dim: 6,
        image_hidden: 16,
        batch: 32,
        epochs: 30,
        rate: 1e-2,
        dropout: 0.1,
        feature_dropout: 0.05,
        ..Recipe::default()
    }
}

fn quality(heads: &Heads, pairs: &Pairs) -> Quality {
    let (text, image) = (
        heads.embed(Modality::Text, &pairs.text).unwrap(),
        heads.embed(Modality::Image, &pairs.image).unwrap(),
    );
    measure(&text, &image, Some(&pairs.labels)).unwrap().quality
}

#[test]
fn info_nce_is_what_one_computes_by_hand() {
    let text = matrix(&[&[1.0, 0.0], &[0.0, 1.0]]);
    let image = matrix(&[&[0.6, 0.8], &[0.8, 0.6]]);
    // logits at scale 2: [[1.2, 1.6], [1.6, 1.2]]; each row and column: ln(1 + e^0.4)
    let expected = (1.0 + 0.4f32.exp()).ln();
    let loss = info_nce(&text, &image, &scalar(2.0)).unwrap();
    assert!((value(&loss) - expected).abs() < 1e-6);
    let crossed = info_nce_with(
        &text,
        &image,
        &scalar(2.0),
        &Tensor::new(&[1u32, 0], &Device::Cpu).unwrap(),
    );
    assert!((value(&crossed.unwrap()) - (1.0 + (-0.4f32).exp()).ln()).abs() < 1e-6);
}

#[test]
fn gradients_are_those_of_finite_differences() {
    let base: Vec<f32> = vec![0.3, -0.2, 0.9, 0.1, 0.5, -0.7];
    let other = matrix(&[&[0.2, 0.4], &[-0.6, 0.3], &[0.8, -0.1]]);
    let loss = |x: &Tensor| -> Tensor {
        let nce = info_nce(x, &other, &scalar(3.0)).unwrap();
        let same = same_label(x, &[0, 1, 0], 0.5).unwrap().unwrap();
        let kept = neighborhood(x, 0.5, &other, 0.5).unwrap();
        ((nce + same).unwrap() + kept).unwrap()
    };
    let at = |values: Vec<f32>| Tensor::from_vec(values, (3, 2), &Device::Cpu).unwrap();
    let var = Var::from_tensor(&at(base.clone())).unwrap();
    let gradients = loss(var.as_tensor()).backward().unwrap();
    let gradient: Vec<f32> = gradients
        .get(var.as_tensor())
        .unwrap()
        .flatten_all()
        .unwrap()
        .to_vec1()
        .unwrap();
    for i in 0..base.len() {
        let moved = |by: f32| {
            let mut values = base.clone();
            values[i] += by;
            value(&loss(&at(values)))
        };
        let slope = (moved(1e-2) - moved(-1e-2)) / 2e-2;
        assert!(
            (gradient[i] - slope).abs() < 5e-3,
            "{i}: {} is not {slope}",
            gradient[i]
        );
    }
}

#[test]
fn labels_nobody_shares_do_not_count() {
    let x = matrix(&[&[1.0, 0.0], &[0.0, 1.0]]);
    assert!(same_label(&x, &[0, 1], 0.1).unwrap().is_none());
    // One other row only, which is the positive: nothing to lose.
    let loss = same_label(&x, &[3, 3], 0.1).unwrap().unwrap();
    assert!(value(&loss).abs() < 1e-6);
}

#[test]
fn adamw_takes_the_step_of_the_paper() {
    let start = Parameters::from([(
        "a.weight".to_owned(),
        Tensor::new(&[1.0f32, -2.0], &Device::Cpu).unwrap(),
    )]);
    let mut optimizer = AdamW::new(&start, 0.1, 0.0, false).unwrap();
    let x = optimizer.parameters()["a.weight"].clone();
    let loss = (x.sqr().unwrap().sum_all().unwrap() * 0.5).unwrap();
    optimizer.step(&loss.backward().unwrap(), 0.01).unwrap();
    let moved: Vec<f32> = optimizer.parameters()["a.weight"].to_vec1().unwrap();
    // The first step is rate * sign(gradient), and decay takes rate * 0.1 of the value.
    assert!(
        (moved[0] - (1.0 - 0.001 - 0.01)).abs() < 1e-6
            && (moved[1] - (-2.0 + 0.002 + 0.01)).abs() < 1e-6
    );
    let mut anchored = AdamW::new(&start, 0.1, 0.0, true).unwrap();
    let x = anchored.parameters()["a.weight"].clone();
    anchored
        .step(
            &(x.sum_all().unwrap() * 0.0).unwrap().backward().unwrap(),
            0.01,
        )
        .unwrap();
    assert_eq!(
        anchored.averages().unwrap()["a.weight"]
            .to_vec1::<f32>()
            .unwrap(),
        [1.0, -2.0]
    );
}

#[test]
fn ranks_are_counted_and_ties_split() {
    let text = matrix(&[&[1.0, 0.0], &[1.0, 0.0], &[0.0, 1.0]]);
    let image = matrix(&[&[1.0, 0.0], &[1.0, 0.0], &[0.0, 1.0]]);
    let Measured { quality, scores } = measure(&text, &image, Some(&[0, 0, 1])).unwrap();
    // Two that are alike share ranks 0 and 1: neither is first for certain.
    assert!((quality.text_to_image.recall_1 - 2.0 / 3.0 * 1.0).abs() < 0.34);
    assert_eq!(quality.text_to_image.recall_5, 1.0);
    let half = 1.0 / 2.5f64.log2();
    assert!((quality.text_to_image.ndcg_10 - (2.0 * half + 1.0) / 3.0).abs() < 1e-9);
    assert_eq!(quality.same_label, Some((0.5 + 0.5 + 0.0) / 3.0));
    assert!((scores.iter().sum::<f64>() / 3.0 - quality.score).abs() < 1e-12);
}

#[test]
fn a_small_world_is_learned() {
    let (train, held_out) = (
        Pairs::of(&world(300, 1)).unwrap(),
        Pairs::of(&world(100, 2)).unwrap(),
    );
    let mut epochs = 0;
    let trained = train_fresh("e", &small(), &train, Some(&held_out), None, &mut |_| {
        epochs += 1
    })
    .unwrap();
    let found = quality(&trained.heads, &held_out);
    assert!(found.text_to_image.recall_5 > 0.8, "{found:?}");
    assert!(found.image_to_text.recall_5 > 0.8, "{found:?}");
    assert!(found.same_label.unwrap() > 0.6, "{found:?}");
    assert_eq!(epochs, trained.curve.len());
    assert!(trained.curve[0].loss > trained.curve[epochs - 1].loss);
    assert!(trained.best > 0 && trained.best <= epochs);
}

#[test]
fn a_training_goes_on_as_if_it_had_not_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let pairs = Pairs::of(&world(80, 1)).unwrap();
    let held_out = Pairs::of(&world(40, 2)).unwrap();
    let recipe = Recipe {
        epochs: 70,
        mixup: 0.4,
        hard_share: 0.5,
        ..small()
    };
    let whole = train_fresh("e", &recipe, &pairs, Some(&held_out), None, &mut |_| ()).unwrap();
    let checkpoint = Checkpoint::new(&folder.path().join("c.safetensors")).every(0);
    let stopped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let mut stop = |e: &super::Epoch| assert!(e.epoch < 5, "killed");
        train_fresh(
            "e",
            &recipe,
            &pairs,
            Some(&held_out),
            Some(&checkpoint),
            &mut stop,
        )
        .map(|_| ())
    }));
    assert!(stopped.is_err());
    let mut epochs_run = Vec::new();
    let resumed = train_fresh(
        "e",
        &recipe,
        &pairs,
        Some(&held_out),
        Some(&checkpoint),
        &mut |e| epochs_run.push(e.epoch),
    )
    .unwrap();
    assert_eq!(epochs_run, (1..=whole.curve.len()).collect::<Vec<_>>());
    // JSON keeps losses to the last digit but one.
    let losses = whole.curve.iter().zip(&resumed.curve);
    assert!(
        losses
            .into_iter()
            .all(|(a, b)| (a.loss - b.loss).abs() < 1e-9)
    );
    assert_eq!(whole.best, resumed.best);
    assert_eq!(
        whole.heads.digest().unwrap(),
        resumed.heads.digest().unwrap()
    );
    assert!(!folder.path().join("c.safetensors").exists());
}

#[test]
fn a_checkpoint_of_another_training_is_not_taken_and_a_damaged_one_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.safetensors");
    let pairs = Pairs::of(&world(40, 1)).unwrap();
    let checkpoint = Checkpoint::new(&path).every(0);
    let recipe = Recipe {
        epochs: 3,
        ..small()
    };
    let run =
        |recipe: &Recipe| train_fresh("e", recipe, &pairs, None, Some(&checkpoint), &mut |_| ());
    let clean = run(&recipe).unwrap().heads.digest().unwrap();
    std::fs::File::create(&path)
        .unwrap()
        .write_all(b"no tensors")
        .unwrap();
    let error = run(&recipe).err().expect("refused").to_string();
    assert!(
        error.contains("c.safetensors") && error.contains("remove it"),
        "{error}"
    );
    std::fs::remove_file(&path).unwrap();
    assert_eq!(run(&recipe).unwrap().heads.digest().unwrap(), clean);
    let other = Recipe {
        seed: 5,
        ..recipe.clone()
    };
    assert_ne!(run(&other).unwrap().heads.digest().unwrap(), clean);
}

#[test]
fn a_target_with_few_items_gains_from_a_source() {
    let source = Pairs::of(&world(300, 1)).unwrap();
    let (target, held_out) = (
        Pairs::of(&world(6, 3)).unwrap(),
        Pairs::of(&world(100, 4)).unwrap(),
    );
    let from = train_fresh("e", &small(), &source, None, None, &mut |_| ()).unwrap();
    let alone = train_fresh("e", &small(), &target, None, None, &mut |_| ()).unwrap();
    let alone = quality(&alone.heads, &held_out).score;
    let domains = Domains {
        source_heads: &from.heads,
        source: (&source).into(),
        target: (&target).into(),
        held_out: None.into(),
    };
    for how in [Transfer::Feature, Transfer::Model, Transfer::Finetune] {
        let heads = transfer(how, &domains, &small(), 1.0, &mut |_| ())
            .unwrap()
            .heads;
        let score = quality(&heads, &held_out).score;
        assert!(score > alone + 0.1, "{how:?}: {score} and {alone} alone");
    }
}

#[test]
fn features_of_another_width_are_refused() {
    let from = train_fresh(
        "e",
        &Recipe {
            epochs: 1,
            ..small()
        },
        &Pairs::of(&world(40, 1)).unwrap(),
        None,
        None,
        &mut |_| (),
    )
    .unwrap();
    let narrow: Vec<Example> = world(10, 2)
        .into_iter()
        .map(|e| Example {
            image: e.image[..3].to_vec(),
            ..e
        })
        .collect();
    let target = Pairs::of(&narrow).unwrap();
    let domains = Domains {
        source_heads: &from.heads,
        source: (&target).into(),
        target: (&target).into(),
        held_out: None.into(),
    };
    let result = transfer(Transfer::Model, &domains, &small(), 1.0, &mut |_| ());
    assert!(
        matches!(result.err(), Some(TrainError::Features(reason)) if reason.contains("10 features of image, got 3"))
    );
    assert!(matches!(Pairs::of(&[]), Err(TrainError::TooFew { .. })));
}

fn measured(scores: Vec<f64>) -> HeldOutScores {
    let quality = Quality {
        score: scores.iter().sum::<f64>() / scores.len() as f64,
        ..Quality::default()
    };
    Measured { quality, scores }.into()
}

#[test]
fn the_guard_refuses_what_is_worse_or_may_be_chance() {
    let rival = measured(vec![0.5; 100]);
    let better = decide(&measured(vec![0.6; 100]), &[("old", &rival)]);
    assert!(
        better.promoted && better.comparisons[0].gain > 0.09,
        "{better:?}"
    );
    let worse = decide(&measured(vec![0.4; 100]), &[("old", &rival)]);
    assert!(
        !worse.promoted && worse.reason.contains("no better than old"),
        "{worse:?}"
    );
    let wild = (0..100)
        .map(|i| if i % 2 == 0 { 0.0 } else { 1.02 })
        .collect();
    let chance = decide(&measured(wild), &[("old", &rival)]);
    assert!(
        !chance.promoted && chance.reason.contains("chance"),
        "{chance:?}"
    );
    let second = measured(vec![0.7; 100]);
    let one_of_two = decide(
        &measured(vec![0.6; 100]),
        &[("old", &rival), ("target only", &second)],
    );
    assert!(!one_of_two.promoted && one_of_two.reason.contains("target only"));
    let few = measured(vec![0.5; guard::MIN_SAMPLES - 1]);
    assert!(
        !decide(
            &measured(vec![0.9; guard::MIN_SAMPLES - 1]),
            &[("old", &few)]
        )
        .promoted
    );

    // Better overall, but worse in one of two metrics.
    let both = |pairs: f64, bought: f64| HeldOutScores {
        co_purchases: Some(vec![bought; 50]),
        ..measured(vec![pairs; 100])
    };
    let lost = decide(&both(0.4, 0.9), &[("old", &both(0.5, 0.5))]);
    assert!(
        !lost.promoted && lost.comparisons[0].gain > 0.1 && lost.reason.contains("worse in one"),
        "{lost:?}"
    );
    assert!(decide(&both(0.5, 0.9), &[("old", &both(0.5, 0.5))]).promoted);
}

#[test]
fn features_survive_in_the_cache_and_a_torn_end_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let open = || FeatureCache::open(folder.path(), "text", "0123456789abcdef", 2).unwrap();
    let (a, b) = (blake3::hash(b"a"), blake3::hash(b"b"));
    {
        let mut cache = open();
        cache.put(&a, &[1.0, 2.0]).unwrap();
        cache.put(&b, &[3.0, 4.0]).unwrap();
        assert!(cache.put(&b, &[3.0]).is_err());
    }
    assert_eq!(open().get(&b), Some([3.0, 4.0].as_slice()));
    let path = std::fs::read_dir(folder.path())
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - 3]).unwrap();
    let mut cache = open();
    assert_eq!(
        (cache.get(&a), cache.get(&b)),
        (Some([1.0, 2.0].as_slice()), None)
    );
    cache.put(&b, &[5.0, 6.0]).unwrap();
    drop(cache);
    assert_eq!(open().get(&b), Some([5.0, 6.0].as_slice()));
}

#[test]
fn near_and_large_sources_rank_first() {
    let mut examples = Vec::new();
    let mut rng = SmallRng::seed_from_u64(3);
    for (category, n, at) in [
        ("T", 30, 0.0),
        ("Near", 200, 0.5),
        ("Small", 25, 0.5),
        ("Far", 200, 8.0),
    ] {
        for i in 0..n {
            let mut point = |by: f32| -> Vec<f32> {
                vec![
                    at + rng.random::<f32>(),
                    by * rng.random::<f32>(),
                    1.0 - at / 4.0,
                ]
            };
            examples.push(Example {
                id: format!("{category}{i}"),
                category: format!("{category} > x"),
                label: category.to_owned(),
                text: point(1.0),
                image: point(2.0),
                untrained: [vec![1.0], vec![1.0]],
            });
        }
    }
    let ranked = rank(&examples, "T", None).unwrap();
    let order: Vec<&str> = ranked.iter().map(|r| r.source.as_str()).collect();
    assert_eq!(order[0], "Near", "{ranked:?}");
    assert!(
        ranked
            .iter()
            .all(|r| (0.0..=1.0).contains(&r.expected_gain) && !r.reason.is_empty())
    );
    let of = |name: &str| ranked.iter().find(|r| r.source == name).unwrap();
    assert!(of("Far").mmd > of("Near").mmd && of("Far").neighbor_lift < of("Near").neighbor_lift);
    assert!(matches!(
        rank(&examples, "None", None),
        Err(TrainError::TooFew { .. })
    ));
    assert!(within("A > B", "A") && within("A", "A") && !within("AB", "A"));
}
