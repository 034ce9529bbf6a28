//! Outermost middleware: request id, panics, log line and metrics.

use std::{panic::AssertUnwindSafe, time::Instant};

use actix_web::{
    Error, HttpMessage,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    http::{
        Method,
        header::{HeaderName, HeaderValue},
    },
    middleware::Next,
    web,
};
use chrono::SecondsFormat;
use futures_util::FutureExt;
use tracing::Instrument;

use crate::{
    auth::Grant,
    error::{ApiError, ERROR_FORM, ErrorForm, REQUEST_ID},
    http::access::Access,
    ops::{request_log::RequestLine, traces},
    state::AppState,
};

/// Wraps all requests.
pub async fn layer<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let id = request
        .headers()
        .get("x-request-id")
        .and_then(|value| value.to_str().ok())
        .filter(|id| is_valid_id(id))
        .map_or_else(|| uuid::Uuid::now_v7().to_string(), str::to_owned);
    let form = ErrorForm::of(request.path());
    let served = REQUEST_ID.scope(id.clone(), serve(request, next, id));
    ERROR_FORM.scope(form, served).await
}

async fn serve<B: MessageBody + 'static>(
    mut request: ServiceRequest,
    next: Next<B>,
    id: String,
) -> Result<ServiceResponse<B>, Error> {
    let started = Instant::now();
    let logged = Logged::of(&request);
    let method = label(request.method());
    let route = request
        .match_pattern()
        .unwrap_or_else(|| "unmatched".into());
    let state = request.app_data::<web::Data<AppState>>().cloned();
    let span = traces::request_span(request.headers(), method, &route, &id);
    if request.method() == Method::HEAD {
        // Answered like GET; the HTTP layer knows that the body must not be sent.
        request.head_mut().method = Method::GET;
    }
    let answer = AssertUnwindSafe(next.call(request).instrument(span.clone()))
        .catch_unwind()
        .await
        .unwrap_or_else(|_| Err(ApiError::internal("a handler panicked").into()))
        .map(|mut response| {
            if let Some(logged) = &logged {
                logged.write(&id, &response, started);
            }
            if let Ok(value) = HeaderValue::from_str(&id) {
                let name = HeaderName::from_static("x-request-id");
                response.headers_mut().insert(name, value);
            }
            response
        });
    let status = match &answer {
        Ok(response) => response.status(),
        Err(error) => error.as_response_error().status_code(),
    };
    traces::record_status(&span, status.as_u16());
    let elapsed = started.elapsed();
    if let Some(state) = state {
        let metrics = &state.metrics;
        let labels = [method, &route];
        metrics
            .duration
            .with_label_values(&labels)
            .observe(elapsed.as_secs_f64());
        metrics
            .requests
            .with_label_values(&[method, &route, status.as_str()])
            .inc();
    }
    tracing::debug!(request_id = %id, %method, %route, status = status.as_u16(), ms = elapsed.as_millis() as u64, "request");
    answer
}

/// Parts of a request for the access and audit logs; the request itself goes to its handler.
struct Logged {
    state: web::Data<AppState>,
    client: Option<String>,
    method: Method,
    path: String,
    route: String,
}

impl Logged {
    /// Returns None if no requests are logged.
    fn of(request: &ServiceRequest) -> Option<Self> {
        let state = request.app_data::<web::Data<AppState>>()?;
        let route = request.match_pattern();
        state.request_log.is_on().then(|| Self {
            state: state.clone(),
            client: request.peer_addr().map(|address| address.ip().to_string()),
            method: request.method().clone(),
            path: request.path().to_owned(),
            route: route.unwrap_or_else(|| "unmatched".into()),
        })
    }

    fn write<B>(&self, id: &str, response: &ServiceResponse<B>, started: Instant) {
        let extensions = response.request().extensions();
        let grant = extensions.get::<Grant>();
        let line = RequestLine {
            time: &chrono::Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true),
            request_id: id,
            key: grant.map(|grant| grant.key.name.as_str()),
            client: self.client.as_deref(),
            method: self.method.as_str(),
            path: &self.path,
            route: &self.route,
            status: response.status().as_u16(),
            ms: started.elapsed().as_secs_f64() * 1e3,
        };
        let access = extensions.get::<Access>();
        let action = access.and_then(|access| access.action());
        self.state.request_log.write(action, &line);
    }
}

/// Returns the metric label of a method; unknown methods share one, so that clients cannot create
/// time series.
fn label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        _ => "other",
    }
}

fn is_valid_id(id: &str) -> bool {
    (1..=128).contains(&id.len())
        && id
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}
