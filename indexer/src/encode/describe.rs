//! What a model folder is, after loading it whole: what `models inspect` says.

use std::path::Path;

use serde::Serialize;

use super::architecture::Architecture;
use super::bert::{Bert, Prefixes, Role};
use super::cnn::Cnn;
use super::efficientnet_lite::{CLASSES, EfficientNetLite, FEATURES};
use super::{ModelError, Precision, joint};

/// Number of classes of ImageNet, whose names `models get` gets.
const IMAGENET: usize = 1000;

/// A model in words and numbers.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Description {
    /// Its architecture.
    pub architecture: &'static str,
    /// What it takes: text, image or joint.
    pub takes: &'static str,
    /// Components of a vector.
    pub dim: usize,
    /// Most tokens of a text, those that mark its ends included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<usize>,
    /// How token vectors become one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pooling: Option<&'static str>,
    /// What is put before texts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefixes: Option<Prefixes>,
    /// Side of the square that photos are scaled to, pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_size: Option<u32>,
    /// Classes it was trained on, by whose names photos reach the text space.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub classes: Option<usize>,
    /// What to look at before it is used.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// Loads the model in `dir` and says what it is.
///
/// # Errors
/// It cannot be loaded.
pub fn describe(dir: &Path) -> Result<Description, ModelError> {
    let architecture = Architecture::of(dir)?;
    let said = Description {
        architecture: architecture.name(),
        takes: architecture.takes().name(),
        ..Description::default()
    };
    if let Some(model) = joint::load(dir, architecture)? {
        model.text("a red shoe")?;
        return Ok(Description {
            dim: model.dim(),
            image_size: Some(model.image_size()),
            ..said
        });
    }
    Ok(match architecture {
        Architecture::Sentence(_) => {
            let model = Bert::load(dir, Precision::F32, None)?;
            // One text shows whether the tokenizer is this model's.
            model.encode(&["a red shoe"], Role::Document).remove(0)?;
            Description {
                dim: model.dim(),
                max_tokens: Some(model.max_tokens()),
                pooling: Some(model.pooling().name()),
                prefixes: Some(model.prefixes().clone()),
                notes: notes(dir, model.prefixes()),
                ..said
            }
        }
        Architecture::Cnn(_) => {
            let model = Cnn::load(dir)?;
            let named = dir.join("classes.json").is_file();
            let note = format!(
                "classes.json with the names of its {} classes in order is missing: without it, and without heads, photos have \
                 no vector in the space `shared`",
                model.classes()
            );
            let names_known = named || matches!(model.classes(), 0 | IMAGENET);
            Description {
                dim: model.dim(),
                image_size: Some(model.image_size()),
                classes: Some(model.classes()),
                notes: if names_known { Vec::new() } else { vec![note] },
                ..said
            }
        }
        Architecture::EfficientNetLite => {
            let model = EfficientNetLite::load(dir)?;
            Description {
                dim: FEATURES,
                image_size: Some(model.image_size()),
                classes: Some(CLASSES),
                ..said
            }
        }
        Architecture::Clip
        | Architecture::ChineseClip
        | Architecture::Siglip
        | Architecture::MobileClip => said,
    })
}

/// Families whose folders do not always name the prefixes they were trained with.
fn notes(dir: &Path, prefixes: &Prefixes) -> Vec<String> {
    let name = dir
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .to_lowercase();
    if *prefixes != Prefixes::default() {
        return Vec::new();
    }
    let wanted = if name.contains("bge") && name.contains("zh") {
        "--query-prefix '为这个句子生成表示以用于检索相关文章：'"
    } else if name.contains("bge") && !name.contains("m3") {
        "--query-prefix 'Represent this sentence for searching relevant passages: '"
    } else if name.split(['-', '_']).any(|part| part == "e5") {
        "--query-prefix 'query: ' --document-prefix 'passage: '"
    } else {
        return Vec::new();
    };
    vec![format!(
        "the folder names no prefixes; a model of this name was trained with some: models use ... {wanted}"
    )]
}
