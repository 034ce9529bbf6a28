//! Speech: recordings as queries, and transcriptions.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A spoken query as text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Spoken {
    /// The text that was searched.
    #[schema(example = "red running shoes")]
    pub text: String,
    /// Code of the language as in ISO 639.
    #[schema(example = "en")]
    pub language: String,
    /// Probability of the language.
    #[schema(minimum = 0, maximum = 1)]
    pub language_probability: f32,
    /// Geometric mean of the probabilities of the text's tokens. Below 0.5, show the text to the
    /// shopper before anything else.
    #[schema(minimum = 0, maximum = 1)]
    pub confidence: f32,
    /// Length of the recording in seconds, silence included.
    pub seconds: f32,
}

/// Form of `POST /v1/audio/transcriptions`, `multipart/form-data`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TranscriptionForm {
    /// The recording: WAV, FLAC, MP3, AAC or MP4, Ogg or WebM with Vorbis or Opus; at most 30 s and
    /// 10 MB.
    #[schema(value_type = String, format = Binary)]
    pub file: String,
    /// Ignored: the server has one speech model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Code of the language as in ISO 639; detected if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Text before the recording: its words and spelling are preferred.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// Form of the response.
    #[serde(default)]
    pub response_format: TranscriptionFormat,
}

/// Form of a transcription.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TranscriptionFormat {
    /// An object with the text.
    #[default]
    Json,
    /// The text as `text/plain`.
    Text,
    /// An object with text, language, length and confidence.
    VerboseJson,
}

/// Response to `POST /v1/audio/transcriptions`. The fields after `text` are those of
/// `response_format=verbose_json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Transcription {
    /// The text.
    pub text: String,
    /// Always `transcribe`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// Code of the language as in ISO 639.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Length of the recording in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<f32>,
    /// Probability of the language.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language_probability: Option<f32>,
    /// Geometric mean of the probabilities of the text's tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f32>,
}
