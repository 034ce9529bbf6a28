//! Times in the usual forms of files. Those without an offset are UTC.

use chrono::{
    DateTime, NaiveDate, NaiveDateTime, SecondsFormat, Utc,
    format::{Item, StrftimeItems},
};

/// Unambiguous formats with the year first. `T` and `/` are read as ` ` and `-`.
const TIMES: [&str; 3] = ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y%m%d %H%M%S"];

/// Formats without separators, by their number of digits.
const COMPACT: [(usize, &str); 2] = [(14, "%Y%m%d%H%M%S"), (12, "%Y%m%d%H%M")];

/// Minimum number of seconds since 1970 that is read as a time (March 1973). Smaller numbers are
/// counters, days or other units, which would be read as days of 1970.
const MIN_SECONDS: f64 = 1e8;

/// Converts a time to RFC 3339 in UTC.
///
/// # Errors
/// The time cannot be parsed, or it is 0 or the first second of 1970, which stands for no time.
pub(super) fn rfc3339(text: &str, format: Option<&str>) -> Result<String, String> {
    let text = text.trim();
    let time = match format {
        Some(format) => by_format(text, format)
            .ok_or_else(|| format!("expected a time of the format {format}, got `{text}`"))?,
        None => known(text)?,
    };
    if time.timestamp_micros() == 0 {
        return Err(format!(
            "expected a time, got `{text}`, the start of 1970, which stands for no time; fill it or leave it blank"
        ));
    }
    Ok(time.to_rfc3339_opts(SecondsFormat::AutoSi, true))
}

/// Checks that a format is valid.
pub(super) fn check_format(format: &str) -> Result<(), String> {
    let wrong = StrftimeItems::new(format).any(|item| matches!(item, Item::Error));
    if wrong || !format.contains('%') {
        return Err(format!(
            "expected a strftime format like %d/%m/%Y %H:%M, got `{format}`"
        ));
    }
    Ok(())
}

fn by_format(text: &str, format: &str) -> Option<DateTime<Utc>> {
    let offset = DateTime::parse_from_str(text, format).map(|t| t.to_utc());
    let plain = || NaiveDateTime::parse_from_str(text, format).map(|t| t.and_utc());
    let date = || NaiveDate::parse_from_str(text, format).map(midnight);
    offset.or_else(|_| plain()).or_else(|_| date()).ok()
}

fn known(text: &str) -> Result<DateTime<Utc>, String> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(time.to_utc());
    }
    if let Some(time) = compact(text) {
        return Ok(time);
    }
    if let Some(number) = text.parse().ok().filter(|n: &f64| n.is_finite()) {
        return epoch(number).ok_or_else(|| {
            format!(
                "expected seconds, milli-, micro- or nanoseconds since 1970 (from 1973 on), got `{text}`; \
                 set ts_format for other numbers"
            )
        });
    }
    written(text).ok_or_else(|| {
        format!(
            "expected an unambiguous time like 2026-01-31T12:00:00Z, 2026-01-31 12:00:00 or seconds since \
             1970, got `{text}`; set ts_format for other formats"
        )
    })
}

/// Parses a time with the year first, or of RFC 2822.
fn written(text: &str) -> Option<DateTime<Utc>> {
    if let Ok(time) = DateTime::parse_from_rfc2822(text) {
        return Some(time.to_utc());
    }
    let plain = ["UTC", "GMT", "Z", "z"]
        .iter()
        .find_map(|zone| text.strip_suffix(zone));
    let plain = plain.unwrap_or(text).trim_end();
    let plain = plain.replace('/', "-").replacen(['T', 't'], " ", 1);
    for form in TIMES {
        if let Ok(time) = NaiveDateTime::parse_from_str(&plain, form) {
            return Some(time.and_utc());
        }
        // Offsets with and without colon, minutes and a blank before them.
        for offset in [format!("{form} %#z"), format!("{form}%#z")] {
            if let Ok(time) = DateTime::parse_from_str(&plain, &offset) {
                return Some(time.to_utc());
            }
        }
    }
    NaiveDate::parse_from_str(&plain, "%Y-%m-%d")
        .ok()
        .map(midnight)
}

/// Parses digits such as `20260131`, `202601311200` and `20260131120000`.
fn compact(text: &str) -> Option<DateTime<Utc>> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    if !digits || !(text.starts_with("19") || text.starts_with("20")) {
        return None;
    }
    if text.len() == 8 {
        return NaiveDate::parse_from_str(text, "%Y%m%d").ok().map(midnight);
    }
    let (_, form) = COMPACT.iter().find(|(length, _)| *length == text.len())?;
    let time = NaiveDateTime::parse_from_str(text, form).ok()?;
    Some(time.and_utc())
}

/// Returns the start of a day in UTC.
pub(super) fn midnight(date: NaiveDate) -> DateTime<Utc> {
    date.and_time(chrono::NaiveTime::MIN).and_utc()
}

/// Converts a number since 1970, in the unit that puts it nearest to the present: seconds reach to
/// the year 5138, milliseconds start in 1973.
fn epoch(number: f64) -> Option<DateTime<Utc>> {
    let micros = match number {
        n if n < MIN_SECONDS => return None,
        n if n < 1e11 => number * 1e6,
        n if n < 1e14 => number * 1e3,
        n if n < 1e17 => number,
        _ => number / 1e3,
    };
    DateTime::from_timestamp_micros(micros as i64)
}
