//! Evaluation reports.

use actix_web::web::{Json, Path};
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::IntoParams;
use vitrine_schemas::ReportsResponse;

use crate::{
    error::ApiResult,
    http::{
        request_context::RequestContext,
        responses::{AuthErrors, OverloadErrors},
    },
};

/// Path parameters of a report.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct ReportPath {
    /// Report name, as listed.
    pub r: String,
}

/// List reports
///
/// Lists the reports in the configured folder (`reports_dir`). The key must cover all collections.
#[utoipa::path(
    get, path = "/v1/reports", tag = "reports", operation_id = "list_reports",
    responses((status = 200, description = "Reports, newest first", body = ReportsResponse), AuthErrors, OverloadErrors),
)]
pub async fn list(context: RequestContext) -> ApiResult<Json<ReportsResponse>> {
    let state = context.state.clone();
    let reports = context
        .state
        .searches
        .run(context.deadline(), move || state.reports.list());
    Ok(Json(ReportsResponse {
        reports: reports.await?,
    }))
}

/// Get a report
///
/// Returns a report as written by `vitrine-indexer evaluate`. The key must cover all collections.
#[utoipa::path(
    get, path = "/v1/reports/{r}", tag = "reports", operation_id = "get_report",
    params(ReportPath),
    responses(
        (status = 200, description = "The report", body = Object),
        (status = 404, description = "No such report", body = vitrine_schemas::Problem, content_type = "application/problem+json"),
        AuthErrors, OverloadErrors,
    ),
)]
pub async fn get(
    context: RequestContext,
    path: Path<ReportPath>,
) -> ApiResult<Json<Map<String, Value>>> {
    let state = context.state.clone();
    let work = move || state.reports.read(&path.r);
    let report = context.state.searches.run(context.deadline(), work);
    Ok(Json(report.await?))
}
