//! Collections and aliases.

use actix_web::{
    HttpResponse,
    web::{Json, Path},
};
use vitrine_schemas::{
    AliasAction, AliasRequest, Aliases, CollectionConfig, CollectionHealth, CollectionInfo,
    CollectionPatch,
};

use super::CollectionPath;
use crate::{
    error::ApiResult,
    http::{
        body::Body,
        request_context::RequestContext,
        responses::{AuthErrors, BodyErrors, ConflictErrors, NotFoundErrors, OverloadErrors},
    },
};

/// List collections
///
/// Lists the collections that the key covers, by name or alias.
#[utoipa::path(
    get, path = "/v1/collections", tag = "collections", operation_id = "list_collections",
    responses((status = 200, description = "Collections, sorted by name", body = Vec<CollectionInfo>), AuthErrors, OverloadErrors),
)]
pub async fn list(context: RequestContext) -> ApiResult<Json<Vec<CollectionInfo>>> {
    let mut all = context.read(|database| Ok(database.collections())).await?;
    all.retain(|info| context.covers(&info.name) || info.aliases.iter().any(|a| context.covers(a)));
    Ok(Json(all))
}

/// Create a collection
///
/// Idempotent: repeating a request is not an error. A different configuration under the same name
/// is a conflict. Without `vectors` and `fingerprint`, the collection gets the spaces and the
/// fingerprint of the encoders of the server, which then embeds its items and queries.
#[utoipa::path(
    put, path = "/v1/collections/{c}", tag = "collections", operation_id = "create_collection",
    params(CollectionPath),
    request_body(content = CollectionConfig, example = json!({
        "attributes": {"color": "keyword", "size": "float"},
        "vectors": {"shared": {"dim": 384, "metric": "cosine"}}
    })),
    responses((status = 200, description = "The collection", body = CollectionInfo), AuthErrors, OverloadErrors, BodyErrors, ConflictErrors),
)]
pub async fn put(
    context: RequestContext,
    path: Path<CollectionPath>,
    body: Body<CollectionConfig>,
) -> ApiResult<Json<CollectionInfo>> {
    let mut config = body.0;
    if config.vectors.is_empty()
        && config.fingerprint.is_none()
        && let Ok(embedder) = context.state.embedders.in_use()
    {
        config.vectors = vitrine::spaces_of(&*embedder);
        config.fingerprint = Some(embedder.fingerprint().to_owned());
    }
    let info = context.write(move |database| {
        database.create_collection(&path.c, config)?;
        database.info(&path.c)
    });
    Ok(Json(info.await?))
}

/// Add attributes and vector spaces
#[utoipa::path(
    patch, path = "/v1/collections/{c}", tag = "collections", operation_id = "patch_collection",
    params(CollectionPath),
    request_body(content = CollectionPatch, example = json!({"attributes": {"season": "keyword"}})),
    responses((status = 200, description = "The collection after the change", body = CollectionInfo), AuthErrors, OverloadErrors, BodyErrors, NotFoundErrors),
)]
pub async fn patch(
    context: RequestContext,
    path: Path<CollectionPath>,
    body: Body<CollectionPatch>,
) -> ApiResult<Json<CollectionInfo>> {
    let info = context.write(move |database| {
        database.patch_collection(&path.c, body.0)?;
        database.info(&path.c)
    });
    Ok(Json(info.await?))
}

/// Health of a collection
///
/// Names what is wrong with the collection and what to do about it: damage, failing writes, items
/// that cannot be indexed or embedded, low recall, a lack of memory or disk.
#[utoipa::path(
    get, path = "/v1/collections/{c}/health", tag = "operations", operation_id = "collection_health",
    params(CollectionPath),
    responses((status = 200, description = "The problems", body = CollectionHealth), AuthErrors, OverloadErrors, NotFoundErrors),
)]
pub async fn health(
    context: RequestContext,
    path: Path<CollectionPath>,
) -> ApiResult<Json<CollectionHealth>> {
    let health = context.read(move |database| database.collection_health(&path.c));
    Ok(Json(health.await?))
}

/// Get a collection
#[utoipa::path(
    get, path = "/v1/collections/{c}", tag = "collections", operation_id = "get_collection",
    params(CollectionPath),
    responses((status = 200, description = "Configuration and state", body = CollectionInfo), AuthErrors, OverloadErrors, NotFoundErrors),
)]
pub async fn get(
    context: RequestContext,
    path: Path<CollectionPath>,
) -> ApiResult<Json<CollectionInfo>> {
    let info = context.read(move |database| database.info(&path.c));
    Ok(Json(info.await?))
}

/// Drop a collection
///
/// Drops the collection with its items, events and aliases. The path must have its own name, not an
/// alias.
#[utoipa::path(
    delete, path = "/v1/collections/{c}", tag = "collections", operation_id = "drop_collection",
    params(CollectionPath),
    responses((status = 204, description = "Dropped"), AuthErrors, OverloadErrors, NotFoundErrors),
)]
pub async fn delete(
    context: RequestContext,
    path: Path<CollectionPath>,
) -> ApiResult<HttpResponse> {
    let dropped = context.write(move |database| database.drop_collection(&path.c));
    dropped.await?;
    Ok(HttpResponse::NoContent().finish())
}

/// List aliases
///
/// Lists the aliases that the key covers, by alias or collection.
#[utoipa::path(
    get, path = "/v1/aliases", tag = "aliases", operation_id = "list_aliases",
    responses((status = 200, description = "Aliases", body = Aliases), AuthErrors, OverloadErrors),
)]
pub async fn aliases(context: RequestContext) -> ApiResult<Json<Aliases>> {
    let mut aliases = context.read(|database| Ok(database.aliases())).await?;
    aliases.retain(|alias, target| context.covers(alias) || context.covers(target));
    Ok(Json(Aliases { aliases }))
}

/// Change aliases
///
/// Applies all actions atomically.
#[utoipa::path(
    post, path = "/v1/aliases", tag = "aliases", operation_id = "change_aliases",
    request_body(content = AliasRequest, example = json!({
        "actions": [{"action": "set", "alias": "live", "collection": "shop"}]
    })),
    responses((status = 200, description = "Aliases after the change", body = Aliases), AuthErrors, OverloadErrors, BodyErrors, NotFoundErrors, ConflictErrors),
)]
pub async fn apply(context: RequestContext, body: Body<AliasRequest>) -> ApiResult<Json<Aliases>> {
    let actions = body.0.actions;
    context.check(actions.iter().flat_map(|action| match action {
        AliasAction::Set { alias, collection } => vec![alias.as_str(), collection],
        AliasAction::Remove { alias } => vec![alias.as_str()],
    }))?;
    let mut aliases = context
        .write(move |database| database.apply_aliases(&actions))
        .await?;
    aliases.retain(|alias, target| context.covers(alias) || context.covers(target));
    Ok(Json(Aliases { aliases }))
}
