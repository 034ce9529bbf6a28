//! Re-embedding of a collection: begin, monitor, fill, switch, roll back, end.

use actix_web::{
    HttpResponse,
    web::{Json, Path},
};
use vitrine::Error;
use vitrine_schemas::{
    FillRequest, FillResponse, PendingParams, PendingResponse, ReembeddingInfo, ReembeddingRequest,
    SwitchParams,
};

use super::CollectionPath;
use crate::{
    error::ApiResult,
    http::{
        body::Body,
        params::Params,
        request_context::RequestContext,
        responses::{
            AuthErrors, BodyErrors, ConflictErrors, NotFoundErrors, OverloadErrors, StorageErrors,
        },
    },
};

/// Get the re-embedding
///
/// Returns the progress of the current re-embedding.
#[utoipa::path(
    get, path = "/v1/collections/{c}/reembedding", tag = "reembedding", operation_id = "get_reembedding",
    params(CollectionPath),
    responses((status = 200, description = "The current re-embedding", body = ReembeddingInfo), AuthErrors, OverloadErrors, NotFoundErrors),
)]
pub async fn get(
    context: RequestContext,
    path: Path<CollectionPath>,
) -> ApiResult<Json<ReembeddingInfo>> {
    let info = context.read(move |database| {
        let info = database.collection(&path.c)?.reembedding();
        info.ok_or(Error::NoReembedding)
    });
    Ok(Json(info.await?))
}

/// Begin a re-embedding
///
/// Declares a second set of vector spaces that other encoders fill while the first one serves: see
/// `pending` and `vectors`; `vitrine-indexer reembed run` does all steps. Meanwhile an item may be
/// written with vectors of either set or of both (`other_vectors`); the server embeds text-only
/// items for the other set. Idempotent.
#[utoipa::path(
    post, path = "/v1/collections/{c}/reembedding", tag = "reembedding", operation_id = "begin_reembedding",
    params(CollectionPath),
    request_body(content = ReembeddingRequest, example = json!({
        "fingerprint": "0f3a", "vectors": {"shared": {"dim": 384}}
    })),
    responses((status = 200, description = "The re-embedding", body = ReembeddingInfo), AuthErrors, OverloadErrors, BodyErrors, NotFoundErrors, ConflictErrors),
)]
pub async fn begin(
    context: RequestContext,
    path: Path<CollectionPath>,
    body: Body<ReembeddingRequest>,
) -> ApiResult<Json<ReembeddingInfo>> {
    let state = context.state.clone();
    let mut request = body.0;
    let info = context.write(move |database| {
        let collection = database.collection(&path.c)?;
        state
            .embedders
            .check_switch(&collection, &request.fingerprint)?;
        if request.from.is_none() && collection.config().fingerprint.is_none() {
            // Queries were embedded by the encoders in use.
            let in_use = state.embedders.in_use().ok();
            request.from = in_use.map(|e| e.fingerprint().to_owned());
        }
        database.begin_reembedding(&path.c, &request)
    });
    Ok(Json(info.await?))
}

/// End the re-embedding
///
/// Drops the inactive set of vector spaces: the new one before a switch, the old one after it.
#[utoipa::path(
    delete, path = "/v1/collections/{c}/reembedding", tag = "reembedding", operation_id = "end_reembedding",
    params(CollectionPath),
    responses((status = 204, description = "Ended"), AuthErrors, OverloadErrors, NotFoundErrors),
)]
pub async fn end(context: RequestContext, path: Path<CollectionPath>) -> ApiResult<HttpResponse> {
    let state = context.state.clone();
    let ended = context.write(move |database| {
        database.end_reembedding(&path.c)?;
        state.embedders.release(database);
        Ok(())
    });
    ended.await?;
    Ok(HttpResponse::NoContent().finish())
}

/// List pending items
///
/// Lists the items that have vectors of the other encoders only.
#[utoipa::path(
    get, path = "/v1/collections/{c}/reembedding/pending", tag = "reembedding", operation_id = "pending_items",
    params(CollectionPath, PendingParams),
    responses((status = 200, description = "A page of items", body = PendingResponse), AuthErrors, OverloadErrors, NotFoundErrors, ConflictErrors),
)]
pub async fn pending(
    context: RequestContext,
    path: Path<CollectionPath>,
    params: Params<PendingParams>,
) -> ApiResult<Json<PendingResponse>> {
    let page = context.read(move |database| {
        let collection = database.collection(&path.c)?;
        collection.pending(&params.fingerprint, params.after, params.limit)
    });
    Ok(Json(page.await?))
}

/// Fill vectors of pending items
///
/// An item sent without vectors is recorded as one that cannot be embedded. An item that has
/// changed since it was listed is skipped.
#[utoipa::path(
    put, path = "/v1/collections/{c}/reembedding/vectors", tag = "reembedding", operation_id = "fill_vectors",
    params(CollectionPath),
    request_body(content = FillRequest, example = json!({
        "fingerprint": "0f3a", "items": [{"id": "SKU1", "version": 7, "vectors": {"shared": [0.1, 0.2]}}]
    })),
    responses((status = 200, description = "Number of filled, failed and skipped items", body = FillResponse), AuthErrors, OverloadErrors, BodyErrors, NotFoundErrors, ConflictErrors, StorageErrors),
)]
pub async fn fill(
    context: RequestContext,
    path: Path<CollectionPath>,
    body: Body<FillRequest>,
) -> ApiResult<Json<FillResponse>> {
    let filled = context.write(move |database| database.collection(&path.c)?.fill(body.0));
    Ok(Json(filled.await?))
}

/// Switch to the new spaces
///
/// Searches atomically use the new spaces, and queries are embedded by their encoders. Rejected if
/// items would be lost. Idempotent.
#[utoipa::path(
    post, path = "/v1/collections/{c}/reembedding/switch", tag = "reembedding", operation_id = "switch_reembedding",
    params(CollectionPath, SwitchParams),
    responses((status = 200, description = "The re-embedding after the switch", body = ReembeddingInfo), AuthErrors, OverloadErrors, NotFoundErrors, ConflictErrors),
)]
pub async fn switch(
    context: RequestContext,
    path: Path<CollectionPath>,
    params: Params<SwitchParams>,
) -> ApiResult<Json<ReembeddingInfo>> {
    let state = context.state.clone();
    let info = context.write(move |database| {
        let collection = database.collection(&path.c)?;
        let next = collection
            .reembedding()
            .and_then(|info| info.other.fingerprint);
        if let Some(next) = next.filter(|_| !params.force) {
            state.embedders.check_switch(&collection, &next)?;
        }
        database.switch_reembedding(&path.c, params.force)
    });
    Ok(Json(info.await?))
}

/// Roll back the switch
///
/// Searches use the old spaces again. They were kept up to date, so no later write is lost.
/// Idempotent.
#[utoipa::path(
    post, path = "/v1/collections/{c}/reembedding/rollback", tag = "reembedding", operation_id = "roll_back_reembedding",
    params(CollectionPath, SwitchParams),
    responses((status = 200, description = "The re-embedding after the rollback", body = ReembeddingInfo), AuthErrors, OverloadErrors, NotFoundErrors, ConflictErrors),
)]
pub async fn roll_back(
    context: RequestContext,
    path: Path<CollectionPath>,
    params: Params<SwitchParams>,
) -> ApiResult<Json<ReembeddingInfo>> {
    let info = context.write(move |database| database.roll_back_reembedding(&path.c, params.force));
    Ok(Json(info.await?))
}
