//! Chinese-CLIP ([Yang et al. 2022](https://arxiv.org/abs/2211.01335)): a BERT for texts, on our own kernels, and CLIP's
//! vision transformer for photos.

use std::path::Path;

use ::image::RgbImage;
use candle_core::Tensor;
use candle_nn::Module;
use candle_transformers::models::chinese_clip::Activation;
use candle_transformers::models::chinese_clip::vision_model::{
    ChineseClipVisionConfig, ChineseClipVisionTransformer,
};
use serde_json::Value;

use super::bert::config::Config;
use super::bert::network::Network;
use super::bert::sentence::max_tokens;
use super::clip::{MEAN, STD, number};
use super::joint::{Joint, pixels, unit};
use super::kernels::{self, Linear};
use super::preprocessing::{self, Defaults};
use super::tokenizer::TextTokenizer;
use super::weights::{Weights, read_json};
use super::{ModelError, Precision, normalise};
use crate::image::Preprocess;

/// A Chinese-CLIP model.
pub struct ChineseClip {
    tokenizer: TextTokenizer,
    text: Network,
    text_projection: Linear,
    hidden: usize,
    preprocess: Preprocess,
    vision: ChineseClipVisionTransformer,
    /// `[vision hidden, dim]`.
    visual_projection: Tensor,
    dim: usize,
}

fn vision_config(config: &Value, path: &Path) -> Result<ChineseClipVisionConfig, ModelError> {
    let part = &config["vision_config"];
    let hidden_act = match part["hidden_act"].as_str().unwrap_or("quick_gelu") {
        "quick_gelu" => Activation::QuickGelu,
        "gelu" => Activation::Gelu,
        other => {
            let reason =
                format!("vision_config.hidden_act `{other}`; quick_gelu and gelu are known");
            return Err(ModelError::invalid(path, reason));
        }
    };
    let vision = |key, default| number(config, "vision_config", key, default);
    Ok(ChineseClipVisionConfig {
        hidden_size: vision("hidden_size", 768),
        intermediate_size: vision("intermediate_size", 3072),
        num_hidden_layers: vision("num_hidden_layers", 12),
        num_attention_heads: vision("num_attention_heads", 12),
        image_size: vision("image_size", 224),
        patch_size: vision("patch_size", 32),
        layer_norm_eps: part["layer_norm_eps"].as_f64().unwrap_or(1e-5),
        hidden_act,
        ..ChineseClipVisionConfig::default()
    })
}

impl ChineseClip {
    /// Loads a folder with `config.json`, `vocab.txt` or `tokenizer.json`, `model.safetensors` and maybe
    /// `preprocessor_config.json`.
    ///
    /// # Errors
    /// A file is missing or does not fit.
    pub fn load(dir: &Path) -> Result<Self, ModelError> {
        let path = dir.join("config.json");
        let config: Value = read_json(&path)?;
        preprocessing::check(&path, "vision_config", &config)?;
        let text: Config = serde_json::from_value(config["text_config"].clone())
            .map_err(|e| ModelError::invalid(&path, format!("text_config: {e}")))?;
        text.check(&path)?;
        let vision = vision_config(&config, &path)?;
        let dim = config["projection_dim"].as_u64().unwrap_or(512) as usize;
        let defaults = Defaults {
            mean: MEAN,
            std: STD,
            crop: false,
        };
        let preprocess = preprocessing::load(dir, vision.image_size, &defaults)?;
        let w = Weights::load(&dir.join("model.safetensors"), "Chinese-CLIP")?;
        let network = Network::load(&w, &text, &path, Precision::F32)?;
        let hidden = text.hidden_size;
        let projection = w.flat("text_projection.weight", &[dim, hidden])?;
        let identity = kernels::Activation::Identity;
        let text_projection = Linear::new(&projection, vec![0.0; dim], identity, Precision::F32);
        let visual = w.get("visual_projection.weight", &[dim, vision.hidden_size])?;
        let vb = w.builder(&[])?;
        Ok(Self {
            tokenizer: TextTokenizer::load(dir, network.most_tokens().min(max_tokens(dir)?))?,
            text: network,
            text_projection,
            hidden,
            preprocess,
            vision: ChineseClipVisionTransformer::new(vb.pp("vision_model"), &vision)?,
            visual_projection: visual.t()?.contiguous()?,
            dim,
        })
    }
}

impl Joint for ChineseClip {
    fn params(&self) -> &'static str {
        "chinese-clip-v1"
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
        let ids = self.tokenizer.ids(text.trim())?;
        let tokens = self.text.forward(&[&ids])?;
        // The first token stands for the text.
        let mut vector = vec![0f32; self.dim];
        self.text_projection
            .forward(&tokens[..self.hidden], &mut vector);
        normalise(&mut vector);
        Ok(vector)
    }

    fn image(&self, image: &RgbImage) -> Result<Vec<f32>, ModelError> {
        let pooled = self.vision.forward(&pixels(&self.preprocess, image)?)?;
        unit(&pooled.matmul(&self.visual_projection)?)
    }
}
