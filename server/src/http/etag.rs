//! Conditional GET (`ETag`, `If-None-Match`).

use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder,
    http::{
        StatusCode,
        header::{self, CacheControl, CacheDirective, ETag, EntityTag, Header, IfNoneMatch},
    },
};

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
