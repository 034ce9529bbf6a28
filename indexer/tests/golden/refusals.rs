//! Folders that cannot be used: each fault is told, with the file and what is wrong.

use std::fs;
use std::path::Path;

use serde_json::Value;
use vitrine_indexer::encode::bert::Prefixes;
use vitrine_indexer::encode::describe;
use vitrine_indexer::space::selection::Selection;
use vitrine_indexer::space::{Encoders, Precision};

use super::folder;

/// A copy of a small model, to be spoilt.
fn copy(name: &str) -> tempfile::TempDir {
    fn all(from: &Path, to: &Path) {
        fs::create_dir_all(to).expect("folder");
        for entry in fs::read_dir(from).expect("folder") {
            let entry = entry.expect("entry");
            let to = to.join(entry.file_name());
            if entry.path().is_dir() {
                all(&entry.path(), &to);
            } else {
                fs::copy(entry.path(), to).expect("copy");
            }
        }
    }
    let dir = tempfile::tempdir().expect("folder");
    all(&folder().join("folders").join(name), dir.path());
    dir
}

/// What is said of `name` once `spoil` was there.
fn said_of(name: &str, spoil: impl Fn(&Path)) -> String {
    let dir = copy(name);
    spoil(dir.path());
    describe(dir.path()).expect_err("must not load").to_string()
}

fn assert_told(said: &str, wanted: &[&str]) {
    for part in wanted {
        assert!(said.contains(part), "`{part}` is not in: {said}");
    }
}

/// Sets a value of a JSON file of the folder; null takes it away.
fn set(dir: &Path, file: &str, key: &str, value: Value) {
    let path = dir.join(file);
    let mut json: Value = serde_json::from_slice(&fs::read(&path).expect("file")).expect("JSON");
    let object = json.as_object_mut().expect("object");
    if value.is_null() {
        object.remove(key).expect("key");
    } else {
        object.insert(key.to_owned(), value);
    }
    fs::write(path, json.to_string()).expect("write");
}

const MODELS: [&str; 6] = [
    "bert-cls",
    "bert-mean",
    "xlm-roberta",
    "distilbert-dense",
    "mpnet",
    "clip",
];

#[test]
fn a_missing_file_is_named() {
    for model in MODELS {
        for file in ["config.json", "model.safetensors"] {
            let said = said_of(model, |dir| {
                fs::remove_file(dir.join(file)).expect("removes")
            });
            assert_told(&said, &["missing model file", file]);
        }
    }
    let said = said_of("mpnet", |dir| {
        fs::remove_file(dir.join("tokenizer.json")).expect("removes");
    });
    assert_told(&said, &["missing model file", "tokenizer.json"]);
    let said = said_of("distilbert-dense", |dir| {
        fs::remove_file(dir.join("2_Dense/model.safetensors")).expect("removes");
    });
    assert_told(&said, &["missing model file", "2_Dense"]);
}

#[test]
fn weights_that_are_cut_or_no_weights_are_told() {
    for model in MODELS {
        let said = said_of(model, |dir| {
            let path = dir.join("model.safetensors");
            let whole = fs::read(&path).expect("weights");
            fs::write(path, &whole[..whole.len() / 2]).expect("write");
        });
        assert_told(
            &said,
            &["model.safetensors", "not a whole safetensors file"],
        );
    }
    let said = said_of("bert-mean", |dir| {
        fs::write(dir.join("model.safetensors"), b"version https://git-lfs").expect("write");
    });
    assert_told(&said, &["not a whole safetensors file"]);
}

#[test]
fn a_configuration_of_other_weights_names_the_tensor() {
    for (model, key, tensor) in [
        ("bert-mean", "vocab_size", "word_embeddings"),
        (
            "xlm-roberta",
            "max_position_embeddings",
            "position_embeddings",
        ),
        ("mpnet", "intermediate_size", "intermediate.dense"),
        ("distilbert-dense", "hidden_dim", "ffn.lin1"),
        ("clip", "projection_dim", "text_projection"),
    ] {
        let said = said_of(model, |dir| set(dir, "config.json", key, 48.into()));
        assert_told(&said, &["weights do not fit", tensor, "48"]);
    }
    let said = said_of("bert-mean", |dir| {
        set(dir, "config.json", "num_hidden_layers", 3.into());
    });
    assert_told(&said, &["encoder.layer.2", "none of that name"]);
}

#[test]
fn what_is_not_known_is_told_with_what_is() {
    let with = |model: &str, key: &str, value: Value| {
        said_of(model, |dir| set(dir, "config.json", key, value.clone()))
    };
    assert_told(
        &with("bert-mean", "model_type", "t5".into()),
        &["`t5`", "bert", "xlm-roberta", "clip"],
    );
    assert_told(
        &with("bert-mean", "model_type", Value::Null),
        &["config.json", "model_type"],
    );
    assert_told(
        &with("bert-mean", "hidden_act", "swish".into()),
        &["`swish`", "gelu"],
    );
    assert_told(
        &with("bert-mean", "num_attention_heads", 5.into()),
        &["no multiple of num_attention_heads 5"],
    );
    assert_told(
        &with("bert-mean", "num_attention_heads", 0.into()),
        &["no multiple"],
    );
    assert_told(
        &with("xlm-roberta", "max_position_embeddings", 2.into()),
        &["max_position_embeddings is 2"],
    );
    assert_told(
        &with(
            "bert-mean",
            "position_embedding_type",
            "relative_key".into(),
        ),
        &["must be `absolute`"],
    );
    let pooling = said_of("bert-mean", |dir| {
        set(
            dir,
            "1_Pooling/config.json",
            "pooling_mode",
            "lasttoken".into(),
        );
    });
    assert_told(&pooling, &["pooling by lasttoken", "mean and cls"]);
    let dense = said_of("distilbert-dense", |dir| {
        set(
            dir,
            "2_Dense/config.json",
            "activation_function",
            "torch.nn.ReLU".into(),
        );
    });
    assert_told(&dense, &["torch.nn.ReLU", "Tanh and Identity"]);
    let width = said_of("distilbert-dense", |dir| {
        set(dir, "2_Dense/config.json", "in_features", 31.into());
    });
    assert_told(&width, &["31 features in", "after 32"]);
    let module = said_of("bert-mean", |dir| {
        let path = dir.join("modules.json");
        let text = fs::read_to_string(&path).expect("modules");
        fs::write(path, text.replace("normalize.Normalize", "lstm.LSTM")).expect("write");
    });
    assert_told(
        &module,
        &["module `LSTM`", "Transformer, Pooling, Dense and Normalize"],
    );
    let outside = said_of("bert-mean", |dir| {
        let path = dir.join("modules.json");
        let text = fs::read_to_string(&path).expect("modules");
        fs::write(path, text.replace("1_Pooling", "../1_Pooling")).expect("write");
    });
    assert_told(&outside, &["`../1_Pooling`"]);
}

#[test]
fn tokenizers_that_cannot_be_this_models_are_told() {
    let empty = said_of("bert-mean", |dir| {
        fs::write(dir.join("tokenizer.json"), "{}").expect("write")
    });
    assert_told(&empty, &["tokenizer.json"]);
    let without = said_of("bert-mean", |dir| {
        let path = dir.join("tokenizer.json");
        let mut json: Value =
            serde_json::from_slice(&fs::read(&path).expect("file")).expect("JSON");
        json["model"]["vocab"] = serde_json::json!({});
        json["added_tokens"] = serde_json::json!([]);
        fs::write(path, json.to_string()).expect("write");
    });
    assert_told(&without, &["tokenizer.json"]);
    let no_start = said_of("bert-cls", |dir| {
        fs::write(dir.join("vocab.txt"), "[UNK]\n[SEP]\na\n").expect("write");
    });
    assert_told(&no_start, &["vocab.txt", "no token [CLS]"]);
    // A tokenizer of more pieces than the model has vectors.
    let others = said_of("bert-cls", |dir| {
        let more: String = (0..300).map(|i| format!("piece{i}\n")).collect();
        fs::write(
            dir.join("vocab.txt"),
            format!("{more}a\nred\n[UNK]\n[CLS]\n[SEP]\n"),
        )
        .expect("write");
    });
    assert_told(&others, &["is not in the vocabulary"]);
}

#[test]
fn a_choice_that_makes_no_sense_is_refused() {
    let models = tempfile::tempdir().expect("folder");
    let dir = models.path();
    let mut selection = Selection::default();
    let clip = folder().join("folders/clip");
    let said = selection.choose(dir, &clip, Some(Prefixes::default()));
    assert_told(
        &said.expect_err("no prefixes").to_string(),
        &["CLIP takes no prefixes"],
    );
    assert!(selection.choose(dir, Path::new("nonesuch"), None).is_err());
    assert_eq!(selection, Selection::default());

    let load = || {
        Encoders::load(dir, Precision::F32)
            .err()
            .expect("must not load")
            .to_string()
    };
    assert_told(&load(), &["config.json", "models get"]);
    fs::write(dir.join("encoders.json"), "{\"text\": 5}").expect("write");
    assert_told(&load(), &["encoders.json"]);
    let text = format!("{{\"text\": {:?}}}", clip);
    fs::write(dir.join("encoders.json"), text).expect("write");
    assert_told(
        &load(),
        &["CLIP is a joint model, a text model is wanted here"],
    );
}
