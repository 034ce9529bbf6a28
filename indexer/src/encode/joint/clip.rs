//! CLIP ([Radford et al. 2021](https://arxiv.org/abs/2103.00020)): texts and images in one space,
//! from a Hugging Face folder.

use std::path::Path;

use candle_core::Tensor;
use candle_transformers::models::clip::text_model::{Activation, ClipTextConfig};
use candle_transformers::models::clip::vision_model::ClipVisionConfig;
use candle_transformers::models::clip::{ClipConfig, ClipModel};
use serde_json::Value;

use super::{JointEncoder, JointNetwork, TextInput, row};
use crate::encode::ModelError;
use crate::encode::image::preprocessing::{self, Defaults};
use crate::encode::text::tokenizer::TextTokenizer;
use crate::encode::weights::{Weights, read_json};

/// Mean of CLIP's training images by channel.
pub(super) const MEAN: [f32; 3] = [0.481_454_66, 0.457_827_5, 0.408_210_73];
/// Standard deviation of CLIP's training images by channel.
pub(super) const STD: [f32; 3] = [0.268_629_54, 0.261_302_6, 0.275_777_1];

/// Returns the positive integer `config[section][key]`, or `default` (that of Hugging Face's
/// configuration).
pub(super) fn number(config: &Value, section: &str, key: &str, default: usize) -> usize {
    config[section][key]
        .as_u64()
        .and_then(|v| usize::try_from(v).ok())
        .filter(|v| *v > 0)
        .unwrap_or(default)
}

fn configuration(config: &Value, path: &Path) -> Result<ClipConfig, ModelError> {
    for section in ["text_config", "vision_config"] {
        let act = config[section]["hidden_act"].as_str();
        if let Some(act) = act.filter(|act| *act != "quick_gelu") {
            let reason = format!("{section}.hidden_act: expected quick_gelu, got `{act}`");
            return Err(ModelError::invalid(path, reason));
        }
    }
    let projection_dim = config["projection_dim"]
        .as_u64()
        .and_then(|v| usize::try_from(v).ok())
        .unwrap_or(512);
    let text = |key, default| number(config, "text_config", key, default);
    let vision = |key, default| number(config, "vision_config", key, default);
    let image_size = vision("image_size", 224);
    Ok(ClipConfig {
        text_config: ClipTextConfig {
            vocab_size: text("vocab_size", 49408),
            embed_dim: text("hidden_size", 512),
            activation: Activation::QuickGelu,
            intermediate_size: text("intermediate_size", 2048),
            max_position_embeddings: text("max_position_embeddings", 77),
            pad_with: None,
            num_hidden_layers: text("num_hidden_layers", 12),
            num_attention_heads: text("num_attention_heads", 8),
            projection_dim,
        },
        vision_config: ClipVisionConfig {
            embed_dim: vision("hidden_size", 768),
            activation: Activation::QuickGelu,
            intermediate_size: vision("intermediate_size", 3072),
            num_hidden_layers: vision("num_hidden_layers", 12),
            num_attention_heads: vision("num_attention_heads", 12),
            projection_dim,
            num_channels: 3,
            image_size,
            patch_size: vision("patch_size", 32),
        },
        logit_scale_init_value: 2.6592,
        image_size,
    })
}

/// Loads a folder with `config.json`, `tokenizer.json`, `model.safetensors` and optionally
/// `preprocessor_config.json`.
///
/// # Errors
/// A file is missing or does not fit.
pub fn load(dir: &Path) -> Result<JointEncoder, ModelError> {
    let path = dir.join("config.json");
    let raw: Value = read_json(&path)?;
    for section in ["text_config", "vision_config"] {
        preprocessing::check(&path, section, &raw)?;
    }
    let config = configuration(&raw, &path)?;
    let tokenizer = TextTokenizer::load(dir, config.text_config.max_position_embeddings)?;
    let dim = config.text_config.projection_dim;
    let (text, vision) = (&config.text_config, &config.vision_config);
    let expected = [
        (
            "text_model.embeddings.token_embedding.weight",
            vec![text.vocab_size, text.embed_dim],
        ),
        ("text_projection.weight", vec![dim, text.embed_dim]),
        ("visual_projection.weight", vec![dim, vision.embed_dim]),
    ]
    .map(|(name, shape)| (name.to_owned(), shape));
    let vb = Weights::load(&dir.join("model.safetensors"), "CLIP")?.builder(&expected)?;
    let defaults = Defaults {
        mean: MEAN,
        std: STD,
        crop: true,
    };
    let preprocess = preprocessing::load(dir, config.image_size, &defaults)?;
    Ok(JointEncoder {
        params: "clip-v1",
        dim,
        text: TextInput {
            tokenizer,
            trim: false,
            padding: None,
        },
        image: preprocess,
        network: Box::new(ClipModel::new(vb, &config)?),
    })
}

impl JointNetwork for ClipModel {
    fn text(&self, ids: &[u32]) -> Result<Tensor, ModelError> {
        Ok(self.get_text_features(&row(ids)?)?)
    }

    fn image(&self, pixels: &Tensor) -> Result<Tensor, ModelError> {
        Ok(self.get_image_features(pixels)?)
    }
}
