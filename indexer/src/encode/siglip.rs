//! SigLIP ([Zhai et al. 2023](https://arxiv.org/abs/2303.15343)) and SigLIP 2 at a fixed resolution.

use std::path::Path;

use ::image::RgbImage;
use candle_core::{Device, Tensor};
use candle_transformers::models::siglip::{Config, Model};
use serde_json::Value;

use super::ModelError;
use super::joint::{Joint, pixels, unit};
use super::preprocessing::{self, Defaults};
use super::tokenizer::TextTokenizer;
use super::weights::{Weights, read_json, read_json_optional};
use crate::image::Preprocess;

/// A SigLIP model.
pub struct Siglip {
    model: Model,
    tokenizer: TextTokenizer,
    /// Tokens of every text: it was trained on texts filled up to that.
    tokens: usize,
    padding: u32,
    preprocess: Preprocess,
    dim: usize,
}

impl Siglip {
    /// Loads a folder with `config.json`, `tokenizer.json`, `model.safetensors` and maybe `preprocessor_config.json` and
    /// `tokenizer_config.json`, which names the token that texts are filled up with.
    ///
    /// # Errors
    /// A file is missing or does not fit.
    pub fn load(dir: &Path) -> Result<Self, ModelError> {
        let path = dir.join("config.json");
        let raw: Value = read_json(&path)?;
        for part in ["text_config", "vision_config"] {
            preprocessing::check(&path, part, &raw)?;
        }
        let config: Config =
            serde_json::from_value(raw).map_err(|e| ModelError::invalid(&path, e))?;
        let (text, vision) = (&config.text_config, &config.vision_config);
        let defaults = Defaults {
            mean: [0.5; 3],
            std: [0.5; 3],
            crop: false,
        };
        let preprocess = preprocessing::load(dir, vision.image_size, &defaults)?;
        let tokens = text.max_position_embeddings;
        let tokenizer = TextTokenizer::load(dir, tokens)?;
        let named: Value =
            read_json_optional(&dir.join("tokenizer_config.json"))?.unwrap_or_default();
        let named = named["pad_token"]
            .as_str()
            .and_then(|pad| tokenizer.id_of(pad));
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
                "vectors of texts have {width} components, those of photos {}",
                vision.hidden_size
            );
            return Err(ModelError::invalid(path, reason));
        }
        Ok(Self {
            model: Model::new(&config, vb)?,
            tokens,
            padding: named.unwrap_or(text.pad_token_id),
            tokenizer,
            preprocess,
            dim: width,
        })
    }
}

impl Joint for Siglip {
    fn params(&self) -> &'static str {
        "siglip-v1"
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
        let mut ids = self.tokenizer.ids(text.trim())?;
        ids.resize(self.tokens, self.padding);
        let ids = Tensor::from_vec(ids, (1, self.tokens), &Device::Cpu)?;
        unit(&self.model.get_text_features(&ids)?)
    }

    fn image(&self, image: &RgbImage) -> Result<Vec<f32>, ModelError> {
        unit(
            &self
                .model
                .get_image_features(&pixels(&self.preprocess, image)?)?,
        )
    }
}
