//! API keys on requests: each route names the access it needs; with no keys configured everything is open.

use actix_web::{
    HttpMessage, ResponseError,
    body::{EitherBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{StatusCode, header},
    middleware::Next,
    web,
};

use crate::{
    error::{ApiError, ApiResult},
    keys::{Action, Key},
    state::AppState,
};

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everyone.
    Open,
    /// Keys with the action; the handler looks at the collections that body or answer name.
    Key(Action),
    /// Keys with the action that cover the collection `{c}` of the path.
    Collection(Action),
    /// Keys with the action that cover every collection.
    Everything(Action),
}

/// Answers for the route where the access it needs is not granted; leaves the key in the request's extensions.
pub async fn layer<B: MessageBody + 'static>(
    access: Access,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, actix_web::Error> {
    match check(access, &request) {
        Ok(key) => {
            if let Some(key) = key {
                request.extensions_mut().insert(key);
            }
            Ok(next.call(request).await?.map_into_left_body())
        }
        Err(error) => Ok(request
            .into_response(error.error_response())
            .map_into_right_body()),
    }
}

fn check(access: Access, request: &ServiceRequest) -> ApiResult<Option<Key>> {
    let state = request
        .app_data::<web::Data<AppState>>()
        .ok_or_else(|| ApiError::internal("the state is missing"))?;
    let action = match access {
        Access::Open => return Ok(None),
        Access::Key(action) | Access::Collection(action) | Access::Everything(action) => action,
    };
    if state.keys.is_empty() {
        return Ok(None);
    }
    let key = bearer(request)
        .and_then(|secret| state.keys.find(secret))
        .ok_or_else(unauthorized)?;
    let covered = match access {
        Access::Open | Access::Key(_) => true,
        Access::Collection(_) => key.covers(request.match_info().query("c")),
        Access::Everything(_) => key.covers_all(),
    };
    if covered && key.actions.contains(&action) {
        Ok(Some(key.clone()))
    } else {
        Err(forbidden())
    }
}

fn bearer(request: &ServiceRequest) -> Option<&str> {
    let value = request.headers().get(header::AUTHORIZATION)?;
    let (scheme, secret) = value.to_str().ok()?.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then_some(secret.trim())
}

fn unauthorized() -> ApiError {
    ApiError::new(
        StatusCode::UNAUTHORIZED,
        "unauthorized",
        "a valid key is needed; send `Authorization: Bearer KEY`",
    )
}

/// 403.
pub fn forbidden() -> ApiError {
    ApiError::new(
        StatusCode::FORBIDDEN,
        "forbidden",
        "the key does not grant this action on this collection",
    )
}
