//! CLIP ([Radford et al. 2021](https://arxiv.org/abs/2103.00020)): text and photos in one space, from a Hugging Face folder.

use std::path::Path;

use ::image::RgbImage;
use candle_core::{Device, Tensor};
use candle_transformers::models::clip::text_model::{Activation, ClipTextConfig};
use candle_transformers::models::clip::vision_model::ClipVisionConfig;
use candle_transformers::models::clip::{ClipConfig, ClipModel};
use serde_json::Value;

use super::ModelError;
use super::joint::{Joint, pixels, unit};
use super::preprocessing::{self, Defaults};
use super::tokenizer::TextTokenizer;
use super::weights::{Weights, read_json};
use crate::image::Preprocess;

/// Of the photos CLIP was trained on, by channel.
pub(super) const MEAN: [f32; 3] = [0.481_454_66, 0.457_827_5, 0.408_210_73];
/// See [`MEAN`].
pub(super) const STD: [f32; 3] = [0.268_629_54, 0.261_302_6, 0.275_777_1];

/// A CLIP model.
pub struct Clip {
    model: ClipModel,
    tokenizer: TextTokenizer,
    preprocess: Preprocess,
    dim: usize,
}

/// A number in `config[part]`, or the default of Hugging Face's CLIP configuration.
pub(super) fn number(config: &Value, part: &str, key: &str, default: usize) -> usize {
    config[part][key]
        .as_u64()
        .and_then(|v| usize::try_from(v).ok())
        .filter(|v| *v > 0)
        .unwrap_or(default)
}

fn configuration(config: &Value, path: &Path) -> Result<ClipConfig, ModelError> {
    for part in ["text_config", "vision_config"] {
        let act = config[part]["hidden_act"].as_str().unwrap_or("quick_gelu");
        if act != "quick_gelu" {
            return Err(ModelError::invalid(
                path,
                format!("{part}.hidden_act `{act}`; only quick_gelu is known"),
            ));
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

impl Clip {
    /// Loads a folder with `config.json`, `tokenizer.json`, `model.safetensors` and maybe `preprocessor_config.json`.
    ///
    /// # Errors
    /// A file is missing or does not fit.
    pub fn load(dir: &Path) -> Result<Self, ModelError> {
        let path = dir.join("config.json");
        let raw: Value = read_json(&path)?;
        for part in ["text_config", "vision_config"] {
            preprocessing::check(&path, part, &raw)?;
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
        Ok(Self {
            model: ClipModel::new(vb, &config)?,
            tokenizer,
            preprocess,
            dim,
        })
    }
}

impl Joint for Clip {
    fn params(&self) -> &'static str {
        "clip-v1"
    }

    fn dim(&self) -> usize {
        self.dim
    }

    fn image_size(&self) -> u32 {
        self.preprocess.crop
    }

    fn count_tokens(&self, text: &str) -> usize {
        self.tokenizer.count(text)
    }

    fn text(&self, text: &str) -> Result<Vec<f32>, ModelError> {
        let ids = self.tokenizer.ids(text)?;
        let ids = Tensor::from_vec(ids.clone(), (1, ids.len()), &Device::Cpu)?;
        unit(&self.model.get_text_features(&ids)?)
    }

    fn image(&self, image: &RgbImage) -> Result<Vec<f32>, ModelError> {
        let pixels = pixels(&self.preprocess, image)?;
        unit(&self.model.get_image_features(&pixels)?)
    }
}
