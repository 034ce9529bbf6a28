//! Bodies of one or many records. Each record of an array is parsed separately, so an invalid one
//! is rejected alone.

use std::{future::Future, pin::Pin};

use actix_web::{FromRequest, HttpRequest, dev::Payload};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::body;
use crate::error::{ApiError, ApiResult};

/// Records of a JSON array, or a single record.
pub struct Records<T> {
    /// Readable records with their index in the body.
    pub read: Vec<(u64, T)>,
    /// Others with their index.
    pub bad: Vec<(u64, BadRecord)>,
}

/// A record that is not of the expected form.
pub struct BadRecord {
    /// Id, if it has one.
    pub id: Option<String>,
    /// The first error; its pointer begins at the record.
    pub error: ApiError,
}

impl<T: DeserializeOwned + Send + 'static> FromRequest for Records<T> {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = ApiResult<Self>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move { body::receive(request, payload, parse).await })
    }
}

/// Parses a record or an array of records.
///
/// # Errors
/// The body is not JSON, or neither; or its only record is not of the expected form.
fn parse<T: DeserializeOwned>(bytes: &[u8]) -> ApiResult<Records<T>> {
    if bytes.trim_ascii_start().starts_with(b"{") {
        return Ok(Records {
            read: vec![(0, body::parse(bytes)?)],
            bad: Vec::new(),
        });
    }
    match body::parse::<Vec<T>>(bytes) {
        Ok(records) => Ok(Records {
            read: (0..).zip(records).collect(),
            bad: Vec::new(),
        }),
        Err(error) => each(bytes, error),
    }
}

/// Parses an array whose records are not all of the expected form.
fn each<T: DeserializeOwned>(bytes: &[u8], error: ApiError) -> ApiResult<Records<T>> {
    let Ok(Value::Array(values)) = body::parse(bytes) else {
        return Err(error);
    };
    let (mut read, mut bad) = (Vec::new(), Vec::new());
    for (index, value) in (0..).zip(values) {
        let id = match &value["id"] {
            Value::String(id) => Some(id.clone()),
            Value::Number(id) => Some(id.to_string()),
            _ => None,
        };
        match body::read_value(value) {
            Ok(record) => read.push((index, record)),
            Err(error) => bad.push((index, BadRecord { id, error })),
        }
    }
    Ok(Records { read, bad })
}

#[cfg(test)]
mod tests {
    use vitrine_schemas::Item;

    use super::*;

    #[test]
    fn a_record_of_another_form_costs_itself_alone() {
        let body = br#"[{"id": "a"}, {"id": "x", "price": "?"}, {"title": "x"}, 3, {"id": "b"}]"#;
        let records = parse::<Item>(body).expect("an array");
        let read: Vec<_> = records.read.iter().map(|(n, i)| (*n, &*i.id)).collect();
        assert_eq!(read, [(0, "a"), (4, "b")]);
        let bad: Vec<_> = records.bad.iter().map(|(n, _)| *n).collect();
        assert_eq!(bad, [1, 2, 3]);
        let (_, BadRecord { id, error }) = &records.bad[0];
        assert_eq!(id.as_deref(), Some("x"));
        assert!(error.errors[0].pointer.starts_with("/price"), "{error:?}");
        let one = parse::<Item>(br#" {"id": "a"}"#).expect("an item");
        assert_eq!((one.read.len(), one.bad.len()), (1, 0));
    }

    #[test]
    fn a_body_without_records_is_refused_as_a_whole() {
        for body in ["{}", "\"view\"", "[{}", ""] {
            assert!(parse::<Item>(body.as_bytes()).is_err(), "{body}");
        }
    }
}
