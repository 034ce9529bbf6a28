//! Times of items, converted to RFC 3339.

use chrono::DateTime;
use serde_json::Value;

use crate::source::time;

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
    Ok(Some(time::rfc3339(time::parse(&text)?)))
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
