use candle_core::{Device, Tensor};

use super::fuse;
use super::heads::{self, BehaviorFeatures, Heads, Modality};
use super::tower::{Parameters, Standardize, TowerShape, forward};
use crate::encode::ModelError;

const ENCODERS: &str = "0123456789abcdef0123456789abcdef";

fn shape(input: usize, hidden: usize, shortcut: bool) -> TowerShape {
    TowerShape {
        input,
        hidden,
        shortcut,
        output: 2,
    }
}

fn some_heads() -> Heads {
    heads_of(7)
}

/// Heads with a behavior tower that knows two items.
fn heads_of(seed: u64) -> Heads {
    let towers = [
        (Modality::Text, (shape(3, 0, false), Standardize::none(3))),
        (Modality::Image, (shape(4, 5, true), Standardize::none(4))),
        (
            Modality::Behavior,
            (shape(2, 0, false), Standardize::none(2)),
        ),
    ];
    let mut heads = Heads::random(ENCODERS, towers.into(), seed).unwrap();
    heads.behavior = BehaviorFeatures::new(2);
    heads.behavior.push("cup", 10.0, &[1.0, -1.0]);
    heads.behavior.push("pot", 90.0, &[0.5, 2.0]);
    heads
}

fn matrix(rows: &[&[f32]]) -> Tensor {
    let rows: Vec<Vec<f32>> = rows.iter().map(|r| r.to_vec()).collect();
    Tensor::new(rows, &Device::Cpu).unwrap()
}

fn reason(result: Result<Heads, ModelError>) -> String {
    result.err().expect("refused").to_string()
}

#[test]
fn a_tower_computes_what_its_layers_say() {
    // hidden = gelu(x1 + 0.5), output = (2 hidden + x1, x2), by hand.
    let parameters = Parameters::from([
        ("hidden.weight".to_owned(), matrix(&[&[1.0, 0.0]])),
        (
            "hidden.bias".to_owned(),
            Tensor::new(&[0.5f32], &Device::Cpu).unwrap(),
        ),
        ("output.weight".to_owned(), matrix(&[&[2.0], &[0.0]])),
        (
            "linear.weight".to_owned(),
            matrix(&[&[1.0, 0.0], &[0.0, 1.0]]),
        ),
        (
            "output.bias".to_owned(),
            Tensor::zeros(2, candle_core::DType::F32, &Device::Cpu).unwrap(),
        ),
    ]);
    let out: Vec<Vec<f32>> = forward(&parameters, &matrix(&[&[1.0, 3.0]]), None)
        .unwrap()
        .to_vec2()
        .unwrap();
    // gelu(1.5) = 1.5 * 0.933193
    let (a, b) = (2.0 * 1.399_789 + 1.0f32, 3.0);
    let norm = (a * a + b * b).sqrt();
    assert!((out[0][0] - a / norm).abs() < 1e-5 && (out[0][1] - b / norm).abs() < 1e-5);
}

#[test]
fn features_are_standardized_and_outliers_cut() {
    let x = matrix(&[&[1.0, 10.0], &[3.0, 30.0]]);
    let standardize = Standardize::of(&x).unwrap();
    assert_eq!(standardize.mean, [2.0, 20.0]);
    let out: Vec<Vec<f32>> = standardize.apply(&x).unwrap().to_vec2().unwrap();
    assert!((out[0][0] + 1.0).abs() < 1e-5 && (out[1][1] - 1.0).abs() < 1e-5);
    let odd = standardize.apply(&matrix(&[&[1e9, 20.0]])).unwrap();
    assert_eq!(odd.to_vec2::<f32>().unwrap()[0], [6.0, 0.0]);
}

#[test]
fn heads_are_read_as_they_were_written() {
    let folder = tempfile::tempdir().unwrap();
    let heads = some_heads();
    heads.save(folder.path()).unwrap();
    let read = Heads::load(folder.path(), ENCODERS).unwrap();
    assert_eq!(heads.digest().unwrap(), read.digest().unwrap());
    let features = [0.1, 0.2, -0.3, 0.4];
    let image = |heads: &Heads| heads.tower(Modality::Image).unwrap().embed_one(&features);
    assert_eq!(image(&heads).unwrap(), image(&read).unwrap());
    let tower = read.tower(Modality::Image).unwrap();
    assert!(tower.embed_one(&features[1..]).is_err());
    let (weight, vector) = read.embed_behavior("pot").unwrap().expect("known");
    assert_eq!((weight, vector.len()), (0.9, 2));
    assert_eq!(read.embed_behavior("cup").unwrap().unwrap().0, 0.5);
    assert_eq!(read.embed_behavior("jug").unwrap(), None);
}

#[test]
fn other_weights_are_another_digest() {
    let of = |seed| heads_of(seed).digest().unwrap();
    assert_eq!(of(1), of(1));
    assert_ne!(of(1), of(2));
    let mut others = heads_of(1);
    others.behavior.push("jug", 3.0, &[0.0, 1.0]);
    assert_ne!(
        others.digest().unwrap(),
        of(1),
        "what is known of items counts too"
    );
}

#[test]
fn files_that_do_not_fit_are_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    assert!(reason(Heads::load(dir, ENCODERS)).contains("config.json"));
    some_heads().save(dir).unwrap();
    assert!(reason(Heads::load(dir, "another")).contains("train the heads again"));

    let config = std::fs::read_to_string(dir.join("config.json")).unwrap();
    let with = |from: &str, to: &str| {
        let changed = config.replace(from, to);
        assert_ne!(changed, config, "{from}");
        std::fs::write(dir.join("config.json"), changed).unwrap();
        let reason = reason(Heads::load(dir, ENCODERS));
        std::fs::write(dir.join("config.json"), &config).unwrap();
        reason
    };
    assert!(with("\"format\": 1", "\"format\": 2").contains("expected format 1, got 2"));
    assert!(with("\"input\": 3", "\"input\": 9").contains("text.mean"));
    assert!(with("\"input\": 3", "\"input\": 0").contains("`input` is 0"));
    assert!(with("\"hidden\": 5", "\"hidden\": 99999999").contains("`hidden` is 99999999"));
    assert!(with("\"output\": 2", "\"width\": 2").contains("unknown field"));

    let path = dir.join("behavior.safetensors");
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - 5]).unwrap();
    let cut = reason(Heads::load(dir, ENCODERS));
    assert!(
        cut.contains("behavior.safetensors") && cut.contains("truncated"),
        "{cut}"
    );
    std::fs::write(&path, bytes).unwrap();
    Heads::load(dir, ENCODERS).unwrap();

    let path = dir.join("model.safetensors");
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    assert!(reason(Heads::load(dir, ENCODERS)).contains("truncated or invalid safetensors file"));
    let mut broken = bytes.clone();
    let end = broken.len();
    broken[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    std::fs::write(&path, broken).unwrap();
    assert!(reason(Heads::load(dir, ENCODERS)).contains("not finite"));
    std::fs::remove_file(&path).unwrap();
    assert!(reason(Heads::load(dir, ENCODERS)).contains("missing model file"));
}

#[test]
fn heads_in_use_are_named_by_a_file() {
    let models = tempfile::tempdir().unwrap();
    let dir = models.path();
    assert_eq!(heads::active(dir).unwrap(), None);
    assert!(heads::activate(dir, Some("a")).is_err());
    assert!(heads::folder(dir, "../a").is_err());
    some_heads()
        .save(&heads::folder(dir, "a").unwrap())
        .unwrap();
    assert_eq!(heads::list(dir).unwrap(), ["a"]);
    heads::activate(dir, Some("a")).unwrap();
    assert_eq!(heads::active(dir).unwrap().as_deref(), Some("a"));
    heads::activate(dir, None).unwrap();
    heads::activate(dir, None).unwrap();
    assert_eq!(heads::active(dir).unwrap(), None);
}

#[test]
fn fused_vectors_are_unit_and_weighted() {
    let v = fuse(&[(3.0, &[1.0, 0.0]), (4.0, &[0.0, 1.0])]);
    assert!((v[0] - 0.6).abs() < 1e-6 && (v[1] - 0.8).abs() < 1e-6);
    assert!(fuse(&[]).is_empty());
}
