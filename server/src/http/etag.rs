//! Conditional requests: GET with `If-None-Match`, and changes that name the stored version.

use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder, Responder,
    body::BoxBody,
    http::{
        StatusCode,
        header::{
            self, CacheControl, CacheDirective, ETag, EntityTag, Header, HeaderName, IfMatch,
            IfNoneMatch,
        },
    },
};
use serde::Serialize;
use utoipa::IntoParams;
use vitrine::{Precondition, version_tag};

use crate::error::{ApiError, ApiResult};

/// Returns the strong entity tag of content.
pub fn tag(content: &blake3::Hash) -> EntityTag {
    EntityTag::new_strong(content.to_hex()[..32].to_owned())
}

/// Starts a response with the tag and a private cache lifetime in seconds. Returns it with true if
/// the caller has the content already; the status is 304 then and the body must stay empty.
pub fn respond(request: &HttpRequest, tag: EntityTag, seconds: u32) -> (HttpResponseBuilder, bool) {
    let is_cached = match IfNoneMatch::parse(request) {
        Ok(IfNoneMatch::Items(tags)) => tags.iter().any(|sent| sent.weak_eq(&tag)),
        Ok(IfNoneMatch::Any) => true,
        Err(_) => false,
    };
    let status = if is_cached {
        StatusCode::NOT_MODIFIED
    } else {
        StatusCode::OK
    };
    let mut response = HttpResponse::build(status);
    response
        .insert_header(ETag(tag))
        .insert_header(CacheControl(vec![
            CacheDirective::Private,
            CacheDirective::MaxAge(seconds),
        ]))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"));
    (response, is_cached)
}

/// Condition on the stored version. Only for the documentation; [`condition`] reads it.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[allow(dead_code)]
pub struct ConditionHeaders {
    /// `etag` of the version to change, so that a concurrent change is not overwritten (412), or
    /// `*`: there must be one.
    #[param(rename = "if-match")]
    if_match: Option<String>,
    /// `*`: nothing may be stored under the id yet.
    #[param(rename = "if-none-match")]
    if_none_match: Option<String>,
}

/// Returns the condition that a change puts on the stored version.
///
/// # Errors
/// 400 for a header that cannot be read, or that is not supported.
pub fn condition(request: &HttpRequest) -> ApiResult<Precondition> {
    let headers = request.headers();
    let invalid = |name: HeaderName, expected: &str| {
        let value = headers
            .get(&name)
            .map(|value| value.to_str().unwrap_or("?"));
        let detail = format!("expected {expected}, got `{}`", value.unwrap_or_default());
        Err(ApiError::invalid(format!("header {name}"), detail))
    };
    if request.method().is_safe() {
        return Ok(Precondition::Any);
    }
    if headers.contains_key(header::IF_MATCH) {
        return match IfMatch::parse(request) {
            Ok(IfMatch::Any) => Ok(Precondition::Exists),
            Ok(IfMatch::Items(tags)) if !tags.is_empty() => {
                let strong = tags.iter().filter(|tag| !tag.weak);
                let tags = strong.map(|tag| tag.tag().to_owned());
                Ok(Precondition::Tags(tags.collect()))
            }
            _ => invalid(header::IF_MATCH, "`*` or tags such as `\"0a1b\"`"),
        };
    }
    if headers.contains_key(header::IF_NONE_MATCH) {
        return match IfNoneMatch::parse(request) {
            Ok(IfNoneMatch::Any) => Ok(Precondition::Absent),
            _ => invalid(header::IF_NONE_MATCH, "`*` in a change"),
        };
    }
    Ok(Precondition::Any)
}

/// JSON with the tag of the stored version.
pub struct Tagged<T> {
    /// Tag, see [`version_tag`].
    pub tag: String,
    /// The JSON.
    pub body: T,
}

impl<T: Serialize> Tagged<T> {
    /// Tags a value by all of its JSON.
    pub fn of(body: T) -> Self {
        let tag = version_tag(&body);
        Self { tag, body }
    }
}

impl<T: Serialize> Responder for Tagged<T> {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        let tag = EntityTag::new_strong(self.tag);
        HttpResponse::Ok().insert_header(ETag(tag)).json(self.body)
    }
}
