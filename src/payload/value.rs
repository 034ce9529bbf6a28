//! Attribute values: what a type takes, and their scalars.

use serde_json::Value;
use vitrine_schemas::{AttributeType, Scalar};

/// Checks a value against its declared type: a scalar, or an array of scalars.
///
/// # Errors
/// What is wrong and how to mend it.
pub fn check_value(kind: AttributeType, value: &Value) -> Result<(), String> {
    match value {
        Value::Array(values) => values.iter().try_for_each(|v| check_scalar(kind, v)),
        scalar => check_scalar(kind, scalar),
    }
}

fn check_scalar(kind: AttributeType, value: &Value) -> Result<(), String> {
    let fits = match kind {
        AttributeType::Keyword | AttributeType::Category | AttributeType::Text => value.is_string(),
        AttributeType::Integer => value.is_i64(),
        AttributeType::Float => value.as_f64().is_some_and(f64::is_finite),
        AttributeType::Bool => value.is_boolean(),
        AttributeType::Datetime => value.as_str().is_some_and(|s| micros(s).is_some()),
    };
    if fits {
        return Ok(());
    }
    Err(format!("{} is no {}", shorten(value), describe(kind)))
}

/// What a value of the type looks like.
pub(super) fn describe(kind: AttributeType) -> &'static str {
    match kind {
        AttributeType::Keyword => "keyword: write a string like \"red\"",
        AttributeType::Category => "category: write a path like \"Clothing > Shoes\"",
        AttributeType::Text => "text: write a string",
        AttributeType::Integer => "integer: write a whole number of 64 bits",
        AttributeType::Float => "float: write a number",
        AttributeType::Bool => "bool: write true or false",
        AttributeType::Datetime => "datetime: write RFC 3339 like \"2026-01-31T12:00:00Z\"",
    }
}

fn shorten(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

/// The scalars of a stored value.
pub(super) fn scalars(value: &Value) -> Vec<Scalar> {
    match value {
        Value::Array(values) => values.iter().filter_map(scalar).collect(),
        other => scalar(other).into_iter().collect(),
    }
}

fn scalar(value: &Value) -> Option<Scalar> {
    match value {
        Value::Bool(b) => Some(Scalar::Bool(*b)),
        Value::String(s) => Some(Scalar::Str(s.clone())),
        Value::Number(n) => n
            .as_i64()
            .map(Scalar::Int)
            .or_else(|| n.as_f64().map(Scalar::Float)),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Microseconds since 1970 of an RFC 3339 time.
pub(super) fn micros(time: &str) -> Option<i64> {
    chrono::DateTime::parse_from_rfc3339(time)
        .ok()
        .map(|t| t.timestamp_micros())
}
