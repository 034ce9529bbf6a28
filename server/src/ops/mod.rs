//! Operations: concurrency limits, metrics, logging and background tasks.

mod gauges;
pub mod health_metrics;
pub mod limits;
pub mod metrics;
pub mod tasks;
pub mod telemetry;
