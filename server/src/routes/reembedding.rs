//! Re-embedding a collection: begin, follow, fill, switch, roll back, end.

use actix_web::{
    HttpResponse,
    web::{Json, Path, Query as Params},
};
use vitrine::Error;
use vitrine_schemas::{
    FillRequest, FillResponse, PendingParams, PendingResponse, ReembeddingInfo, ReembeddingRequest,
    SwitchParams,
};

use super::CollectionPath;
use crate::{
    body::Body,
    call::Call,
    error::ApiResult,
    openapi::{Bodied, Conflicting, Gated, Keyed, Named, Stored},
};

/// Get the re-embedding
///
/// How far it is.
#[utoipa::path(
    get, path = "/v1/collections/{c}/reembedding", tag = "reembedding", operation_id = "get_reembedding",
    params(CollectionPath),
    responses((status = 200, description = "The one under way", body = ReembeddingInfo), Keyed, Gated, Named),
)]
pub async fn get(call: Call, path: Path<CollectionPath>) -> ApiResult<Json<ReembeddingInfo>> {
    let info = call.read(move |database| {
        let info = database.collection(&path.c)?.reembedding();
        info.ok_or(Error::NoReembedding)
    });
    Ok(Json(info.await?))
}

/// Begin a re-embedding
///
/// Declares spaces that other encoders fill beside those in use: see `pending` and `vectors`; `vitrine-indexer reembed run` does it all.
/// Meanwhile an item may be written with vectors of either encoders, or of both (`other_vectors`); what is all text the
/// server embeds for the other. The same again is no error.
#[utoipa::path(
    post, path = "/v1/collections/{c}/reembedding", tag = "reembedding", operation_id = "begin_reembedding",
    params(CollectionPath),
    request_body(content = ReembeddingRequest, example = json!({
        "fingerprint": "0f3a", "vectors": {"shared": {"dim": 384}}
    })),
    responses((status = 200, description = "It is under way", body = ReembeddingInfo), Keyed, Gated, Bodied, Named, Conflicting),
)]
pub async fn begin(
    call: Call,
    path: Path<CollectionPath>,
    body: Body<ReembeddingRequest>,
) -> ApiResult<Json<ReembeddingInfo>> {
    let state = call.state.clone();
    let mut request = body.0;
    let info = call.write(move |database| {
        let collection = database.collection(&path.c)?;
        state.embedders.ready(&collection, &request.fingerprint)?;
        if request.from.is_none() && collection.config().fingerprint.is_none() {
            // Queries were embedded by those in use.
            let in_use = state.embedders.in_use().ok();
            request.from = in_use.map(|e| e.fingerprint().to_owned());
        }
        database.begin_reembedding(&path.c, &request)
    });
    Ok(Json(info.await?))
}

/// End the re-embedding
///
/// Drops the spaces that searches do not see: before a switch the new ones, after it those from before.
#[utoipa::path(
    delete, path = "/v1/collections/{c}/reembedding", tag = "reembedding", operation_id = "end_reembedding",
    params(CollectionPath),
    responses((status = 204, description = "Ended"), Keyed, Gated, Named),
)]
pub async fn end(call: Call, path: Path<CollectionPath>) -> ApiResult<HttpResponse> {
    let state = call.state.clone();
    let ended = call.write(move |database| {
        database.end_reembedding(&path.c)?;
        state.embedders.release(database);
        Ok(())
    });
    ended.await?;
    Ok(HttpResponse::NoContent().finish())
}

/// List items to be embedded
///
/// Those that have vectors of the other encoders only.
#[utoipa::path(
    get, path = "/v1/collections/{c}/reembedding/pending", tag = "reembedding", operation_id = "pending_items",
    params(CollectionPath, PendingParams),
    responses((status = 200, description = "A page", body = PendingResponse), Keyed, Gated, Named, Conflicting),
)]
pub async fn pending(
    call: Call,
    path: Path<CollectionPath>,
    params: Params<PendingParams>,
) -> ApiResult<Json<PendingResponse>> {
    let page = call.read(move |database| {
        let collection = database.collection(&path.c)?;
        collection.pending(&params.fingerprint, params.after, params.limit)
    });
    Ok(Json(page.await?))
}

/// Send vectors of pending items
///
/// An item sent without vectors is noted as one that cannot be embedded. Nothing is stored of one that has changed meanwhile.
#[utoipa::path(
    put, path = "/v1/collections/{c}/reembedding/vectors", tag = "reembedding", operation_id = "fill_vectors",
    params(CollectionPath),
    request_body(content = FillRequest, example = json!({
        "fingerprint": "0f3a", "items": [{"id": "SKU1", "version": 7, "vectors": {"shared": [0.1, 0.2]}}]
    })),
    responses((status = 200, description = "What became of them", body = FillResponse), Keyed, Gated, Bodied, Named, Conflicting, Stored),
)]
pub async fn fill(
    call: Call,
    path: Path<CollectionPath>,
    body: Body<FillRequest>,
) -> ApiResult<Json<FillResponse>> {
    let filled = call.write(move |database| database.collection(&path.c)?.fill(body.0));
    Ok(Json(filled.await?))
}

/// Switch over
///
/// From one moment to the next searches see the new spaces, and queries are embedded by their encoders. Refused where items would be
/// lost. Once more is no error.
#[utoipa::path(
    post, path = "/v1/collections/{c}/reembedding/switch", tag = "reembedding", operation_id = "switch_reembedding",
    params(CollectionPath, SwitchParams),
    responses((status = 200, description = "Switched", body = ReembeddingInfo), Keyed, Gated, Named, Conflicting),
)]
pub async fn switch(
    call: Call,
    path: Path<CollectionPath>,
    params: Params<SwitchParams>,
) -> ApiResult<Json<ReembeddingInfo>> {
    let state = call.state.clone();
    let info = call.write(move |database| {
        let collection = database.collection(&path.c)?;
        let next = collection
            .reembedding()
            .and_then(|info| info.other.fingerprint);
        if let Some(next) = next.filter(|_| !params.force) {
            state.embedders.ready(&collection, &next)?;
        }
        database.switch_reembedding(&path.c, params.force)
    });
    Ok(Json(info.await?))
}

/// Roll back
///
/// Searches see the spaces from before the switch again. They were kept up, so nothing that was written since is lost. Once more is no error.
#[utoipa::path(
    post, path = "/v1/collections/{c}/reembedding/rollback", tag = "reembedding", operation_id = "roll_back_reembedding",
    params(CollectionPath, SwitchParams),
    responses((status = 200, description = "Rolled back", body = ReembeddingInfo), Keyed, Gated, Named, Conflicting),
)]
pub async fn roll_back(
    call: Call,
    path: Path<CollectionPath>,
    params: Params<SwitchParams>,
) -> ApiResult<Json<ReembeddingInfo>> {
    let info = call.write(move |database| database.roll_back_reembedding(&path.c, params.force));
    Ok(Json(info.await?))
}
