//! Reports of what is stored about people.

use actix_web::web::{Json, Path};
use chrono::Utc;
use vitrine::Subject;
use vitrine_schemas::{
    PersonalData, PersonalDataKind, PrivacyReport, SubjectParams, SubjectPrivacyParams,
    SubjectPrivacyReport,
};

use super::users::{SessionPath, UserPath, collections, dialogues_of};
use crate::{
    error::ApiResult,
    http::{
        params::Params,
        request_context::RequestContext,
        responses::{AuthErrors, NotFoundErrors, OverloadErrors},
    },
};

/// Privacy report
///
/// Says what is stored about people, where, why and for how long, how many people that are, what
/// they consented to, and what private collections released. It reads the keys of all events: give
/// it time (`x-timeout-ms`) in a large database.
#[utoipa::path(
    get, path = "/v1/privacy/report", tag = "privacy", operation_id = "privacy_report",
    responses((status = 200, description = "What is stored about people", body = PrivacyReport), AuthErrors, OverloadErrors),
)]
pub async fn report(context: RequestContext) -> ApiResult<Json<PrivacyReport>> {
    let collections = context.read(|database| {
        let collections = database.open_collections().into_iter();
        let reports = collections.map(|c| Ok((c.name().to_owned(), c.privacy_report()?)));
        reports.collect::<vitrine::Result<_>>()
    });
    Ok(Json(PrivacyReport {
        generated_at: Utc::now().to_rfc3339(),
        ids: "as sent with events and searches".into(),
        collections: collections.await?,
        server: kept_by_server(&context),
    }))
}

/// Returns what the server keeps about people besides the database.
fn kept_by_server(context: &RequestContext) -> Vec<PersonalData> {
    let state = &context.state;
    let idle = state.dialogues.idle().as_secs();
    let data = |kind, what: &str, place: &str, purpose: &str, kept: &str| PersonalData {
        kind,
        what: what.into(),
        place: place.into(),
        purpose: purpose.into(),
        kept: kept.into(),
        retention_days: None,
        records: None,
        users: None,
        sessions: None,
        oldest: None,
    };
    let mut kept = vec![PersonalData {
        records: Some(state.dialogues.len() as u64),
        ..data(
            PersonalDataKind::Dialogues,
            "texts of turns, with ids of user and session",
            "memory of the server",
            "to go on with a dialogue",
            &format!("{idle} s without a turn, or until the person is erased"),
        )
    }];
    if state.request_log.is_on() {
        kept.push(data(
            PersonalDataKind::Logs,
            "paths of requests, which name users and sessions; addresses of clients",
            "files of `log.access_file` and `log.audit_file`",
            "to find out who did what",
            "as long as you keep the files; erasures do not change them",
        ));
    }
    if state.backups.repository().is_some() {
        kept.push(data(
            PersonalDataKind::Snapshots,
            "all of the database at the time of each snapshot",
            "`backup.target`",
            "to restore the database",
            "as long as snapshots are kept; they forget who was erased when they are restored",
        ));
    }
    kept
}

/// Privacy report about a user
///
/// Returns everything that is stored about a user, in words and as records: the consent, and the
/// number and the latest of the events and searches, with those of their sessions that have no
/// user. `GET /v1/users/{u}/export` has all events. A user token gets the report about its own
/// user.
#[utoipa::path(
    get, path = "/v1/users/{u}/privacy", tag = "users", operation_id = "user_privacy",
    params(UserPath, SubjectPrivacyParams),
    responses((status = 200, description = "What is stored about the user", body = SubjectPrivacyReport), AuthErrors, OverloadErrors, NotFoundErrors),
)]
pub async fn of_user(
    context: RequestContext,
    path: Path<UserPath>,
    params: Params<SubjectPrivacyParams>,
) -> ApiResult<Json<SubjectPrivacyReport>> {
    about(context, Subject::User(path.into_inner().u), &params).await
}

/// Privacy report about a session
///
/// As about a user. A user token gets what its own user, or nobody known, did in its session.
#[utoipa::path(
    get, path = "/v1/sessions/{s}/privacy", tag = "users", operation_id = "session_privacy",
    params(SessionPath, SubjectPrivacyParams),
    responses((status = 200, description = "What is stored about the session", body = SubjectPrivacyReport), AuthErrors, OverloadErrors, NotFoundErrors),
)]
pub async fn of_session(
    context: RequestContext,
    path: Path<SessionPath>,
    params: Params<SubjectPrivacyParams>,
) -> ApiResult<Json<SubjectPrivacyReport>> {
    about(context, Subject::Session(path.into_inner().s), &params).await
}

async fn about(
    context: RequestContext,
    who: Subject,
    params: &SubjectPrivacyParams,
) -> ApiResult<Json<SubjectPrivacyReport>> {
    context.check_subject(&who)?;
    let collection = params.collection.clone();
    let collections = collections(&context, &SubjectParams { collection }).await?;
    let is_theirs = dialogues_of(&context, &who, &collections).await?;
    let dialogues = context.state.dialogues.count_where(is_theirs);
    let limit = params.limit;
    let reader = context.token_user();
    let reports = context.read(move |_| {
        let reports = collections.iter().map(|collection| {
            let report = collection.subject_privacy(&who, limit, reader.as_deref())?;
            Ok((collection.name().to_owned(), report))
        });
        reports.collect::<vitrine::Result<_>>()
    });
    Ok(Json(SubjectPrivacyReport {
        generated_at: Utc::now().to_rfc3339(),
        collections: reports.await?,
        dialogues: dialogues as u64,
    }))
}
