//! Snapshots.

use actix_web::{HttpResponse, http::StatusCode, web::Json};
use vitrine_schemas::{SnapshotInfo, SnapshotParams, SnapshotsResponse};

use crate::{
    error::{ApiError, ApiResult},
    http::{
        params::Params,
        request_context::RequestContext,
        responses::{AuthErrors, ConflictErrors},
    },
};

/// Make a snapshot
///
/// Copies all collections to `backup.target` as of now, while the server goes on. Files that an
/// earlier snapshot has are not copied again. The key must cover all collections.
#[utoipa::path(
    post, path = "/v1/snapshots", tag = "operations", operation_id = "create_snapshot",
    params(SnapshotParams),
    responses(
        (status = 200, description = "The snapshot", body = SnapshotInfo),
        (status = 202, description = "The snapshot that was begun", body = SnapshotInfo),
        AuthErrors, ConflictErrors,
    ),
)]
pub async fn create(
    context: RequestContext,
    params: Params<SnapshotParams>,
) -> ApiResult<HttpResponse> {
    let backups = context.state.backups.clone();
    if backups.repository().is_none() {
        return Err(ApiError::new(
            StatusCode::CONFLICT,
            "no_backup_target",
            "no backup.target is configured; set it to a folder or a URL such as s3://bucket/path",
        ));
    }
    let snapshot = backups.begin();
    let id = snapshot.id.clone();
    // A task of its own, so that it goes on if the client leaves.
    let made = actix_web::rt::spawn(async move { backups.run(&id).await });
    if !params.wait {
        return Ok(HttpResponse::Accepted().json(snapshot));
    }
    let made = made.await.map_err(ApiError::internal)?;
    Ok(HttpResponse::Ok().json(made.map_err(ApiError::internal)?))
}

/// List snapshots
///
/// Lists the snapshots of `backup.target`, and those of this server that run or failed. The key
/// must cover all collections.
#[utoipa::path(
    get, path = "/v1/snapshots", tag = "operations", operation_id = "list_snapshots",
    responses((status = 200, description = "Snapshots, newest first", body = SnapshotsResponse), AuthErrors),
)]
pub async fn list(context: RequestContext) -> ApiResult<Json<SnapshotsResponse>> {
    let snapshots = context.state.backups.list().await;
    let snapshots = snapshots.map_err(ApiError::internal)?;
    Ok(Json(SnapshotsResponse { snapshots }))
}
