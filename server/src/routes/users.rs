//! What is stored of a user or of a visit: given out whole, or erased.

use std::sync::Arc;

use actix_web::{
    HttpResponse,
    web::{Bytes, Json, Path, Query as Params},
};
use futures_util::{Stream, stream};
use serde::Deserialize;
use utoipa::IntoParams;
use vitrine::{Collection, StoredEvents, Who};
use vitrine_schemas::{EraseResponse, Event, PersonParams};

use crate::{
    call::Call,
    error::{ApiResult, REQUEST_ID, current_request_id},
    openapi::{Gated, Keyed, Named},
};

/// Path of a user's routes.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct UserPath {
    /// User, as in events.
    #[param(example = "u1")]
    pub u: String,
}

/// Path of a visit's routes.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct SessionPath {
    /// Visit, as in events.
    #[param(example = "s1")]
    pub s: String,
}

/// Export a user's events
///
/// All that is stored of a user, an event a line, by collection the oldest first; streamed. An answer that breaks off
/// without its last line end is not whole.
#[utoipa::path(
    get, path = "/v1/users/{u}/export", tag = "users", operation_id = "export_user",
    params(UserPath, PersonParams),
    responses(
        (status = 200, description = "An event a line", body = Event, content_type = "application/x-ndjson"),
        Keyed, Gated, Named,
    ),
)]
pub async fn export(
    call: Call,
    path: Path<UserPath>,
    params: Params<PersonParams>,
) -> ApiResult<HttpResponse> {
    give_out(call, Who::User(path.into_inner().u), &params).await
}

/// Export a visit's events
///
/// All that is stored of a visit, with a user or without, an event a line, by collection the oldest first; streamed. An
/// answer that breaks off without its last line end is not whole.
#[utoipa::path(
    get, path = "/v1/sessions/{s}/export", tag = "users", operation_id = "export_session",
    params(SessionPath, PersonParams),
    responses(
        (status = 200, description = "An event a line", body = Event, content_type = "application/x-ndjson"),
        Keyed, Gated, Named,
    ),
)]
pub async fn export_session(
    call: Call,
    path: Path<SessionPath>,
    params: Params<PersonParams>,
) -> ApiResult<HttpResponse> {
    give_out(call, Who::Session(path.into_inner().s), &params).await
}

async fn give_out(call: Call, who: Who, params: &PersonParams) -> ApiResult<HttpResponse> {
    let events = StoredEvents::new(who, collections(&call, params).await?)?;
    Ok(HttpResponse::Ok()
        .content_type("application/x-ndjson")
        .streaming(lines(call, events)))
}

/// A failed step ends the stream as a broken one.
fn lines(call: Call, events: StoredEvents) -> impl Stream<Item = ApiResult<Bytes>> {
    let id = current_request_id();
    stream::unfold(Some((call, events)), move |state| {
        let id = id.clone();
        async move {
            let (call, mut events) = state?;
            let (gate, time) = (&call.state.searches, call.time);
            let work = move || Ok((events.step()?, events));
            let step = REQUEST_ID.scope(id, gate.run_in_turn(time, work)).await;
            match step {
                Ok((None, _)) => None,
                Ok((Some(found), events)) => Some((Ok(as_lines(&found)), Some((call, events)))),
                Err(fault) => Some((Err(fault), None)),
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
/// Their events, and what nobody else did in their visits, are gone when this is answered: from the store, from the
/// memory and from what recommendations go by; so are their dialogues. Models forget them with the training that this brings about, older
/// versions included.
#[utoipa::path(
    delete, path = "/v1/users/{u}", tag = "users", operation_id = "erase_user",
    params(UserPath, PersonParams),
    responses((status = 200, description = "Events erased", body = EraseResponse), Keyed, Gated, Named),
)]
pub async fn erase(
    call: Call,
    path: Path<UserPath>,
    params: Params<PersonParams>,
) -> ApiResult<Json<EraseResponse>> {
    forget(call, Who::User(path.into_inner().u), &params).await
}

/// Erase a visit
///
/// All its events, those of users included, are gone when this is answered, as with a user: for those who were here
/// without a name.
#[utoipa::path(
    delete, path = "/v1/sessions/{s}", tag = "users", operation_id = "erase_session",
    params(SessionPath, PersonParams),
    responses((status = 200, description = "Events erased", body = EraseResponse), Keyed, Gated, Named),
)]
pub async fn erase_session(
    call: Call,
    path: Path<SessionPath>,
    params: Params<PersonParams>,
) -> ApiResult<Json<EraseResponse>> {
    forget(call, Who::Session(path.into_inner().s), &params).await
}

async fn forget(call: Call, who: Who, params: &PersonParams) -> ApiResult<Json<EraseResponse>> {
    let collections = collections(&call, params).await?;
    forget_dialogues(&call, &who, &collections).await?;
    let erased = call.write(move |database| database.erase(&who, &collections));
    Ok(Json(erased.await?))
}

/// Dialogues are under the name that they were begun with, which may be an alias.
async fn forget_dialogues(
    call: &Call,
    who: &Who,
    collections: &[Arc<Collection>],
) -> ApiResult<()> {
    let aliases = call.read(|database| Ok(database.aliases())).await?;
    let is_there = |name: &str| {
        let name = aliases.get(name).map_or(name, String::as_str);
        collections.iter().any(|c| c.name() == name)
    };
    call.state.dialogues.remove_where(|dialogue| {
        let is_theirs = match who {
            Who::User(user) => dialogue.search.user.as_ref() == Some(user),
            Who::Session(session) => dialogue.search.session.as_ref() == Some(session),
        };
        is_theirs && is_there(&dialogue.collection)
    });
    Ok(())
}

/// The collection asked for, or all that the key covers.
async fn collections(call: &Call, params: &PersonParams) -> ApiResult<Vec<Arc<Collection>>> {
    let named = params.collection.clone();
    call.check(named.as_deref().into_iter())?;
    let everything = named.is_none();
    let (mut found, aliases) = call
        .read(move |database| {
            let found = match &named {
                Some(name) => vec![database.collection(name)?],
                None => database.open_collections(),
            };
            Ok((found, database.aliases()))
        })
        .await?;
    if everything {
        found.retain(|collection| {
            let name = collection.name();
            let mut names = aliases.iter().filter(|(_, n)| *n == name).map(|(a, _)| a);
            call.covers(name) || names.any(|alias| call.covers(alias))
        });
    }
    Ok(found)
}
