//! Presets: saved search configurations.

use actix_web::{HttpResponse, web::Path};
use vitrine::version_tag;
use vitrine_schemas::{Preset, Presets};

use super::{CollectionPath, SettingPath, set_id, setting};
use crate::{
    error::ApiResult,
    http::{
        body::Body,
        etag::{ConditionHeaders, Tagged},
        request_context::RequestContext,
        responses::{
            AuthErrors, BodyErrors, ConditionErrors, NotFoundErrors, OverloadErrors, StorageErrors,
        },
    },
};

/// List presets
#[utoipa::path(
    get, path = "/v1/collections/{c}/presets", tag = "settings", operation_id = "list_presets",
    params(CollectionPath),
    responses((status = 200, description = "Presets, sorted by id", body = Presets), AuthErrors, OverloadErrors, NotFoundErrors),
)]
pub async fn list(
    context: RequestContext,
    path: Path<CollectionPath>,
) -> ApiResult<Tagged<Presets>> {
    let presets = setting::all(&context, path).await?;
    Ok(Tagged {
        tag: version_tag(&presets),
        body: Presets { presets },
    })
}

/// Replace all presets
///
/// Replaces all presets atomically. At most 100.
#[utoipa::path(
    put, path = "/v1/collections/{c}/presets", tag = "settings", operation_id = "replace_presets",
    params(CollectionPath, ConditionHeaders),
    responses((status = 200, description = "Presets after the change", body = Presets), AuthErrors, ConditionErrors, OverloadErrors, BodyErrors, NotFoundErrors, StorageErrors),
)]
pub async fn replace(
    context: RequestContext,
    path: Path<CollectionPath>,
    body: Body<Presets>,
) -> ApiResult<Tagged<Presets>> {
    let presets = setting::replace(&context, path, body.0.presets).await?;
    Ok(Tagged {
        tag: version_tag(&presets),
        body: Presets { presets },
    })
}

/// Get a preset
#[utoipa::path(
    get, path = "/v1/collections/{c}/presets/{id}", tag = "settings", operation_id = "get_preset",
    params(SettingPath),
    responses((status = 200, description = "The preset", body = Preset), AuthErrors, OverloadErrors, NotFoundErrors),
)]
pub async fn get(context: RequestContext, path: Path<SettingPath>) -> ApiResult<Tagged<Preset>> {
    setting::get(&context, path).await
}

/// Set a preset
///
/// A saved search configuration that requests refer to with `preset`. Fields of the request
/// override those of the preset, as a whole: a storefront sends the query, and the preset controls
/// how it is answered. A preset is validated like a search.
#[utoipa::path(
    put, path = "/v1/collections/{c}/presets/{id}", tag = "settings", operation_id = "put_preset",
    params(SettingPath, ConditionHeaders),
    request_body(content = Preset, example = json!({
        "description": "result pages", "search": {
            "mode": "hybrid", "understand": {}, "limit": 48, "highlight": true, "filter": "availability = in_stock",
            "facets": [{"field": "brand"}, {"field": "price", "ranges": [{"to": 50}, {"from": 50}]}],
            "diversify": {"max_per": {"brand": 6}}
        }
    })),
    responses((status = 200, description = "The preset as stored", body = Preset), AuthErrors, ConditionErrors, OverloadErrors, BodyErrors, NotFoundErrors, StorageErrors),
)]
pub async fn put(
    context: RequestContext,
    path: Path<SettingPath>,
    body: Body<Preset>,
) -> ApiResult<Tagged<Preset>> {
    let mut preset = body.0;
    set_id(&mut preset.id, &path.id)?;
    setting::put(&context, path, preset).await
}

/// Delete a preset
#[utoipa::path(
    delete, path = "/v1/collections/{c}/presets/{id}", tag = "settings", operation_id = "delete_preset",
    params(SettingPath, ConditionHeaders),
    responses((status = 204, description = "Deleted"), AuthErrors, ConditionErrors, OverloadErrors, NotFoundErrors),
)]
pub async fn delete(context: RequestContext, path: Path<SettingPath>) -> ApiResult<HttpResponse> {
    setting::delete::<Preset>(&context, path).await
}
