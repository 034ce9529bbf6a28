//! Snapshots.

use actix_web::{
    HttpResponse,
    http::StatusCode,
    web::{self, Json},
};
use vitrine_schemas::{SnapshotInfo, SnapshotParams, SnapshotsResponse};

use crate::{
    error::{ApiError, ApiResult},
    http::{
        params::Params,
        request_context::RequestContext,
        responses::{AuthErrors, ConflictErrors, NotFoundErrors},
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

/// Delete a snapshot
///
/// Deletes a snapshot and the files that no other one has; of one that failed, the entry in the
/// list. One that is under way is completed first. The key must cover all collections.
#[utoipa::path(
    delete, path = "/v1/snapshots/{id}", tag = "operations", operation_id = "delete_snapshot",
    params(("id" = String, Path, description = "Id of the snapshot")),
    responses((status = 204, description = "Deleted"), AuthErrors, NotFoundErrors),
)]
pub async fn delete(context: RequestContext, id: web::Path<String>) -> ApiResult<HttpResponse> {
    let (backups, id) = (context.state.backups.clone(), id.into_inner());
    let name = id.clone();
    // A task of its own, so that it goes on if the client leaves.
    let deleted = actix_web::rt::spawn(async move { backups.delete(&name).await });
    let deleted = deleted.await.map_err(ApiError::internal)?;
    match deleted.map_err(ApiError::internal)? {
        true => Ok(HttpResponse::NoContent().finish()),
        false => Err(ApiError::new(
            StatusCode::NOT_FOUND,
            "snapshot_not_found",
            format!("no snapshot `{id}`; `GET /v1/snapshots` lists them"),
        )),
    }
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
