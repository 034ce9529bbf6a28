//! Health and metrics.

use std::{collections::BTreeMap, sync::atomic::Ordering::Relaxed};

use actix_web::{
    HttpResponse,
    web::{self, Json},
};

use vitrine::Health;
use vitrine_schemas::{LogLevel, Readiness, ReadinessStatus};

use crate::{
    error::{ApiError, ApiResult},
    http::{
        body::Body,
        request_context::RequestContext,
        responses::{AuthErrors, BodyErrors},
    },
    ops::{health_metrics::BackupFigures, metrics::MetricsSnapshot, telemetry},
    state::AppState,
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
/// connections are refused. It is ready while it can do its work: not if writes fail, for example
/// after the disk was full. `reasons` also names collections and tasks that do not work.
#[utoipa::path(
    get, path = "/readyz", tag = "operations", operation_id = "ready", security(()),
    responses(
        (status = 200, description = "The server accepts requests", body = Readiness),
        (status = 503, description = "Writes fail, or a replica is behind the store", body = Readiness),
    ),
)]
pub async fn readyz(state: web::Data<AppState>) -> HttpResponse {
    let readiness = readiness(&state.database().health());
    let readiness = with_replication(readiness, &state);
    match readiness.status {
        ReadinessStatus::Unavailable => HttpResponse::ServiceUnavailable().json(readiness),
        _ => HttpResponse::Ok().json(readiness),
    }
}

fn readiness(health: &Health) -> Readiness {
    let damaged = health.damaged.keys();
    let damaged = damaged.map(|name| format!("collection {name} is not open: damaged data"));
    let tasks = health.tasks.iter();
    let failing = tasks.filter(|(_, task)| !task.failing.is_empty());
    // Causes may name paths and collections: they are in the log.
    let failing = failing.map(|(task, _)| format!("maintenance task {task} fails, see the log"));
    let mut reasons: Vec<_> = damaged.chain(failing).collect();
    let mut status = match reasons.is_empty() {
        true => ReadinessStatus::Ok,
        false => ReadinessStatus::Degraded,
    };
    if let Some(reason) = health.store.problem() {
        status = ReadinessStatus::Unavailable;
        reasons.insert(0, reason);
    }
    Readiness { status, reasons }
}

/// Adds what replication does not do. A replica is not ready while the store has had a later state
/// for long; without the store, it goes on.
fn with_replication(mut readiness: Readiness, state: &AppState) -> Readiness {
    let info = state.replication_info();
    let mut add = |status: ReadinessStatus, reason: String| {
        if readiness.status != ReadinessStatus::Unavailable {
            readiness.status = status;
        }
        readiness.reasons.push(reason);
    };
    if let Some(epoch) = info.fenced_by {
        let reason = format!("another writer (epoch {epoch}) took over; changes are refused");
        add(ReadinessStatus::Unavailable, reason);
    }
    if info.error.is_some() {
        // The cause may name the store: it is in the log and in GET /v1/replication.
        let seconds = info.lag_seconds.unwrap_or_default();
        let reason = format!(
            "replication fails, see the log; state {} is {seconds:.0} s old",
            info.state
        );
        add(ReadinessStatus::Degraded, reason);
    }
    let max_behind = state.replication.settings.max_behind_seconds as f64;
    if info.behind_seconds > max_behind {
        let reason = format!(
            "the replica has been behind the store for {:.0} s",
            info.behind_seconds
        );
        add(ReadinessStatus::Unavailable, reason);
    }
    readiness
}

/// Get the log level
#[utoipa::path(
    get, path = "/v1/log_level", tag = "operations", operation_id = "log_level",
    responses((status = 200, description = "The level", body = LogLevel), AuthErrors),
)]
pub async fn log_level() -> ApiResult<Json<LogLevel>> {
    let level = telemetry::level().unwrap_or_default();
    Ok(Json(LogLevel { level }))
}

/// Set the log level
///
/// Replaces `log.level` until the server stops. The key must cover all collections.
#[utoipa::path(
    put, path = "/v1/log_level", tag = "operations", operation_id = "set_log_level",
    request_body(content = LogLevel, example = json!({"level": "info,vitrine=debug"})),
    responses((status = 200, description = "The level", body = LogLevel), AuthErrors, BodyErrors),
)]
pub async fn set_log_level(body: Body<LogLevel>) -> ApiResult<Json<LogLevel>> {
    let level = &body.0.level;
    telemetry::set_level(level).map_err(|e| {
        let detail = format!("expected a level such as info, or directives such as info,vitrine=debug, got {level:?}: {e}");
        ApiError::invalid("/level", detail)
    })?;
    tracing::info!(level, "the log level was changed");
    log_level().await
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
            ("speech", state.transcriptions.in_use()),
            ("image", state.thumbnails.in_use()),
            ("train", state.trainings.in_use()),
        ];
        let database = &state.database();
        let snapshot = MetricsSnapshot {
            collections: &database.collections(),
            running: &running,
            usage: &database.usage()?,
            bounds: database.bounds(),
            health: &database.health(),
            replication: &state.replication_info(),
            backups: BackupFigures {
                last_success: state.backups.last_success.load(Relaxed),
                failures: state.backups.failures.load(Relaxed),
            },
        };
        state.metrics.render(&snapshot).map_err(ApiError::internal)
    })
    .await
    .map_err(ApiError::internal)??;
    Ok(HttpResponse::Ok()
        .content_type("text/plain; version=0.0.4")
        .body(text))
}
