//! Swagger UI of the OpenAPI document.

use std::sync::{Arc, LazyLock};

use actix_web::{
    HttpResponse,
    web::{Path, Redirect},
};
use utoipa_swagger_ui::Config;

use crate::error::{ApiError, ApiResult};

/// Redirects to `/docs/`, which the links of the page are relative to.
pub async fn docs() -> Redirect {
    Redirect::to("/docs/").see_other()
}

/// Returns a file of the Swagger UI.
pub async fn file(name: Path<String>) -> ApiResult<HttpResponse> {
    static CONFIG: LazyLock<Arc<Config<'static>>> =
        LazyLock::new(|| Arc::new(Config::from("/openapi.json")));
    let file = utoipa_swagger_ui::serve(&name, CONFIG.clone()).map_err(ApiError::internal)?;
    let file = file.ok_or_else(ApiError::route_not_found)?;
    Ok(HttpResponse::Ok()
        .content_type(file.content_type)
        .body(file.bytes.into_owned()))
}
