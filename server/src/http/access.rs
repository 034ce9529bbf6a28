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
    auth::{Action, Grant},
    error::{ApiError, ApiResult},
    http::{replication, same_origin},
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
    /// A key with the action, or a user token of a key with `read`; the handler checks that it is
    /// about the user of the token.
    Own(Action),
}

impl Access {
    /// Returns the action that a key needs; None if no key is needed.
    pub fn action(self) -> Option<Action> {
        match self {
            Self::Open => None,
            Self::Key(action)
            | Self::Collection(action)
            | Self::Everything(action)
            | Self::Own(action) => Some(action),
        }
    }
}

/// Routes that user tokens open; their handlers apply the limits of the token.
pub const USER_ROUTES: [(&str, &str); 14] = [
    ("POST", "/v1/collections/{c}/search"),
    ("POST", "/v1/collections/{c}/recommend"),
    ("GET", "/v1/collections/{c}/items/{id}/similar"),
    ("GET", "/v1/collections/{c}/items/{id}/bought_together"),
    ("GET", "/v1/collections/{c}/popular"),
    ("POST", "/v1/events"),
    ("GET", "/v1/users/{u}/consent"),
    ("PUT", "/v1/users/{u}/consent"),
    ("DELETE", "/v1/users/{u}/consent"),
    ("GET", "/v1/sessions/{s}/consent"),
    ("PUT", "/v1/sessions/{s}/consent"),
    ("DELETE", "/v1/sessions/{s}/consent"),
    ("GET", "/v1/users/{u}/privacy"),
    ("GET", "/v1/sessions/{s}/privacy"),
];

/// Rejects requests without the required access; stores what their key grants in the extensions of
/// the request, also of those that are rejected.
pub async fn layer<B: MessageBody + 'static>(
    access: Access,
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, actix_web::Error> {
    request.extensions_mut().insert(access);
    match check(access, &request) {
        Ok(()) => match replication::route(access.action(), &mut request).await {
            Ok(served) => {
                let mut response = next.call(request).await?;
                let size = response.response().body().size();
                let (request, head) = (response.request().clone(), response.headers_mut());
                served.tell(&request, size, head);
                Ok(response.map_into_left_body())
            }
            Err(response) => Ok(request.into_response(response).map_into_right_body()),
        },
        Err(error) => Ok(request
            .into_response(error.error_response())
            .map_into_right_body()),
    }
}

fn check(access: Access, request: &ServiceRequest) -> ApiResult<()> {
    let state = request
        .app_data::<web::Data<AppState>>()
        .ok_or_else(|| ApiError::internal("the state is missing"))?;
    if state.keys.is_open() {
        same_origin::check(request, &state.allowed_hosts)?;
    }
    let Some(action) = access.action() else {
        return Ok(());
    };
    if state.keys.is_open() {
        return Ok(());
    }
    let secret = bearer(request).ok_or_else(ApiError::unauthorized)?;
    let grant = state.keys.find(secret).map_err(|reason| match reason {
        Some(reason) => ApiError::invalid_token(&reason),
        None => ApiError::unauthorized(),
    })?;
    let allowed = allow(access, action, &grant, request, state);
    request.extensions_mut().insert(grant);
    allowed
}

/// Checks what a key grants.
fn allow(
    access: Access,
    action: Action,
    grant: &Grant,
    request: &ServiceRequest,
    state: &AppState,
) -> ApiResult<()> {
    let key = &grant.key;
    state.rates.check(key)?;
    if grant.token.is_some() && !is_for_users(request) {
        return Err(ApiError::not_for_users());
    }
    let is_own = matches!(access, Access::Own(_)) && grant.token.is_some();
    let action = if is_own { Action::Read } else { action };
    let is_covered = match access {
        Access::Open | Access::Key(_) | Access::Own(_) => true,
        Access::Collection(_) => key.covers(request.match_info().query("c")),
        Access::Everything(_) => key.covers_all(),
    };
    if is_covered && key.actions.contains(&action) {
        Ok(())
    } else {
        Err(ApiError::forbidden())
    }
}

fn is_for_users(request: &ServiceRequest) -> bool {
    let pattern = request.match_pattern().unwrap_or_default();
    let route = (request.method().as_str(), pattern.as_str());
    USER_ROUTES.contains(&route)
}

fn bearer(request: &ServiceRequest) -> Option<&str> {
    let value = request.headers().get(header::AUTHORIZATION)?;
    let (scheme, secret) = value.to_str().ok()?.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then_some(secret.trim())
}
