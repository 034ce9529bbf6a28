//! Traces: spans of requests, of the stages of the engine and of encoders are sent to a collector
//! of OpenTelemetry, by OTLP over HTTP.
//!
//! Spans are queued in memory and sent by a thread of their own, so that no request waits for the
//! collector. What does not fit into the queue, and what the collector does not take, is dropped
//! and counted.

mod otlp;
mod queue;

use std::{sync::LazyLock, time::Duration};

use actix_web::http::header::HeaderMap;
use opentelemetry::{
    KeyValue,
    propagation::{Extractor, TextMapPropagator},
    trace::TracerProvider,
};
use opentelemetry_sdk::{
    Resource,
    propagation::TraceContextPropagator,
    trace::{Sampler, SdkTracerProvider},
};
use prometheus::{IntCounterVec, Opts};
use tracing::{Span, Subscriber, field::Empty};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::{Layer, filter::filter_fn, registry::LookupSpan};

use self::queue::Queue;
use crate::config::Telemetry;

/// Time that the end of the server waits for the last spans.
const STOP_TIMEOUT: Duration = Duration::from_secs(6);

/// Spans by outcome, of the process; None if the metric is invalid.
pub static SPANS: LazyLock<Option<IntCounterVec>> = LazyLock::new(|| {
    let opts = Opts::new("vitrine_trace_spans_total", "Spans of traces by outcome");
    let spans = IntCounterVec::new(opts, &["outcome"]).ok()?;
    // Both are listed from the start, so that their rates are known.
    for outcome in ["sent", "dropped"] {
        spans.with_label_values(&[outcome]);
    }
    Some(spans)
});

fn count(outcome: &str, spans: usize) {
    if let Some(counter) = &*SPANS {
        counter.with_label_values(&[outcome]).inc_by(spans as u64);
    }
}

/// Traces of this process.
pub struct Traces(SdkTracerProvider);

impl Traces {
    /// Starts to send traces; None if no collector is configured.
    ///
    /// # Errors
    /// The endpoint is not an address, or the thread cannot be started.
    pub fn start(settings: &Telemetry) -> Result<Option<Self>, String> {
        let Some(url) = settings.traces_url()? else {
            return Ok(None);
        };
        let resource = Resource::builder()
            .with_service_name(settings.service_name.clone())
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        let queue = Queue::start(url, resource.clone());
        let queue = queue.map_err(|e| format!("cannot start the thread of traces: {e}"))?;
        let sampler = Sampler::TraceIdRatioBased(settings.sample_ratio);
        let provider = SdkTracerProvider::builder()
            .with_span_processor(queue)
            .with_sampler(Sampler::ParentBased(Box::new(sampler)))
            .with_resource(resource)
            .build();
        Ok(Some(Self(provider)))
    }

    /// Returns the layer that records the spans of this project, and no others.
    pub fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        tracing_opentelemetry::layer()
            .with_tracer(self.0.tracer("vitrine"))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            .with_filter(filter_fn(|metadata| {
                metadata.is_span() && metadata.target().starts_with("vitrine")
            }))
    }

    /// Sends the spans that wait, for a few seconds at most.
    pub fn stop(self) {
        if let Err(e) = self.0.shutdown_with_timeout(STOP_TIMEOUT) {
            tracing::warn!("the last traces were not sent: {e}");
        }
    }
}

/// Returns the span of a request, which continues the trace of its `traceparent` if it has one.
pub fn request_span(headers: &HeaderMap, method: &str, route: &str, id: &str) -> Span {
    let span = tracing::info_span!(
        "request",
        otel.name = format_args!("{method} {route}"),
        otel.kind = "server",
        otel.status_code = Empty,
        http.request.method = method,
        http.route = route,
        http.response.status_code = Empty,
        vitrine.request_id = id,
    );
    if !span.is_disabled() {
        let parent = TraceContextPropagator::new().extract(&Headers(headers));
        // Fails only without the layer of traces.
        let _ = span.set_parent(parent);
    }
    span
}

/// Records the status of the response in the span of a request.
pub fn record_status(span: &Span, status: u16) {
    span.record("http.response.status_code", i64::from(status));
    if status >= 500 {
        span.record("otel.status_code", "ERROR");
    }
}

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(|name| name.as_str()).collect()
    }
}
