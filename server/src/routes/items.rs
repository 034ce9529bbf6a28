//! Items: write, read, scroll, count, facets, delete.

use actix_web::{
    HttpResponse,
    web::{Json, Path},
};
use vitrine_schemas::{
    CountRequest, CountResponse, DeleteRequest, DeleteResponse, FacetsRequest, FacetsResponse,
    Item, ItemPatch, ScrollRequest, ScrollResponse, WriteResponse,
};

use super::{CollectionPath, ItemPath};
use crate::{
    body::Body,
    call::Call,
    error::{ApiError, ApiResult},
    openapi::{Bodied, Conflicting, Gated, Keyed, Named, Stored},
    report,
};

/// Write items
///
/// An item replaces the one with its id as a whole. An item that is refused costs itself only: see its result. Where they would
/// pass a bound on memory or disk, none is stored: 507, or 429 where it is enough to wait.
#[utoipa::path(
    put, path = "/v1/collections/{c}/items", tag = "items", operation_id = "write_items",
    params(CollectionPath),
    request_body(content = Vec<Item>, example = json!([{
        "id": "SKU1", "title": "Red running shoes", "category": "Clothing > Shoes",
        "price": {"amount": 80, "currency": "EUR"}, "attributes": {"color": "red"}
    }])),
    responses((status = 200, description = "One result an item", body = WriteResponse), Keyed, Gated, Bodied, Named, Stored),
)]
pub async fn put(
    call: Call,
    path: Path<CollectionPath>,
    body: Body<Vec<Item>>,
) -> ApiResult<Json<WriteResponse>> {
    let mut items = body.0;
    let ids: Vec<_> = items.iter().map(|item| item.id.clone()).collect();
    let state = call.state.clone();
    let outcomes = call.write(move |database| {
        let collection = database.collection(&path.c)?;
        state.embedders.embed_twice(&collection, &mut items);
        collection.upsert(items)
    });
    let outcomes = outcomes.await?;
    let mut response = WriteResponse::default();
    for ((index, id), outcome) in (0..).zip(ids).zip(outcomes) {
        let outcome = outcome.map_err(ApiError::from);
        report::record(&mut response, index, Some(id), outcome);
    }
    Ok(Json(response))
}

/// Get an item
///
/// With its vectors.
#[utoipa::path(
    get, path = "/v1/collections/{c}/items/{id}", tag = "items", operation_id = "get_item",
    params(ItemPath),
    responses((status = 200, description = "The item", body = Item), Keyed, Gated, Named),
)]
pub async fn get(call: Call, path: Path<ItemPath>) -> ApiResult<Json<Item>> {
    let item = call.read(move |database| database.collection(&path.c)?.get(&path.id, true));
    Ok(Json(item.await?))
}

/// Change an item
///
/// A field that is absent stays, `null` removes it, `attributes` and `vectors` merge by key.
#[utoipa::path(
    patch, path = "/v1/collections/{c}/items/{id}", tag = "items", operation_id = "patch_item",
    params(ItemPath),
    request_body(content = Object, example = json!({"price": {"amount": 60}, "attributes": {"color": null}})),
    responses((status = 200, description = "The item as it is now", body = Item), Keyed, Gated, Bodied, Named, Conflicting, Stored),
)]
pub async fn patch(
    call: Call,
    path: Path<ItemPath>,
    body: Body<ItemPatch>,
) -> ApiResult<Json<Item>> {
    let item = call.write(move |database| database.collection(&path.c)?.patch(&path.id, &body.0));
    Ok(Json(item.await?))
}

/// Delete an item
#[utoipa::path(
    delete, path = "/v1/collections/{c}/items/{id}", tag = "items", operation_id = "delete_item",
    params(ItemPath),
    responses((status = 204, description = "Deleted"), Keyed, Gated, Named),
)]
pub async fn delete(call: Call, path: Path<ItemPath>) -> ApiResult<HttpResponse> {
    let deleted = call.write(move |database| {
        let ItemPath { c, id } = path.into_inner();
        match database.collection(&c)?.delete(std::slice::from_ref(&id))? {
            0 => Err(vitrine::Error::ItemNotFound(id)),
            _ => Ok(()),
        }
    });
    deleted.await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Page through items
///
/// In the order of their ids, hidden ones included.
#[utoipa::path(
    post, path = "/v1/collections/{c}/items/scroll", tag = "items", operation_id = "scroll_items",
    params(CollectionPath),
    request_body(content = ScrollRequest, example = json!({"filter": "brand = \"Acme\"", "limit": 100})),
    responses((status = 200, description = "A page", body = ScrollResponse), Keyed, Gated, Bodied, Named),
)]
pub async fn scroll(
    call: Call,
    path: Path<CollectionPath>,
    body: Body<ScrollRequest>,
) -> ApiResult<Json<ScrollResponse>> {
    let page = call.read(move |database| {
        let request = body.0;
        database.collection(&path.c)?.scroll(
            request.filter.as_ref(),
            request.limit.unwrap_or(100),
            request.cursor.as_deref(),
            request.with_vectors,
        )
    });
    let (items, next_cursor) = page.await?;
    Ok(Json(ScrollResponse { items, next_cursor }))
}

/// Count items
///
/// Hidden ones included.
#[utoipa::path(
    post, path = "/v1/collections/{c}/items/count", tag = "items", operation_id = "count_items",
    params(CollectionPath),
    request_body(content = CountRequest, example = json!({"filter": "price <= 300"})),
    responses((status = 200, description = "The exact number", body = CountResponse), Keyed, Gated, Bodied, Named),
)]
pub async fn count(
    call: Call,
    path: Path<CollectionPath>,
    body: Body<CountRequest>,
) -> ApiResult<Json<CountResponse>> {
    let filter = body.0.filter;
    let count = call.read(move |database| database.collection(&path.c)?.count(filter.as_ref()));
    Ok(Json(CountResponse {
        count: count.await?,
    }))
}

/// Facets
///
/// How many of the matching items have which value; exact, over all matches. Hidden items do not count.
#[utoipa::path(
    post, path = "/v1/collections/{c}/facets", tag = "search", operation_id = "facets",
    params(CollectionPath),
    request_body(content = FacetsRequest, example = json!({
        "filter": "availability = in_stock",
        "facets": [
            {"field": "brand"},
            {"field": "category", "under": "Clothing", "depth": 2},
            {"field": "price", "ranges": [{"to": 50}, {"from": 50, "to": 100}, {"from": 100}]}
        ]
    })),
    responses((status = 200, description = "One facet a field", body = FacetsResponse), Keyed, Gated, Bodied, Named),
)]
pub async fn facets(
    call: Call,
    path: Path<CollectionPath>,
    body: Body<FacetsRequest>,
) -> ApiResult<Json<FacetsResponse>> {
    let facets = call.read(move |database| database.collection(&path.c)?.facets(&body.0));
    Ok(Json(facets.await?))
}

/// Delete items by filter
#[utoipa::path(
    post, path = "/v1/collections/{c}/items/delete", tag = "items", operation_id = "delete_items",
    params(CollectionPath),
    request_body(content = DeleteRequest, example = json!({"filter": "availability = out_of_stock"})),
    responses((status = 200, description = "How many there were", body = DeleteResponse), Keyed, Gated, Bodied, Named),
)]
pub async fn delete_matching(
    call: Call,
    path: Path<CollectionPath>,
    body: Body<DeleteRequest>,
) -> ApiResult<Json<DeleteResponse>> {
    let deleted = call.write(move |database| {
        let collection = database.collection(&path.c)?;
        collection.delete_matching(&body.0.filter)
    });
    Ok(Json(DeleteResponse {
        deleted: deleted.await?,
    }))
}
