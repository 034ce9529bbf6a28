//! Configuration of a Whisper model, as Hugging Face stores it.

use std::path::Path;

use serde::Deserialize;

use crate::encode::ModelError;
use crate::encode::weights::read_json;

/// Tokens of the models that know English only.
const ENGLISH_VOCABULARY: usize = 51_864;

/// Largest size of a dimension that is loaded.
const MAX_SIZE: usize = 1 << 20;

/// `config.json`.
#[derive(Debug, Clone, Deserialize)]
pub struct Config {
    pub model_type: String,
    pub d_model: usize,
    pub encoder_layers: usize,
    pub decoder_layers: usize,
    pub encoder_attention_heads: usize,
    pub decoder_attention_heads: usize,
    pub encoder_ffn_dim: usize,
    pub decoder_ffn_dim: usize,
    pub num_mel_bins: usize,
    pub vocab_size: usize,
    pub max_source_positions: usize,
    pub max_target_positions: usize,
    /// Tokens that are never generated.
    #[serde(default)]
    pub suppress_tokens: Vec<u32>,
    /// Tokens that are not generated first.
    #[serde(default)]
    pub begin_suppress_tokens: Vec<u32>,
}

impl Config {
    /// Reads the configuration of the model in `dir`.
    ///
    /// # Errors
    /// It is missing or not that of a Whisper model.
    pub fn load(dir: &Path) -> Result<Self, ModelError> {
        let path = dir.join("config.json");
        let config: Self = read_json(&path)?;
        let invalid = |reason: String| Err(ModelError::invalid(&path, reason));
        if config.model_type != super::MODEL_TYPE {
            let found = &config.model_type;
            return invalid(format!("expected model_type `whisper`, got `{found}`"));
        }
        for (name, size) in config.sizes() {
            if !(1..=MAX_SIZE).contains(&size) {
                return invalid(format!("expected {name} of 1 to {MAX_SIZE}, got {size}"));
            }
        }
        let heads = [
            ("encoder_attention_heads", config.encoder_attention_heads),
            ("decoder_attention_heads", config.decoder_attention_heads),
        ];
        for (name, heads) in heads {
            if !config.d_model.is_multiple_of(heads) {
                let width = config.d_model;
                return invalid(format!("expected {name} that divides {width}, got {heads}"));
            }
        }
        Ok(config)
    }

    /// Returns true if the model knows more than English: its vocabulary is larger.
    pub fn is_multilingual(&self) -> bool {
        self.vocab_size > ENGLISH_VOCABULARY
    }

    fn sizes(&self) -> [(&'static str, usize); 11] {
        [
            ("d_model", self.d_model),
            ("encoder_layers", self.encoder_layers),
            ("decoder_layers", self.decoder_layers),
            ("encoder_attention_heads", self.encoder_attention_heads),
            ("decoder_attention_heads", self.decoder_attention_heads),
            ("encoder_ffn_dim", self.encoder_ffn_dim),
            ("decoder_ffn_dim", self.decoder_ffn_dim),
            ("num_mel_bins", self.num_mel_bins),
            ("vocab_size", self.vocab_size),
            ("max_source_positions", self.max_source_positions),
            ("max_target_positions", self.max_target_positions),
        ]
    }
}
