//! CLIP ([Radford et al. 2021](https://arxiv.org/abs/2103.00020)): text and photos in one space, from a Hugging Face folder.

use std::path::Path;

use ::image::RgbImage;
use candle_core::{Device, Tensor};
use candle_transformers::models::clip::text_model::{Activation, ClipTextConfig};
use candle_transformers::models::clip::vision_model::ClipVisionConfig;
use candle_transformers::models::clip::{ClipConfig, ClipModel};
use serde_json::Value;

use super::tokenizer::TextTokenizer;
use super::weights::{Weights, read_json, read_json_optional};
use super::{ModelError, normalise};
use crate::image::{Filter, Fit, Preprocess};

/// A CLIP model.
pub struct Clip {
    model: ClipModel,
    tokenizer: TextTokenizer,
    preprocess: Preprocess,
    dim: usize,
}

/// A number in `config[part]`, or the default of Hugging Face's CLIP configuration.
fn number(config: &Value, part: &str, key: &str, default: usize) -> usize {
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

fn triple(value: &Value, default: [f32; 3]) -> [f32; 3] {
    let mut out = default;
    for (to, from) in out.iter_mut().zip(value.as_array().into_iter().flatten()) {
        *to = from.as_f64().map_or(*to, |v| v as f32);
    }
    out
}

impl Clip {
    /// Loads a folder with `config.json`, `tokenizer.json`, `model.safetensors` and maybe `preprocessor_config.json`.
    ///
    /// # Errors
    /// A file is missing or does not fit.
    pub fn load(dir: &Path) -> Result<Self, ModelError> {
        let path = dir.join("config.json");
        let config = configuration(&read_json(&path)?, &path)?;
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
        let file: Value =
            read_json_optional(&dir.join("preprocessor_config.json"))?.unwrap_or_default();
        let crop = u32::try_from(config.image_size).map_err(|e| ModelError::invalid(&path, e))?;
        let resize = file["size"]["shortest_edge"]
            .as_u64()
            .or(file["size"].as_u64());
        let preprocess = Preprocess {
            fit: Fit::Shorter(
                resize
                    .and_then(|v| u32::try_from(v).ok())
                    .unwrap_or(crop)
                    .max(crop),
            ),
            crop,
            filter: Filter::Bicubic,
            mean: triple(
                &file["image_mean"],
                [0.481_454_66, 0.457_827_5, 0.408_210_73],
            ),
            std: triple(&file["image_std"], [0.268_629_54, 0.261_302_6, 0.275_777_1]),
        };
        Ok(Self {
            model: ClipModel::new(vb, &config)?,
            tokenizer,
            preprocess,
            dim,
        })
    }

    /// Length of a vector.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Side of the square that photos are scaled to.
    pub fn image_size(&self) -> u32 {
        self.preprocess.crop
    }

    /// Number of tokens seen, after truncation.
    pub fn count_tokens(&self, text: &str) -> usize {
        self.tokenizer.count(text)
    }

    /// Unit vector `[dim]` of a text.
    ///
    /// # Errors
    /// The tokenizer or a product failed.
    pub fn text(&self, text: &str) -> Result<Vec<f32>, ModelError> {
        let ids = self.tokenizer.ids(text)?;
        let ids = Tensor::from_vec(ids.clone(), (1, ids.len()), &Device::Cpu)?;
        self.unit(&self.model.get_text_features(&ids)?)
    }

    /// Unit vector `[dim]` of a photo.
    ///
    /// # Errors
    /// Scaling or a product failed.
    pub fn image(&self, image: &RgbImage) -> Result<Vec<f32>, ModelError> {
        let pixels = self
            .preprocess
            .apply(image)
            .map_err(|e| ModelError::Compute(e.to_string()))?;
        let side = self.preprocess.crop as usize;
        let pixels = Tensor::from_vec(pixels, (1, 3, side, side), &Device::Cpu)?;
        self.unit(&self.model.get_image_features(&pixels)?)
    }

    fn unit(&self, features: &Tensor) -> Result<Vec<f32>, ModelError> {
        let mut vector: Vec<f32> = features.flatten_all()?.to_vec1()?;
        normalise(&mut vector);
        Ok(vector)
    }
}
