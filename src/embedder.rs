//! The seam to the encoders: text and photos in, unit vectors out. No machine-learning types here.

use std::collections::BTreeMap;

/// A photo's file content (JPEG, PNG, WebP, ...), not decoded.
pub type ImageBytes = Vec<u8>;

/// Why something could not be embedded.
#[derive(Debug, thiserror::Error)]
pub enum EmbedError {
    /// No encoder of that kind is loaded.
    #[error("no {0} encoder is loaded; start the server with --models-dir")]
    Unavailable(&'static str),
    /// The input is at fault.
    #[error("{0}")]
    Input(String),
    /// The model is at fault.
    #[error("model: {0}")]
    Model(String),
}

impl EmbedError {
    /// Stable code for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unavailable(_) => "encoder_unavailable",
            Self::Input(_) => "invalid_argument",
            Self::Model(_) => "encoder_failed",
        }
    }

    /// Whether the caller can mend it.
    pub fn is_user(&self) -> bool {
        matches!(self, Self::Input(_) | Self::Unavailable(_))
    }
}

/// Vectors of one input by space name, each of unit length: a text gives `shared` and `text`, a photo `shared` and `image`.
pub type Embedding = BTreeMap<String, Vec<f32>>;

/// Turns text and photos into vectors. One result an input, in order: one bad photo does not spoil its batch.
pub trait Embedder: Send + Sync {
    /// Embeds texts to be found; `result.len() == texts.len()`.
    fn embed_text(&self, texts: &[&str]) -> Vec<Result<Embedding, EmbedError>>;
    /// Embeds texts that search: the same vectors as [`Embedder::embed_text`] gives unless the model was trained with
    /// another prefix for them (e5, bge). No default, so that a wrapper cannot forget it.
    fn embed_query(&self, texts: &[&str]) -> Vec<Result<Embedding, EmbedError>>;
    /// Embeds photos; `result.len() == images.len()`.
    fn embed_image(&self, images: &[ImageBytes]) -> Vec<Result<Embedding, EmbedError>>;
    /// What is known of an item by who chose it, as its vectors with their weight from 0 to 1 beside those of its text and photos;
    /// `None` where nothing is known of it.
    ///
    /// # Errors
    /// The model is at fault.
    fn embed_behavior(&self, id: &str) -> Result<Option<(f32, Embedding)>, EmbedError>;
    /// Number of tokens the text encoder sees, after truncation.
    fn count_tokens(&self, text: &str) -> usize;
    /// Name of the text model, for humans.
    fn model_name(&self) -> &str;
    /// blake3 over weights, configuration and heads, hexadecimal.
    fn fingerprint(&self) -> &str;
    /// Dimension by space name.
    fn dims(&self) -> &BTreeMap<String, usize>;
}
