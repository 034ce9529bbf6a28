//! Collections and aliases.

use actix_web::{
    HttpResponse,
    web::{Json, Path},
};
use vitrine_schemas::{
    AliasAction, AliasRequest, Aliases, CollectionConfig, CollectionInfo, CollectionPatch,
};

use super::CollectionPath;
use crate::{
    body::Body,
    call::Call,
    error::ApiResult,
    openapi::{Bodied, Conflicting, Gated, Keyed, Named},
};

/// List collections
///
/// Those the key covers, by their own name or an alias.
#[utoipa::path(
    get, path = "/v1/collections", tag = "collections", operation_id = "list_collections",
    responses((status = 200, description = "In the order of their names", body = Vec<CollectionInfo>), Keyed, Gated),
)]
pub async fn list(call: Call) -> ApiResult<Json<Vec<CollectionInfo>>> {
    let mut all = call.read(|database| Ok(database.collections())).await?;
    all.retain(|info| call.covers(&info.name) || info.aliases.iter().any(|a| call.covers(a)));
    Ok(Json(all))
}

/// Create a collection
///
/// The same again is no error; another configuration under the same name is.
#[utoipa::path(
    put, path = "/v1/collections/{c}", tag = "collections", operation_id = "create_collection",
    params(CollectionPath),
    request_body(content = CollectionConfig, example = json!({
        "attributes": {"color": "keyword", "size": "float"},
        "vectors": {"shared": {"dim": 384, "metric": "cosine"}}
    })),
    responses((status = 200, description = "It is there", body = CollectionInfo), Keyed, Gated, Bodied, Conflicting),
)]
pub async fn put(
    call: Call,
    path: Path<CollectionPath>,
    body: Body<CollectionConfig>,
) -> ApiResult<Json<CollectionInfo>> {
    let info = call.write(move |database| {
        database.create_collection(&path.c, body.0)?;
        database.info(&path.c)
    });
    Ok(Json(info.await?))
}

/// Add attributes and vector spaces
#[utoipa::path(
    patch, path = "/v1/collections/{c}", tag = "collections", operation_id = "patch_collection",
    params(CollectionPath),
    request_body(content = CollectionPatch, example = json!({"attributes": {"season": "keyword"}})),
    responses((status = 200, description = "Added", body = CollectionInfo), Keyed, Gated, Bodied, Named),
)]
pub async fn patch(
    call: Call,
    path: Path<CollectionPath>,
    body: Body<CollectionPatch>,
) -> ApiResult<Json<CollectionInfo>> {
    let info = call.write(move |database| {
        database.patch_collection(&path.c, body.0)?;
        database.info(&path.c)
    });
    Ok(Json(info.await?))
}

/// Get a collection
#[utoipa::path(
    get, path = "/v1/collections/{c}", tag = "collections", operation_id = "get_collection",
    params(CollectionPath),
    responses((status = 200, description = "Its configuration and state", body = CollectionInfo), Keyed, Gated, Named),
)]
pub async fn get(call: Call, path: Path<CollectionPath>) -> ApiResult<Json<CollectionInfo>> {
    let info = call.read(move |database| database.info(&path.c));
    Ok(Json(info.await?))
}

/// Drop a collection
///
/// With its items, events and aliases. It is named by its own name, not by an alias.
#[utoipa::path(
    delete, path = "/v1/collections/{c}", tag = "collections", operation_id = "drop_collection",
    params(CollectionPath),
    responses((status = 204, description = "Dropped"), Keyed, Gated, Named),
)]
pub async fn delete(call: Call, path: Path<CollectionPath>) -> ApiResult<HttpResponse> {
    let dropped = call.write(move |database| database.drop_collection(&path.c));
    dropped.await?;
    Ok(HttpResponse::NoContent().finish())
}

/// List aliases
///
/// Those the key covers, by the alias or its collection.
#[utoipa::path(
    get, path = "/v1/aliases", tag = "aliases", operation_id = "list_aliases",
    responses((status = 200, description = "All aliases", body = Aliases), Keyed, Gated),
)]
pub async fn aliases(call: Call) -> ApiResult<Json<Aliases>> {
    let mut aliases = call.read(|database| Ok(database.aliases())).await?;
    aliases.retain(|alias, target| call.covers(alias) || call.covers(target));
    Ok(Json(Aliases { aliases }))
}

/// Change aliases
///
/// All actions take effect in one step, or none does.
#[utoipa::path(
    post, path = "/v1/aliases", tag = "aliases", operation_id = "change_aliases",
    request_body(content = AliasRequest, example = json!({
        "actions": [{"action": "set", "alias": "live", "collection": "shop"}]
    })),
    responses((status = 200, description = "All aliases now", body = Aliases), Keyed, Gated, Bodied, Named, Conflicting),
)]
pub async fn apply(call: Call, body: Body<AliasRequest>) -> ApiResult<Json<Aliases>> {
    let actions = body.0.actions;
    call.check(actions.iter().flat_map(|action| match action {
        AliasAction::Set { alias, collection } => vec![alias.as_str(), collection],
        AliasAction::Remove { alias } => vec![alias.as_str()],
    }))?;
    let mut aliases = call
        .write(move |database| database.apply_aliases(&actions))
        .await?;
    aliases.retain(|alias, target| call.covers(alias) || call.covers(target));
    Ok(Json(Aliases { aliases }))
}
