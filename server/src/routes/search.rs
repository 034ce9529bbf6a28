//! Search and similar items.

use actix_web::web::{Json, Path};
use vitrine::Database;
use vitrine_schemas::{Hit, Query, SearchRequest, SearchResponse, SimilarParams};

use super::{CollectionPath, ItemPath};
use crate::{
    error::{ApiResult, current_request_id},
    http::{
        body::Body,
        params::Params,
        request_context::RequestContext,
        responses::{
            AuthErrors, BodyErrors, ConflictErrors, EncoderErrors, NotFoundErrors, OverloadErrors,
        },
    },
    search::preset::BodyWithPresence,
};

/// Search
///
/// Searches by text, image, vector or item among the items that match the filter. Always returns
/// min(limit, matches) hits. Without a query, or with an empty text, all items that match the
/// filter are hits: a category page. `sort` puts the matches in an order of field values.
/// Text queries combine full-text and vector search (`mode: hybrid`) by
/// default. Send the `request_id` of the response with the events that follow from it; it is the
/// `x-request-id` of the first page.
#[utoipa::path(
    post, path = "/v1/collections/{c}/search", tag = "search", operation_id = "search",
    params(CollectionPath),
    request_body(content = SearchRequest, examples(
        ("by text, with a filter string" = (value = json!({
            "query": {"text": "red running shoes"},
            "filter": "price <= 300 AND NOT brand = \"Acme\"",
            "limit": 5
        }))),
        ("full-text search as you type, with facets" = (value = json!({
            "query": {"text": "red running sho"}, "mode": "lexical", "lexical": {"prefix": true},
            "facets": [{"field": "brand"}], "highlight": true
        }))),
        ("category page, sorted by price" = (value = json!({
            "filter": "category = \"Clothing > Shoes\"", "sort": ["price:asc"], "facets": [{"field": "brand"}], "offset": 24, "limit": 24
        }))),
        ("query understanding" = (value = json!({"query": {"text": "red running shoes under $50, not leather"}, "understand": {}}))),
        ("text and your own vector" = (value = json!({
            "query": {"vector": [0.1, 0.2, 0.3]}, "lexical": {"text": "red running shoes"}
        }))),
        ("by item, with a filter object" = (value = json!({
            "query": {"item": "SKU1"},
            "filter": {
                "must": [
                    {"key": "category", "match": {"value": "Clothing > Shoes"}},
                    {"key": "price", "range": {"lte": 300}}
                ],
                "must_not": [{"key": "color", "match": {"any": ["red", "pink"]}}]
            }
        }))),
        ("for a user, at most two per brand" = (value = json!({
            "query": {"text": "red running shoes"}, "user": "u1", "diversify": {"mmr": 0.7, "max_per": {"brand": 2}}
        }))),
        ("with a preset and another limit" = (value = json!({"query": {"text": "red running shoes"}, "preset": "results", "limit": 12}))),
        ("by vector" = (value = json!({"query": {"vector": [0.1, 0.2, 0.3]}, "space": "shared", "exact": true})))
    )),
    responses(
        (status = 200, description = "Hits, best first", body = SearchResponse),
        AuthErrors, OverloadErrors, BodyErrors, NotFoundErrors, ConflictErrors, EncoderErrors,
    ),
)]
pub async fn search(
    context: RequestContext,
    path: Path<CollectionPath>,
    body: Body<BodyWithPresence<SearchRequest>>,
) -> ApiResult<Json<SearchResponse>> {
    let mut asked = body.0;
    context.restrict_shopper(&mut asked.body.user, &mut asked.body.session)?;
    let mut search = asked.completed(&context, &path.c).await?;
    for request in std::iter::once(&mut search.request).chain(&mut search.rival) {
        context.restrict_shopper(&mut request.user, &mut request.session)?;
        context.restrict_filter(&mut request.filter)?;
    }
    let visibility = context.visibility();
    if let Some(Query::Item(item)) = search.request.query.clone()
        && visibility.is_limited()
    {
        let (visibility, path) = (visibility.clone(), path.c.clone());
        let check =
            move |database: &Database| visibility.check(&*database.collection(&path)?, &item);
        context.read(check).await?;
    }
    let id = current_request_id();
    let mut answer = crate::search::run(&context, &path.c, search, id).await?;
    if visibility.is_limited() {
        // It tells of all items.
        answer.explain = None;
    }
    if visibility.is_limited() && answer.hits.iter().any(names_items) {
        let redact = move |database: &Database| {
            let reasons = answer.hits.iter_mut().filter_map(|hit| hit.reason.as_mut());
            visibility.redact(&*database.collection(&path.c)?, reasons)?;
            Ok(answer)
        };
        answer = context.read(redact).await?;
    }
    Ok(Json(answer))
}

/// Similar items
///
/// Returns the items most similar to an item: in its category, in other categories or in all.
/// Across categories (`scope=cross`), the category centroid is subtracted from each vector, so that
/// style and use are not dominated by the category. Item neighbors, popularity and
/// category-to-category transitions contribute in proportion to the events there are. `reason`
/// explains each hit.
#[utoipa::path(
    get, path = "/v1/collections/{c}/items/{id}/similar", tag = "search", operation_id = "similar_items",
    params(ItemPath, SimilarParams),
    responses((status = 200, description = "Hits, best first", body = SearchResponse), AuthErrors, OverloadErrors, NotFoundErrors),
)]
pub async fn similar(
    context: RequestContext,
    path: Path<ItemPath>,
    params: Params<SimilarParams>,
) -> ApiResult<Json<SearchResponse>> {
    let deadline = context.deadline();
    let mut params = params.0;
    context.restrict_text_filter(&mut params.filter)?;
    let visibility = context.visibility();
    let answer = context.run(&context.state.searches, deadline, move |database| {
        let collection = database.collection(&path.c)?;
        visibility.check(&collection, &path.id)?;
        params.explain &= !visibility.is_limited();
        collection.similar(&path.id, &params, Some(deadline))
    });
    Ok(Json(answer.await?))
}

/// Returns true if the reason of a hit names items.
fn names_items(hit: &Hit) -> bool {
    hit.reason
        .as_ref()
        .is_some_and(|reason| !reason.items.is_empty())
}
