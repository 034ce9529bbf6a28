//! Folders that cannot be used: each fault is told, with the file and what is wrong.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use candle_core::{DType, Device, Tensor};
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
    // A photo network's numbers are read from its tensors; of another family there are others.
    for (model, architecture, tensor) in [
        ("resnet", "convnext_tiny", "stem.0.weight"),
        ("convnext", "efficientnet_b0", "conv_stem.weight"),
        ("efficientnet", "resnet18", "conv1.weight"),
        ("mobilenetv4-small", "efficientnet_b0", "bn2"),
    ] {
        let said = said_of(model, |dir| {
            set(dir, "config.json", "architecture", architecture.into());
        });
        assert_told(&said, &["weights do not fit", tensor]);
    }
    let said = said_of("bert-mean", |dir| {
        set(dir, "config.json", "num_hidden_layers", 3.into());
    });
    assert_told(&said, &["encoder.layer.2", "none of that name"]);
}

/// Reads the weights, has them changed and writes them.
fn change_weights(dir: &Path, change: impl Fn(&mut HashMap<String, Tensor>)) {
    let path = dir.join("model.safetensors");
    let mut tensors = candle_core::safetensors::load(&path, &Device::Cpu).expect("weights");
    change(&mut tensors);
    candle_core::safetensors::save(&tensors, path).expect("write");
}

#[test]
fn tensors_of_a_photo_network_that_are_missing_odd_or_too_many_are_told() {
    let with = |model: &str, change: &dyn Fn(&mut HashMap<String, Tensor>)| {
        said_of(model, |dir| change_weights(dir, change))
    };
    let tensor = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &Device::Cpu).expect("tensor");
    // Squeeze and excitation, which a plain ResNet has not.
    let more = with("resnet", &|t| {
        t.insert("layer1.0.se.fc1.weight".into(), tensor(&[2, 8, 1, 1]));
    });
    assert_told(&more, &["`layer1.0.se.fc1.weight` is no part of a ResNet"]);
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
        assert_told(&less, &["weights do not fit", name, "none of that name"]);
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
        assert_told(&odd, &["weights do not fit", name, &format!("{shape:?}")]);
    }
}

#[test]
fn preprocessing_that_is_not_known_is_told() {
    let with = |key: &str, value: Value| {
        said_of("resnet", |dir| {
            let path = dir.join("config.json");
            let mut json: Value =
                serde_json::from_slice(&fs::read(&path).expect("file")).expect("JSON");
            json["pretrained_cfg"][key] = value.clone();
            fs::write(path, json.to_string()).expect("write");
        })
    };
    use serde_json::json;
    assert_told(
        &with("interpolation", json!("lanczos")),
        &["`lanczos`", "bicubic and bilinear"],
    );
    assert_told(
        &with("crop_mode", json!("border")),
        &["`border`", "center and squash"],
    );
    assert_told(&with("crop_pct", json!(0.0)), &["crop_pct 0"]);
    assert_told(
        &with("input_size", json!([3, 64, 32])),
        &["input_size [3, 64, 32]"],
    );
    assert_told(
        &with("input_size", json!([1, 64, 64])),
        &["input_size [1, 64, 64]"],
    );
    assert_told(&with("std", json!([0.2, 0.0, 0.2])), &["std"]);
    assert_told(
        &with("mean", json!([0.5])),
        &["config.json", "invalid length 1"],
    );
}

#[test]
fn joint_models_that_do_not_fit_are_told() {
    let part = |model: &str, part: &str, key: &str, value: u64| {
        said_of(model, |dir| {
            let path = dir.join("config.json");
            let mut json: Value =
                serde_json::from_slice(&fs::read(&path).expect("file")).expect("JSON");
            json[part][key] = value.into();
            fs::write(path, json.to_string()).expect("write");
        })
    };
    for model in ["clip", "chinese-clip", "siglip"] {
        assert_told(
            &part(model, "vision_config", "num_attention_heads", 0),
            &["num_attention_heads is 0"],
        );
        assert_told(
            &part(model, "vision_config", "num_attention_heads", 5),
            &["no multiple"],
        );
        assert_told(
            &part(model, "vision_config", "patch_size", 64),
            &["patch_size 64"],
        );
        assert_told(
            &part(model, "vision_config", "image_size", 9000),
            &["image_size 9000"],
        );
        let resample = said_of(model, |dir| {
            set(dir, "preprocessor_config.json", "resample", 1.into());
        });
        assert_told(&resample, &["resample 1", "bicubic"]);
        let mean = said_of(model, |dir| {
            set(dir, "preprocessor_config.json", "image_mean", "grey".into());
        });
        assert_told(&mean, &["image_mean"]);
    }
    assert_told(
        &part("chinese-clip", "text_config", "vocab_size", 7),
        &["word_embeddings", "7"],
    );
    assert_told(
        &part("siglip", "text_config", "vocab_size", 7),
        &["token_embedding", "7"],
    );
    let size = said_of("siglip", |dir| {
        set(
            dir,
            "preprocessor_config.json",
            "size",
            serde_json::json!({"height": 40, "width": 32}),
        );
    });
    assert_told(&size, &["does not give squares of 32 pixels"]);
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

#[test]
fn a_mobile_clip_that_cannot_be_is_told() {
    let odd = |change: &dyn Fn(&mut Value)| {
        said_of("mobile-clip", |dir| {
            let path = dir.join("open_clip_config.json");
            let mut json: Value =
                serde_json::from_slice(&fs::read(&path).expect("file")).expect("JSON");
            change(&mut json);
            fs::write(path, json.to_string()).expect("write");
        })
    };
    let said =
        odd(&|c| c["model_cfg"]["vision_cfg"]["timm_model_name"] = "vit_base_mci_224".into());
    assert_told(
        &said,
        &[
            "open_clip_config.json",
            "timm_model_name `vit_base_mci_224`",
            "fastvit_mci1",
        ],
    );
    let said = odd(&|c| c["model_cfg"]["text_cfg"]["no_causal_mask"] = false.into());
    assert_told(&said, &["no_causal_mask"]);
    let said = odd(&|c| c["model_cfg"]["text_cfg"]["heads"] = 0.into());
    assert_told(&said, &["heads"]);
    let said = odd(&|c| c["model_cfg"]["vision_cfg"]["image_size"] = 0.into());
    assert_told(&said, &["image_size 0"]);
    let said = odd(&|c| c["preprocess_cfg"]["interpolation"] = "nearest".into());
    assert_told(&said, &["interpolation `nearest`", "bilinear"]);
    let said = odd(&|c| c["model_cfg"]["text_cfg"]["layers"] = 3.into());
    assert_told(
        &said,
        &[
            "weights do not fit MobileCLIP",
            "resblocks.2",
            "none of that name",
        ],
    );
    let said = odd(&|c| c["model_cfg"]["text_cfg"]["layers"] = 1.into());
    assert_told(
        &said,
        &["`text.transformer.resblocks.1", "no part of a MobileCLIP"],
    );

    let weights = |change: &dyn Fn(&mut HashMap<String, Tensor>)| {
        said_of("mobile-clip", |dir| {
            let path = dir.join("open_clip_model.safetensors");
            let mut tensors = candle_core::safetensors::load(&path, &Device::Cpu).expect("weights");
            change(&mut tensors);
            candle_core::safetensors::save(&tensors, path).expect("write");
        })
    };
    // Candle's network would do without these.
    for name in [
        "visual.trunk.stages.0.blocks.0.token_mixer.mixer.conv_scale.bn.bias",
        "visual.trunk.stages.3.pos_emb.pos_enc.weight",
        "visual.trunk.final_conv.se.fc1.weight",
        "visual.trunk.stem.0.conv_kxk.0.conv.weight",
    ] {
        let said = weights(&|t| {
            t.remove(name).expect("tensor");
        });
        assert_told(
            &said,
            &["weights do not fit MobileCLIP", name, "none of that name"],
        );
    }
    let said = said_of("mobile-clip", |dir| {
        fs::remove_file(dir.join("open_clip_model.safetensors")).expect("removes");
    });
    assert_told(
        &said,
        &["missing model file", "open_clip_model.safetensors"],
    );
}
