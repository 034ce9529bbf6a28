//! Queries by audio: a recording becomes the text that is searched.

use base64::{Engine, engine::general_purpose::STANDARD};
use vitrine_indexer::encode::speech::Hints;
use vitrine_schemas::{Query, Spoken};

use crate::{
    error::{ApiError, ApiResult},
    http::request_context::RequestContext,
};

/// Punctuation at the end of a sentence, which queries do not have.
const SENTENCE_ENDS: [char; 8] = ['.', '!', '?', ',', '。', '！', '？', '，'];

/// Replaces a query by audio by one by text, and returns the text with its language.
pub async fn hear(
    context: &RequestContext,
    query: &mut Option<Query>,
) -> ApiResult<Option<Spoken>> {
    let Some(Query::Audio(audio)) = query else {
        return Ok(None);
    };
    let spoken = text_of(context, std::mem::take(audio), "/query/audio").await?;
    *query = Some(Query::Text(spoken.text.clone()));
    Ok(Some(spoken))
}

/// Returns the text of a recording as Base64; `pointer` is the field that has it.
pub async fn text_of(
    context: &RequestContext,
    audio: String,
    pointer: &'static str,
) -> ApiResult<Spoken> {
    let state = context.state.clone();
    let work = move || {
        let bytes = STANDARD.decode(audio).map_err(|e| {
            let detail = format!("expected the file as Base64, got text that is not: {e}");
            ApiError::invalid(pointer, detail)
        })?;
        let heard = state
            .speech
            .transcribe(&bytes, &Hints::default(), pointer)?;
        let transcript = heard.transcript;
        Ok(Spoken {
            text: transcript.text.trim_end_matches(SENTENCE_ENDS).to_owned(),
            language: transcript.language,
            language_probability: transcript.language_probability,
            confidence: transcript.confidence,
            seconds: heard.seconds,
        })
    };
    let gate = &context.state.transcriptions;
    gate.run(context.deadline(), work).await
}
