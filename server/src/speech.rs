//! The speech model of the server: found in the models folder, loaded by the first recording.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use actix_web::http::StatusCode;
use vitrine_indexer::{
    audio::{self, AudioError},
    encode::speech::{Hints, Transcript, Whisper, find},
};

use crate::error::{ApiError, ApiResult};

/// The speech model.
#[derive(Default)]
pub struct Speech {
    models_dir: Option<PathBuf>,
    model: Mutex<Option<Arc<Whisper>>>,
}

/// A recording as text.
pub struct Heard {
    /// The text and its language.
    pub transcript: Transcript,
    /// Length of the recording in seconds.
    pub seconds: f32,
}

impl Speech {
    /// Creates a set of at most one model, in a folder of `models_dir`.
    pub fn new(models_dir: Option<PathBuf>) -> Self {
        Self {
            models_dir,
            model: Mutex::default(),
        }
    }

    /// Returns the text of a recording; `pointer` is the field that it came in.
    ///
    /// # Errors
    /// There is no model, the recording cannot be used, or nobody speaks in it.
    pub fn transcribe(&self, bytes: &[u8], hints: &Hints, pointer: &str) -> ApiResult<Heard> {
        let model = self.model()?;
        let samples = audio::decode(bytes).map_err(|e| refused(e, pointer))?;
        let speech = audio::speech(&samples).map_err(|e| refused(e, pointer))?;
        let languages = model.languages();
        if let Some(language) = hints.language.filter(|code| !languages.contains(code)) {
            let known = languages.join(", ");
            let detail = format!("expected one of {known}; got `{language}`");
            return Err(ApiError::invalid("/language", detail));
        }
        let transcript = model
            .transcribe(speech, hints)
            .map_err(ApiError::internal)?;
        if transcript.is_silent() {
            return Err(refused(AudioError::NoSpeech, pointer));
        }
        Ok(Heard {
            transcript,
            seconds: samples.len() as f32 / audio::RATE as f32,
        })
    }

    fn model(&self) -> ApiResult<Arc<Whisper>> {
        let mut model = self.model.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(model) = &*model {
            return Ok(model.clone());
        }
        let folder = self.models_dir.as_deref().and_then(find);
        let folder = folder.ok_or_else(missing)?;
        let loaded = Whisper::load(&folder).map_err(ApiError::internal)?;
        tracing::info!(folder = %folder.display(), "speech model loaded");
        Ok(model.insert(Arc::new(loaded)).clone())
    }
}

fn missing() -> ApiError {
    ApiError::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "no_speech_model",
        "the server has no speech model; run `vitrine-indexer models get --preset whisper-base`, \
         and start the server with --models-dir",
    )
}

/// Returns the response to a recording that cannot be used.
fn refused(error: AudioError, pointer: &str) -> ApiError {
    let (status, code) = match error {
        AudioError::TooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, "audio_too_large"),
        AudioError::TooLong => (StatusCode::PAYLOAD_TOO_LARGE, "audio_too_long"),
        AudioError::NoSpeech => (StatusCode::UNPROCESSABLE_ENTITY, "no_speech"),
        AudioError::Empty | AudioError::Unsupported(_) => {
            return ApiError::invalid(pointer, error.to_string());
        }
    };
    let mut refused = ApiError::invalid(pointer, error.to_string());
    (refused.status, refused.code) = (status, code);
    refused
}
