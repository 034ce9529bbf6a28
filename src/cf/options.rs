//! The text form of models and their options: `item-knn:neighbors=100,weighting.bm25.k1=1.2`.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use crate::{Error, Result};

/// Parses the options in `name:key=value,...`, for models that are not
/// [`ModelSettings`](super::ModelSettings).
///
/// # Errors
/// An unknown option, or a value of the wrong type.
pub fn parse_options<T: DeserializeOwned>(text: &str) -> Result<T> {
    let (name, options) = split_spec(text)?;
    serde_json::from_value(options).map_err(|e| Error::invalid(format!("/{name}"), e.to_string()))
}

/// Returns the text form of a model with all its options, which [`parse_options`] reads.
pub fn to_spec_string<T: Serialize>(name: &str, options: &T) -> String {
    // Through JSON text, which prints an f32 with its shortest digits.
    let text = serde_json::to_string(options).unwrap_or_default();
    let mut pairs = Vec::new();
    let options = serde_json::from_str(&text).unwrap_or_default();
    flatten("", &options, &mut pairs);
    format!("{name}:{}", pairs.join(","))
}

/// Returns the name, and the options as an object.
pub(super) fn split_spec(text: &str) -> Result<(&str, Value)> {
    let (name, list) = text.split_once(':').unwrap_or((text, ""));
    let mut options = Map::new();
    for pair in list.split(',').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').ok_or_else(|| {
            Error::invalid(
                format!("/{name}"),
                format!("expected key=value, got `{pair}`"),
            )
        })?;
        insert(&mut options, key.trim(), value.trim())
            .map_err(|detail| Error::invalid(format!("/{name}/{key}"), detail))?;
    }
    Ok((name, Value::Object(options)))
}

fn flatten(path: &str, value: &Value, pairs: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let dot = if path.is_empty() { "" } else { "." };
                flatten(&format!("{path}{dot}{key}"), value, pairs);
            }
        }
        Value::String(text) => pairs.push(format!("{path}={text}")),
        other => pairs.push(format!("{path}={other}")),
    }
}

/// Inserts a value at a path of keys joined by dots.
fn insert(options: &mut Map<String, Value>, path: &str, value: &str) -> Result<(), &'static str> {
    let Some((key, rest)) = path.split_once('.') else {
        let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
        return match options.insert(path.to_owned(), value) {
            Some(_) => Err("is given twice"),
            None => Ok(()),
        };
    };
    let inner = options
        .entry(key)
        .or_insert_with(|| Value::Object(Map::new()));
    match inner {
        Value::Object(inner) => insert(inner, rest, value),
        _ => Err("is given twice"),
    }
}
