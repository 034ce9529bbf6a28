//! Clock abstraction; tests inject their own. Times of the wire format.

use std::{fmt, sync::Arc};

use crate::{Error, Result};

/// Source of the current time.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> i64 + Send + Sync>);

impl Clock {
    /// Returns a clock that reads a function, in microseconds since 1970.
    pub fn new(now: impl Fn() -> i64 + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// Returns the current time in microseconds since 1970.
    pub fn now(&self) -> i64 {
        (self.0)()
    }
}

impl Default for Clock {
    /// Returns the clock of the system.
    fn default() -> Self {
        Self::new(|| chrono::Utc::now().timestamp_micros())
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// Parses an RFC 3339 time, or a day, which begins at midnight UTC; returns microseconds since
/// 1970.
///
/// # Errors
/// [`Error::Invalid`] at `pointer`.
pub(crate) fn rfc3339_micros(pointer: &str, time: &str) -> Result<i64> {
    if let Some(midnight) = midnight(time) {
        return Ok(midnight.timestamp_micros());
    }
    match chrono::DateTime::parse_from_rfc3339(time) {
        Ok(t) => Ok(t.timestamp_micros()),
        Err(e) => Err(Error::invalid(
            pointer,
            format!("expected an RFC 3339 time such as 2026-01-31T12:00:00Z, got `{time}` ({e})"),
        )),
    }
}

/// Returns the begin of a day such as `2026-01-31` in UTC; None for any other text.
pub(crate) fn midnight(day: &str) -> Option<chrono::DateTime<chrono::Utc>> {
    let is_day = day.len() == "2026-01-31".len();
    let day = day.parse::<chrono::NaiveDate>().ok().filter(|_| is_day)?;
    Some(day.and_time(chrono::NaiveTime::MIN).and_utc())
}
