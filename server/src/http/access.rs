//! Authentication of requests: each route names the access it requires; without configured keys all
//! routes are open.

use actix_web::{
    HttpMessage, ResponseError,
    body::{EitherBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::header,
    middleware::Next,
    web,
};

use crate::{
    auth::{Action, Key},
    error::{ApiError, ApiResult},
    http::same_origin,
    state::AppState,
};

/// Access that a route requires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// None.
    Open,
    /// A key with the action; the handler checks the collections named in the body or response.
    Key(Action),
    /// A key with the action that covers the collection `{c}` of the path.
    Collection(Action),
    /// A key with the action that covers all collections.
    Everything(Action),
}

impl Access {
    /// Returns the action that a key needs; None if no key is needed.
    pub fn action(self) -> Option<Action> {
        match self {
            Self::Open => None,
            Self::Key(action) | Self::Collection(action) | Self::Everything(action) => Some(action),
        }
    }
}

/// Rejects requests without the required access; stores the key in the request's extensions.
pub async fn layer<B: MessageBody + 'static>(
    access: Access,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, actix_web::Error> {
    request.extensions_mut().insert(access);
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
    if state.keys.is_open() {
        same_origin::check(request, &state.allowed_hosts)?;
    }
    let action = match access {
        Access::Open => return Ok(None),
        Access::Key(action) | Access::Collection(action) | Access::Everything(action) => action,
    };
    if state.keys.is_open() {
        return Ok(None);
    }
    let key = bearer(request)
        .and_then(|secret| state.keys.find(secret))
        .ok_or_else(ApiError::unauthorized)?;
    let covered = match access {
        Access::Open | Access::Key(_) => true,
        Access::Collection(_) => key.covers(request.match_info().query("c")),
        Access::Everything(_) => key.covers_all(),
    };
    state.rates.check(&key)?;
    if covered && key.actions.contains(&action) {
        Ok(Some(key))
    } else {
        Err(ApiError::forbidden())
    }
}

fn bearer(request: &ServiceRequest) -> Option<&str> {
    let value = request.headers().get(header::AUTHORIZATION)?;
    let (scheme, secret) = value.to_str().ok()?.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then_some(secret.trim())
}
