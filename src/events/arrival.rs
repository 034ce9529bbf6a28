//! Event times: client clocks may be wrong, and events may be sent late.

use chrono::{DateTime, SecondsFormat};
use vitrine_schemas::Event;

use crate::{Error, Result, clock::rfc3339_micros};

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;

/// Clock skew that is tolerated, in microseconds: the event keeps its time.
const TOLERATED_SKEW: i64 = 300 * SECOND;

/// Maximum time in the future, in microseconds. An event further ahead has a wrong unit or year.
const MAX_AHEAD: i64 = DAY;

/// Delay of arrival after which an event counts as late, in microseconds.
const LATE_AFTER: i64 = 7 * DAY;

/// Minimum number of seconds since 1970 that is read as a time; smaller ones stand for no time.
const MIN_SECONDS: f64 = 1e8;

/// The time of an event as it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Arrival {
    /// Microseconds since 1970.
    pub micros: i64,
    /// True if the event was dated in the future; its time of arrival is stored instead.
    pub skewed: bool,
    /// True if the event arrived more than a week after its time.
    pub late: bool,
}

impl Arrival {
    /// Returns the time of an event that arrives at `now`; events before `from` are not kept. Both
    /// are in microseconds since 1970.
    ///
    /// # Errors
    /// The time is neither RFC 3339 nor a number since 1970, too far in the future, or before
    /// `from`.
    pub fn of(event: &Event, now: i64, from: Option<i64>) -> Result<Self> {
        let given = match &event.ts {
            Some(ts) => micros(ts)?,
            None => now,
        };
        let ahead = given.saturating_sub(now);
        if ahead > MAX_AHEAD {
            let detail = "is more than a day in the future; check its year and its time zone";
            return Err(Error::invalid("/ts", detail));
        }
        if from.is_some_and(|from| given < from) {
            let detail = "is older than the collection's behavior.retention_days, or that of its kind; it is \
                          not kept";
            return Err(Error::invalid("/ts", detail));
        }
        let skewed = ahead > TOLERATED_SKEW;
        Ok(Self {
            micros: if skewed { now } else { given },
            skewed,
            late: -ahead > LATE_AFTER,
        })
    }
}

/// Parses a time: RFC 3339, or a number since 1970 in the unit that puts it nearest to the present.
fn micros(ts: &str) -> Result<i64> {
    let Some(number) = ts.parse().ok().filter(|n: &f64| n.is_finite()) else {
        return rfc3339_micros("/ts", ts);
    };
    let micros = match number {
        n if n < MIN_SECONDS => {
            let detail = format!(
                "expected an RFC 3339 time such as 2026-01-31T12:00:00Z, or a number of seconds, milli-, \
                 micro- or nanoseconds since 1970 (from 1973 on), got {ts}"
            );
            return Err(Error::invalid("/ts", detail));
        }
        n if n < 1e11 => number * 1e6,
        n if n < 1e14 => number * 1e3,
        n if n < 1e17 => number,
        _ => number / 1e3,
    };
    Ok(micros as i64)
}

/// Formats microseconds since 1970 as RFC 3339 in UTC.
pub(crate) fn rfc3339(micros: i64) -> String {
    DateTime::from_timestamp_micros(micros)
        .unwrap_or_default()
        .to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

/// Formats the day of microseconds since 1970 in UTC, such as `2026-01-31`.
pub(crate) fn day(micros: i64) -> String {
    let time = DateTime::from_timestamp_micros(micros).unwrap_or_default();
    time.format("%Y-%m-%d").to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: &str = "2026-05-01T12:00:00Z";

    fn arrival(ts: &str, from: Option<&str>) -> Result<Arrival> {
        let micros = |time: &str| rfc3339_micros("/ts", time).expect("a time");
        let event = json!({"kind": "view", "collection": "c", "items": ["a"], "ts": ts});
        let event: Event = serde_json::from_value(event).expect("an event");
        Arrival::of(&event, micros(NOW), from.map(micros))
    }

    #[test]
    fn a_time_ahead_is_tolerated_then_replaced_then_rejected() {
        for (ts, stored, skewed) in [
            ("2026-05-01T12:05:00Z", "2026-05-01T12:05:00Z", false),
            ("2026-05-01T12:05:01Z", NOW, true),
            ("2026-05-02T12:00:00Z", NOW, true),
            ("2026-05-02T13:59:00+02:00", NOW, true),
        ] {
            let arrival = arrival(ts, None).expect("accepted");
            assert_eq!(rfc3339(arrival.micros), stored, "{ts}");
            assert_eq!((arrival.skewed, arrival.late), (skewed, false), "{ts}");
        }
        let error = arrival("2026-05-02T12:00:01Z", None).expect_err("rejected");
        assert!(error.to_string().contains("/ts"), "{error}");
        assert!(arrival("2262-05-02T12:00:01Z", None).is_err());
    }

    #[test]
    fn a_late_event_is_accepted_unless_it_is_not_kept() {
        assert!(
            !arrival("2026-04-24T12:00:00Z", None)
                .expect("accepted")
                .late
        );
        assert!(
            arrival("2026-04-24T11:59:59Z", None)
                .expect("accepted")
                .late
        );
        assert!(
            arrival("1960-01-01T00:00:00Z", None)
                .expect("accepted")
                .late
        );
        let from = Some("2026-01-01T00:00:00Z");
        assert!(arrival("2026-01-01T00:00:00Z", from).is_ok());
        let error = arrival("2025-12-31T23:59:59Z", from).expect_err("rejected");
        assert!(error.to_string().contains("retention_days"), "{error}");
    }
}
