//! Embeddings in the form of the OpenAI API.

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error, SeqAccess, Visitor},
};
use utoipa::ToSchema;

/// Body of `POST /v1/embeddings`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EmbeddingsRequest {
    /// One text or several.
    pub input: EmbeddingsInput,
    /// Name of the model; the server's own text model whatever is named.
    #[serde(default)]
    pub model: Option<String>,
    /// `float` (default) or `base64` (little-endian f32).
    #[serde(default)]
    pub encoding_format: EncodingFormat,
    /// Length of the vectors: the model's own, or nothing.
    #[serde(default)]
    pub dimensions: Option<usize>,
    /// Taken for compatibility, not used.
    #[serde(default)]
    pub user: Option<String>,
}

/// One text or several, 2048 at most. Token ids are not taken.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(untagged)]
#[allow(missing_docs)]
pub enum EmbeddingsInput {
    One(String),
    Many(Vec<String>),
}

impl EmbeddingsInput {
    /// The texts.
    pub fn into_vec(self) -> Vec<String> {
        match self {
            Self::One(text) => vec![text],
            Self::Many(texts) => texts,
        }
    }
}

// Read by hand, so that token ids are refused by name and a fault keeps its place.
impl<'de> Deserialize<'de> for EmbeddingsInput {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextOrTexts;
        impl<'de> Visitor<'de> for TextOrTexts {
            type Value = EmbeddingsInput;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a string or an array of strings")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(EmbeddingsInput::One(text.into()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut texts = Vec::new();
                while let Some(Text(text)) = seq.next_element()? {
                    texts.push(text);
                }
                Ok(EmbeddingsInput::Many(texts))
            }
        }
        deserializer.deserialize_any(TextOrTexts)
    }
}

struct Text(String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneText;
        const TOKENS: &str = "token ids are not taken; send the text itself";
        impl<'de> Visitor<'de> for OneText {
            type Value = Text;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a string")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Text, E> {
                Ok(Text(text.into()))
            }

            fn visit_u64<E: Error>(self, _: u64) -> Result<Text, E> {
                Err(E::custom(TOKENS))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<Text, A::Error> {
                Err(A::Error::custom(TOKENS))
            }
        }
        deserializer.deserialize_any(OneText)
    }
}

/// How vectors are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EncodingFormat {
    /// JSON array.
    #[default]
    Float,
    /// Base64 of little-endian f32.
    Base64,
}

/// Answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EmbeddingsResponse {
    /// Always `list`.
    pub object: String,
    /// One an input, in order.
    pub data: Vec<EmbeddingObject>,
    /// Model that made them.
    pub model: String,
    /// Token counts.
    pub usage: EmbeddingsUsage,
}

/// One embedding.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EmbeddingObject {
    /// Always `embedding`.
    pub object: String,
    /// Position of the input.
    pub index: usize,
    /// The vector.
    pub embedding: EmbeddingValue,
}

/// A vector in the format asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
#[allow(missing_docs)]
pub enum EmbeddingValue {
    Float(Vec<f32>),
    Base64(String),
}

/// Token counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct EmbeddingsUsage {
    pub prompt_tokens: u64,
    pub total_tokens: u64,
}
