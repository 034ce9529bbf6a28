//! Search and similar items.

use actix_web::web::{Json, Path, Query as Params};
use vitrine_schemas::{SearchRequest, SearchResponse, SimilarParams};

use super::{CollectionPath, ItemPath};
use crate::{
    body::Body,
    call::Call,
    error::ApiResult,
    openapi::{Bodied, Conflicting, Encoded, Gated, Keyed, Named},
    preset::Sent,
};

/// Search
///
/// By text, photo, vector or item, among the items that match the filter. Always gives min(limit, matches) hits. A text is looked
/// for by its words and by its meaning at once (`mode: hybrid`), unless told.
/// `x-request-id` of the answer is the `request_id` of the events that follow from it.
#[utoipa::path(
    post, path = "/v1/collections/{c}/search", tag = "search", operation_id = "search",
    params(CollectionPath),
    request_body(content = SearchRequest, examples(
        ("by text, filter as a string" = (value = json!({
            "query": {"text": "red running shoes"},
            "filter": "price <= 300 AND NOT brand = \"Acme\"",
            "limit": 5
        }))),
        ("by words alone, as they are typed, with facets" = (value = json!({
            "query": {"text": "red running sho"}, "mode": "lexical", "lexical": {"prefix": true},
            "facets": [{"field": "brand"}], "highlight": true
        }))),
        ("understood" = (value = json!({"query": {"text": "red running shoes under $50, not leather"}, "understand": {}}))),
        ("words beside a vector of your own" = (value = json!({
            "query": {"vector": [0.1, 0.2, 0.3]}, "lexical": {"text": "red running shoes"}
        }))),
        ("by item, filter as a tree" = (value = json!({
            "query": {"item": "SKU1"},
            "filter": {
                "must": [
                    {"key": "category", "match": {"value": "Clothing > Shoes"}},
                    {"key": "price", "range": {"lte": 300}}
                ],
                "must_not": [{"key": "color", "match": {"any": ["red", "pink"]}}]
            }
        }))),
        ("for a shopper, of each brand two at most" = (value = json!({
            "query": {"text": "red running shoes"}, "user": "u1", "diversify": {"mmr": 0.7, "max_per": {"brand": 2}}
        }))),
        ("as saved, but for the limit" = (value = json!({"query": {"text": "red running shoes"}, "preset": "results", "limit": 12}))),
        ("by vector" = (value = json!({"query": {"vector": [0.1, 0.2, 0.3]}, "space": "shared", "exact": true})))
    )),
    responses(
        (status = 200, description = "Best first", body = SearchResponse),
        Keyed, Gated, Bodied, Named, Conflicting, Encoded,
    ),
)]
pub async fn search(
    call: Call,
    path: Path<CollectionPath>,
    body: Body<Sent<SearchRequest>>,
) -> ApiResult<Json<SearchResponse>> {
    let request = body.0.completed(&call, &path.c).await?;
    Ok(Json(crate::search::run(&call, &path.c, request).await?))
}

/// Similar items
///
/// Near to an item, in its own category, in the others or anywhere; the item itself is left out. In the others (`scope=cross`),
/// likeness is what is left of the vectors without what a category has in common, so that being the same kind of thing does not
/// drown the same style or use. What its people chose too, what is popular and how often people go from its category to
/// another count beside, the more the more was done. `reason` names the bridge.
#[utoipa::path(
    get, path = "/v1/collections/{c}/items/{id}/similar", tag = "search", operation_id = "similar_items",
    params(ItemPath, SimilarParams),
    responses((status = 200, description = "Best first", body = SearchResponse), Keyed, Gated, Named),
)]
pub async fn similar(
    call: Call,
    path: Path<ItemPath>,
    params: Params<SimilarParams>,
) -> ApiResult<Json<SearchResponse>> {
    let deadline = call.deadline();
    let answer = call.run(&call.state.searches, deadline, move |database| {
        let collection = database.collection(&path.c)?;
        collection.similar(&path.id, &params, Some(deadline))
    });
    Ok(Json(answer.await?))
}
