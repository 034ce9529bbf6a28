//! Consent of users and sessions.

use actix_web::web::{Json, Path};
use vitrine::Subject;
use vitrine_schemas::{ConsentDecisions, ConsentResponse, SubjectParams};

use super::users::{SessionPath, UserPath, collections};
use crate::{
    error::ApiResult,
    http::{
        body::Body,
        params::Params,
        request_context::RequestContext,
        responses::{AuthErrors, BodyErrors, NotFoundErrors, OverloadErrors},
    },
};

/// Get a user's consent
///
/// Returns the purposes that the user's data may be used for, by collection. A user token gets that
/// of its own user.
#[utoipa::path(
    get, path = "/v1/users/{u}/consent", tag = "users", operation_id = "get_user_consent",
    params(UserPath, SubjectParams),
    responses((status = 200, description = "Consent by collection", body = ConsentResponse), AuthErrors, OverloadErrors, NotFoundErrors),
)]
pub async fn get(
    context: RequestContext,
    path: Path<UserPath>,
    params: Params<SubjectParams>,
) -> ApiResult<Json<ConsentResponse>> {
    read(context, Subject::User(path.into_inner().u), &params).await
}

/// Set a user's consent
///
/// Replaces the decisions of a user; the default of the collection (`consent.default`) applies to
/// purposes that the body leaves out. A withdrawal acts on answers and on the search log at once,
/// and on models when they are trained next, which is then due within minutes. What is stored is
/// kept: erase the user to remove it. A user token sets that of its own user.
#[utoipa::path(
    put, path = "/v1/users/{u}/consent", tag = "users", operation_id = "put_user_consent",
    params(UserPath, SubjectParams),
    request_body(content = ConsentDecisions, example = json!({"recommendations": "granted", "training": "denied"})),
    responses((status = 200, description = "Consent by collection", body = ConsentResponse), AuthErrors, OverloadErrors, BodyErrors, NotFoundErrors),
)]
pub async fn put(
    context: RequestContext,
    path: Path<UserPath>,
    params: Params<SubjectParams>,
    body: Body<ConsentDecisions>,
) -> ApiResult<Json<ConsentResponse>> {
    let who = Subject::User(path.into_inner().u);
    set(context, who, &params, Some(body.0)).await
}

/// Remove a user's consent
///
/// Removes the decisions of a user: the default of the collection (`consent.default`) applies.
#[utoipa::path(
    delete, path = "/v1/users/{u}/consent", tag = "users", operation_id = "delete_user_consent",
    params(UserPath, SubjectParams),
    responses((status = 200, description = "Consent by collection", body = ConsentResponse), AuthErrors, OverloadErrors, NotFoundErrors),
)]
pub async fn delete(
    context: RequestContext,
    path: Path<UserPath>,
    params: Params<SubjectParams>,
) -> ApiResult<Json<ConsentResponse>> {
    let who = Subject::User(path.into_inner().u);
    set(context, who, &params, None).await
}

/// Get a session's consent
///
/// As that of a user; it applies to what is done in the session without a user.
#[utoipa::path(
    get, path = "/v1/sessions/{s}/consent", tag = "users", operation_id = "get_session_consent",
    params(SessionPath, SubjectParams),
    responses((status = 200, description = "Consent by collection", body = ConsentResponse), AuthErrors, OverloadErrors, NotFoundErrors),
)]
pub async fn get_of_session(
    context: RequestContext,
    path: Path<SessionPath>,
    params: Params<SubjectParams>,
) -> ApiResult<Json<ConsentResponse>> {
    read(context, Subject::Session(path.into_inner().s), &params).await
}

/// Set a session's consent
///
/// As that of a user; it applies to what is done in the session without a user.
#[utoipa::path(
    put, path = "/v1/sessions/{s}/consent", tag = "users", operation_id = "put_session_consent",
    params(SessionPath, SubjectParams),
    request_body(content = ConsentDecisions, example = json!({"analytics": "denied"})),
    responses((status = 200, description = "Consent by collection", body = ConsentResponse), AuthErrors, OverloadErrors, BodyErrors, NotFoundErrors),
)]
pub async fn put_of_session(
    context: RequestContext,
    path: Path<SessionPath>,
    params: Params<SubjectParams>,
    body: Body<ConsentDecisions>,
) -> ApiResult<Json<ConsentResponse>> {
    let who = Subject::Session(path.into_inner().s);
    set(context, who, &params, Some(body.0)).await
}

/// Remove a session's consent
///
/// Removes the decisions of a session: the default of the collection (`consent.default`) applies.
#[utoipa::path(
    delete, path = "/v1/sessions/{s}/consent", tag = "users", operation_id = "delete_session_consent",
    params(SessionPath, SubjectParams),
    responses((status = 200, description = "Consent by collection", body = ConsentResponse), AuthErrors, OverloadErrors, NotFoundErrors),
)]
pub async fn delete_of_session(
    context: RequestContext,
    path: Path<SessionPath>,
    params: Params<SubjectParams>,
) -> ApiResult<Json<ConsentResponse>> {
    let who = Subject::Session(path.into_inner().s);
    set(context, who, &params, None).await
}

async fn read(
    context: RequestContext,
    who: Subject,
    params: &SubjectParams,
) -> ApiResult<Json<ConsentResponse>> {
    context.check_subject(&who)?;
    let collections = collections(&context, params).await?;
    let consents = context.read(move |_| {
        let consents = collections.iter();
        let consents = consents.map(|c| Ok((c.name().to_owned(), c.consent(&who)?)));
        consents.collect::<vitrine::Result<_>>()
    });
    Ok(Json(ConsentResponse {
        collections: consents.await?,
    }))
}

async fn set(
    context: RequestContext,
    who: Subject,
    params: &SubjectParams,
    decisions: Option<ConsentDecisions>,
) -> ApiResult<Json<ConsentResponse>> {
    context.check_subject(&who)?;
    let collections = collections(&context, params).await?;
    let consents = context.write(move |_| {
        let consents = collections.iter().map(|collection| {
            let consent = collection.set_consent(&who, decisions.as_ref())?;
            Ok((collection.name().to_owned(), consent))
        });
        consents.collect::<vitrine::Result<_>>()
    });
    Ok(Json(ConsentResponse {
        collections: consents.await?,
    }))
}
