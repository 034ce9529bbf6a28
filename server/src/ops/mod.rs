//! Operations: concurrency limits, metrics, logging and background tasks.

pub mod limits;
pub mod metrics;
pub mod tasks;
pub mod telemetry;
