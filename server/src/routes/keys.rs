//! API keys.

use actix_web::{
    HttpResponse,
    http::StatusCode,
    web::{Json, Path},
};
use serde::Deserialize;
use utoipa::IntoParams;
use vitrine_schemas::{KeyRotation, KeySecrets, KeysResponse, NewKey};

use crate::{
    auth::{KeyChangeError, KeyRing},
    error::{ApiError, ApiResult},
    http::{
        body::Body,
        request_context::RequestContext,
        responses::{AuthErrors, BodyErrors, ConflictErrors, NotFoundErrors},
    },
};

/// Path parameters of a key.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct KeyPath {
    /// Name of the key.
    pub name: String,
}

/// List keys
///
/// Lists the keys of this server without their secrets, each with the time of its last use. The key
/// needs the action `keys` and must cover all collections.
#[utoipa::path(
    get, path = "/v1/keys", tag = "keys", operation_id = "list_keys",
    responses((status = 200, description = "Keys", body = KeysResponse), AuthErrors),
)]
pub async fn list(context: RequestContext) -> ApiResult<Json<KeysResponse>> {
    let keys = context.state.keys.list();
    Ok(Json(KeysResponse { keys }))
}

/// Create a key
///
/// Adds a key to the keys file of this server. Its secret is in the response and nowhere else. The
/// key needs the action `keys` and must cover all collections.
#[utoipa::path(
    post, path = "/v1/keys", tag = "keys", operation_id = "create_key",
    request_body = NewKey,
    responses((status = 201, description = "The secrets", body = KeySecrets), AuthErrors, BodyErrors, ConflictErrors),
)]
pub async fn create(context: RequestContext, body: Body<NewKey>) -> ApiResult<HttpResponse> {
    let secrets = change(&context, move |ring| ring.create(body.0)).await?;
    Ok(HttpResponse::Created().json(secrets))
}

/// Rotate a key
///
/// Gives a key a new secret, and one for its user tokens if it signs any. The old ones are accepted
/// during the overlap. The key needs the action `keys` and must cover all collections.
#[utoipa::path(
    post, path = "/v1/keys/{name}/rotate", tag = "keys", operation_id = "rotate_key",
    params(KeyPath), request_body = KeyRotation,
    responses((status = 200, description = "The new secrets", body = KeySecrets), AuthErrors, BodyErrors, NotFoundErrors, ConflictErrors),
)]
pub async fn rotate(
    context: RequestContext,
    path: Path<KeyPath>,
    body: Body<KeyRotation>,
) -> ApiResult<Json<KeySecrets>> {
    let (name, rotation) = (path.into_inner().name, body.0);
    let secrets = change(&context, move |ring| ring.rotate(&name, &rotation)).await?;
    Ok(Json(secrets))
}

/// Revoke a key
///
/// Removes a key from the keys file; it is refused at once. The key needs the action `keys` and
/// must cover all collections.
#[utoipa::path(
    delete, path = "/v1/keys/{name}", tag = "keys", operation_id = "revoke_key",
    params(KeyPath),
    responses((status = 204, description = "Revoked"), AuthErrors, NotFoundErrors, ConflictErrors),
)]
pub async fn revoke(context: RequestContext, path: Path<KeyPath>) -> ApiResult<HttpResponse> {
    let name = path.into_inner().name;
    change(&context, move |ring| ring.revoke(&name)).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Changes the keys file on a thread that may block.
async fn change<T: Send + 'static>(
    context: &RequestContext,
    change: impl FnOnce(&KeyRing) -> Result<T, KeyChangeError> + Send + 'static,
) -> ApiResult<T> {
    let ring = context.state.keys.clone();
    let changed = tokio::task::spawn_blocking(move || change(&ring)).await;
    changed.map_err(ApiError::internal)?.map_err(|e| {
        let detail = e.to_string();
        match e {
            KeyChangeError::Unknown(_) => {
                ApiError::new(StatusCode::NOT_FOUND, "key_not_found", detail)
            }
            KeyChangeError::Exists(_) => ApiError::new(StatusCode::CONFLICT, "key_exists", detail),
            KeyChangeError::NoFile => ApiError::new(StatusCode::CONFLICT, "no_keys_file", detail),
            KeyChangeError::Invalid(field, _) => ApiError::invalid(field, detail),
            KeyChangeError::File(_) => ApiError::internal(detail),
        }
    })
}
