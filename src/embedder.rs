//! The interface to the encoders: text and images in, unit vectors out. Machine-learning types do
//! not belong here.

use std::collections::BTreeMap;

use vitrine_schemas::{Metric, Quantization, VectorSpace};

/// Content of an image file (JPEG, PNG, WebP, ...), not decoded.
pub type ImageBytes = Vec<u8>;

/// Error of an encoder.
#[derive(Debug, thiserror::Error)]
pub enum EmbedError {
    /// No encoder of that kind is loaded.
    #[error("no {0} encoder is loaded; start the server with --models-dir")]
    Unavailable(&'static str),
    /// The input is invalid.
    #[error("{0}")]
    Input(String),
    /// The model failed.
    #[error("model: {0}")]
    Model(String),
}

impl EmbedError {
    /// Returns the stable code for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unavailable(_) => "encoder_unavailable",
            Self::Input(_) => "invalid_argument",
            Self::Model(_) => "encoder_failed",
        }
    }

    /// Returns true if the caller can fix it.
    pub fn is_user(&self) -> bool {
        matches!(self, Self::Input(_) | Self::Unavailable(_))
    }
}

/// Vectors of one input by space name, each of unit length: a text gives `shared` and `text`, an
/// image `shared` and `image`.
pub type Embedding = BTreeMap<String, Vec<f32>>;

/// Turns text and images into vectors. Returns one result per input, in order: a bad image is
/// an error of its own result only.
///
/// # Examples
///
/// Every text becomes the counts of two letters, as a unit vector of one space:
///
/// ```
/// use std::collections::BTreeMap;
/// use vitrine::{EmbedError, Embedder, Embedding, ImageBytes};
///
/// struct Letters(BTreeMap<String, usize>);
///
/// impl Embedder for Letters {
///     fn embed_text(&self, texts: &[&str]) -> Vec<Result<Embedding, EmbedError>> {
///         let embed = |text: &&str| {
///             let count = |letter: char| text.matches(letter).count() as f32;
///             let (a, b) = (count('a'), count('b'));
///             let norm = a.hypot(b);
///             if norm == 0.0 {
///                 return Err(EmbedError::Input("expected an a or b".into()));
///             }
///             Ok(BTreeMap::from([("shared".to_owned(), vec![a / norm, b / norm])]))
///         };
///         texts.iter().map(embed).collect()
///     }
///     fn embed_query(&self, texts: &[&str]) -> Vec<Result<Embedding, EmbedError>> {
///         self.embed_text(texts)
///     }
///     fn embed_image(&self, images: &[ImageBytes]) -> Vec<Result<Embedding, EmbedError>> {
///         images.iter().map(|_| Err(EmbedError::Unavailable("image"))).collect()
///     }
///     fn embed_behavior(&self, _: &str) -> Result<Option<(f32, Embedding)>, EmbedError> {
///         Ok(None)
///     }
///     fn count_tokens(&self, text: &str) -> usize {
///         text.len()
///     }
///     fn model_name(&self) -> &str {
///         "letters"
///     }
///     fn fingerprint(&self) -> &str {
///         "letters-1"
///     }
///     fn dims(&self) -> &BTreeMap<String, usize> {
///         &self.0
///     }
/// }
///
/// let letters = Letters(BTreeMap::from([("shared".to_owned(), 2)]));
/// let vectors = letters.embed_text(&["aab", "xyz"]);
/// assert_eq!(vectors.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false]);
/// ```
pub trait Embedder: Send + Sync {
    /// Embeds texts of items; `result.len() == texts.len()`.
    fn embed_text(&self, texts: &[&str]) -> Vec<Result<Embedding, EmbedError>>;
    /// Embeds queries: the vectors of [`Embedder::embed_text`] unless the model was trained with
    /// another prefix for queries (e5, bge). There is no default, so that a wrapper cannot forget
    /// it.
    fn embed_query(&self, texts: &[&str]) -> Vec<Result<Embedding, EmbedError>>;
    /// Embeds images; `result.len() == images.len()`.
    fn embed_image(&self, images: &[ImageBytes]) -> Vec<Result<Embedding, EmbedError>>;
    /// Returns the vectors of an item by the users who chose it, with their weight from 0 to 1
    /// relative to those of its text and images; `None` if it has no events.
    ///
    /// # Errors
    /// [`EmbedError::Model`].
    fn embed_behavior(&self, id: &str) -> Result<Option<(f32, Embedding)>, EmbedError>;
    /// Returns the number of tokens that the text encoder sees, after truncation.
    fn count_tokens(&self, text: &str) -> usize;
    /// Returns the name of the text model, for people.
    fn model_name(&self) -> &str;
    /// Returns the blake3 hash of weights, configuration and heads, in hexadecimal.
    fn fingerprint(&self) -> &str;
    /// Returns the dimension of each space by name.
    fn dims(&self) -> &BTreeMap<String, usize>;
}

/// Returns the vector spaces that encoders fill, for the configuration of a collection.
pub fn spaces_of(embedder: &dyn Embedder) -> BTreeMap<String, VectorSpace> {
    let space = |(name, &dim): (&String, &usize)| {
        let space = VectorSpace {
            dim,
            metric: Metric::Cosine,
            quantization: Quantization::default(),
        };
        (name.clone(), space)
    };
    embedder.dims().iter().map(space).collect()
}
