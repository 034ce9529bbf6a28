//! Logging setup.

use std::io::IsTerminal;

use crate::config::{Log, LogFormat};

/// Starts logging to standard error.
///
/// # Errors
/// The log level is invalid, or logging was started before.
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
