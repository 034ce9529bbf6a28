//! Health and metrics.

use std::collections::BTreeMap;

use actix_web::{
    HttpResponse,
    web::{self, Json},
};

use crate::{
    error::{ApiError, ApiResult},
    http::{request_context::RequestContext, responses::AuthErrors},
    ops::metrics::MetricsSnapshot,
};

type Status = BTreeMap<&'static str, &'static str>;

fn ok() -> Json<Status> {
    Json([("status", "ok")].into())
}

/// Health
#[utoipa::path(
    get, path = "/healthz", tag = "operations", operation_id = "health", security(()),
    responses((status = 200, description = "The server responds", body = BTreeMap<String, String>)),
)]
pub async fn healthz() -> Json<Status> {
    ok()
}

/// Liveness
#[utoipa::path(
    get, path = "/livez", tag = "operations", operation_id = "live", security(()),
    responses((status = 200, description = "The process is alive", body = BTreeMap<String, String>)),
)]
pub async fn livez() -> Json<Status> {
    ok()
}

/// Readiness
///
/// The server starts to listen when the database is open and its indexes are loaded; earlier
/// connections are refused.
#[utoipa::path(
    get, path = "/readyz", tag = "operations", operation_id = "ready", security(()),
    responses((status = 200, description = "The server accepts requests", body = BTreeMap<String, String>)),
)]
pub async fn readyz() -> Json<Status> {
    ok()
}

/// Metrics
///
/// Prometheus text format. The key must cover all collections.
#[utoipa::path(
    get, path = "/metrics", tag = "operations", operation_id = "metrics",
    responses((status = 200, description = "Metrics", body = String, content_type = "text/plain"), AuthErrors),
)]
pub async fn metrics(context: RequestContext) -> ApiResult<HttpResponse> {
    let state = context.state.clone();
    // Not behind a gate: metrics must be readable on an overloaded server.
    let text = web::block(move || {
        let running = [
            ("search", state.searches.in_use()),
            ("write", state.writes.in_use()),
            ("embed", state.embeds.in_use()),
            ("image", state.thumbnails.in_use()),
            ("train", state.trainings.in_use()),
        ];
        let database = &state.database;
        let snapshot = MetricsSnapshot {
            collections: &database.collections(),
            running: &running,
            usage: &database.usage()?,
            bounds: database.bounds(),
        };
        state.metrics.render(&snapshot).map_err(ApiError::internal)
    })
    .await
    .map_err(ApiError::internal)??;
    Ok(HttpResponse::Ok()
        .content_type("text/plain; version=0.0.4")
        .body(text))
}
