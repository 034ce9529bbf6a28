//! Times in the formats of event files. Those without an offset are UTC.

use chrono::{
    DateTime, NaiveDate, NaiveDateTime, SecondsFormat, Utc,
    format::{Item, StrftimeItems},
};

/// Unambiguous formats with the year first. `T` and `/` are read as ` ` and `-`.
const TIMES: [&str; 2] = ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M"];

/// Converts a time to RFC 3339 in UTC.
///
/// # Errors
/// The time cannot be parsed.
pub(super) fn rfc3339(text: &str, format: Option<&str>) -> Result<String, String> {
    let time = match format {
        Some(format) => by_format(text, format)
            .ok_or_else(|| format!("expected a time of the format {format}, got `{text}`"))?,
        None => known(text).ok_or_else(|| {
            format!(
                "expected an unambiguous time like 2026-01-31T12:00:00Z, 2026-01-31 12:00:00 or seconds since \
                 1970, got `{text}`; set ts_format for other formats"
            )
        })?,
    };
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

fn known(text: &str) -> Option<DateTime<Utc>> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(time.to_utc());
    }
    if let Some(time) = epoch(text) {
        return Some(time);
    }
    let text = text.trim_end_matches("UTC").trim_end();
    let text = text.replace('/', "-").replacen('T', " ", 1);
    for form in TIMES {
        if let Ok(time) = NaiveDateTime::parse_from_str(&text, form) {
            return Some(time.and_utc());
        }
        let offset = format!("{form} %#z");
        if let Ok(time) = DateTime::parse_from_str(&text, &offset) {
            return Some(time.to_utc());
        }
    }
    NaiveDate::parse_from_str(&text, "%Y-%m-%d")
        .ok()
        .map(midnight)
}

fn midnight(date: NaiveDate) -> DateTime<Utc> {
    date.and_time(chrono::NaiveTime::MIN).and_utc()
}

/// Parses a number since 1970, in the unit that puts it nearest to the present: seconds reach to
/// the year 5138, milliseconds start in 1973.
fn epoch(text: &str) -> Option<DateTime<Utc>> {
    let number: f64 = text.parse().ok().filter(|n: &f64| n.is_finite())?;
    let micros = match number.abs() {
        n if n < 1e11 => number * 1e6,
        n if n < 1e14 => number * 1e3,
        n if n < 1e17 => number,
        _ => number / 1e3,
    };
    DateTime::from_timestamp_micros(micros as i64)
}
