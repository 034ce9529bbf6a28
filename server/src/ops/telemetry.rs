//! Logging setup.

use std::{io::IsTerminal, sync::OnceLock};

use tracing_subscriber::{
    EnvFilter, Layer, Registry,
    filter::{FilterExt, LevelFilter, filter_fn},
    fmt,
    layer::SubscriberExt,
    reload,
    util::SubscriberInitExt,
};

use crate::{
    config::{Log, LogFormat, log_filter},
    ops::traces::Traces,
};

/// The level of this process, which can be changed while it runs.
static LEVEL: OnceLock<reload::Handle<EnvFilter, Registry>> = OnceLock::new();

/// Starts logging to standard error, and recording spans for traces.
///
/// # Errors
/// The log level is invalid, or logging was started before.
pub fn init(log: &Log, traces: Option<&Traces>) -> Result<(), String> {
    let (filter, handle) = reload::Layer::new(log.filter()?);
    let lines = fmt::layer()
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    let lines = match log.format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().boxed(),
    };
    // Spans are for traces alone: the form of log lines does not depend on them.
    // The hint keeps the level of the log the greatest that is looked at.
    let is_event = filter_fn(|metadata| !metadata.is_span());
    let is_event = is_event.with_max_level_hint(LevelFilter::TRACE);
    let lines = lines.with_filter(filter.and(is_event));
    let registry = tracing_subscriber::registry().with(lines);
    let registry = registry.with(traces.map(Traces::layer));
    registry.try_init().map_err(|e| e.to_string())?;
    LEVEL.get_or_init(|| handle);
    Ok(())
}

/// Returns the level or filter directives in use; None if logging was not started.
pub fn level() -> Option<String> {
    LEVEL.get()?.with_current(EnvFilter::to_string).ok()
}

/// Replaces the level or filter directives until the process ends.
///
/// # Errors
/// The directives are invalid, or logging was not started.
pub fn set_level(level: &str) -> Result<(), String> {
    let filter = log_filter(level)?;
    let handle = LEVEL.get().ok_or("logging was not started")?;
    handle.reload(filter).map_err(|e| e.to_string())
}
