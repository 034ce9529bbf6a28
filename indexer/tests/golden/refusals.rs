//! Folders that cannot be used: each error names the file and the problem.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use serde_json::Value;
use vitrine_indexer::encode::describe;
use vitrine_indexer::encode::text::bert::Prefixes;
use vitrine_indexer::space::selection::Selection;
use vitrine_indexer::space::{Encoders, Precision};

use super::folder;

/// Copies a small model, to be corrupted.
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

/// Returns the error of `name` after `spoil`.
fn error_of(name: &str, spoil: impl Fn(&Path)) -> String {
    let dir = copy(name);
    spoil(dir.path());
    describe(dir.path()).expect_err("must not load").to_string()
}

fn assert_mentions(message: &str, wanted: &[&str]) {
    for part in wanted {
        assert!(message.contains(part), "`{part}` is not in: {message}");
    }
}

/// Sets a value of a JSON file of the folder; null removes it.
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

const MODELS: [&str; 12] = [
    "chinese-clip",
    "siglip",
    "resnet",
    "convnext",
    "efficientnet",
    "mobilenetv4-small",
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
            let message = error_of(model, |dir| {
                fs::remove_file(dir.join(file)).expect("removes")
            });
            assert_mentions(&message, &["missing model file", file]);
        }
    }
    let message = error_of("mpnet", |dir| {
        fs::remove_file(dir.join("tokenizer.json")).expect("removes");
    });
    assert_mentions(&message, &["missing model file", "tokenizer.json"]);
    let message = error_of("distilbert-dense", |dir| {
        fs::remove_file(dir.join("2_Dense/model.safetensors")).expect("removes");
    });
    assert_mentions(&message, &["missing model file", "2_Dense"]);
}

#[test]
fn weights_that_are_cut_or_no_weights_are_reported() {
    for model in MODELS {
        let message = error_of(model, |dir| {
            let path = dir.join("model.safetensors");
            let whole = fs::read(&path).expect("weights");
            fs::write(path, &whole[..whole.len() / 2]).expect("write");
        });
        assert_mentions(
            &message,
            &["model.safetensors", "truncated or invalid safetensors file"],
        );
    }
    let message = error_of("bert-mean", |dir| {
        fs::write(dir.join("model.safetensors"), b"version https://git-lfs").expect("write");
    });
    assert_mentions(&message, &["truncated or invalid safetensors file"]);
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
        let message = error_of(model, |dir| set(dir, "config.json", key, 48.into()));
        assert_mentions(&message, &["weights do not fit", tensor, "48"]);
    }
    // The sizes of an image network are read from its tensors; other families have other tensors.
    for (model, architecture, tensor) in [
        ("resnet", "convnext_tiny", "stem.0.weight"),
        ("convnext", "efficientnet_b0", "conv_stem.weight"),
        ("efficientnet", "resnet18", "conv1.weight"),
        ("mobilenetv4-small", "efficientnet_b0", "bn2"),
    ] {
        let message = error_of(model, |dir| {
            set(dir, "config.json", "architecture", architecture.into());
        });
        assert_mentions(&message, &["weights do not fit", tensor]);
    }
    let message = error_of("bert-mean", |dir| {
        set(dir, "config.json", "num_hidden_layers", 3.into());
    });
    assert_mentions(&message, &["encoder.layer.2", "none of that name"]);
}

/// Reads the weights, changes them and writes them.
fn change_weights(dir: &Path, change: impl Fn(&mut HashMap<String, Tensor>)) {
    let path = dir.join("model.safetensors");
    let mut tensors = candle_core::safetensors::load(&path, &Device::Cpu).expect("weights");
    change(&mut tensors);
    candle_core::safetensors::save(&tensors, path).expect("write");
}

#[test]
fn tensors_of_an_image_network_that_are_missing_odd_or_unexpected_are_reported() {
    let with = |model: &str, change: &dyn Fn(&mut HashMap<String, Tensor>)| {
        error_of(model, |dir| change_weights(dir, change))
    };
    let tensor = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &Device::Cpu).expect("tensor");
    // Squeeze and excitation, which a plain ResNet does not have.
    let more = with("resnet", &|t| {
        t.insert("layer1.0.se.fc1.weight".into(), tensor(&[2, 8, 1, 1]));
    });
    assert_mentions(
        &more,
        &["unexpected tensor `layer1.0.se.fc1.weight`: not part of a ResNet"],
    );
    for (model, name) in [
        ("resnet", "layer4.0.conv1.weight"),
        ("resnext-d", "layer2.0.downsample.2.running_mean"),
        ("convnext", "stages.2.blocks.0.conv_dw.weight"),
        ("convnextv2", "stages.1.blocks.0.mlp.grn.bias"),
        ("efficientnet", "blocks.1.0.conv_dw.weight"),
        ("efficientnet", "blocks.0.0.se.conv_expand.bias"),
        ("mobilenetv4-small", "conv_head.weight"),
        ("mobilenetv4-medium", "blocks.1.0.pw_proj.bn.running_var"),
    ] {
        let less = with(model, &|t| {
            t.remove(name).expect("tensor");
        });
        assert_mentions(&less, &["weights do not fit", name, "none of that name"]);
    }
    for (model, name, shape) in [
        ("resnet", "conv1.weight", &[64, 3, 7, 5][..]),
        ("resnet", "layer2.0.conv1.weight", &[16, 7, 3, 3]),
        ("resnet", "layer3.0.bn1.weight", &[2]),
        ("convnext", "stem.1.weight", &[9]),
        ("efficientnet", "blocks.1.0.conv_dw.weight", &[0, 1, 3, 3]),
        ("mobilenetv4-small", "classifier.weight", &[10, 4]),
    ] {
        let odd = with(model, &|t| {
            t.insert(name.into(), tensor(shape));
        });
        assert_mentions(&odd, &["weights do not fit", name, &format!("{shape:?}")]);
    }
}

#[test]
fn preprocessing_that_is_not_known_is_reported() {
    let with = |key: &str, value: Value| {
        error_of("resnet", |dir| {
            let path = dir.join("config.json");
            let mut json: Value =
                serde_json::from_slice(&fs::read(&path).expect("file")).expect("JSON");
            json["pretrained_cfg"][key] = value.clone();
            fs::write(path, json.to_string()).expect("write");
        })
    };
    use serde_json::json;
    assert_mentions(
        &with("interpolation", json!("lanczos")),
        &["interpolation", "bicubic or bilinear", "`lanczos`"],
    );
    assert_mentions(
        &with("crop_mode", json!("border")),
        &["crop_mode", "center or squash", "`border`"],
    );
    assert_mentions(&with("crop_pct", json!(0.0)), &["crop_pct 0"]);
    assert_mentions(
        &with("input_size", json!([3, 64, 32])),
        &["input_size [3, 64, 32]"],
    );
    assert_mentions(
        &with("input_size", json!([1, 64, 64])),
        &["input_size [1, 64, 64]"],
    );
    assert_mentions(&with("std", json!([0.2, 0.0, 0.2])), &["std"]);
    assert_mentions(
        &with("mean", json!([0.5])),
        &["config.json", "invalid length 1"],
    );
}

#[test]
fn joint_models_that_do_not_fit_are_reported() {
    let part = |model: &str, part: &str, key: &str, value: u64| {
        error_of(model, |dir| {
            let path = dir.join("config.json");
            let mut json: Value =
                serde_json::from_slice(&fs::read(&path).expect("file")).expect("JSON");
            json[part][key] = value.into();
            fs::write(path, json.to_string()).expect("write");
        })
    };
    for model in ["clip", "chinese-clip", "siglip"] {
        assert_mentions(
            &part(model, "vision_config", "num_attention_heads", 0),
            &["num_attention_heads is 0"],
        );
        assert_mentions(
            &part(model, "vision_config", "num_attention_heads", 5),
            &["must be a multiple"],
        );
        assert_mentions(
            &part(model, "vision_config", "patch_size", 64),
            &["patch_size 64"],
        );
        assert_mentions(
            &part(model, "vision_config", "image_size", 9000),
            &["image_size 9000"],
        );
        let resample = error_of(model, |dir| {
            set(dir, "preprocessor_config.json", "resample", 1.into());
        });
        assert_mentions(&resample, &["resample", "bicubic", "got 1"]);
        let mean = error_of(model, |dir| {
            set(dir, "preprocessor_config.json", "image_mean", "grey".into());
        });
        assert_mentions(&mean, &["image_mean"]);
    }
    assert_mentions(
        &part("chinese-clip", "text_config", "vocab_size", 7),
        &["word_embeddings", "7"],
    );
    assert_mentions(
        &part("siglip", "text_config", "vocab_size", 7),
        &["token_embedding", "7"],
    );
    let size = error_of("siglip", |dir| {
        set(
            dir,
            "preprocessor_config.json",
            "size",
            serde_json::json!({"height": 40, "width": 32}),
        );
    });
    assert_mentions(&size, &["does not give squares of 32 pixels"]);
}

#[test]
fn unknown_settings_are_reported_with_the_known_ones() {
    let with = |model: &str, key: &str, value: Value| {
        error_of(model, |dir| set(dir, "config.json", key, value.clone()))
    };
    assert_mentions(
        &with("bert-mean", "model_type", "t5".into()),
        &["`t5`", "bert", "xlm-roberta", "clip"],
    );
    assert_mentions(
        &with("bert-mean", "model_type", Value::Null),
        &["config.json", "model_type"],
    );
    assert_mentions(
        &with("bert-mean", "hidden_act", "swish".into()),
        &["`swish`", "gelu"],
    );
    assert_mentions(
        &with("bert-mean", "num_attention_heads", 5.into()),
        &["must be a multiple of num_attention_heads 5"],
    );
    assert_mentions(
        &with("bert-mean", "num_attention_heads", 0.into()),
        &["must be a multiple"],
    );
    assert_mentions(
        &with("xlm-roberta", "max_position_embeddings", 2.into()),
        &["max_position_embeddings is 2"],
    );
    assert_mentions(
        &with(
            "bert-mean",
            "position_embedding_type",
            "relative_key".into(),
        ),
        &["must be `absolute`"],
    );
    let pooling = error_of("bert-mean", |dir| {
        set(
            dir,
            "1_Pooling/config.json",
            "pooling_mode",
            "lasttoken".into(),
        );
    });
    assert_mentions(&pooling, &["unsupported pooling lasttoken", "mean or cls"]);
    let dense = error_of("distilbert-dense", |dir| {
        set(
            dir,
            "2_Dense/config.json",
            "activation_function",
            "torch.nn.ReLU".into(),
        );
    });
    assert_mentions(&dense, &["torch.nn.ReLU", "Tanh or Identity"]);
    let width = error_of("distilbert-dense", |dir| {
        set(dir, "2_Dense/config.json", "in_features", 31.into());
    });
    assert_mentions(&width, &["expected in_features 32", "got 31"]);
    let module = error_of("bert-mean", |dir| {
        let path = dir.join("modules.json");
        let text = fs::read_to_string(&path).expect("modules");
        fs::write(path, text.replace("normalize.Normalize", "lstm.LSTM")).expect("write");
    });
    assert_mentions(
        &module,
        &["module `LSTM`", "Transformer, Pooling, Dense or Normalize"],
    );
    let outside = error_of("bert-mean", |dir| {
        let path = dir.join("modules.json");
        let text = fs::read_to_string(&path).expect("modules");
        fs::write(path, text.replace("1_Pooling", "../1_Pooling")).expect("write");
    });
    assert_mentions(&outside, &["`../1_Pooling`"]);
}

#[test]
fn tokenizers_that_cannot_be_this_models_are_reported() {
    let empty = error_of("bert-mean", |dir| {
        fs::write(dir.join("tokenizer.json"), "{}").expect("write")
    });
    assert_mentions(&empty, &["tokenizer.json"]);
    let without = error_of("bert-mean", |dir| {
        let path = dir.join("tokenizer.json");
        let mut json: Value =
            serde_json::from_slice(&fs::read(&path).expect("file")).expect("JSON");
        json["model"]["vocab"] = serde_json::json!({});
        json["added_tokens"] = serde_json::json!([]);
        fs::write(path, json.to_string()).expect("write");
    });
    assert_mentions(&without, &["tokenizer.json"]);
    let no_start = error_of("bert-cls", |dir| {
        fs::write(dir.join("vocab.txt"), "[UNK]\n[SEP]\na\n").expect("write");
    });
    assert_mentions(&no_start, &["vocab.txt", "no token [CLS]"]);
    // A tokenizer with more pieces than the model has vectors.
    let others = error_of("bert-cls", |dir| {
        let more: String = (0..300).map(|i| format!("piece{i}\n")).collect();
        fs::write(
            dir.join("vocab.txt"),
            format!("{more}a\nred\n[UNK]\n[CLS]\n[SEP]\n"),
        )
        .expect("write");
    });
    assert_mentions(&others, &["is not in the vocabulary"]);
}

#[test]
fn an_invalid_selection_is_rejected() {
    let models = tempfile::tempdir().expect("folder");
    let dir = models.path();
    let mut selection = Selection::default();
    let clip = folder().join("folders/clip");
    let message = selection.choose(dir, &clip, Some(Prefixes::default()));
    assert_mentions(
        &message.expect_err("no prefixes").to_string(),
        &["CLIP does not support prefixes"],
    );
    assert!(selection.choose(dir, Path::new("nonesuch"), None).is_err());
    assert_eq!(selection, Selection::default());

    let load = || {
        Encoders::load(dir, Precision::F32)
            .err()
            .expect("must not load")
            .to_string()
    };
    assert_mentions(&load(), &["config.json", "models get"]);
    fs::write(dir.join("encoders.json"), "{\"text\": 5}").expect("write");
    assert_mentions(&load(), &["encoders.json"]);
    let text = format!("{{\"text\": {:?}}}", clip);
    fs::write(dir.join("encoders.json"), text).expect("write");
    assert_mentions(
        &load(),
        &["expected a model of kind `text`, got CLIP of kind `joint`"],
    );
}

#[test]
fn a_mobile_clip_that_cannot_be_is_reported() {
    let odd = |change: &dyn Fn(&mut Value)| {
        error_of("mobile-clip", |dir| {
            let path = dir.join("open_clip_config.json");
            let mut json: Value =
                serde_json::from_slice(&fs::read(&path).expect("file")).expect("JSON");
            change(&mut json);
            fs::write(path, json.to_string()).expect("write");
        })
    };
    let message =
        odd(&|c| c["model_cfg"]["vision_cfg"]["timm_model_name"] = "vit_base_mci_224".into());
    assert_mentions(
        &message,
        &[
            "open_clip_config.json",
            "timm_model_name `vit_base_mci_224`",
            "fastvit_mci1",
        ],
    );
    let message = odd(&|c| c["model_cfg"]["text_cfg"]["no_causal_mask"] = false.into());
    assert_mentions(&message, &["no_causal_mask"]);
    let message = odd(&|c| c["model_cfg"]["text_cfg"]["heads"] = 0.into());
    assert_mentions(&message, &["heads"]);
    let message = odd(&|c| c["model_cfg"]["vision_cfg"]["image_size"] = 0.into());
    assert_mentions(&message, &["image_size 0"]);
    let message = odd(&|c| c["preprocess_cfg"]["interpolation"] = "nearest".into());
    assert_mentions(&message, &["interpolation", "bilinear", "`nearest`"]);
    let message = odd(&|c| c["model_cfg"]["text_cfg"]["layers"] = 3.into());
    assert_mentions(
        &message,
        &[
            "weights do not fit MobileCLIP",
            "resblocks.2",
            "none of that name",
        ],
    );
    let message = odd(&|c| c["model_cfg"]["text_cfg"]["layers"] = 1.into());
    assert_mentions(
        &message,
        &["`text.transformer.resblocks.1", "not part of a MobileCLIP"],
    );

    let weights = |change: &dyn Fn(&mut HashMap<String, Tensor>)| {
        error_of("mobile-clip", |dir| {
            let path = dir.join("open_clip_model.safetensors");
            let mut tensors = candle_core::safetensors::load(&path, &Device::Cpu).expect("weights");
            change(&mut tensors);
            candle_core::safetensors::save(&tensors, path).expect("write");
        })
    };
    // Candle's network would run without these.
    for name in [
        "visual.trunk.stages.0.blocks.0.token_mixer.mixer.conv_scale.bn.bias",
        "visual.trunk.stages.3.pos_emb.pos_enc.weight",
        "visual.trunk.final_conv.se.fc1.weight",
        "visual.trunk.stem.0.conv_kxk.0.conv.weight",
    ] {
        let message = weights(&|t| {
            t.remove(name).expect("tensor");
        });
        assert_mentions(
            &message,
            &["weights do not fit MobileCLIP", name, "none of that name"],
        );
    }
    let message = error_of("mobile-clip", |dir| {
        fs::remove_file(dir.join("open_clip_model.safetensors")).expect("removes");
    });
    assert_mentions(
        &message,
        &["missing model file", "open_clip_model.safetensors"],
    );
}
