//! Health and metrics.

use std::collections::BTreeMap;

use actix_web::{
    HttpResponse,
    web::{self, Json},
};

use crate::{
    call::Call,
    error::{ApiError, ApiResult},
    gauges::Moment,
    openapi::Keyed,
};

type Status = BTreeMap<&'static str, &'static str>;

fn ok() -> Json<Status> {
    Json([("status", "ok")].into())
}

/// Health
#[utoipa::path(
    get, path = "/healthz", tag = "operations", operation_id = "health", security(()),
    responses((status = 200, description = "The server answers", body = BTreeMap<String, String>)),
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
/// The server listens once the database is open and its indexes are built: before that there is no answer.
#[utoipa::path(
    get, path = "/readyz", tag = "operations", operation_id = "ready", security(()),
    responses((status = 200, description = "Requests are taken", body = BTreeMap<String, String>)),
)]
pub async fn readyz() -> Json<Status> {
    ok()
}

/// Metrics
///
/// In the text format of Prometheus. The key must cover every collection.
#[utoipa::path(
    get, path = "/metrics", tag = "operations", operation_id = "metrics",
    responses((status = 200, description = "Metrics", body = String, content_type = "text/plain"), Keyed),
)]
pub async fn metrics(call: Call) -> ApiResult<HttpResponse> {
    let state = call.state.clone();
    // Not behind a gate: an overloaded server must be seen to be one.
    let text = web::block(move || {
        let under_way = [
            ("search", state.searches.in_use()),
            ("write", state.writes.in_use()),
            ("embed", state.embeds.in_use()),
            ("image", state.images.in_use()),
        ];
        let database = &state.database;
        let moment = Moment {
            collections: &database.collections(),
            under_way: &under_way,
            usage: &database.usage()?,
            bounds: database.bounds(),
        };
        state.metrics.render(&moment).map_err(ApiError::internal)
    })
    .await
    .map_err(ApiError::internal)??;
    Ok(HttpResponse::Ok()
        .content_type("text/plain; version=0.0.4")
        .body(text))
}
