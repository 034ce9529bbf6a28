//! A flat picture of a vector space.

use actix_web::web::{Json, Path, Query as Params};
use vitrine_schemas::{MapParams, MapResponse};

use super::CollectionPath;
use crate::{
    call::Call,
    error::ApiResult,
    openapi::{Gated, Keyed, Named},
};

/// Map
///
/// A sample of the items, placed by the two principal components of their vectors: the same at each call. What lies near
/// to each other in the space lies near to each other here, but not the other way round; `variance` says how much of the
/// spread is seen.
#[utoipa::path(
    get, path = "/v1/collections/{c}/map", tag = "search", operation_id = "map",
    params(CollectionPath, MapParams),
    responses((status = 200, description = "The sample", body = MapResponse), Keyed, Gated, Named),
)]
pub async fn map(
    call: Call,
    path: Path<CollectionPath>,
    params: Params<MapParams>,
) -> ApiResult<Json<MapResponse>> {
    let answer = call.read(move |database| database.collection(&path.c)?.map(&params));
    Ok(Json(answer.await?))
}
