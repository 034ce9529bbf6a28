//! What evaluations found.

use actix_web::web::{Json, Path};
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::IntoParams;
use vitrine_schemas::ReportsResponse;

use crate::{
    call::Call,
    error::ApiResult,
    openapi::{Gated, Keyed},
};

/// Path of a report.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct ReportPath {
    /// Name as listed.
    pub r: String,
}

/// List reports
///
/// Those in the folder that the server is configured with (`reports_dir`), the newest first. The key must cover every
/// collection.
#[utoipa::path(
    get, path = "/v1/reports", tag = "reports", operation_id = "list_reports",
    responses((status = 200, description = "The newest first", body = ReportsResponse), Keyed, Gated),
)]
pub async fn list(call: Call) -> ApiResult<Json<ReportsResponse>> {
    let state = call.state.clone();
    let reports = call
        .state
        .searches
        .run(call.deadline(), move || state.reports.list());
    Ok(Json(ReportsResponse {
        reports: reports.await?,
    }))
}

/// Get a report
///
/// As `vitrine-indexer evaluate` wrote it. The key must cover every collection.
#[utoipa::path(
    get, path = "/v1/reports/{r}", tag = "reports", operation_id = "get_report",
    params(ReportPath),
    responses(
        (status = 200, description = "The report", body = Object),
        (status = 404, description = "No such report", body = vitrine_schemas::Problem, content_type = "application/problem+json"),
        Keyed, Gated,
    ),
)]
pub async fn get(call: Call, path: Path<ReportPath>) -> ApiResult<Json<Map<String, Value>>> {
    let state = call.state.clone();
    let work = move || state.reports.read(&path.r);
    let report = call.state.searches.run(call.deadline(), work);
    Ok(Json(report.await?))
}
