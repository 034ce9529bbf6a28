//! When an event counts as having happened: clocks of clients go wrong, and events are sent late.

use chrono::{DateTime, SecondsFormat};
use vitrine_schemas::Event;

use crate::{Error, Result, collection::rfc3339_micros};

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;

/// A clock may be ahead by so much: the event is taken as it is.
const TOLERATED: i64 = 300 * SECOND;

/// An event further ahead is a wrong unit, or a wrong year.
const MOST_AHEAD: i64 = DAY;

/// An event that comes so long after its time is late.
const LATE: i64 = 7 * DAY;

/// The time of an event as it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Arrival {
    /// Microseconds since 1970.
    pub micros: i64,
    /// It was dated in the future, and counts as of its arrival.
    pub skewed: bool,
    pub late: bool,
}

/// The time of an event that arrives at `now`, where events before `from` are not kept.
pub(super) fn of(event: &Event, now: i64, from: Option<i64>) -> Result<Arrival> {
    let given = match &event.ts {
        Some(ts) => rfc3339_micros("/ts", ts)?,
        None => now,
    };
    let ahead = given.saturating_sub(now);
    if ahead > MOST_AHEAD {
        let detail = "is more than a day in the future; check its year and its time zone";
        return Err(Error::invalid("/ts", detail));
    }
    if from.is_some_and(|from| given < from) {
        let detail = "is older than the collection's behavior.retention_days; it is not kept";
        return Err(Error::invalid("/ts", detail));
    }
    let skewed = ahead > TOLERATED;
    Ok(Arrival {
        micros: if skewed { now } else { given },
        skewed,
        late: -ahead > LATE,
    })
}

/// A time as it is written.
pub(super) fn rfc3339(micros: i64) -> String {
    DateTime::from_timestamp_micros(micros)
        .unwrap_or_default()
        .to_rfc3339_opts(SecondsFormat::AutoSi, true)
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
        of(&event, micros(NOW), from.map(micros))
    }

    #[test]
    fn a_time_ahead_is_tolerated_then_brought_back_then_refused() {
        for (ts, stored, skewed) in [
            ("2026-05-01T12:05:00Z", "2026-05-01T12:05:00Z", false),
            ("2026-05-01T12:05:01Z", NOW, true),
            ("2026-05-02T12:00:00Z", NOW, true),
            ("2026-05-02T13:59:00+02:00", NOW, true),
        ] {
            let found = arrival(ts, None).expect("taken");
            assert_eq!(rfc3339(found.micros), stored, "{ts}");
            assert_eq!((found.skewed, found.late), (skewed, false), "{ts}");
        }
        let error = arrival("2026-05-02T12:00:01Z", None).expect_err("refused");
        assert!(error.to_string().contains("/ts"), "{error}");
        assert!(arrival("2262-05-02T12:00:01Z", None).is_err());
    }

    #[test]
    fn a_late_event_is_taken_unless_it_is_not_kept() {
        assert!(!arrival("2026-04-24T12:00:00Z", None).expect("taken").late);
        assert!(arrival("2026-04-24T11:59:59Z", None).expect("taken").late);
        assert!(arrival("1960-01-01T00:00:00Z", None).expect("taken").late);
        let from = Some("2026-01-01T00:00:00Z");
        assert!(arrival("2026-01-01T00:00:00Z", from).is_ok());
        let error = arrival("2025-12-31T23:59:59Z", from).expect_err("refused");
        assert!(error.to_string().contains("retention_days"), "{error}");
    }
}
