//! Export and erasure of the data of a user or session.

use std::sync::Arc;

use actix_web::{
    HttpResponse,
    http::StatusCode,
    web::{Bytes, Json, Path},
};
use futures_util::{Stream, stream};
use serde::Deserialize;
use utoipa::IntoParams;
use vitrine::{Collection, StoredEvents, Subject};
use vitrine_schemas::{Dialogue, EraseResponse, Event, SubjectParams};

use crate::{
    error::{ApiError, ApiResult, REQUEST_ID, current_request_id},
    http::{
        params::Params,
        request_context::RequestContext,
        responses::{AuthErrors, NotFoundErrors, OverloadErrors},
    },
};

/// Path parameters of user routes.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct UserPath {
    /// User id, as in events.
    #[param(example = "u1")]
    pub u: String,
}

/// Path parameters of session routes.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct SessionPath {
    /// Session id, as in events.
    #[param(example = "s1")]
    pub s: String,
}

/// Export a user's events
///
/// Streams all stored events of a user, one per line, by collection and oldest first. A response
/// that does not end with a line end is incomplete.
#[utoipa::path(
    get, path = "/v1/users/{u}/export", tag = "users", operation_id = "export_user",
    params(UserPath, SubjectParams),
    responses(
        (status = 200, description = "One event per line", body = Event, content_type = "application/x-ndjson"),
        AuthErrors, OverloadErrors, NotFoundErrors,
    ),
)]
pub async fn export(
    context: RequestContext,
    path: Path<UserPath>,
    params: Params<SubjectParams>,
) -> ApiResult<HttpResponse> {
    stream_events(context, Subject::User(path.into_inner().u), &params).await
}

/// Export a session's events
///
/// Streams all stored events of a session, with or without a user, one per line, by collection and
/// oldest first. A response that does not end with a line end is incomplete.
#[utoipa::path(
    get, path = "/v1/sessions/{s}/export", tag = "users", operation_id = "export_session",
    params(SessionPath, SubjectParams),
    responses(
        (status = 200, description = "One event per line", body = Event, content_type = "application/x-ndjson"),
        AuthErrors, OverloadErrors, NotFoundErrors,
    ),
)]
pub async fn export_session(
    context: RequestContext,
    path: Path<SessionPath>,
    params: Params<SubjectParams>,
) -> ApiResult<HttpResponse> {
    stream_events(context, Subject::Session(path.into_inner().s), &params).await
}

async fn stream_events(
    context: RequestContext,
    who: Subject,
    params: &SubjectParams,
) -> ApiResult<HttpResponse> {
    let events = StoredEvents::new(who, collections(&context, params).await?)?;
    Ok(HttpResponse::Ok()
        .content_type("application/x-ndjson")
        .streaming(lines(context, events)))
}

/// Streams the events; a failed step breaks the stream off.
fn lines(context: RequestContext, events: StoredEvents) -> impl Stream<Item = ApiResult<Bytes>> {
    let id = current_request_id();
    stream::unfold(Some((context, events)), move |state| {
        let id = id.clone();
        async move {
            let (context, mut events) = state?;
            let (gate, timeout) = (&context.state.searches, context.timeout);
            let work = move || Ok((events.step()?, events));
            let step = REQUEST_ID.scope(id, gate.run_in_turn(timeout, work)).await;
            match step {
                Ok((None, _)) => None,
                Ok((Some(page), events)) => Some((Ok(as_lines(&page)), Some((context, events)))),
                Err(error) => Some((Err(error), None)),
            }
        }
    })
}

fn as_lines(events: &[Event]) -> Bytes {
    let lines = events.iter().filter_map(|e| serde_json::to_string(e).ok());
    lines.map(|line| line + "\n").collect::<String>().into()
}

/// Erase a user
///
/// Erases the user's events and recorded searches, including those of their sessions that belong to
/// no other user, and their dialogues. All are gone from memory and recommendations when the
/// response is sent, and from the files some minutes later. Retraining starts immediately; older
/// models are then dropped. Snapshots forget the user when they are restored.
#[utoipa::path(
    delete, path = "/v1/users/{u}", tag = "users", operation_id = "erase_user",
    params(UserPath, SubjectParams),
    responses((status = 200, description = "Number of erased events by collection", body = EraseResponse), AuthErrors, OverloadErrors, NotFoundErrors),
)]
pub async fn erase(
    context: RequestContext,
    path: Path<UserPath>,
    params: Params<SubjectParams>,
) -> ApiResult<Json<EraseResponse>> {
    erase_data(context, Subject::User(path.into_inner().u), &params).await
}

/// Erase a session
///
/// Erases all events and searches of the session, including those with a user, as for a user. For
/// anonymous visitors.
#[utoipa::path(
    delete, path = "/v1/sessions/{s}", tag = "users", operation_id = "erase_session",
    params(SessionPath, SubjectParams),
    responses((status = 200, description = "Number of erased events by collection", body = EraseResponse), AuthErrors, OverloadErrors, NotFoundErrors),
)]
pub async fn erase_session(
    context: RequestContext,
    path: Path<SessionPath>,
    params: Params<SubjectParams>,
) -> ApiResult<Json<EraseResponse>> {
    erase_data(context, Subject::Session(path.into_inner().s), &params).await
}

async fn erase_data(
    context: RequestContext,
    who: Subject,
    params: &SubjectParams,
) -> ApiResult<Json<EraseResponse>> {
    let collections = collections(&context, params).await?;
    // First, so that no erasure is missing from the list.
    let recorded = context.state.backups.record_erasure(&who).await;
    recorded.map_err(|e| {
        ApiError::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "backup_unavailable",
            format!("nothing was erased, since a restored snapshot would not know of it: {e}"),
        )
    })?;
    let is_theirs = dialogues_of(&context, &who, &collections).await?;
    context.state.dialogues.remove_where(is_theirs);
    let erased = {
        let who = who.clone();
        context.write(move |database| database.erase(&who, &collections))
    };
    let erased = erased.await?;
    // Again: a snapshot that was made in between has the data, and the time of the first entry is
    // before it.
    let recorded = context.state.backups.record_erasure(&who).await;
    recorded.map_err(|e| {
        ApiError::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "backup_unavailable",
            format!(
                "the data is erased, but a snapshot of this moment may have it; erase again: {e}"
            ),
        )
    })?;
    Ok(Json(erased))
}

/// Returns a predicate for the dialogues of a user or session. A dialogue has the collection name
/// that it was started with, which may be an alias.
pub(super) async fn dialogues_of<'a>(
    context: &RequestContext,
    who: &'a Subject,
    collections: &'a [Arc<Collection>],
) -> ApiResult<impl Fn(&Dialogue) -> bool + use<'a>> {
    let aliases = context.read(|database| Ok(database.aliases())).await?;
    Ok(move |dialogue: &Dialogue| {
        let is_theirs = match who {
            Subject::User(user) => dialogue.search.user.as_ref() == Some(user),
            Subject::Session(session) => dialogue.search.session.as_ref() == Some(session),
        };
        let name = &dialogue.collection;
        let name = aliases.get(name).unwrap_or(name);
        is_theirs && collections.iter().any(|c| c.name() == name)
    })
}

/// Returns the requested collection, or all that the key covers.
pub(super) async fn collections(
    context: &RequestContext,
    params: &SubjectParams,
) -> ApiResult<Vec<Arc<Collection>>> {
    let named = params.collection.clone();
    context.check(named.as_deref().into_iter())?;
    let is_all = named.is_none();
    let (mut found, aliases) = context
        .read(move |database| {
            let found = match &named {
                Some(name) => vec![database.collection(name)?],
                None => database.open_collections(),
            };
            Ok((found, database.aliases()))
        })
        .await?;
    if is_all {
        found.retain(|collection| {
            let name = collection.name();
            let mut names = aliases.iter().filter(|(_, n)| *n == name).map(|(a, _)| a);
            context.covers(name) || names.any(|alias| context.covers(alias))
        });
    }
    Ok(found)
}
