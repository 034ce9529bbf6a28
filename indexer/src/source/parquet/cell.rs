//! Cells of Parquet files: scalars as JSON, nested columns as columns with dotted names.

use base64::{Engine, prelude::BASE64_STANDARD};
use chrono::{DateTime, NaiveTime, SecondsFormat, Utc};
use parquet::{
    basic::{ConvertedType, LogicalType, TimeUnit},
    data_type::Decimal,
    record::Field,
    schema::types::Type,
};
use serde_json::{Number, Value};

use super::Row;

/// Digits that a decimal number can have without losing any as a float.
const EXACT_DIGITS: usize = 15;

/// Seconds in a day.
const DAY: i64 = 86_400;

/// Adds the columns of a field to `columns`; returns false for maps, whose keys are not columns.
pub(super) fn columns(path: &str, field: &Type, columns: &mut Vec<String>) -> bool {
    match shape(field) {
        Shape::Scalar => columns.push(path.to_owned()),
        Shape::Map => return false,
        Shape::List(element) => return self::columns(path, element, columns),
        Shape::Group(fields) => {
            for field in fields {
                self::columns(&dotted(path, field.name()), field, columns);
            }
        }
    }
    true
}

/// Adds a cell to a row. Within lists, values of the same path form a list.
pub(super) fn add(row: &mut Row, path: &str, value: &Field, field: &Type) {
    match (value, shape(field)) {
        (Field::ListInternal(list), shape) => {
            let element = match shape {
                Shape::List(element) => element,
                _ => field,
            };
            let mut parts = Row::new();
            for value in list.elements() {
                let mut part = Row::new();
                add(&mut part, path, value, element);
                for (path, value) in part {
                    append(&mut parts, path, value);
                }
            }
            if parts.is_empty() && matches!(self::shape(element), Shape::Scalar) {
                parts.insert(path.to_owned(), Value::Array(Vec::new()));
            }
            row.extend(parts);
        }
        (Field::Group(group), Shape::Group(fields)) => {
            for ((name, value), field) in group.get_column_iter().zip(fields) {
                add(row, &dotted(path, name), value, field);
            }
        }
        (Field::Group(_) | Field::MapInternal(_), _) => {}
        (scalar, _) => {
            row.insert(path.to_owned(), json(scalar, field));
        }
    }
}

/// Appends a value, or the values of a list, to the list at a path.
fn append(row: &mut Row, path: String, value: Value) {
    let values = row.entry(path).or_insert_with(|| Value::Array(Vec::new()));
    if let Value::Array(values) = values {
        match value {
            Value::Array(more) => values.extend(more),
            one => values.push(one),
        }
    }
}

fn dotted(path: &str, name: &str) -> String {
    format!("{path}.{name}")
}

enum Shape<'a> {
    Scalar,
    List(&'a Type),
    Map,
    Group(&'a [std::sync::Arc<Type>]),
}

/// Returns the shape of a field, by the rules for lists of the Parquet format.
fn shape(field: &Type) -> Shape<'_> {
    let Type::GroupType { basic_info, fields } = field else {
        return Shape::Scalar;
    };
    match basic_info.converted_type() {
        ConvertedType::MAP | ConvertedType::MAP_KEY_VALUE => Shape::Map,
        ConvertedType::LIST => match fields.first().map(AsRef::as_ref) {
            Some(Type::GroupType { fields: inner, .. }) if inner.len() == 1 => {
                Shape::List(&inner[0])
            }
            Some(element) => Shape::List(element),
            None => Shape::Group(fields),
        },
        _ => Shape::Group(fields),
    }
}

/// Converts a scalar to JSON, times to RFC 3339. Numbers are the decimals that were written.
fn json(value: &Field, field: &Type) -> Value {
    let logical = field.get_basic_info().logical_type_ref();
    match value {
        Field::Long(number) => match logical {
            Some(LogicalType::Timestamp {
                unit: TimeUnit::NANOS,
                ..
            }) => time(Some(DateTime::from_timestamp_nanos(*number)), *number),
            Some(LogicalType::Time {
                unit: TimeUnit::NANOS,
                ..
            }) => clock(*number),
            _ => Value::from(*number),
        },
        Field::TimestampMillis(millis) => time(DateTime::from_timestamp_millis(*millis), *millis),
        Field::TimestampMicros(micros) => time(DateTime::from_timestamp_micros(*micros), *micros),
        Field::Date(days) => {
            let seconds = i64::from(*days) * DAY;
            time(DateTime::from_timestamp(seconds, 0), seconds)
        }
        Field::TimeMillis(millis) => clock(i64::from(*millis) * 1_000_000),
        Field::TimeMicros(micros) => clock(micros.saturating_mul(1000)),
        Field::Float16(number) => float(shortest_half(f64::from(*number))),
        Field::Float(number) => float(number.to_string().parse().unwrap_or(f64::NAN)),
        Field::Decimal(number) => decimal(number),
        Field::Bytes(bytes) => bytes_as_text(bytes.data(), logical),
        other => other.to_json_value(),
    }
}

/// Formats a time; one that RFC 3339 cannot express stays a number.
fn time(time: Option<DateTime<Utc>>, number: i64) -> Value {
    let years = 0..10_000;
    match time.filter(|time| years.contains(&chrono::Datelike::year(time))) {
        Some(time) => time.to_rfc3339_opts(SecondsFormat::AutoSi, true).into(),
        None => Value::from(number),
    }
}

/// Formats a time of day, given in nanoseconds.
fn clock(nanos: i64) -> Value {
    let seconds = u32::try_from(nanos.div_euclid(1_000_000_000)).ok();
    let rest = nanos.rem_euclid(1_000_000_000) as u32;
    let time = seconds.and_then(|s| NaiveTime::from_num_seconds_from_midnight_opt(s, rest));
    time.map_or(Value::from(nanos), |time| time.to_string().into())
}

/// Returns a number; null for those that JSON does not have.
fn float(number: f64) -> Value {
    Number::from_f64(number).map_or(Value::Null, Value::Number)
}

/// Returns the decimal with the fewest digits that is stored as this number of 16 bits.
fn shortest_half(number: f64) -> f64 {
    if number == 0.0 || !number.is_finite() {
        return number;
    }
    let exponent = number.abs().log2().floor().max(-14.0);
    let half_step = (exponent - 11.0).exp2();
    let rounded = (0..5).map(|digits| format!("{number:.digits$e}"));
    rounded
        .filter_map(|text| text.parse::<f64>().ok())
        .find(|short| (short - number).abs() < half_step)
        .unwrap_or(number)
}

/// Returns a decimal as a number, or as text if a float would change it.
fn decimal(number: &Decimal) -> Value {
    let text = match Field::Decimal(number.clone()).to_json_value() {
        // Without decimal places, the text still ends with the point.
        Value::String(text) => text.trim_end_matches('.').to_owned(),
        other => return other,
    };
    if let Ok(whole) = text.parse::<i64>() {
        return whole.into();
    }
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    match text.parse::<f64>() {
        Ok(number) if digits - trailing_zeros(&text) <= EXACT_DIGITS => float(number),
        _ => text.into(),
    }
}

/// Returns the number of zeros at the end of the fraction.
fn trailing_zeros(text: &str) -> usize {
    match text.split_once('.') {
        Some((_, fraction)) => fraction.len() - fraction.trim_end_matches('0').len(),
        None => 0,
    }
}

/// Returns bytes as text where they are text, UUIDs in their usual form, others in Base64.
fn bytes_as_text(bytes: &[u8], logical: Option<&LogicalType>) -> Value {
    if logical == Some(&LogicalType::Uuid) && bytes.len() == 16 {
        let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|range| digits[range].to_owned());
        return parts.join("-").into();
    }
    let printable = |text: &&str| !text.chars().any(|c| c.is_control() && !c.is_whitespace());
    match std::str::from_utf8(bytes).ok().filter(printable) {
        Some(text) => text.into(),
        None => BASE64_STANDARD.encode(bytes).into(),
    }
}
