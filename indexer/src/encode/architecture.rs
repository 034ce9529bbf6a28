//! What a model folder holds, told by its configuration.

use std::path::Path;

use serde_json::Value;

use super::ModelError;
use super::bert::Family;
use super::cnn;
use super::mobile_clip;
use super::weights::read_json;

/// What a model takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// Texts.
    Text,
    /// Photos.
    Image,
    /// Both, into one space.
    Joint,
}

impl Takes {
    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Image => "image",
            Self::Joint => "joint",
        }
    }
}

/// An architecture that can be loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Architecture {
    /// A sentence encoder.
    Sentence(Family),
    /// CLIP.
    Clip,
    /// Chinese-CLIP.
    ChineseClip,
    /// SigLIP.
    Siglip,
    /// MobileCLIP in the form of open_clip.
    MobileClip,
    /// EfficientNet-Lite0 in the form of its PyTorch package.
    EfficientNetLite,
    /// A photo network of timm.
    Cnn(cnn::Family),
}

/// Architectures of timm that can be loaded, for messages.
const TIMM: &str = "resnet*, resnext*, wide_resnet*, convnext_*, convnextv2_*, efficientnet_b*, efficientnet_lite*, \
                    efficientnetv2_*, the same with tf_, mobilenetv4_conv_*";

/// `model_type` of a `config.json` by architecture.
const MODEL_TYPES: [(&str, Architecture); 9] = [
    ("bert", Architecture::Sentence(Family::Bert)),
    ("roberta", Architecture::Sentence(Family::Roberta)),
    ("xlm-roberta", Architecture::Sentence(Family::Roberta)),
    ("distilbert", Architecture::Sentence(Family::DistilBert)),
    ("mpnet", Architecture::Sentence(Family::Mpnet)),
    ("clip", Architecture::Clip),
    ("chinese_clip", Architecture::ChineseClip),
    ("siglip", Architecture::Siglip),
    ("efficientnet-lite0", Architecture::EfficientNetLite),
];

impl Architecture {
    /// Of the model in `dir`.
    ///
    /// # Errors
    /// No configuration, or one of an architecture that is not known here; the message names those that are.
    pub fn of(dir: &Path) -> Result<Self, ModelError> {
        let path = dir.join("config.json");
        // The only models of open_clip that are known; another is told apart when it is loaded.
        if !path.is_file() && dir.join(mobile_clip::CONFIG).is_file() {
            return Ok(Self::MobileClip);
        }
        let config: Value = read_json(&path)?;
        if let Some(name) = config["architecture"].as_str() {
            return cnn::Family::of(name).map(Self::Cnn).ok_or_else(|| {
                let reason = format!("architecture `{name}`; of timm's are known {TIMM}");
                ModelError::invalid(path, reason)
            });
        }
        let Some(model_type) = config["model_type"].as_str() else {
            let reason = "neither `model_type` nor `architecture`: no configuration in the form of Hugging Face or timm";
            return Err(ModelError::invalid(path, reason));
        };
        let found = MODEL_TYPES.iter().find(|(name, _)| *name == model_type);
        found.map(|(_, architecture)| *architecture).ok_or_else(|| {
            let known: Vec<&str> = MODEL_TYPES.iter().map(|(name, _)| *name).collect();
            let reason = format!(
                "model_type `{model_type}`; known are {}, and of timm's architectures {TIMM}",
                known.join(", ")
            );
            ModelError::invalid(path, reason)
        })
    }

    /// What it takes.
    pub fn takes(self) -> Takes {
        match self {
            Self::Sentence(_) => Takes::Text,
            Self::Clip | Self::ChineseClip | Self::Siglip | Self::MobileClip => Takes::Joint,
            Self::EfficientNetLite | Self::Cnn(_) => Takes::Image,
        }
    }

    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sentence(Family::Bert) => "BERT",
            Self::Sentence(Family::Roberta) => "RoBERTa",
            Self::Sentence(Family::DistilBert) => "DistilBERT",
            Self::Sentence(Family::Mpnet) => "MPNet",
            Self::Clip => "CLIP",
            Self::ChineseClip => "Chinese-CLIP",
            Self::Siglip => "SigLIP",
            Self::MobileClip => "MobileCLIP",
            Self::EfficientNetLite => "EfficientNet-Lite0",
            Self::Cnn(family) => family.name(),
        }
    }
}
