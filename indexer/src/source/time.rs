//! Times in the usual forms of files, of items and of events. Those without an offset are UTC, days
//! begin at midnight.

use chrono::{
    DateTime, Datelike, NaiveDate, NaiveDateTime, SecondsFormat, Utc,
    format::{Item, StrftimeItems},
};

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
/// Times without separators, by their number of digits.
const COMPACT: [(usize, &str); 2] = [(14, "%Y%m%d%H%M%S"), (12, "%Y%m%d%H%M")];
/// First and last second since 1970 that are read as times: 1973-03-03 and 2286-11-20. Smaller
/// numbers are counters, days or other units, which would be read as days of 1970.
const SECONDS: [f64; 2] = [1e8, 1e10];
const YEARS: std::ops::RangeInclusive<i32> = 1900..=9999;

/// Parses a time of one of the usual forms.
///
/// # Errors
/// The text is not a time, or has two readings.
pub(super) fn parse(text: &str) -> Result<DateTime<Utc>, String> {
    let text = text.trim();
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(time.to_utc());
    }
    if let Some(time) = day(text).map(midnight).or_else(|| compact(text)) {
        return Ok(time);
    }
    if let Some(number) = text.parse().ok().filter(|n: &f64| n.is_finite()) {
        return epoch(number).ok_or_else(|| {
            format!(
                "expected seconds, milli-, micro- or nanoseconds since 1970 (from 1973 on), got `{text}`"
            )
        });
    }
    if let Ok(time) = DateTime::parse_from_rfc2822(text) {
        return Ok(time.to_utc());
    }
    let slashed = slashed_day(text)?;
    let text = slashed.as_deref().unwrap_or(text);
    let found = day(text).map(midnight).or_else(|| day_and_clock(text));
    found.ok_or_else(|| {
        format!(
            "expected a time like 2026-01-31T12:00:00Z, a day like 2026-01-31 or seconds since 1970, got `{text}`"
        )
    })
}

/// Returns true for numbers that begin with a day or a month, such as `15.06.2024` and `6/15/2024`:
/// other times of the same file may have two readings.
pub(super) fn begins_with_day_or_month(text: &str) -> bool {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let mut rest = text[digits..].chars();
    (1..=2).contains(&digits)
        && text.parse::<f64>().is_err()
        && matches!(rest.next(), Some('.' | '/' | '-'))
        && rest.next().is_some_and(|c| c.is_ascii_digit())
}

/// Parses a time of a given strftime format, with or without offset and time of day.
///
/// # Errors
/// The time is not of this format.
pub(super) fn parse_as(text: &str, format: &str) -> Result<DateTime<Utc>, String> {
    let text = text.trim();
    let offset = DateTime::parse_from_str(text, format).map(|t| t.to_utc());
    let plain = || NaiveDateTime::parse_from_str(text, format).map(|t| t.and_utc());
    let date = || NaiveDate::parse_from_str(text, format).map(midnight);
    let found = offset.or_else(|_| plain()).or_else(|_| date());
    found.map_err(|_| format!("expected a time of the format {format}, got `{text}`"))
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

/// Writes a time as in RFC 3339, in UTC.
pub(super) fn rfc3339(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::AutoSi, true)
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
    YEARS.contains(&found.year()).then_some(found)
}

/// Parses digits such as `202601311200` and `20260131120000`.
fn compact(text: &str) -> Option<DateTime<Utc>> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    if !digits || !(text.starts_with("19") || text.starts_with("20")) {
        return None;
    }
    let (_, form) = COMPACT.iter().find(|(length, _)| *length == text.len())?;
    let time = NaiveDateTime::parse_from_str(text, form).ok()?;
    Some(time.and_utc())
}

fn day_and_clock(text: &str) -> Option<DateTime<Utc>> {
    let zone = ["UTC", "GMT", "Z", "z"]
        .iter()
        .find_map(|zone| text.strip_suffix(zone));
    let text = zone.unwrap_or(text).trim_end();
    let cuts = text.rmatch_indices(['T', 't', ' ']).map(|(at, _)| at);
    cuts.filter_map(|cut| {
        let date = day(&text[..cut])?;
        let clock = text[cut + 1..].trim();
        CLOCKS.iter().find_map(|form| at_clock(date, clock, form))
    })
    .next()
}

/// Returns the time of a day whose clock has a form, with or without an offset behind it.
fn at_clock(date: NaiveDate, clock: &str, form: &str) -> Option<DateTime<Utc>> {
    let (joined, form) = (format!("{date} {clock}"), format!("%Y-%m-%d {form}"));
    if let Ok(time) = NaiveDateTime::parse_from_str(&joined, &form) {
        return Some(time.and_utc());
    }
    // Offsets with and without colon, minutes and a blank before them.
    let offsets = ["%#z", " %#z"].into_iter();
    let times = offsets
        .filter_map(|offset| DateTime::parse_from_str(&joined, &format!("{form}{offset}")).ok());
    times.map(|time| time.to_utc()).next()
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

/// Returns the start of a day in UTC.
fn midnight(date: NaiveDate) -> DateTime<Utc> {
    date.and_time(chrono::NaiveTime::MIN).and_utc()
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
