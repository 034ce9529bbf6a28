//! Request bodies: media type, size and time limits, and JSON whose errors give line, column and
//! pointer.

use std::{future::Future, pin::Pin, time::Duration};

use actix_web::{
    FromRequest, HttpRequest,
    dev::Payload,
    error::PayloadError,
    http::{StatusCode, header},
    web::{self, Bytes, BytesMut},
};
use futures_util::{Stream, StreamExt};
use serde::de::{DeserializeOwned, Deserializer, Visitor};
use serde_json::error::Category;

use crate::{
    error::{ApiError, ApiResult},
    state::AppState,
};

/// Maximum pause between chunks of a JSON body.
const CHUNK_TIMEOUT: Duration = Duration::from_secs(30);

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
        Box::pin(async move {
            media_type(&request, &["application/json"])?;
            let bytes = read(&request, payload).await?;
            if bytes.len() <= MAX_INLINE_BYTES {
                return parse(&bytes).map(Self);
            }
            let id = crate::error::current_request_id();
            web::block(move || crate::error::REQUEST_ID.sync_scope(id, || parse(&bytes)))
                .await
                .map_err(ApiError::internal)?
                .map(Self)
        })
    }
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

async fn read(request: &HttpRequest, mut payload: Payload) -> ApiResult<BytesMut> {
    let limit = request
        .app_data::<web::Data<AppState>>()
        .map_or(0, |state| state.limits.body_bytes);
    let too_large = || {
        ApiError::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body_too_large",
            format!("the body is longer than the limit of {limit} bytes; split it"),
        )
    };
    let announced = request
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > limit) {
        return Err(too_large());
    }
    let mut body = BytesMut::new();
    while let Some(chunk) = next_chunk(&mut payload, CHUNK_TIMEOUT).await? {
        if body.len() + chunk.len() > limit {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Returns the next chunk of a body, None at its end; 408 if no chunk arrives within `timeout`.
pub async fn next_chunk(
    payload: &mut (impl Stream<Item = Result<Bytes, PayloadError>> + Unpin),
    timeout: Duration,
) -> ApiResult<Option<Bytes>> {
    match tokio::time::timeout(timeout, payload.next()).await {
        Err(_) => Err(ApiError::new(
            StatusCode::REQUEST_TIMEOUT,
            "body_timeout",
            format!("no data received for {} seconds", timeout.as_secs()),
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
        let at = pointer(e.path());
        match e.inner().classify() {
            Category::Data => ApiError::invalid(at, e.inner().to_string()),
            Category::Io | Category::Syntax | Category::Eof => malformed(at, e.inner()),
        }
    })?;
    reader.end().map_err(|e| malformed(String::new(), &e))?;
    Ok(value)
}

/// Parses a part of a body that was kept as a JSON value; pointers are relative to that part.
pub fn read_value<T: DeserializeOwned>(value: serde_json::Value) -> ApiResult<T> {
    serde_path_to_error::deserialize(Named(value))
        .map_err(|e| ApiError::invalid(pointer(e.path()), e.inner().to_string()))
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

/// Returns the JSON pointer (RFC 6901) of a path.
pub fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    path.iter()
        .filter_map(|segment| match segment {
            Segment::Seq { index } => Some(format!("/{index}")),
            // Externally tagged variants are keys in JSON: `{"query": {"vector": ...}}`.
            Segment::Map { key } | Segment::Enum { variant: key } => {
                Some(format!("/{}", key.replace('~', "~0").replace('/', "~1")))
            }
            Segment::Unknown => None,
        })
        .collect()
}
