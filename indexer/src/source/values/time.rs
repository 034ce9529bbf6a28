//! Times of items, converted to RFC 3339. Those without an offset are UTC, days begin at midnight.

use chrono::{DateTime, NaiveDate, NaiveDateTime, SecondsFormat, Utc};
use serde_json::Value;

use crate::source::time::midnight;

/// Days whose order of parts is clear.
const DAYS: [&str; 9] = [
    "%Y-%m-%d",
    "%Y%m%d",
    "%d.%m.%Y",
    "%d %b %Y",
    "%d %B %Y",
    "%b %d %Y",
    "%B %d %Y",
    "%d-%b-%Y",
    "%a %b %d %Y",
];
/// Times after a day.
const CLOCKS: [&str; 7] = [
    "%H:%M:%S%.f",
    "%H:%M",
    "%H%M%S",
    "%H%M",
    "%I:%M:%S %p",
    "%I:%M %p",
    "%H.%M",
];
/// First and last second since 1970 that are times of products: 1973-03-03 and 2286-11-20.
const SECONDS: [f64; 2] = [1e8, 1e10];

/// Converts a time to RFC 3339; a blank cell has none.
///
/// # Errors
/// The value is not a time, or has two readings.
pub fn rfc3339(value: &Value) -> Result<Option<String>, String> {
    let text = match value {
        Value::Null => return Ok(None),
        Value::String(text) => text.trim().to_owned(),
        other => other.to_string(),
    };
    if text.is_empty() {
        return Ok(None);
    }
    if DateTime::parse_from_rfc3339(&text).is_ok() {
        return Ok(Some(text));
    }
    parse(&text).map(|time| Some(time.to_rfc3339_opts(SecondsFormat::AutoSi, true)))
}

/// Parses the time of a sale: `start/end` as in Google feeds, either of which may be missing.
///
/// # Errors
/// A time cannot be parsed, or the end is before the start.
pub fn interval(text: &str) -> Result<[Option<String>; 2], String> {
    let cuts = text.match_indices('/').map(|(at, _)| at);
    let side = |text: &str| rfc3339(&Value::from(text.trim()));
    let found = cuts
        .filter_map(|at| Some([side(&text[..at]).ok()?, side(&text[at + 1..]).ok()?]))
        .next();
    let [start, end] = found.ok_or_else(|| {
        format!("expected two times like 2026-01-01T00:00Z/2026-02-01T00:00Z, got `{text}`")
    })?;
    let at = |time: &Option<String>| {
        let time = time.as_deref()?;
        DateTime::parse_from_rfc3339(time).ok()
    };
    if let (Some(from), Some(to)) = (at(&start), at(&end))
        && from > to
    {
        return Err(format!("expected a start before the end, got `{text}`"));
    }
    Ok([start, end])
}

fn parse(text: &str) -> Result<DateTime<Utc>, String> {
    let wrong = || {
        format!(
            "expected a time like 2026-01-31T12:00:00Z, a day like 2026-01-31 or seconds since 1970, got `{text}`"
        )
    };
    if let Some(time) = day(text).map(midnight) {
        return Ok(time);
    }
    if let Ok(number) = text.parse::<f64>() {
        return epoch(number).ok_or_else(wrong);
    }
    if let Ok(time) = DateTime::parse_from_rfc2822(text) {
        return Ok(time.to_utc());
    }
    let slashed = slashed_day(text)?;
    let text = slashed.as_deref().unwrap_or(text);
    if let Some(time) = day(text).map(midnight) {
        return Ok(time);
    }
    day_and_clock(text).ok_or_else(wrong)
}

fn day(text: &str) -> Option<NaiveDate> {
    let plain = text.replace(',', " ");
    let plain = plain.split_whitespace().collect::<Vec<_>>().join(" ");
    let plain = match plain.as_bytes() {
        [b'1' | b'2', _, _, _, b'/' | b'.', ..] => plain.replace(['/', '.'], "-"),
        _ => plain,
    };
    let found = DAYS
        .iter()
        .find_map(|form| NaiveDate::parse_from_str(&plain, form).ok())?;
    let year = chrono::Datelike::year(&found);
    (1900..=9999).contains(&year).then_some(found)
}

fn day_and_clock(text: &str) -> Option<DateTime<Utc>> {
    let upper = text.trim_end_matches(" UTC").trim_end_matches(" GMT");
    let zulu = upper.strip_suffix('Z').unwrap_or(upper);
    let cuts: Vec<usize> = zulu
        .char_indices()
        .filter(|(_, c)| matches!(c, 'T' | ' '))
        .map(|(at, _)| at)
        .collect();
    for cut in cuts.into_iter().rev() {
        let Some(date) = day(&zulu[..cut]) else {
            continue;
        };
        let clock = zulu[cut + 1..].trim();
        for form in CLOCKS {
            let joined = format!("{date} {clock}");
            let form = format!("%Y-%m-%d {form}");
            if let Ok(time) = NaiveDateTime::parse_from_str(&joined, &form) {
                return Some(time.and_utc());
            }
            for offset in ["%#z", " %#z"] {
                let form = format!("{form}{offset}");
                if let Ok(time) = DateTime::parse_from_str(&joined, &form) {
                    return Some(time.to_utc());
                }
            }
        }
    }
    None
}

/// Rewrites a day of the form `31/12/2026` or `12/31/2026` with the year first, if only one order
/// of its parts is a day.
fn slashed_day(text: &str) -> Result<Option<String>, String> {
    let end = text.find([' ', 'T', ',']).unwrap_or(text.len());
    let (date, clock) = text.split_at(end);
    let parts: Vec<&str> = date.split(['/', '-']).collect();
    let numbers: Vec<u32> = parts.iter().filter_map(|p| p.parse().ok()).collect();
    let &[first, second, year] = numbers.as_slice() else {
        return Ok(None);
    };
    if parts.len() != 3 || parts[2].len() != 4 {
        return Ok(None);
    }
    let (day, month) = match (first > 12, second > 12) {
        (true, false) => (first, second),
        (false, true) => (second, first),
        (false, false) if first == second => (first, second),
        _ => {
            return Err(format!(
                "expected a day with the year first like {year}-01-31, got `{date}`, which has two readings or none"
            ));
        }
    };
    Ok(Some(format!("{year}-{month:02}-{day:02}{clock}")))
}

/// Returns the time of a number since 1970 in seconds, milliseconds, microseconds or nanoseconds.
fn epoch(number: f64) -> Option<DateTime<Utc>> {
    let [first, last] = SECONDS;
    let unit = [1.0, 1e3, 1e6, 1e9]
        .into_iter()
        .find(|unit| (first * unit..last * unit).contains(&number))?;
    let micros = if unit > 1e6 {
        number / 1e3
    } else {
        number * (1e6 / unit)
    };
    DateTime::from_timestamp_micros(micros as i64)
}
