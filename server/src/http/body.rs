//! Request bodies: media type, size and time limits, and JSON whose errors give line, column and
//! pointer.

use std::{
    future::Future,
    pin::{Pin, pin},
    time::{Duration, Instant},
};

use actix_web::{
    FromRequest, HttpMessage, HttpRequest,
    dev::Payload,
    error::PayloadError,
    http::{StatusCode, header},
    web::{self, Bytes, BytesMut},
};
use futures_util::{
    Stream, StreamExt,
    future::{Either, select},
};
use serde::de::{DeserializeOwned, Deserializer, Visitor};
use serde_json::error::Category;
use vitrine::error::json_pointer;

use crate::{
    error::{ApiError, ApiResult},
    http::body_limits,
    ops::{
        body_budget::{Reservation, VALUE_BYTES},
        stopping::Stopping,
    },
    state::AppState,
};

/// Time that a JSON body may take to arrive, and the rate that extends it.
const MIN_PATIENCE: Duration = Duration::from_secs(15);
const MIN_BYTES_PER_SECOND: f64 = 16_384.0;

/// Maximum body size in bytes that is parsed on the async thread; larger ones block a worker
/// thread.
const MAX_INLINE_BYTES: usize = 64 << 10;

/// A JSON body.
pub struct Body<T>(pub T);

impl<T: DeserializeOwned + Send + 'static> FromRequest for Body<T> {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = ApiResult<Self>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move { Ok(Self(receive(request, payload, parse).await?)) })
    }
}

/// Reads a JSON body within the limits of its route, and parses it.
pub async fn receive<T: Send + 'static>(
    request: HttpRequest,
    payload: Payload,
    parse: fn(&[u8]) -> ApiResult<T>,
) -> ApiResult<T> {
    let media_type = media_type(&request, &["application/json"])?;
    let state = request.app_data::<web::Data<AppState>>().cloned();
    let state = state.ok_or_else(|| ApiError::internal("the state is missing"))?;
    let limit = body_limits::of(&request, state.limits.body_bytes);
    let mut reservation = Reservation::default();
    let bytes = read(&request, payload, &state, limit.bytes, &mut reservation).await?;
    if media_type.is_none() && !bytes.is_empty() {
        return Err(missing_media_type("application/json"));
    }
    let length = bytes.len();
    let reserve = move |bytes: &[u8]| {
        let values = body_limits::count_values(bytes);
        if values > limit.values {
            return Err(too_large(&format!("{} JSON values", limit.values)));
        }
        let parsed = bytes.len() as u64 + values as u64 * VALUE_BYTES;
        state.bodies.reserve(&mut reservation, parsed)?;
        Ok(reservation)
    };
    let work = move || -> ApiResult<(T, Reservation)> {
        let reservation = reserve(&bytes)?;
        Ok((parse(&bytes)?, reservation))
    };
    let (parsed, reservation) = if length <= MAX_INLINE_BYTES {
        work()?
    } else {
        let id = crate::error::current_request_id();
        web::block(move || crate::error::REQUEST_ID.sync_scope(id, work))
            .await
            .map_err(ApiError::internal)??
    };
    // Held until the request has been answered.
    request.extensions_mut().insert(reservation);
    Ok(parsed)
}

/// Returns the media type of the body: one of `expected`, or None if the request has none. Rejects
/// other types and compressed bodies with 415.
pub fn media_type(request: &HttpRequest, expected: &[&str]) -> ApiResult<Option<String>> {
    let header = |name| {
        let value = request.headers().get(name)?;
        Some(value.to_str().unwrap_or("?").trim().to_ascii_lowercase())
    };
    let unsupported = |detail: String| {
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        Err(ApiError::new(status, "unsupported_media_type", detail))
    };
    if let Some(coding) = header(header::CONTENT_ENCODING).filter(|c| c != "identity") {
        return unsupported(format!(
            "unsupported content encoding `{coding}`; send the body uncompressed"
        ));
    }
    let given = header(header::CONTENT_TYPE)
        .map(|text| text.split(';').next().unwrap_or_default().trim().to_owned());
    match given {
        Some(given) if !expected.contains(&given.as_str()) => unsupported(format!(
            "unsupported content type `{given}`; expected {}",
            expected.join(" or ")
        )),
        given => Ok(given),
    }
}

/// Returns the error for a body without a media type.
pub fn missing_media_type(expected: &str) -> ApiError {
    ApiError::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "unsupported_media_type",
        format!("missing content type; send the header `content-type: {expected}`"),
    )
}

fn too_large(limit: &str) -> ApiError {
    ApiError::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "body_too_large",
        format!("the body is longer than the limit of this route, {limit}; split it"),
    )
}

/// Reads a body of at most `limit` bytes, which are reserved as they arrive.
pub async fn read(
    request: &HttpRequest,
    mut payload: Payload,
    state: &AppState,
    limit: usize,
    reservation: &mut Reservation,
) -> ApiResult<BytesMut> {
    let too_large = || too_large(&format!("{limit} bytes"));
    let announced = request
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > limit) {
        return Err(too_large());
    }
    let started = Instant::now();
    let mut body = BytesMut::new();
    loop {
        let patience = patience(body.len()).saturating_sub(started.elapsed());
        let Some(chunk) = next_chunk(&mut payload, patience, &state.stopping).await? else {
            return Ok(body);
        };
        let length = body.len() + chunk.len();
        if length > limit {
            return Err(too_large());
        }
        state.bodies.reserve(reservation, length as u64)?;
        body.extend_from_slice(&chunk);
    }
}

/// Returns the time by which more of a body must have arrived.
fn patience(received: usize) -> Duration {
    MIN_PATIENCE + Duration::from_secs_f64(received as f64 / MIN_BYTES_PER_SECOND)
}

/// Returns the next chunk of a body, None at its end; 408 if no chunk arrives within `timeout`, 503
/// if the server stops.
pub async fn next_chunk(
    payload: &mut (impl Stream<Item = Result<Bytes, PayloadError>> + Unpin),
    timeout: Duration,
    stopping: &Stopping,
) -> ApiResult<Option<Bytes>> {
    let next = pin!(tokio::time::timeout(timeout, payload.next()));
    let next = match select(next, pin!(stopping.told())).await {
        Either::Left((next, _)) => next,
        Either::Right(_) => {
            return Err(ApiError::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "stopping",
                "the server stops before the body is complete; send it again",
            ));
        }
    };
    match next {
        Err(_) => Err(ApiError::new(
            StatusCode::REQUEST_TIMEOUT,
            "body_timeout",
            "the body arrives too slowly; send it faster",
        )),
        Ok(None) => Ok(None),
        Ok(Some(Ok(chunk))) => Ok(Some(chunk)),
        Ok(Some(Err(e))) => Err(ApiError::invalid(
            "",
            format!("the body could not be read: {e}"),
        )),
    }
}

/// Parses JSON; an error gives line, column and pointer.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> ApiResult<T> {
    // Tracking the path costs as much as parsing, so it is done only after an error.
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    if let Ok(value) = T::deserialize(Named(&mut reader))
        && reader.end().is_ok()
    {
        return Ok(value);
    }
    parse_slowly(bytes)
}

fn parse_slowly<T: DeserializeOwned>(bytes: &[u8]) -> ApiResult<T> {
    if let Err(e) = std::str::from_utf8(bytes) {
        let at = e.valid_up_to();
        let message = format!("not UTF-8 at byte {at}; encode the text as UTF-8");
        return Err(malformed(String::new(), &message));
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(Named(&mut reader)).map_err(|e| {
        let at = json_pointer(e.path());
        match e.inner().classify() {
            Category::Data => ApiError::invalid(at, e.inner().to_string()),
            // An object of several keys where one says what follows.
            _ if serde_json::from_slice::<serde_json::Value>(bytes).is_ok() => {
                let detail = "expected an object with exactly one key, got several or none";
                ApiError::invalid(at, detail)
            }
            Category::Io | Category::Syntax | Category::Eof => malformed(at, e.inner()),
        }
    })?;
    reader.end().map_err(|e| malformed(String::new(), &e))?;
    Ok(value)
}

/// Parses a part of a body that was kept as a JSON value; pointers are relative to that part.
pub fn read_value<T: DeserializeOwned>(value: serde_json::Value) -> ApiResult<T> {
    serde_path_to_error::deserialize(Named(value))
        .map_err(|e| ApiError::invalid(json_pointer(e.path()), e.inner().to_string()))
}

/// Deserializes structs from objects only; serde would also accept arrays of field values.
struct Named<D>(D);

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Named<D> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_any(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_map(visitor)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

fn malformed(pointer: String, error: &dyn std::fmt::Display) -> ApiError {
    let mut error = ApiError::invalid(pointer, format!("malformed JSON: {error}"));
    error.code = "malformed_json";
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[actix_web::test]
    async fn a_body_that_has_not_arrived_does_not_hold_up_a_stop() {
        let stopping = Stopping::default();
        let mut silent = Box::pin(futures_util::stream::pending());
        let next = next_chunk(&mut silent, Duration::from_secs(600), &stopping);
        let (next, ()) = futures_util::future::join(next, async { stopping.tell() }).await;
        let error = next.expect_err("refused");
        assert_eq!((error.status.as_u16(), error.code), (503, "stopping"));
    }

    #[actix_web::test]
    async fn a_body_must_keep_arriving() {
        let stopping = Stopping::default();
        let mut silent = Box::pin(futures_util::stream::pending());
        let next = next_chunk(&mut silent, Duration::ZERO, &stopping).await;
        assert_eq!(next.expect_err("refused").code, "body_timeout");
        // 50 bytes a second are too few after a while, 1 MiB a second is enough.
        let is_late = |bytes: usize, seconds| patience(bytes) < Duration::from_secs(seconds);
        assert!(is_late(50 * 20, 20) && !is_late(20 << 20, 20));
    }
}
