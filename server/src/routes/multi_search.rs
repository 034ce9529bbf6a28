//! Several searches in one request.

use std::fmt;

use actix_web::web::Json;
use futures_util::{StreamExt, stream};
use serde::{
    Deserialize, Deserializer,
    de::{Error, SeqAccess, Visitor},
};
use serde_json::Value;
use vitrine_schemas::{
    MultiSearchRequest, MultiSearchResponse, MultiSearchResult, SearchRequest, SearchResponse,
};

use crate::{
    error::{ApiError, ApiResult, current_request_id},
    http::{
        body::{self, Body},
        request_context::RequestContext,
        responses::{AuthErrors, BodyErrors},
    },
    search::{self, preset::BodyWithPresence},
};

/// Maximum number of searches of a request.
const MAX_SEARCHES: usize = 50;

/// Searches before they are parsed, so that an invalid one does not affect the others.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnparsedSearches {
    #[serde(deserialize_with = "at_most_50")]
    searches: Vec<Value>,
}

/// Deserializes a list, and refuses it at the first element too many.
fn at_most_50<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Value>, D::Error> {
    struct Searches;

    impl<'de> Visitor<'de> for Searches {
        type Value = Vec<Value>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "a list of 1 to {MAX_SEARCHES} searches")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<Value>, A::Error> {
            let mut searches = Vec::new();
            while let Some(search) = list.next_element()? {
                if searches.len() == MAX_SEARCHES {
                    let detail = format!("expected at most {MAX_SEARCHES} searches, got more");
                    return Err(A::Error::custom(detail));
                }
                searches.push(search);
            }
            Ok(searches)
        }
    }

    deserializer.deserialize_seq(Searches)
}

/// A search with the names of the fields sent; described by `MultiSearch`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ParsedSearch {
    collection: String,
    search: BodyWithPresence<SearchRequest>,
}

/// Search several times
///
/// Runs up to 50 searches in one or several collections concurrently, within one deadline. Each has
/// its own result, in the order of the request: a response, or the problem that the search alone
/// would have returned.
#[utoipa::path(
    post, path = "/v1/multi_search", tag = "search", operation_id = "multi_search",
    request_body(content = MultiSearchRequest, example = json!({"searches": [
        {"collection": "shop", "search": {"query": {"text": "red running shoes"}, "limit": 5}},
        {"collection": "posts", "search": {"query": {"text": "how to choose running shoes"}, "limit": 3}}
    ]})),
    responses((status = 200, description = "One result per search", body = MultiSearchResponse), AuthErrors, BodyErrors),
)]
pub async fn multi_search(
    context: RequestContext,
    body: Body<UnparsedSearches>,
) -> ApiResult<Json<MultiSearchResponse>> {
    let searches = body.0.searches;
    if searches.is_empty() {
        let detail = format!("expected 1 to {MAX_SEARCHES} searches, got 0");
        return Err(ApiError::invalid("/searches", detail));
    }
    let deadline = context.deadline();
    let (context, work) = (&context, searches.into_iter().enumerate());
    let results = stream::iter(work)
        .map(|(i, search)| async move { result(run(&context.until(deadline), i, search).await) })
        // At most half of the permits: leaves capacity for other requests.
        .buffered(context.state.limits.search_permits.div_ceil(2));
    Ok(Json(MultiSearchResponse {
        results: results.collect().await,
    }))
}

async fn run(context: &RequestContext, i: usize, search: Value) -> ApiResult<SearchResponse> {
    let pointer = format!("/searches/{i}");
    let ParsedSearch { collection, search } =
        body::read_value(search).map_err(|e| e.below(&pointer))?;
    context.check([collection.as_str()].into_iter())?;
    let completed = search.completed(context, &collection).await;
    let search = completed.map_err(|e| e.below(&format!("{pointer}/search")))?;
    // An id of its own, so that events refer to one of the searches.
    let id = format!("{}.{i}", current_request_id());
    let answer = search::run(context, &collection, search, id).await;
    answer.map_err(|e| e.below(&format!("{pointer}/search")))
}

fn result(outcome: ApiResult<SearchResponse>) -> MultiSearchResult {
    match outcome {
        Ok(answer) => MultiSearchResult {
            status: 200,
            answer: Some(answer),
            problem: None,
        },
        Err(error) => MultiSearchResult {
            status: error.status.as_u16(),
            answer: None,
            problem: Some(error.problem()),
        },
    }
}
