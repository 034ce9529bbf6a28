//! Registry of the architectures that can be loaded, one row each.
//!
//! Adding an encoder takes one module with its loader, in `text`, `image` or `joint`, and one row
//! in `ARCHITECTURES`. A file of the model that has a new name is appended to
//! [`FINGERPRINT_FILES`].

use std::path::Path;

use serde_json::Value;

use super::image::ImageEncoder;
use super::image::cnn::{Cnn, Family};
use super::image::efficientnet_lite::EfficientNetLite;
use super::joint::{JointEncoder, chinese_clip, clip, mobile_clip, siglip};
use super::text::TextEncoder;
use super::text::bert::{Bert, Prefixes};
use super::text::pair::{self, Pair};
use super::weights::read_json;
use super::{ModelError, Precision};

/// Inputs of an encoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModelKind {
    /// Texts.
    Text,
    /// Images.
    Image,
    /// Texts and images, into one space.
    Joint,
}

impl ModelKind {
    /// Name in messages and in the output of `models inspect`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Image => "image",
            Self::Joint => "joint",
        }
    }
}

/// An architecture that can be loaded.
#[derive(Debug)]
pub struct Architecture {
    /// Name in messages and in the output of `models inspect`.
    pub name: &'static str,
    id: ConfigId,
    /// Loads a model folder.
    pub(super) loader: Loader,
}

/// Entry of a model folder's configuration that identifies an architecture.
#[derive(Debug)]
enum ConfigId {
    /// Values of `model_type` in a `config.json` of Hugging Face.
    ModelType(&'static [&'static str]),
    /// Family of `architecture` in a `config.json` of timm.
    Timm(Family),
    /// `open_clip_config.json` without a `config.json`. Other models of open_clip are refused when
    /// they are loaded.
    OpenClip,
}

type LoadText = fn(&Path, Precision, Option<Prefixes>) -> Result<Box<dyn TextEncoder>, ModelError>;

/// Loader of a model folder; its variant is the [`ModelKind`].
#[derive(Debug)]
pub(super) enum Loader {
    Text(LoadText),
    Image(fn(&Path) -> Result<Box<dyn ImageEncoder>, ModelError>),
    Joint(fn(&Path) -> Result<JointEncoder, ModelError>),
}

static ARCHITECTURES: &[Architecture] = &[
    Architecture {
        name: "BERT",
        id: ConfigId::ModelType(&["bert"]),
        loader: Loader::Text(load_bert),
    },
    Architecture {
        name: "RoBERTa",
        id: ConfigId::ModelType(&["roberta", "xlm-roberta"]),
        loader: Loader::Text(load_bert),
    },
    Architecture {
        name: "DistilBERT",
        id: ConfigId::ModelType(&["distilbert"]),
        loader: Loader::Text(load_bert),
    },
    Architecture {
        name: "MPNet",
        id: ConfigId::ModelType(&["mpnet"]),
        loader: Loader::Text(load_bert),
    },
    Architecture {
        name: "pair of text encoders",
        id: ConfigId::ModelType(&[pair::MODEL_TYPE]),
        loader: Loader::Text(load_pair),
    },
    Architecture {
        name: "CLIP",
        id: ConfigId::ModelType(&["clip"]),
        loader: Loader::Joint(clip::load),
    },
    Architecture {
        name: "Chinese-CLIP",
        id: ConfigId::ModelType(&["chinese_clip"]),
        loader: Loader::Joint(chinese_clip::load),
    },
    Architecture {
        name: "SigLIP",
        id: ConfigId::ModelType(&["siglip"]),
        loader: Loader::Joint(siglip::load),
    },
    Architecture {
        name: "MobileCLIP",
        id: ConfigId::OpenClip,
        loader: Loader::Joint(mobile_clip::load),
    },
    Architecture {
        name: "EfficientNet-Lite0",
        id: ConfigId::ModelType(&["efficientnet-lite0"]),
        loader: Loader::Image(|dir| Ok(Box::new(EfficientNetLite::load(dir)?))),
    },
    Architecture {
        name: Family::ResNet.name(),
        id: ConfigId::Timm(Family::ResNet),
        loader: Loader::Image(load_cnn),
    },
    Architecture {
        name: Family::ConvNext.name(),
        id: ConfigId::Timm(Family::ConvNext),
        loader: Loader::Image(load_cnn),
    },
    Architecture {
        name: Family::EfficientNet.name(),
        id: ConfigId::Timm(Family::EfficientNet),
        loader: Loader::Image(load_cnn),
    },
    Architecture {
        name: Family::MobileNetV4.name(),
        id: ConfigId::Timm(Family::MobileNetV4),
        loader: Loader::Image(load_cnn),
    },
];

/// Files that decide a model's vectors, where its folder has them.
///
/// The list and its order go into fingerprints: only append to it. It is one list for all
/// architectures, since folders often hold the files of several forms.
pub const FINGERPRINT_FILES: [&str; 14] = [
    "config.json",
    "tokenizer.json",
    "vocab.txt",
    "tokenizer_config.json",
    "modules.json",
    "model.safetensors",
    "open_clip_config.json",
    "open_clip_model.safetensors",
    "classes.json",
    "preprocessor_config.json",
    "sentence_bert_config.json",
    "config_sentence_transformers.json",
    "1_Pooling/config.json",
    "centering.safetensors",
];

fn load_bert(
    dir: &Path,
    precision: Precision,
    prefixes: Option<Prefixes>,
) -> Result<Box<dyn TextEncoder>, ModelError> {
    Ok(Box::new(Bert::load(dir, precision, prefixes)?))
}

fn load_pair(
    dir: &Path,
    precision: Precision,
    prefixes: Option<Prefixes>,
) -> Result<Box<dyn TextEncoder>, ModelError> {
    Ok(Box::new(Pair::load(dir, precision, prefixes)?))
}

fn load_cnn(dir: &Path) -> Result<Box<dyn ImageEncoder>, ModelError> {
    Ok(Box::new(Cnn::load(dir)?))
}

impl Architecture {
    /// Returns the architecture of the model in `dir`.
    ///
    /// # Errors
    /// The configuration is missing or names an unsupported architecture; the message names the
    /// supported ones.
    pub fn of(dir: &Path) -> Result<&'static Self, ModelError> {
        let path = dir.join("config.json");
        let is_open_clip = !path.is_file() && dir.join(mobile_clip::CONFIG).is_file();
        let config: Value = if is_open_clip {
            Value::Null
        } else {
            read_json(&path)?
        };
        let timm = config["architecture"].as_str();
        let model_type = config["model_type"].as_str();
        let family = timm.and_then(Family::of);
        let found = ARCHITECTURES.iter().find(|row| match row.id {
            ConfigId::OpenClip => is_open_clip,
            ConfigId::Timm(row) => family == Some(row),
            ConfigId::ModelType(types) => {
                timm.is_none() && model_type.is_some_and(|name| types.contains(&name))
            }
        });
        found.ok_or_else(|| ModelError::invalid(path, unsupported(timm, model_type)))
    }

    /// Inputs of the encoder.
    pub fn kind(&self) -> ModelKind {
        match self.loader {
            Loader::Text(_) => ModelKind::Text,
            Loader::Image(_) => ModelKind::Image,
            Loader::Joint(_) => ModelKind::Joint,
        }
    }

    fn unexpected(&self, dir: &Path, expected: ModelKind) -> ModelError {
        let reason = format!(
            "expected a model of kind `{}`, got {} of kind `{}`",
            expected.name(),
            self.name,
            self.kind().name()
        );
        ModelError::invalid(dir, reason)
    }
}

/// Loads the text encoder in `dir`. `prefixes` replace those that the folder names.
///
/// # Errors
/// It is a model of another kind, or a file is missing or does not fit.
pub fn load_text(
    dir: &Path,
    precision: Precision,
    prefixes: Option<Prefixes>,
) -> Result<Box<dyn TextEncoder>, ModelError> {
    let architecture = Architecture::of(dir)?;
    match architecture.loader {
        Loader::Text(load) => load(dir, precision, prefixes),
        _ => Err(architecture.unexpected(dir, ModelKind::Text)),
    }
}

/// Loads the image encoder in `dir`.
///
/// # Errors
/// It is a model of another kind, or a file is missing or does not fit.
pub fn load_image(dir: &Path) -> Result<Box<dyn ImageEncoder>, ModelError> {
    let architecture = Architecture::of(dir)?;
    match architecture.loader {
        Loader::Image(load) => load(dir),
        _ => Err(architecture.unexpected(dir, ModelKind::Image)),
    }
}

/// Loads the joint encoder in `dir`.
///
/// # Errors
/// It is a model of another kind, or a file is missing or does not fit.
pub fn load_joint(dir: &Path) -> Result<JointEncoder, ModelError> {
    let architecture = Architecture::of(dir)?;
    match architecture.loader {
        Loader::Joint(load) => load(dir),
        _ => Err(architecture.unexpected(dir, ModelKind::Joint)),
    }
}

/// Reason why no row has this `architecture` of timm or `model_type`.
fn unsupported(timm: Option<&str>, model_type: Option<&str>) -> String {
    let (mut types, mut patterns) = (Vec::<&str>::new(), Vec::new());
    for row in ARCHITECTURES {
        match row.id {
            ConfigId::ModelType(names) => types.extend(names),
            ConfigId::Timm(family) => patterns.push(family.patterns()),
            ConfigId::OpenClip => {}
        }
    }
    let types = types.join(", ");
    let patterns = patterns.join(", ");
    match (timm, model_type) {
        (Some(name), _) => {
            format!("unsupported timm architecture `{name}`; expected one of {patterns}")
        }
        (None, Some(name)) => format!(
            "unsupported model_type `{name}`; expected one of {types}, or a timm architecture \
             ({patterns})"
        ),
        (None, None) => {
            "expected `model_type` (Hugging Face) or `architecture` (timm), got neither".to_owned()
        }
    }
}
