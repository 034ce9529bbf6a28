//! Embeddings, compatible with the OpenAI API.

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
    /// Model name; ignored: the server's text model is always used.
    #[serde(default)]
    pub model: Option<String>,
    /// `float` (default) or `base64` (little-endian f32).
    #[serde(default)]
    pub encoding_format: EncodingFormat,
    /// Dimension of the vectors; must be absent or the model's dimension.
    #[serde(default)]
    pub dimensions: Option<usize>,
    /// Accepted for compatibility, not used.
    #[serde(default)]
    pub user: Option<String>,
}

/// One text or several, 2048 at most. Token ids are not supported.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(untagged)]
#[allow(missing_docs)]
pub enum EmbeddingsInput {
    One(String),
    Many(Vec<String>),
}

impl EmbeddingsInput {
    /// Returns the texts.
    pub fn into_vec(self) -> Vec<String> {
        match self {
            Self::One(text) => vec![text],
            Self::Many(texts) => texts,
        }
    }
}

// Implemented by hand so that token ids get their own error and errors keep their position.
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
        const TOKEN_IDS_ERROR: &str = "expected a text, got token ids; let the client send texts (LangChain: OpenAIEmbeddings(check_embedding_ctx_length=False))";
        impl<'de> Visitor<'de> for OneText {
            type Value = Text;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a string")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Text, E> {
                Ok(Text(text.into()))
            }

            fn visit_u64<E: Error>(self, _: u64) -> Result<Text, E> {
                Err(E::custom(TOKEN_IDS_ERROR))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<Text, A::Error> {
                Err(A::Error::custom(TOKEN_IDS_ERROR))
            }
        }
        deserializer.deserialize_any(OneText)
    }
}

/// Encoding of vectors.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EncodingFormat {
    /// JSON array.
    #[default]
    Float,
    /// Base64 of little-endian f32.
    Base64,
}

/// Response of `POST /v1/embeddings`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EmbeddingsResponse {
    /// Always `list`.
    pub object: String,
    /// One embedding per input, in order.
    pub data: Vec<EmbeddingObject>,
    /// Model that computed the embeddings.
    pub model: String,
    /// Token counts.
    pub usage: EmbeddingsUsage,
}

/// One embedding.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EmbeddingObject {
    /// Always `embedding`.
    pub object: String,
    /// Index of the input, from 0.
    pub index: usize,
    /// The vector.
    pub embedding: EmbeddingValue,
}

/// A vector in the requested encoding.
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

/// Response of `GET /v1/models`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OpenAiModels {
    /// Always `list`.
    pub object: String,
    /// The text model of the server; empty without encoders.
    pub data: Vec<OpenAiModel>,
}

/// A model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OpenAiModel {
    /// Name of the model.
    pub id: String,
    /// Always `model`.
    pub object: String,
    /// Always 0.
    pub created: u64,
    /// Always `vitrine`.
    pub owned_by: String,
}

/// An error response in the form of the OpenAI API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OpenAiProblem {
    /// The error.
    pub error: OpenAiError,
}

/// An error in the form of the OpenAI API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OpenAiError {
    /// Cause, and how to fix it.
    pub message: String,
    /// Kind of error, such as `invalid_request_error`.
    pub r#type: String,
    /// Field that is wrong, such as `input`; null if none is.
    pub param: Option<String>,
    /// Stable machine-readable code, as in other error responses.
    pub code: String,
}
