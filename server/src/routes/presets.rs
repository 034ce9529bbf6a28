//! Saved query configurations.

use actix_web::{
    HttpResponse,
    web::{Json, Path},
};
use vitrine_schemas::{Preset, Presets};

use super::{CollectionPath, SettingPath, named, setting};
use crate::{
    body::Body,
    call::Call,
    error::ApiResult,
    openapi::{Bodied, Gated, Keyed, Named, Stored},
};

/// List presets
#[utoipa::path(
    get, path = "/v1/collections/{c}/presets", tag = "settings", operation_id = "list_presets",
    params(CollectionPath),
    responses((status = 200, description = "In the order of their names", body = Presets), Keyed, Gated, Named),
)]
pub async fn list(call: Call, path: Path<CollectionPath>) -> ApiResult<Json<Presets>> {
    let presets = setting::all(&call, path).await?;
    Ok(Json(Presets { presets }))
}

/// Replace all presets
///
/// These take the place of all there are, in one step, or none does. At most 100.
#[utoipa::path(
    put, path = "/v1/collections/{c}/presets", tag = "settings", operation_id = "replace_presets",
    params(CollectionPath),
    responses((status = 200, description = "All presets now", body = Presets), Keyed, Gated, Bodied, Named, Stored),
)]
pub async fn replace(
    call: Call,
    path: Path<CollectionPath>,
    body: Body<Presets>,
) -> ApiResult<Json<Presets>> {
    let presets = setting::replace(&call, path, body.0.presets).await?;
    Ok(Json(Presets { presets }))
}

/// Get a preset
#[utoipa::path(
    get, path = "/v1/collections/{c}/presets/{id}", tag = "settings", operation_id = "get_preset",
    params(SettingPath),
    responses((status = 200, description = "As it was set", body = Preset), Keyed, Gated, Named),
)]
pub async fn get(call: Call, path: Path<SettingPath>) -> ApiResult<Json<Preset>> {
    setting::get(&call, path).await
}

/// Set a preset
///
/// A way to search, which requests name with `preset`. A field that a request has itself counts instead, as a whole; so a storefront
/// sends what is asked, and how it is answered is changed here. It is checked like a search.
#[utoipa::path(
    put, path = "/v1/collections/{c}/presets/{id}", tag = "settings", operation_id = "put_preset",
    params(SettingPath),
    request_body(content = Preset, example = json!({
        "description": "result pages", "search": {
            "mode": "hybrid", "understand": {}, "limit": 48, "highlight": true, "filter": "availability = in_stock",
            "facets": [{"field": "brand"}, {"field": "price", "ranges": [{"to": 50}, {"from": 50}]}],
            "diversify": {"max_per": {"brand": 6}}
        }
    })),
    responses((status = 200, description = "As it is set", body = Preset), Keyed, Gated, Bodied, Named, Stored),
)]
pub async fn put(
    call: Call,
    path: Path<SettingPath>,
    body: Body<Preset>,
) -> ApiResult<Json<Preset>> {
    let mut one = body.0;
    named(&mut one.id, &path.id)?;
    setting::put(&call, path, one).await
}

/// Delete a preset
#[utoipa::path(
    delete, path = "/v1/collections/{c}/presets/{id}", tag = "settings", operation_id = "delete_preset",
    params(SettingPath),
    responses((status = 204, description = "It is gone"), Keyed, Gated, Named),
)]
pub async fn delete(call: Call, path: Path<SettingPath>) -> ApiResult<HttpResponse> {
    setting::delete::<Preset>(&call, path).await
}
