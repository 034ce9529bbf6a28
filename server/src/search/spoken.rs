//! Queries by audio: a recording becomes the text that is searched.

use base64::{Engine, engine::general_purpose::STANDARD};
use vitrine::Database;
use vitrine_indexer::encode::speech::Hints;
use vitrine_schemas::{FacetSort, FacetSpec, FacetsRequest, Query, Spoken};

use crate::{
    error::{ApiError, ApiResult},
    http::request_context::RequestContext,
};

/// Punctuation at the end of a sentence, which queries do not have.
const SENTENCE_ENDS: [char; 8] = ['.', '!', '?', ',', '。', '！', '？', '，'];

/// Brands of the collection that a recording is decoded with, the most frequent ones.
const MAX_HOT_WORDS: usize = 32;

/// Replaces a query by audio by one by text, and returns the text with its language.
pub async fn hear(
    context: &RequestContext,
    c: &str,
    query: &mut Option<Query>,
) -> ApiResult<Option<Spoken>> {
    let Some(Query::Audio(audio)) = query else {
        return Ok(None);
    };
    let audio = std::mem::take(audio);
    let spoken = text_of(context, c, audio, "/query/audio").await?;
    *query = Some(Query::Text(spoken.text.clone()));
    Ok(Some(spoken))
}

/// Returns the text of a recording as Base64; `pointer` is the field that has it.
pub async fn text_of(
    context: &RequestContext,
    c: &str,
    audio: String,
    pointer: &'static str,
) -> ApiResult<Spoken> {
    let (state, c) = (context.state.clone(), c.to_owned());
    let work = move || {
        let bytes = STANDARD.decode(audio).map_err(|e| {
            let detail = format!("expected the file as Base64, got text that is not: {e}");
            ApiError::invalid(pointer, detail)
        })?;
        let hints = Hints {
            hot_words: &brands(&state.database(), &c)?,
            ..Hints::default()
        };
        let heard = state.speech.transcribe(&bytes, &hints, pointer)?;
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

fn brands(database: &Database, c: &str) -> vitrine::Result<Vec<String>> {
    let brands = FacetSpec {
        field: "brand".to_owned(),
        limit: MAX_HOT_WORDS,
        sort: FacetSort::default(),
        under: None,
        depth: 1,
        ranges: Vec::new(),
    };
    let request = FacetsRequest {
        filter: None,
        facets: vec![brands],
    };
    let counted = database.collection(c)?.facets(&request)?;
    let values = counted.facets.into_iter().flat_map(|facet| facet.values);
    Ok(values.map(|value| value.value).collect())
}
