//! OpenAI-compatible transcriptions.

use actix_multipart::{Field, Multipart};
use actix_web::{
    HttpRequest, HttpResponse,
    web::{Bytes, BytesMut, Payload},
};
use futures_util::{StreamExt, stream};
use vitrine_indexer::{
    audio::MAX_BYTES,
    encode::speech::{Hints, Window},
};
use vitrine_schemas::{OpenAiProblem, Transcription, TranscriptionForm, TranscriptionFormat};

use crate::{
    error::{ApiError, ApiResult},
    http::{
        body::{self, media_type, missing_media_type},
        body_limits,
        request_context::RequestContext,
        responses::OpenAiErrors,
    },
    ops::body_budget::Reservation,
    speech::Heard,
};

/// Maximum size in bytes of a field besides the recording.
const MAX_FIELD_BYTES: usize = 4_096;

/// Media type of a form.
const FORM: &str = "multipart/form-data";

/// Transcribe speech
///
/// Returns the text of a recording of up to 30 s, by the server's speech model, whatever `model`
/// names; `temperature` is ignored, since decoding is greedy. Chinese is returned in simplified
/// characters. 422 (`no_speech`) if nobody speaks. Errors have the form of the OpenAI API.
#[utoipa::path(
    post, path = "/v1/audio/transcriptions", tag = "speech", operation_id = "transcribe",
    request_body(content = TranscriptionForm, content_type = "multipart/form-data"),
    responses(
        (status = 200, description = "The text", body = Transcription),
        (status = 422, description = "Nobody speaks in the recording", body = OpenAiProblem),
        OpenAiErrors,
    ),
)]
pub async fn post(
    context: RequestContext,
    request: HttpRequest,
    payload: Payload,
) -> ApiResult<HttpResponse> {
    let mut reservation = Reservation::default();
    let form = read(&context, &request, payload, &mut reservation).await?;
    let (state, format) = (context.state.clone(), form.format);
    let work = move || {
        let hints = Hints {
            language: form.language.as_deref(),
            prompt: form.prompt.as_deref(),
            hot_words: &[],
            window: Window::Auto,
        };
        state.speech.transcribe(&form.file, &hints, "/file")
    };
    let gate = &context.state.transcriptions;
    let heard = gate.run(context.deadline(), work).await?;
    Ok(response(heard, format))
}

/// Transcribe speech (short path)
///
/// As `POST /v1/audio/transcriptions`.
#[utoipa::path(
    post, path = "/v1/transcriptions", tag = "speech", operation_id = "transcribe_short",
    request_body(content = TranscriptionForm, content_type = "multipart/form-data"),
    responses(
        (status = 200, description = "The text", body = Transcription),
        (status = 422, description = "Nobody speaks in the recording", body = OpenAiProblem),
        OpenAiErrors,
    ),
)]
pub async fn post_short(
    context: RequestContext,
    request: HttpRequest,
    payload: Payload,
) -> ApiResult<HttpResponse> {
    post(context, request, payload).await
}

fn response(heard: Heard, format: TranscriptionFormat) -> HttpResponse {
    let Heard {
        transcript,
        seconds,
    } = heard;
    let plain = Transcription {
        text: transcript.text,
        task: None,
        language: None,
        duration: None,
        language_probability: None,
        confidence: None,
    };
    match format {
        TranscriptionFormat::Text => HttpResponse::Ok()
            .content_type("text/plain; charset=utf-8")
            .body(plain.text),
        TranscriptionFormat::Json => HttpResponse::Ok().json(plain),
        TranscriptionFormat::VerboseJson => HttpResponse::Ok().json(Transcription {
            task: Some("transcribe".into()),
            language: Some(transcript.language),
            duration: Some(seconds),
            language_probability: Some(transcript.language_probability),
            confidence: Some(transcript.confidence),
            ..plain
        }),
    }
}

/// A received form.
#[derive(Default)]
struct Form {
    file: Vec<u8>,
    language: Option<String>,
    prompt: Option<String>,
    format: TranscriptionFormat,
}

/// Receives the body, then reads its form.
async fn read(
    context: &RequestContext,
    request: &HttpRequest,
    payload: Payload,
    reservation: &mut Reservation,
) -> ApiResult<Form> {
    if media_type(request, &[FORM])?.is_none() {
        return Err(missing_media_type(FORM));
    }
    let state = &context.state;
    let limit = body_limits::of(request, state.limits.body_bytes).bytes;
    let bytes = body::read(request, payload.into_inner(), state, limit, reservation).await?;
    let whole = stream::iter([Ok(Bytes::from(bytes))]);
    let mut parts = Multipart::new(request.headers(), whole);
    let (mut form, mut has_file) = (Form::default(), false);
    while let Some(part) = parts.next().await {
        let part = part.map_err(malformed)?;
        let name = part.name().unwrap_or_default().to_owned();
        if name == "file" {
            form.file = content(part, "file", MAX_BYTES).await?.to_vec();
            has_file = true;
            continue;
        }
        let text = content(part, &name, MAX_FIELD_BYTES).await?;
        let text = String::from_utf8(text.to_vec());
        let text = text.map_err(|_| ApiError::invalid(format!("/{name}"), "expected UTF-8"))?;
        form.set(&name, text)?;
    }
    if has_file {
        Ok(form)
    } else {
        Err(ApiError::invalid(
            "/file",
            "missing; send the recording as the field `file`",
        ))
    }
}

impl Form {
    /// Sets a field. Fields of the OpenAI API that have no effect here are ignored.
    fn set(&mut self, name: &str, text: String) -> ApiResult<()> {
        match name {
            "language" if !text.is_empty() => self.language = Some(text.to_lowercase()),
            "prompt" if !text.is_empty() => self.prompt = Some(text),
            "response_format" => self.format = format_of(&text)?,
            "stream" if text == "true" => {
                return Err(ApiError::invalid(
                    "/stream",
                    "is not supported; omit the field",
                ));
            }
            _ => {}
        }
        Ok(())
    }
}

fn format_of(text: &str) -> ApiResult<TranscriptionFormat> {
    match text {
        "json" => Ok(TranscriptionFormat::Json),
        "text" => Ok(TranscriptionFormat::Text),
        "verbose_json" => Ok(TranscriptionFormat::VerboseJson),
        other => {
            let detail = format!("expected json, text or verbose_json, got `{other}`");
            Err(ApiError::invalid("/response_format", detail))
        }
    }
}

async fn content(mut part: Field, name: &str, limit: usize) -> ApiResult<BytesMut> {
    let mut bytes = BytesMut::new();
    while let Some(chunk) = part.next().await {
        bytes.extend_from_slice(&chunk.map_err(malformed)?);
        if bytes.len() > limit {
            let detail = format!("expected at most {limit} bytes, got more");
            let mut error = ApiError::invalid(format!("/{name}"), detail);
            error.status = actix_web::http::StatusCode::PAYLOAD_TOO_LARGE;
            error.code = "audio_too_large";
            return Err(error);
        }
    }
    Ok(bytes)
}

fn malformed(error: actix_multipart::MultipartError) -> ApiError {
    ApiError::invalid("", format!("expected a form of {FORM}: {error}"))
}
