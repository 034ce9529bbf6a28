//! Two-dimensional map of a vector space.

use actix_web::web::{Json, Path};
use vitrine_schemas::{MapParams, MapResponse};

use super::CollectionPath;
use crate::{
    error::ApiResult,
    http::{
        params::Params,
        request_context::RequestContext,
        responses::{AuthErrors, NotFoundErrors, OverloadErrors},
    },
};

/// Map
///
/// Returns a sample of the items at the first two principal components of their vectors; the same
/// sample at each call. Items that are near in the space are near on the map, but not vice versa;
/// `variance` is the share of the variance that the map shows.
#[utoipa::path(
    get, path = "/v1/collections/{c}/map", tag = "search", operation_id = "map",
    params(CollectionPath, MapParams),
    responses((status = 200, description = "Sampled items with coordinates", body = MapResponse), AuthErrors, OverloadErrors, NotFoundErrors),
)]
pub async fn map(
    context: RequestContext,
    path: Path<CollectionPath>,
    params: Params<MapParams>,
) -> ApiResult<Json<MapResponse>> {
    let answer = context.read(move |database| database.collection(&path.c)?.map(&params));
    Ok(Json(answer.await?))
}
