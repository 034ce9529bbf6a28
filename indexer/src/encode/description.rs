//! Description of a model folder, after loading the model: the output of `models inspect`.

use std::path::Path;

use serde::Serialize;

use super::registry::{Architecture, Loader};
use super::text::bert::{Prefixes, Role};
use super::{ModelError, Precision};

/// Number of ImageNet classes, whose names `models get` downloads.
const IMAGENET_CLASSES: usize = 1000;

/// A text of few words; encoding it shows whether the tokenizer belongs to the model.
const SAMPLE_TEXT: &str = "a red shoe";

/// Description of a model.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Description {
    /// Name of its architecture.
    pub architecture: &'static str,
    /// Kind of the model: text, image or joint.
    pub kind: &'static str,
    /// Number of components of a vector.
    pub dim: usize,
    /// Maximum number of tokens of a text, special tokens included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<usize>,
    /// Pooling of token vectors into one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pooling: Option<&'static str>,
    /// Prefixes of texts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefixes: Option<Prefixes>,
    /// Side of the square that images are scaled to, in pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_size: Option<u32>,
    /// Number of classes it was trained on, through whose names images reach the text space.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub classes: Option<usize>,
    /// Things to check before the model is used.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// Loads the model in `dir` and describes it.
///
/// # Errors
/// It cannot be loaded.
pub fn describe(dir: &Path) -> Result<Description, ModelError> {
    let architecture = Architecture::of(dir)?;
    let base = Description {
        architecture: architecture.name,
        kind: architecture.kind().name(),
        ..Description::default()
    };
    Ok(match architecture.loader {
        Loader::Text(load) => {
            let model = load(dir, Precision::F32, None)?;
            model.encode(&[SAMPLE_TEXT], Role::Document).remove(0)?;
            Description {
                dim: model.dim(),
                max_tokens: Some(model.max_tokens()),
                pooling: Some(model.pooling().name()),
                prefixes: Some(model.prefixes().clone()),
                notes: prefix_notes(dir, model.prefixes()),
                ..base
            }
        }
        Loader::Image(load) => {
            let model = load(dir)?;
            Description {
                dim: model.dim(),
                image_size: Some(model.image_size()),
                classes: Some(model.classes()),
                notes: class_notes(dir, model.classes()),
                ..base
            }
        }
        Loader::Joint(load) => {
            let model = load(dir)?;
            model.text(SAMPLE_TEXT)?;
            Description {
                dim: model.dim(),
                image_size: Some(model.image_size()),
                ..base
            }
        }
    })
}

/// Notes on missing class names of an image model.
fn class_notes(dir: &Path, classes: usize) -> Vec<String> {
    if matches!(classes, 0 | IMAGENET_CLASSES) || dir.join("classes.json").is_file() {
        return Vec::new();
    }
    vec![format!(
        "classes.json with the names of its {classes} classes in order is missing: without it, \
         and without heads, images have no vector in the space `shared`"
    )]
}

/// Notes on families whose folders do not always name the prefixes they were trained with.
fn prefix_notes(dir: &Path, prefixes: &Prefixes) -> Vec<String> {
    let name = dir
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .to_lowercase();
    if *prefixes != Prefixes::default() {
        return Vec::new();
    }
    let flags = if name.contains("bge") && name.contains("zh") {
        "--query-prefix '为这个句子生成表示以用于检索相关文章：'"
    } else if name.contains("bge") && !name.contains("m3") {
        "--query-prefix 'Represent this sentence for searching relevant passages: '"
    } else if name.split(['-', '_']).any(|word| word == "e5") {
        "--query-prefix 'query: ' --document-prefix 'passage: '"
    } else {
        return Vec::new();
    };
    vec![format!(
        "the folder names no prefixes; models of this name were trained with prefixes: models use ... {flags}"
    )]
}
