//! The API's description, for programs and for people.

use std::sync::{Arc, LazyLock};

use actix_web::{
    HttpResponse,
    web::{Path, Redirect},
};
use utoipa_swagger_ui::Config;

use crate::{
    error::{ApiError, ApiResult},
    openapi,
};

/// Description of the API
#[utoipa::path(
    get, path = "/openapi.json", tag = "operations", operation_id = "openapi", security(()),
    responses((status = 200, description = "OpenAPI 3.1", body = Object)),
)]
pub async fn description() -> HttpResponse {
    static TEXT: LazyLock<String> = LazyLock::new(openapi::text);
    HttpResponse::Ok()
        .content_type("application/json")
        .body(TEXT.as_str())
}

/// The page's links are relative to `/docs/`.
pub async fn docs() -> Redirect {
    Redirect::to("/docs/").see_other()
}

/// A file of the page that shows the description.
pub async fn file(name: Path<String>) -> ApiResult<HttpResponse> {
    static CONFIG: LazyLock<Arc<Config<'static>>> =
        LazyLock::new(|| Arc::new(Config::from("/openapi.json")));
    let file = utoipa_swagger_ui::serve(&name, CONFIG.clone()).map_err(ApiError::internal)?;
    let file = file.ok_or_else(ApiError::route_not_found)?;
    Ok(HttpResponse::Ok()
        .content_type(file.content_type)
        .body(file.bytes.into_owned()))
}
