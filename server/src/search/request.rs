//! Readings of a search request: validated words, options of full-text search, cursor key.

use std::mem::replace;

use vitrine::LexicalQuery;
use vitrine_schemas::{
    Condition, Filter, FilterSpec, LexicalSpec, Operator, Query, SearchMode, SearchRequest,
    UnderstoodPart, filter::MatchCondition,
};

use crate::error::{ApiError, ApiResult};

/// Maximum length of a query text in bytes.
const MAX_TEXT_BYTES: usize = 4_096;

/// Returns the validated full-text query; None in a search by vector alone.
pub fn words(request: &SearchRequest) -> ApiResult<Option<String>> {
    let lexical_text = request.lexical.as_ref().and_then(|l| l.text.as_ref());
    let (pointer, text) = match (&request.query, lexical_text) {
        (None, Some(_)) => {
            let detail = "requires a query by vector, image or item; send a text as `query.text`";
            return Err(ApiError::invalid("/lexical/text", detail));
        }
        // Without a query there is nothing to search in one way or another.
        (None, None) => return Ok(None),
        (Some(Query::Text(_)), Some(_)) => {
            let detail =
                "cannot be combined with a query by text; use it with a vector, image or item";
            return Err(ApiError::invalid("/lexical/text", detail));
        }
        (Some(Query::Text(text)), None) => ("/query/text", Some(text)),
        (_, lexical_text) => ("/lexical/text", lexical_text),
    };
    if let Some(text) = text {
        if text.trim().is_empty() {
            return Err(ApiError::invalid(pointer, "must not be empty"));
        }
        if text.len() > MAX_TEXT_BYTES {
            let detail = format!(
                "is {} bytes long; the limit is {MAX_TEXT_BYTES}",
                text.len()
            );
            return Err(ApiError::invalid(pointer, detail));
        }
    }
    match (request.mode, text) {
        (Some(SearchMode::Vector), _) => Ok(None),
        (Some(SearchMode::Hybrid | SearchMode::Lexical), None) => Err(ApiError::invalid(
            "/mode",
            "requires a text: query by text, or set `lexical.text`",
        )),
        (Some(SearchMode::Lexical), _) if !matches!(request.query, Some(Query::Text(_))) => Err(
            ApiError::invalid("/mode", "`lexical` requires a query by text"),
        ),
        (_, text) => Ok(text.cloned()),
    }
}

/// Returns the filter that an uncertain condition would be.
pub(super) fn preference(part: &UnderstoodPart) -> FilterSpec {
    let values = part.values.iter().map(String::as_str);
    let condition = MatchCondition::any_of(&part.field, values);
    FilterSpec::Tree(Filter {
        must: vec![Condition::Match(condition)],
        ..Filter::default()
    })
}

/// Returns the request without its query if that is an empty text, as of an empty search box.
pub(super) fn without_empty_text(mut request: SearchRequest) -> SearchRequest {
    let is_empty = |query: &Query| matches!(query, Query::Text(text) if text.trim().is_empty());
    request.query = request.query.filter(|query| !is_empty(query));
    request
}

/// Returns the full-text query of a text with the options of a request.
pub(super) fn lexical(text: String, spec: Option<LexicalSpec>) -> LexicalQuery {
    let spec = spec.unwrap_or_default();
    LexicalQuery {
        text,
        prefix: spec.prefix,
        all: spec.operator == Operator::And,
        typos: spec.typos,
        without_synonyms: !spec.synonyms,
    }
}

/// Serializes the request without page size and cursor; cursors are bound to it. The query, which
/// may be a large image, is hashed and not copied.
pub(super) fn identity_of(request: &mut SearchRequest) -> String {
    let query = request.query.take();
    let (limit, cursor) = (replace(&mut request.limit, 0), request.cursor.take());
    let mut json = serde_json::to_string(request).unwrap_or_default();
    match &query {
        Some(Query::Vector(vector)) => {
            let mut hasher = blake3::Hasher::new();
            for x in vector {
                hasher.update(&x.to_le_bytes());
            }
            json += hasher.finalize().to_hex().as_str();
        }
        Some(Query::Image(bytes) | Query::Audio(bytes)) => {
            json += blake3::hash(bytes.as_bytes()).to_hex().as_str()
        }
        Some(Query::Text(_) | Query::Item(_)) | None => {
            json += &serde_json::to_string(&query).unwrap_or_default();
        }
    }
    (request.query, request.limit, request.cursor) = (query, limit, cursor);
    json
}
