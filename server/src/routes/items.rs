//! Items: write, read, scroll, count, facets, delete.

use actix_web::{
    HttpResponse,
    web::{Json, Path},
};
use vitrine::{Precondition, item_tag};
use vitrine_schemas::{
    CountRequest, CountResponse, DeleteRequest, DeleteResponse, EmbeddingStatus, FacetsRequest,
    FacetsResponse, Item, ItemPatch, ScrollRequest, ScrollResponse, WriteParams, WriteResponse,
};

use super::{CollectionPath, ItemPath};
use crate::{
    embedding::state_of,
    error::{ApiError, ApiResult},
    http::{
        body::Body,
        etag::{ConditionHeaders, Tagged},
        params::Params,
        records::Records,
        request_context::RequestContext,
        responses::{
            AuthErrors, BodyErrors, ConditionErrors, ConflictErrors, NotFoundErrors,
            OverloadErrors, StorageErrors,
        },
    },
    import::{is_pending, write_report},
};

/// Fields of an item that its vectors are made of.
const EMBEDDED_FIELDS: [&str; 5] = ["title", "description", "category", "brand", "images"];

/// Write items
///
/// The body is an array of items, or one item. An item replaces the stored item with the same id as
/// a whole. A rejected item does not affect the others: see its result. If a memory or disk limit
/// would be exceeded, no item is stored: 507, or 429 if waiting is enough.
///
/// An item without vectors is embedded by the server, if it has the encoders of the collection. The
/// result says whether its vectors are there (`done`) or follow (`pending`); see `wait`.
#[utoipa::path(
    put, path = "/v1/collections/{c}/items", tag = "items", operation_id = "write_items",
    params(CollectionPath, WriteParams),
    request_body(content = Vec<Item>, example = json!([{
        "id": "SKU1", "title": "Red running shoes", "category": "Clothing > Shoes",
        "price": {"amount": 80, "currency": "EUR"}, "attributes": {"color": "red"}
    }])),
    responses((status = 200, description = "One result per item", body = WriteResponse), AuthErrors, OverloadErrors, BodyErrors, NotFoundErrors, StorageErrors),
)]
pub async fn put(
    context: RequestContext,
    path: Path<CollectionPath>,
    params: Params<WriteParams>,
    body: Records<Item>,
) -> ApiResult<Json<WriteResponse>> {
    let params = params.0;
    if context.condition != Precondition::Any {
        let detail = "`if-match` and `if-none-match` apply to one item; change it by PATCH";
        return Err(ApiError::invalid("", detail));
    }
    let (indexes, items): (Vec<u64>, Vec<Item>) = body.read.into_iter().unzip();
    let ids: Vec<_> = items.iter().map(|item| item.id.clone()).collect();
    let (state, timeout) = (context.state.clone(), context.timeout);
    let deadline = context.deadline();
    let work = move || {
        let collection = state.database().collection(&path.c)?;
        if items.iter().any(|item| item.vectors.is_empty()) {
            state.embedding.admit(&collection, &params)?;
        }
        let outcomes = state.embedding.write(&collection, &params, items)?;
        let patience = state.embedding.patience(&collection, &params, timeout);
        Ok((collection, outcomes, patience))
    };
    let written = context.state.writes.run(deadline, work).await?;
    let (collection, mut outcomes, patience) = written;
    let each = ids.iter().zip(&outcomes);
    let pending = each.filter(|(_, outcome)| outcome.as_ref().is_ok_and(is_pending));
    let pending: Vec<_> = pending.map(|(id, _)| id.clone()).collect();
    let embedding = &context.state.embedding;
    embedding.wait(&collection, &pending, patience).await;
    for (id, outcome) in ids.iter().zip(&mut outcomes) {
        if let Ok(written) = outcome
            && is_pending(written)
        {
            written.embedding = Some(state_of(&collection, id));
        }
    }
    let written = outcomes.into_iter().map(|o| o.map_err(ApiError::from));
    let written = indexes
        .into_iter()
        .zip(ids.into_iter().map(Some).zip(written));
    let bad = body.bad.into_iter();
    let bad = bad.map(|(index, record)| (index, (record.id, Err(record.error))));
    let mut each: Vec<_> = written.chain(bad).collect();
    each.sort_by_key(|(index, _)| *index);
    let mut response = WriteResponse::default();
    for (index, (id, outcome)) in each {
        write_report::record(&mut response, index, id, outcome);
    }
    Ok(Json(response))
}

/// Get an item
///
/// Returns the item with its vectors. `etag` is the tag of its fields, for `if-match`; vectors do
/// not count in it, as they follow a change later.
#[utoipa::path(
    get, path = "/v1/collections/{c}/items/{id}", tag = "items", operation_id = "get_item",
    params(ItemPath),
    responses((status = 200, description = "The item", body = Item), AuthErrors, OverloadErrors, NotFoundErrors),
)]
pub async fn get(context: RequestContext, path: Path<ItemPath>) -> ApiResult<Tagged<Item>> {
    let item = context.read(move |database| database.collection(&path.c)?.get(&path.id, true));
    Ok(tagged(item.await?))
}

fn tagged(item: Item) -> Tagged<Item> {
    Tagged {
        tag: item_tag(&item),
        body: item,
    }
}

/// Patch an item
///
/// Absent fields stay, `null` removes a field, `attributes` and `vectors` merge by key.
///
/// If the embedded content changes (texts, images), the server embeds the item again; `embedding`
/// in the answer says whether that is done.
#[utoipa::path(
    patch, path = "/v1/collections/{c}/items/{id}", tag = "items", operation_id = "patch_item",
    params(ItemPath, WriteParams, ConditionHeaders),
    request_body(content = Object, example = json!({"price": {"amount": 60}, "attributes": {"color": null}})),
    responses((status = 200, description = "The item after the change", body = Item), AuthErrors, ConditionErrors, OverloadErrors, BodyErrors, NotFoundErrors, ConflictErrors, StorageErrors),
)]
pub async fn patch(
    context: RequestContext,
    path: Path<ItemPath>,
    params: Params<WriteParams>,
    body: Body<ItemPatch>,
) -> ApiResult<Tagged<Item>> {
    let (params, condition) = (params.0, context.condition.clone());
    let (state, timeout) = (context.state.clone(), context.timeout);
    let deadline = context.deadline();
    let work = move || {
        let collection = state.database().collection(&path.c)?;
        let is_embedded = EMBEDDED_FIELDS.iter().any(|f| body.0.contains_key(*f));
        if is_embedded && !body.0.contains_key("vectors") {
            state.embedding.admit(&collection, &params)?;
        }
        let embedding = &state.embedding;
        let item = embedding.patch(&collection, &params, &path.id, &body.0, &condition)?;
        let patience = embedding.patience(&collection, &params, timeout);
        Ok((collection, item, patience))
    };
    let patched = context.state.writes.run(deadline, work).await?;
    let (collection, item, patience) = patched;
    let status = item.embedding.as_ref().map(|state| state.status);
    if status != Some(EmbeddingStatus::Pending) {
        return Ok(tagged(item));
    }
    let ids = [item.id.clone()];
    let embedding = &context.state.embedding;
    embedding.wait(&collection, &ids, patience).await;
    let item = context.read(move |_| {
        let mut item = collection.get(&ids[0], true)?;
        item.embedding = Some(state_of(&collection, &ids[0]));
        Ok(item)
    });
    Ok(tagged(item.await?))
}

/// Delete an item
#[utoipa::path(
    delete, path = "/v1/collections/{c}/items/{id}", tag = "items", operation_id = "delete_item",
    params(ItemPath, ConditionHeaders),
    responses((status = 204, description = "Deleted"), AuthErrors, ConditionErrors, OverloadErrors, NotFoundErrors),
)]
pub async fn delete(context: RequestContext, path: Path<ItemPath>) -> ApiResult<HttpResponse> {
    let condition = context.condition.clone();
    let deleted = context.write(move |database| {
        let ItemPath { c, id } = path.into_inner();
        database.collection(&c)?.delete_if(&id, &condition)
    });
    deleted.await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Scroll through items
///
/// Returns items sorted by id, or as `sort` says, including hidden items.
#[utoipa::path(
    post, path = "/v1/collections/{c}/items/scroll", tag = "items", operation_id = "scroll_items",
    params(CollectionPath),
    request_body(content = ScrollRequest, example = json!({"filter": "brand = \"Acme\"", "limit": 100})),
    responses((status = 200, description = "A page of items", body = ScrollResponse), AuthErrors, OverloadErrors, BodyErrors, NotFoundErrors),
)]
pub async fn scroll(
    context: RequestContext,
    path: Path<CollectionPath>,
    body: Body<ScrollRequest>,
) -> ApiResult<Json<ScrollResponse>> {
    let page = context.read(move |database| {
        let request = body.0;
        let collection = database.collection(&path.c)?;
        let (filter, cursor) = (request.filter.as_ref(), request.cursor.as_deref());
        let (limit, with_vectors) = (request.limit.unwrap_or(100), request.with_vectors);
        match request.sort.as_slice() {
            [] => collection.scroll(filter, limit, cursor, with_vectors),
            sort => collection.scroll_sorted(filter, sort, limit, cursor, with_vectors),
        }
    });
    let (items, next_cursor) = page.await?;
    Ok(Json(ScrollResponse { items, next_cursor }))
}

/// Count items
///
/// Includes hidden items.
#[utoipa::path(
    post, path = "/v1/collections/{c}/items/count", tag = "items", operation_id = "count_items",
    params(CollectionPath),
    request_body(content = CountRequest, example = json!({"filter": "price <= 300"})),
    responses((status = 200, description = "Exact count", body = CountResponse), AuthErrors, OverloadErrors, BodyErrors, NotFoundErrors),
)]
pub async fn count(
    context: RequestContext,
    path: Path<CollectionPath>,
    body: Body<CountRequest>,
) -> ApiResult<Json<CountResponse>> {
    let filter = body.0.filter;
    let count = context.read(move |database| database.collection(&path.c)?.count(filter.as_ref()));
    Ok(Json(CountResponse {
        count: count.await?,
    }))
}

/// Facets
///
/// Counts the matching items by value, exactly and over all matches. Hidden items are not counted.
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
    responses((status = 200, description = "One facet per field", body = FacetsResponse), AuthErrors, OverloadErrors, BodyErrors, NotFoundErrors),
)]
pub async fn facets(
    context: RequestContext,
    path: Path<CollectionPath>,
    body: Body<FacetsRequest>,
) -> ApiResult<Json<FacetsResponse>> {
    let facets = context.read(move |database| database.collection(&path.c)?.facets(&body.0));
    Ok(Json(facets.await?))
}

/// Delete items by filter
#[utoipa::path(
    post, path = "/v1/collections/{c}/items/delete", tag = "items", operation_id = "delete_items",
    params(CollectionPath),
    request_body(content = DeleteRequest, example = json!({"filter": "availability = out_of_stock"})),
    responses((status = 200, description = "Number of deleted items", body = DeleteResponse), AuthErrors, OverloadErrors, BodyErrors, NotFoundErrors),
)]
pub async fn delete_matching(
    context: RequestContext,
    path: Path<CollectionPath>,
    body: Body<DeleteRequest>,
) -> ApiResult<Json<DeleteResponse>> {
    let deleted = context.write(move |database| {
        let collection = database.collection(&path.c)?;
        collection.delete_matching(&body.0.filter)
    });
    Ok(Json(DeleteResponse {
        deleted: deleted.await?,
    }))
}
