//! Several searches in one request.

use actix_web::web::Json;
use futures_util::{StreamExt, stream};
use serde::Deserialize;
use serde_json::Value;
use vitrine_schemas::{
    MultiSearchRequest, MultiSearchResponse, MultiSearchResult, SearchRequest, SearchResponse,
};

use crate::{
    body::{self, Body},
    call::Call,
    error::{ApiError, ApiResult},
    openapi::{Bodied, Keyed},
    preset::Sent,
    search,
};

/// Most searches of a request.
const MOST: usize = 50;

/// The searches before they are read, so that a fault in one is its own.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unread {
    searches: Vec<Value>,
}

/// A search, and which of its fields were sent; described by `MultiSearch`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Read {
    collection: String,
    search: Sent<SearchRequest>,
}

/// Search several times
///
/// Up to 50 searches, of one collection or of several, at the same time and within one deadline. Each has its own result in the
/// order asked: an answer, or the problem that it would have been answered with alone.
#[utoipa::path(
    post, path = "/v1/multi_search", tag = "search", operation_id = "multi_search",
    request_body(content = MultiSearchRequest, example = json!({"searches": [
        {"collection": "shop", "search": {"query": {"text": "red running shoes"}, "limit": 5}},
        {"collection": "posts", "search": {"query": {"text": "how to choose running shoes"}, "limit": 3}}
    ]})),
    responses((status = 200, description = "One result a search", body = MultiSearchResponse), Keyed, Bodied),
)]
pub async fn multi_search(call: Call, body: Body<Unread>) -> ApiResult<Json<MultiSearchResponse>> {
    let searches = body.0.searches;
    if searches.is_empty() || searches.len() > MOST {
        let detail = format!("has {} searches; send 1 to {MOST}", searches.len());
        return Err(ApiError::invalid("/searches", detail));
    }
    let deadline = call.deadline();
    let (call, work) = (&call, searches.into_iter().enumerate());
    let results = stream::iter(work)
        .map(|(i, search)| async move { result(run(&call.until(deadline), i, search).await) })
        // Half of the permits: others search too.
        .buffered(call.state.limits.search_permits.div_ceil(2));
    Ok(Json(MultiSearchResponse {
        results: results.collect().await,
    }))
}

async fn run(call: &Call, i: usize, search: Value) -> ApiResult<SearchResponse> {
    let at = format!("/searches/{i}");
    let Read { collection, search } = body::read_value(search).map_err(|e| e.below(&at))?;
    call.check([collection.as_str()].into_iter())?;
    let completed = search.completed(call, &collection).await;
    let search = completed.map_err(|e| e.below(&format!("{at}/search")))?;
    let answer = search::run(call, &collection, search).await;
    answer.map_err(|e| e.below(&format!("{at}/search")))
}

fn result(outcome: ApiResult<SearchResponse>) -> MultiSearchResult {
    match outcome {
        Ok(answer) => MultiSearchResult {
            status: 200,
            answer: Some(answer),
            problem: None,
        },
        Err(fault) => MultiSearchResult {
            status: fault.status.as_u16(),
            answer: None,
            problem: Some(fault.problem()),
        },
    }
}
