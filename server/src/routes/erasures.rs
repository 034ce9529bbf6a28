//! Progress of erasures.

use actix_web::{
    http::StatusCode,
    web::{Json, Path},
};
use chrono::DateTime;
use serde::Deserialize;
use utoipa::IntoParams;
use vitrine_schemas::{ErasureSnapshots, ErasureStatus, snapshot::SnapshotState};

use crate::{
    error::{ApiError, ApiResult},
    http::{
        request_context::RequestContext,
        responses::{AuthErrors, NotFoundErrors},
    },
};

/// Path parameters of an erasure.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct ErasurePath {
    /// Id of the erasure, from the response of erasing.
    pub id: String,
}

/// Get the progress of an erasure
///
/// Returns what of an erasure is done and what is due, without naming who was erased. The key must
/// cover all collections.
#[utoipa::path(
    get, path = "/v1/erasures/{id}", tag = "users", operation_id = "erasure_status",
    params(ErasurePath),
    responses((status = 200, description = "Progress", body = ErasureStatus), AuthErrors, NotFoundErrors),
)]
pub async fn get(
    context: RequestContext,
    path: Path<ErasurePath>,
) -> ApiResult<Json<ErasureStatus>> {
    let id = path.into_inner().id;
    let wanted = id.clone();
    let status = context.read(move |database| database.erasure(&wanted));
    let Some(mut status) = status.await? else {
        return Err(ApiError::new(
            StatusCode::NOT_FOUND,
            "erasure_not_found",
            format!(
                "no erasure `{id}` is recorded; its id is in the response of the request that \
                 erased, and is kept for 400 days"
            ),
        ));
    };
    status.snapshots = snapshots_before(&context, &status.erased_at).await?;
    Ok(Json(status))
}

/// Returns the number of complete snapshots that were made before a time; `None` without a target.
async fn snapshots_before(
    context: &RequestContext,
    time: &str,
) -> ApiResult<Option<ErasureSnapshots>> {
    if context.state.backups.repository().is_none() {
        return Ok(None);
    }
    let time = DateTime::parse_from_rfc3339(time).map_err(ApiError::internal)?;
    let snapshots = context.state.backups.list().await;
    let snapshots = snapshots.map_err(ApiError::internal)?;
    let complete = snapshots
        .iter()
        .filter(|snapshot| snapshot.state == SnapshotState::Complete);
    let before = complete.filter(|snapshot| {
        let made = DateTime::parse_from_rfc3339(&snapshot.created_at);
        // Without a readable time, it may be older.
        made.map_or(true, |made| made < time)
    });
    Ok(Some(ErasureSnapshots {
        made_before: before.count() as u64,
    }))
}
