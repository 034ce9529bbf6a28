//! SigLIP ([Zhai et al. 2023](https://arxiv.org/abs/2303.15343)) and SigLIP 2 at a fixed
//! resolution.

use std::path::Path;

use candle_core::Tensor;
use candle_transformers::models::siglip::{Config, Model};
use serde_json::Value;

use super::{JointEncoder, JointNetwork, TextInput, row};
use crate::encode::ModelError;
use crate::encode::image::preprocessing::{self, Defaults};
use crate::encode::text::tokenizer::TextTokenizer;
use crate::encode::weights::{Weights, read_json, read_json_optional};

/// Loads a folder with `config.json`, `tokenizer.json`, `model.safetensors` and optionally
/// `preprocessor_config.json` and `tokenizer_config.json`, which names the padding token.
///
/// # Errors
/// A file is missing or does not fit.
pub fn load(dir: &Path) -> Result<JointEncoder, ModelError> {
    let path = dir.join("config.json");
    let raw: Value = read_json(&path)?;
    for section in ["text_config", "vision_config"] {
        preprocessing::check(&path, section, &raw)?;
    }
    let config: Config = serde_json::from_value(raw).map_err(|e| ModelError::invalid(&path, e))?;
    let (text, vision) = (&config.text_config, &config.vision_config);
    let defaults = Defaults {
        mean: [0.5; 3],
        std: [0.5; 3],
        crop: false,
    };
    let preprocess = preprocessing::load(dir, vision.image_size, &defaults)?;
    let tokens = text.max_position_embeddings;
    let tokenizer = TextTokenizer::load(dir, tokens)?;
    let settings: Value =
        read_json_optional(&dir.join("tokenizer_config.json"))?.unwrap_or_default();
    let pad_token = settings["pad_token"].as_str();
    let pad_id = pad_token.and_then(|pad| tokenizer.id_of(pad));
    let width = text.hidden_size;
    let expected = [
        (
            "text_model.embeddings.token_embedding.weight",
            vec![text.vocab_size, width],
        ),
        (
            "text_model.embeddings.position_embedding.weight",
            vec![tokens, width],
        ),
        (
            "vision_model.post_layernorm.weight",
            vec![vision.hidden_size],
        ),
    ]
    .map(|(name, shape)| (name.to_owned(), shape));
    let vb = Weights::load(&dir.join("model.safetensors"), "SigLIP")?.builder(&expected)?;
    if vision.hidden_size != width {
        let reason = format!(
            "expected equal hidden_size for texts and images, got {width} and {}",
            vision.hidden_size
        );
        return Err(ModelError::invalid(path, reason));
    }
    let pad_id = pad_id.unwrap_or(text.pad_token_id);
    Ok(JointEncoder {
        params: "siglip-v1",
        dim: width,
        text: TextInput {
            tokenizer,
            trim: true,
            // It was trained on texts padded to this length.
            padding: Some((tokens, pad_id)),
        },
        image: preprocess,
        network: Box::new(Model::new(&config, vb)?),
    })
}

impl JointNetwork for Model {
    fn text(&self, ids: &[u32]) -> Result<Tensor, ModelError> {
        Ok(self.get_text_features(&row(ids)?)?)
    }

    fn image(&self, pixels: &Tensor) -> Result<Tensor, ModelError> {
        Ok(self.get_image_features(pixels)?)
    }
}
