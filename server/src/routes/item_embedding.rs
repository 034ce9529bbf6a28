//! Items that the server has still to embed, or could not embed.

use actix_web::web::{Json, Path};
use vitrine_schemas::{EmbedMissingResponse, EmbeddingParams, EmbeddingResponse};

use super::CollectionPath;
use crate::{
    error::ApiResult,
    http::{
        params::Params,
        request_context::RequestContext,
        responses::{AuthErrors, NotFoundErrors, OverloadErrors, StorageErrors},
    },
};

/// List items by the state of their vectors
///
/// Lists written items that could not be embedded (`failed`), or not fully (`partial`), with the
/// cause, or whose vectors follow (`pending`).
#[utoipa::path(
    get, path = "/v1/collections/{c}/embedding", tag = "items", operation_id = "list_embedding",
    params(CollectionPath, EmbeddingParams),
    responses((status = 200, description = "A page of items", body = EmbeddingResponse), AuthErrors, OverloadErrors, NotFoundErrors),
)]
pub async fn list(
    context: RequestContext,
    path: Path<CollectionPath>,
    params: Params<EmbeddingParams>,
) -> ApiResult<Json<EmbeddingResponse>> {
    let page = context.read(move |database| {
        let collection = database.collection(&path.c)?;
        collection.embedding_list(params.status, params.after, params.limit)
    });
    Ok(Json(page.await?))
}

/// Embed items without vectors
///
/// Marks all items without vectors as pending: those that failed, and those written while embedding
/// was off or unavailable.
#[utoipa::path(
    post, path = "/v1/collections/{c}/embedding", tag = "items", operation_id = "embed_missing",
    params(CollectionPath),
    responses((status = 200, description = "Number of items that are pending now", body = EmbedMissingResponse), AuthErrors, OverloadErrors, NotFoundErrors, StorageErrors),
)]
pub async fn embed_missing(
    context: RequestContext,
    path: Path<CollectionPath>,
) -> ApiResult<Json<EmbedMissingResponse>> {
    let state = context.state.clone();
    let added = context.write(move |database| {
        let collection = database.collection(&path.c)?;
        state.embedding.check(&collection)?;
        let added = collection.embed_missing()?;
        state.embedding.wake();
        Ok(added)
    });
    Ok(Json(EmbedMissingResponse {
        added: added.await?,
    }))
}
