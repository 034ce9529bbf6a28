//! Vectors compared with those of the reference implementations; `scripts/golden/` generated
//! them.

mod folders;
mod multilingual;
mod pair;
mod refusals;

use std::path::{Path, PathBuf};

use serde_json::Value;
use vitrine::Embedder;
use vitrine_indexer::encode::image::ImageEncoder;
use vitrine_indexer::encode::image::efficientnet_lite::{EfficientNetLite, MAP_CHANNELS};
use vitrine_indexer::encode::text::TextEncoder;
use vitrine_indexer::encode::text::bert::{Bert, Role};
use vitrine_indexer::image::{ImageLimits, decode};
use vitrine_indexer::models;
use vitrine_indexer::space::{Encoders, Precision};

/// Folder of the models; `None` if the tests of models are skipped.
fn models_dir() -> Option<PathBuf> {
    if std::env::var_os("VITRINE_SKIP_MODELS").is_some() {
        return None;
    }
    let dir = models::default_dir();
    let there = ["all-minilm-l6-v2", "efficientnet-lite0"]
        .iter()
        .all(|m| dir.join(m).join("config.json").is_file());
    assert!(
        there,
        "no models in {}; run `vitrine-indexer models get`, or set VITRINE_SKIP_MODELS=1 to skip",
        dir.display()
    );
    Some(dir)
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn golden(name: &str) -> Vec<Value> {
    let bytes = std::fs::read(folder().join(name)).expect("golden file");
    let file: Value = serde_json::from_slice(&bytes).expect("golden JSON");
    file["items"].as_array().expect("items").clone()
}

fn floats(value: &Value) -> Vec<f32> {
    value
        .as_array()
        .expect("vector")
        .iter()
        .map(|v| v.as_f64().expect("number") as f32)
        .collect()
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len());
    let dot = |a: &[f32], b: &[f32]| {
        a.iter()
            .zip(b)
            .map(|(x, y)| f64::from(*x) * f64::from(*y))
            .sum::<f64>()
    };
    dot(a, b) / (dot(a, a).sqrt() * dot(b, b).sqrt())
}

#[test]
fn minilm_is_sentence_transformers() {
    let Some(dir) = models_dir() else { return };
    let bert = Bert::load(&dir.join("all-minilm-l6-v2"), Precision::F32, None).expect("model");
    let items = golden("minilm.json");
    let texts: Vec<&str> = items
        .iter()
        .map(|i| i["text"].as_str().expect("text"))
        .collect();
    let batch = bert.encode(&texts, Role::Document);
    for ((item, text), together) in items.iter().zip(&texts).zip(batch) {
        let together = together.expect("encodes");
        let alone = bert
            .encode(&[text], Role::Document)
            .remove(0)
            .expect("encodes");
        let likeness = cosine(&together, &floats(&item["vector"]));
        println!(
            "minilm {likeness:.8} batch/single {:.8} {text:.20?}",
            cosine(&together, &alone)
        );
        assert!(likeness > 0.9999, "{likeness} for {text:?}");
        assert!(
            cosine(&together, &alone) > 0.99999,
            "batch and single differ for {text:?}"
        );
    }
}

#[test]
fn int8_is_near_f32_and_a_space_of_its_own() {
    let Some(dir) = models_dir() else { return };
    let [f32s, int8] = [Precision::F32, Precision::Int8]
        .map(|precision| Encoders::load(&dir, precision).expect("models"));
    assert_ne!(f32s.fingerprint(), int8.fingerprint());
    let items = golden("minilm.json");
    let texts: Vec<&str> = items
        .iter()
        .map(|i| i["text"].as_str().expect("text"))
        .collect();
    let pairs = f32s
        .embed_text(&texts)
        .into_iter()
        .zip(int8.embed_text(&texts));
    for ((exact, near), text) in pairs.zip(&texts) {
        let likeness = cosine(
            &exact.expect("embeds")["text"],
            &near.expect("embeds")["text"],
        );
        println!("int8 {likeness:.6} {text:.20?}");
        // A text without a word has two or three tokens, over which errors do not average out.
        let words = text.chars().any(char::is_alphanumeric);
        let least = if words { 0.999 } else { 0.998 };
        assert!(likeness > least, "{likeness} for {text:?}");
    }
}

#[test]
fn efficientnet_lite0_is_the_torch_one() {
    let Some(dir) = models_dir() else { return };
    let model = EfficientNetLite::load(&dir.join("efficientnet-lite0")).expect("model");
    for item in golden("efficientnet_lite0.json") {
        let name = item["file"].as_str().expect("file");
        let bytes = std::fs::read(folder().join(name)).expect("picture");
        let image = decode(&bytes, &ImageLimits::default()).expect("decodes");
        let output = model.forward(&image).expect("runs");
        let likeness = cosine(&output.features, &floats(&item["features"]));
        let top = item["top"].as_array().expect("top");
        let worst = top
            .iter()
            .map(|pair| {
                let class = usize::try_from(pair[0].as_u64().expect("class")).expect("class");
                (f64::from(output.logits[class]) - pair[1].as_f64().expect("logit")).abs()
            })
            .fold(0.0, f64::max);
        let (mut seen, mut pooled) = (Vec::new(), Vec::new());
        let observed = model.observe(&image, &mut |stage, map| {
            seen.push(stage);
            assert_eq!(map.len() % MAP_CHANNELS[stage], 0);
            let pixels = map.chunks_exact(MAP_CHANNELS[stage]);
            pooled = vec![0f32; MAP_CHANNELS[stage]];
            pixels.for_each(|p| pooled.iter_mut().zip(p).for_each(|(s, v)| *s += v));
        });
        assert_eq!(observed.expect("runs").features, output.features);
        assert_eq!(seen, (0..MAP_CHANNELS.len()).collect::<Vec<_>>());
        assert!(cosine(&pooled, &output.features) > 0.999_999);
        println!("lite0 {name}: features {likeness:.8}, worst of the top logits off by {worst:.5}");
        assert!(likeness > 0.9999, "{likeness} for {name}");
        assert!(worst < 0.1, "logits of {name} are off by {worst}");
    }
}

#[test]
fn encoders_give_unit_vectors_in_order_and_spare_the_batch() {
    let Some(dir) = models_dir() else { return };
    let encoders = Encoders::load(&dir, Precision::F32).expect("models");
    let ball = std::fs::read(folder().join("ball.png")).expect("picture");
    let wide = std::fs::read(folder().join("wide.png")).expect("picture");
    let results = encoders.embed_image(&[ball.clone(), b"no image".to_vec(), wide]);
    assert!(results[1].as_ref().is_err_and(vitrine::EmbedError::is_user));
    let alone = encoders.embed_image(&[ball]).remove(0).expect("embeds");
    for (space, vector) in results[0].as_ref().expect("embeds") {
        assert_eq!(vector.len(), encoders.dims()[space]);
        assert!((cosine(vector, vector) - 1.0).abs() < 1e-6);
        assert!((vector.iter().map(|v| v * v).sum::<f32>() - 1.0).abs() < 1e-4);
        assert!(cosine(vector, &alone[space]) > 0.99999);
    }
    let text = encoders.embed_text(&["a mug"]).remove(0).expect("embeds");
    assert_eq!(text["shared"], text["text"]);
    assert_eq!(encoders.count_tokens("a mug"), 4);
    assert_eq!(encoders.fingerprint().len(), 64);
}
