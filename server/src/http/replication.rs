//! Requests to a server of a replicated database: the least version that a read wants, and where
//! changes go.

use actix_web::{
    HttpMessage, HttpRequest, HttpResponse, ResponseError,
    body::BodySize,
    dev::ServiceRequest,
    http::{
        Method, StatusCode,
        header::{HeaderMap, HeaderName, HeaderValue},
    },
    web::Data,
};
use tokio::time::Instant;

use super::request_context::timeout_of;
use crate::{
    auth::Action,
    error::{ApiError, ApiResult},
    replication::{FORWARDED, Version, forward, refuse},
    state::AppState,
};

/// Header of responses: the minimum version that the response reflects.
const VERSION: HeaderName = HeaderName::from_static("x-vitrine-version");

/// Header of requests: the minimum version that the response must reflect.
const MIN_VERSION: HeaderName = HeaderName::from_static("x-vitrine-min-version");

/// Routes that change this server alone.
const LOCAL: [&str; 1] = ["/v1/log_level"];

/// Routes about what only the writer knows.
const OF_THE_WRITER: [&str; 3] = ["/v1/tasks/{id}", "/v1/snapshots", "/v1/erasures/{id}"];

/// Version that a request is answered from at least.
#[derive(Default)]
pub struct Served {
    version: Option<Version>,
    is_change: bool,
}

impl Served {
    /// Adds the version to the headers of a response; that of a change includes it. The change of a
    /// streamed response, an import, is still to come: its last line has the version.
    pub fn tell(&self, request: &HttpRequest, size: BodySize, headers: &mut HeaderMap) {
        let state = request.app_data::<Data<AppState>>();
        let version = match (self.is_change, size) {
            (true, BodySize::Stream) => None,
            (true, _) => state.and_then(|state| state.version()),
            (false, _) => self.version,
        };
        let version = version.and_then(|v| HeaderValue::from_str(&v.to_string()).ok());
        if let Some(version) = version {
            headers.insert(VERSION, version);
        }
    }
}

/// Waits for the version that a request wants, and finds where it is answered: here, or by the
/// response that is returned. `action` is that of the route; None for open ones.
pub async fn route(
    action: Option<Action>,
    request: &mut ServiceRequest,
) -> Result<Served, HttpResponse> {
    let Some(state) = request.app_data::<Data<AppState>>().cloned() else {
        return Ok(Served::default());
    };
    let Some(version) = state.version() else {
        return Ok(Served::default());
    };
    if action.is_none() {
        return Ok(Served::default());
    }
    let is_change = is_for_writer(action, request);
    let routed = if is_change {
        change(&state, request).await
    } else {
        wait(&state, version, request).await.map(|()| None)
    };
    match routed {
        Ok(None) => Ok(Served {
            version: state.version(),
            is_change,
        }),
        Ok(Some(response)) => Err(response),
        Err(error) => Err(error.error_response()),
    }
}

/// Returns true for changes, and for reads of what only the writer knows.
fn is_for_writer(action: Option<Action>, request: &ServiceRequest) -> bool {
    let pattern = request.match_pattern().unwrap_or_default();
    let pattern = pattern.as_str();
    let changes = matches!(action, Some(Action::Write | Action::Admin))
        && request.method() != Method::GET
        && !LOCAL.contains(&pattern);
    changes || OF_THE_WRITER.contains(&pattern)
}

/// Returns the response of the writer; None if this is the writer.
async fn change(state: &AppState, request: &mut ServiceRequest) -> ApiResult<Option<HttpResponse>> {
    let replication = &state.replication;
    if let Some(epoch) = replication.fenced_by() {
        return Err(ApiError::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "writer_fenced",
            format!(
                "another writer (epoch {epoch}) took over; send changes to it, and start this server again with an empty data directory"
            ),
        ));
    }
    if !replication.is_replica() {
        return Ok(None);
    }
    match &replication.settings.writer_url {
        Some(writer) if !request.headers().contains_key(FORWARDED) => {
            let payload = request.take_payload();
            let sent = forward(writer, request.request(), payload).await;
            sent.map(Some)
        }
        _ => Err(refuse()),
    }
}

/// Waits until the version that a request wants is served, at most until its deadline.
async fn wait(state: &AppState, version: Version, request: &ServiceRequest) -> ApiResult<()> {
    let Some(min) = request.headers().get(MIN_VERSION) else {
        return Ok(());
    };
    let min: Version = min
        .to_str()
        .map_err(|e| e.to_string())
        .and_then(str::parse)
        .map_err(|e| ApiError::invalid("", format!("header {MIN_VERSION}: {e}")))?;
    if version >= min {
        return Ok(());
    }
    let deadline =
        Instant::now() + timeout_of(request.headers(), &state.limits, state.limits.timeout_ms)?;
    if state.replication.is_replica() && state.replication.wait_for(min, deadline).await {
        return Ok(());
    }
    let version = state.version().unwrap_or(version);
    Err(ApiError::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "replica_behind",
        format!(
            "this server has version {version}, and {MIN_VERSION} wants {min}; retry, allow more time with x-timeout-ms, or ask the writer"
        ),
    ))
}
