//! Replication.

use actix_web::web::Json;
use vitrine_schemas::ReplicationInfo;

use crate::{
    error::ApiResult,
    http::{request_context::RequestContext, responses::AuthErrors},
};

/// Replication
///
/// Role of the server, the version it has, and its lag. The key must cover all collections.
#[utoipa::path(
    get, path = "/v1/replication", tag = "operations", operation_id = "replication",
    responses((status = 200, description = "Role and progress", body = ReplicationInfo), AuthErrors),
)]
pub async fn get(context: RequestContext) -> ApiResult<Json<ReplicationInfo>> {
    Ok(Json(context.state.replication_info()))
}
