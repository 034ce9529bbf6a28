//! Progress of erasures.

use actix_web::{
    http::StatusCode,
    web::{Json, Path},
};
use chrono::DateTime;
use serde::Deserialize;
use utoipa::IntoParams;
use vitrine_schemas::{ErasureSnapshots, ErasureStatus};

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
    let erased_at = DateTime::parse_from_rfc3339(&status.erased_at).map_err(ApiError::internal)?;
    let before = context.state.backups.made_before(erased_at.into()).await;
    let before = before.map_err(|e| {
        ApiError::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "backup_unavailable",
            format!("the snapshots that still have what was erased cannot be listed: {e}"),
        )
    })?;
    status.snapshots = before.map(|made_before| ErasureSnapshots { made_before });
    Ok(Json(status))
}
