//! MobileCLIP ([Vasu et al. 2024](https://arxiv.org/abs/2311.17049)): FastViT for images, a
//! transformer for texts, from a folder in the form of open_clip.

mod tensors;

use std::path::Path;

use candle_core::Tensor;
use candle_nn::{Func, Module};
use candle_transformers::models::fastvit;
use candle_transformers::models::openclip::text_model::{Config, OpenClipTextTransformer};
use serde::Deserialize;

use super::{JointEncoder, JointNetwork, TextInput, row};
use crate::encode::ModelError;
use crate::encode::text::tokenizer::TextTokenizer;
use crate::encode::weights::{Weights, read_json};
use crate::image::{Filter, Fit, Preprocess};

/// Configuration file of open_clip.
pub(in crate::encode) const CONFIG: &str = "open_clip_config.json";
/// Weights file of open_clip.
const WEIGHTS: &str = "open_clip_model.safetensors";

/// FastViT networks of MobileCLIP (and MobileCLIP2), which differ only in their sizes.
const TRUNKS: [&str; 3] = ["fastvit_mci0", "fastvit_mci1", "fastvit_mci2"];

/// Channels of an attention head of FastViT.
const HEAD_CHANNELS: usize = 32;

/// Token that pads texts; attention sees all positions.
const PADDING: u32 = 0;

/// Maximum side of images, in pixels.
const MAX_SIDE: u32 = 1024;

#[derive(Deserialize)]
struct File {
    model_cfg: ModelConfig,
    preprocess_cfg: PreprocessConfig,
}

#[derive(Deserialize)]
struct ModelConfig {
    embed_dim: usize,
    vision_cfg: VisionConfig,
    text_cfg: TextConfig,
}

#[derive(Deserialize)]
struct VisionConfig {
    timm_model_name: String,
    image_size: u32,
}

#[derive(Deserialize)]
struct TextConfig {
    context_length: usize,
    vocab_size: usize,
    width: usize,
    heads: usize,
    layers: usize,
    #[serde(default)]
    no_causal_mask: bool,
}

#[derive(Deserialize)]
struct PreprocessConfig {
    mean: [f32; 3],
    std: [f32; 3],
    interpolation: Option<String>,
    resize_mode: Option<String>,
}

/// The network of a MobileCLIP model.
struct MobileClip {
    text: OpenClipTextTransformer,
    projection: Tensor,
    image: Func<'static>,
}

/// Loads a folder with `open_clip_config.json`, `open_clip_model.safetensors` and `tokenizer.json`.
///
/// # Errors
/// A file is missing or does not fit, or it is another model of open_clip.
pub fn load(dir: &Path) -> Result<JointEncoder, ModelError> {
    let path = dir.join(CONFIG);
    let file: File = read_json(&path)?;
    let model = &file.model_cfg;
    let text = text_config(model, &path)?;
    let preprocess = preprocess(&file, &path)?;
    let tokens = text.max_position_embeddings;
    let tokenizer = TextTokenizer::load(dir, tokens)?;
    let weights = Weights::load(&dir.join(WEIGHTS), "MobileCLIP")?;
    let trunk = tensors::trunk(&weights)?;
    if !(trunk.in_channels << 3).is_multiple_of(HEAD_CHANNELS) {
        let reason = format!(
            "8 x the stem's {} channels must be a multiple of {HEAD_CHANNELS}",
            trunk.in_channels
        );
        return Err(ModelError::invalid(dir.join(WEIGHTS), reason));
    }
    let expected = tensors::all(&trunk, &text, model.embed_dim);
    if let Some(odd) = weights.unexpected(&expected, &["logit_scale", "logit_bias"]) {
        let reason = format!("unexpected tensor `{odd}`: not part of a MobileCLIP");
        return Err(ModelError::invalid(dir.join(WEIGHTS), reason));
    }
    let vb = weights.builder(&expected)?;
    let network = MobileClip {
        image: fastvit::fastvit(&trunk, model.embed_dim, vb.pp("visual.trunk"))?,
        text: OpenClipTextTransformer::new(vb.pp("text"), &text)?,
        projection: vb.get((text.embed_dim, model.embed_dim), "text.text_projection")?,
    };
    Ok(JointEncoder {
        params: "mobile-clip-v1",
        dim: model.embed_dim,
        text: TextInput {
            tokenizer,
            trim: false,
            padding: Some((tokens, PADDING)),
        },
        image: preprocess,
        network: Box::new(network),
    })
}

fn text_config(model: &ModelConfig, path: &Path) -> Result<Config, ModelError> {
    let (name, text) = (&model.vision_cfg.timm_model_name, &model.text_cfg);
    let wrong = |reason: String| Err(ModelError::invalid(path, reason));
    if !TRUNKS.contains(&name.as_str()) {
        let known = TRUNKS.join(", ");
        return wrong(format!(
            "unsupported vision_cfg.timm_model_name `{name}`; expected one of {known}"
        ));
    }
    if !text.no_causal_mask {
        return wrong("text_cfg.no_causal_mask must be true, as in MobileCLIP".to_owned());
    }
    let zero = [
        model.embed_dim,
        text.context_length,
        text.vocab_size,
        text.width,
    ]
    .contains(&0);
    if zero || text.heads == 0 || !text.width.is_multiple_of(text.heads) {
        let reason = "embed_dim and text_cfg's context_length, vocab_size, width and heads must be \
                      positive, and width a multiple of heads";
        return wrong(reason.to_owned());
    }
    Ok(Config {
        vocab_size: text.vocab_size,
        embed_dim: text.width,
        intermediate_size: 4 * text.width,
        max_position_embeddings: text.context_length,
        pad_with: None,
        num_hidden_layers: text.layers,
        num_attention_heads: text.heads,
        projection_dim: model.embed_dim,
    })
}

fn preprocess(file: &File, path: &Path) -> Result<Preprocess, ModelError> {
    let wrong = |reason: String| ModelError::invalid(path, reason);
    let (side, given) = (file.model_cfg.vision_cfg.image_size, &file.preprocess_cfg);
    if !(1..=MAX_SIDE).contains(&side) {
        return Err(wrong(format!(
            "vision_cfg.image_size {side} is out of range; expected 1 to {MAX_SIDE}"
        )));
    }
    let fit = match given.resize_mode.as_deref() {
        None | Some("shortest") => Fit::Shorter(side),
        Some("squash") => Fit::Both(side),
        Some(other) => {
            let reason =
                format!("preprocess_cfg.resize_mode: expected shortest or squash, got `{other}`");
            return Err(wrong(reason));
        }
    };
    let filter = match given.interpolation.as_deref() {
        Some("bilinear") => Filter::Bilinear,
        None | Some("bicubic") => Filter::Bicubic,
        Some(other) => {
            let reason = format!(
                "preprocess_cfg.interpolation: expected bilinear or bicubic, got `{other}`"
            );
            return Err(wrong(reason));
        }
    };
    if given.std.iter().any(|s| *s <= 0.0) {
        return Err(wrong("preprocess_cfg.std must be positive".to_owned()));
    }
    Ok(Preprocess {
        fit,
        crop: side,
        filter,
        mean: given.mean,
        std: given.std,
    })
}

impl JointNetwork for MobileClip {
    fn text(&self, ids: &[u32]) -> Result<Tensor, ModelError> {
        Ok(Module::forward(&self.text, &row(ids)?)?.matmul(&self.projection)?)
    }

    fn image(&self, pixels: &Tensor) -> Result<Tensor, ModelError> {
        Ok(pixels.apply(&self.image)?)
    }
}
