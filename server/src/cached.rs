//! Answers that a caller may have already.

use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder,
    http::{
        StatusCode,
        header::{self, CacheControl, CacheDirective, ETag, EntityTag, Header, IfNoneMatch},
    },
};

/// Names content: the same name is the same content.
pub fn tag(content: &blake3::Hash) -> EntityTag {
    EntityTag::new_strong(content.to_hex()[..32].to_owned())
}

/// The beginning of an answer to what the caller asks for, and whether it is over: 304 where the caller has what the tag
/// names. Browsers take the content for what it is said to be.
pub fn answer(request: &HttpRequest, tag: EntityTag, seconds: u32) -> (HttpResponseBuilder, bool) {
    let has = match IfNoneMatch::parse(request) {
        Ok(IfNoneMatch::Items(tags)) => tags.iter().any(|known| known.weak_eq(&tag)),
        Ok(IfNoneMatch::Any) => true,
        Err(_) => false,
    };
    let status = if has {
        StatusCode::NOT_MODIFIED
    } else {
        StatusCode::OK
    };
    let mut answer = HttpResponse::build(status);
    answer
        .insert_header(ETag(tag))
        .insert_header(CacheControl(vec![
            CacheDirective::Private,
            CacheDirective::MaxAge(seconds),
        ]))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"));
    (answer, has)
}
