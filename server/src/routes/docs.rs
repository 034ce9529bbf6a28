//! The book and, below `/docs/api`, the Swagger UI of the OpenAPI document.

use std::sync::{Arc, LazyLock};

use actix_web::{
    HttpRequest, HttpResponse,
    http::header,
    web::{Path, Redirect},
};
use utoipa_swagger_ui::Config;

use crate::{
    book,
    error::{ApiError, ApiResult},
    http::etag,
};

const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; \
    base-uri 'none'; frame-ancestors 'none'; form-action 'none'";

/// Policy of the Swagger UI, which sets styles from its script and has images as data.
const API_SECURITY_POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'";

/// Cache lifetime in seconds. Browsers revalidate each time, since file names do not change with
/// the version of the program.
const MAX_AGE_S: u32 = 0;

/// Redirects to `/docs/`, which the links of the pages are relative to.
pub async fn docs() -> Redirect {
    Redirect::to("/docs/").see_other()
}

/// Returns a page of the book, or its style sheet.
pub async fn page(request: HttpRequest, name: Path<String>) -> ApiResult<HttpResponse> {
    let file = book::file(&name).ok_or_else(ApiError::route_not_found)?;
    let (mut response, is_cached) = etag::respond(&request, etag::tag(&file.hash), MAX_AGE_S);
    response
        .insert_header((header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .insert_header((header::X_FRAME_OPTIONS, "DENY"));
    if is_cached {
        return Ok(response.finish());
    }
    Ok(response
        .content_type(file.media_type)
        .body(file.text.as_str()))
}

/// Redirects to `/docs/api/`, which the links of the Swagger UI are relative to.
pub async fn api() -> Redirect {
    Redirect::to("/docs/api/").see_other()
}

/// Returns a file of the Swagger UI.
pub async fn api_file(name: Path<String>) -> ApiResult<HttpResponse> {
    static CONFIG: LazyLock<Arc<Config<'static>>> =
        LazyLock::new(|| Arc::new(Config::from("/openapi.json")));
    let file = utoipa_swagger_ui::serve(&name, CONFIG.clone()).map_err(ApiError::internal)?;
    let file = file.ok_or_else(ApiError::route_not_found)?;
    Ok(HttpResponse::Ok()
        .content_type(file.content_type)
        .insert_header((header::CONTENT_SECURITY_POLICY, API_SECURITY_POLICY))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .insert_header((header::X_FRAME_OPTIONS, "DENY"))
        .body(file.bytes.into_owned()))
}
