//! Log set-up and Prometheus metrics of requests.

use std::io::IsTerminal;

use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, Opts, Registry, TextEncoder};

use crate::{
    config::{Log, LogFormat},
    gauges::Moment,
};

/// Starts logging to standard error.
pub fn init(log: &Log) -> Result<(), String> {
    let builder = tracing_subscriber::fmt()
        .with_env_filter(log.filter()?)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    match log.format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().try_init(),
    }
    .map_err(|e| e.to_string())
}

/// The server's metrics.
pub struct Metrics {
    registry: Registry,
    /// Requests by method, route and status.
    pub requests: IntCounterVec,
    /// Seconds to the head of the answer by method and route.
    pub duration: HistogramVec,
}

impl Metrics {
    /// Registers all metrics.
    pub fn new() -> prometheus::Result<Self> {
        let registry = Registry::new();
        let requests = IntCounterVec::new(
            Opts::new("vitrine_http_requests_total", "Requests answered"),
            &["method", "route", "status"],
        )?;
        let duration = HistogramVec::new(
            HistogramOpts::new("vitrine_http_request_seconds", "Time to the answer's head"),
            &["method", "route"],
        )?;
        registry.register(Box::new(requests.clone()))?;
        registry.register(Box::new(duration.clone()))?;
        Ok(Self {
            registry,
            requests,
            duration,
        })
    }

    /// Text form, with the state of the moment.
    pub fn render(&self, moment: &Moment) -> prometheus::Result<String> {
        let mut families = self.registry.gather();
        families.extend(moment.gather()?);
        TextEncoder::new().encode_to_string(&families)
    }
}
