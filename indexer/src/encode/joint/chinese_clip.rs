//! Chinese-CLIP ([Yang et al. 2022](https://arxiv.org/abs/2211.01335)): a BERT for texts, on our
//! own kernels, and CLIP's vision transformer for images.

use std::path::Path;

use candle_core::{Device, Tensor};
use candle_nn::Module;
use candle_transformers::models::chinese_clip::Activation;
use candle_transformers::models::chinese_clip::vision_model::{
    ChineseClipVisionConfig, ChineseClipVisionTransformer,
};
use serde_json::Value;

use super::clip::{MEAN, STD, number};
use super::{JointEncoder, JointNetwork, TextInput};
use crate::encode::image::preprocessing::{self, Defaults};
use crate::encode::kernels::{self, Linear};
use crate::encode::text::bert::config::Config;
use crate::encode::text::bert::network::Network;
use crate::encode::text::bert::sentence::max_tokens;
use crate::encode::text::tokenizer::TextTokenizer;
use crate::encode::weights::{Weights, read_json};
use crate::encode::{ModelError, Precision};

/// The network of a Chinese-CLIP model.
struct ChineseClip {
    text: Network,
    text_projection: Linear,
    hidden: usize,
    vision: ChineseClipVisionTransformer,
    /// `[vision hidden, dim]`.
    visual_projection: Tensor,
    dim: usize,
}

fn vision_config(config: &Value, path: &Path) -> Result<ChineseClipVisionConfig, ModelError> {
    let section = &config["vision_config"];
    let hidden_act = match section["hidden_act"].as_str().unwrap_or("quick_gelu") {
        "quick_gelu" => Activation::QuickGelu,
        "gelu" => Activation::Gelu,
        other => {
            let reason =
                format!("vision_config.hidden_act: expected quick_gelu or gelu, got `{other}`");
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
        layer_norm_eps: section["layer_norm_eps"].as_f64().unwrap_or(1e-5),
        hidden_act,
        ..ChineseClipVisionConfig::default()
    })
}

/// Loads a folder with `config.json`, `vocab.txt` or `tokenizer.json`, `model.safetensors` and
/// optionally `preprocessor_config.json`.
///
/// # Errors
/// A file is missing or does not fit.
pub fn load(dir: &Path) -> Result<JointEncoder, ModelError> {
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
    let tokenizer = TextTokenizer::load(dir, network.max_tokens().min(max_tokens(dir)?))?;
    let network = ChineseClip {
        text: network,
        text_projection,
        hidden,
        vision: ChineseClipVisionTransformer::new(vb.pp("vision_model"), &vision)?,
        visual_projection: visual.t()?.contiguous()?,
        dim,
    };
    Ok(JointEncoder {
        params: "chinese-clip-v1",
        dim,
        text: TextInput {
            tokenizer,
            trim: true,
            padding: None,
        },
        image: preprocess,
        network: Box::new(network),
    })
}

impl JointNetwork for ChineseClip {
    fn text(&self, ids: &[u32]) -> Result<Tensor, ModelError> {
        let tokens = self.text.forward(&[ids])?;
        // The first token represents the text.
        let mut features = vec![0f32; self.dim];
        self.text_projection
            .forward(&tokens[..self.hidden], &mut features);
        Ok(Tensor::from_vec(features, (1, self.dim), &Device::Cpu)?)
    }

    fn image(&self, pixels: &Tensor) -> Result<Tensor, ModelError> {
        Ok(self
            .vision
            .forward(pixels)?
            .matmul(&self.visual_projection)?)
    }
}
