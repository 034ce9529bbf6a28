//! Operations: concurrency limits, metrics, logging and background tasks.

pub mod body_budget;
mod gauges;
pub mod health_metrics;
pub mod limits;
pub mod metrics;
pub mod rate_limits;
mod replication_metrics;
pub mod request_log;
pub mod slow_searches;
pub mod stopping;
pub mod tasks;
pub mod telemetry;
pub mod traces;
