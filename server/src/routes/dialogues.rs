//! Dialogues: searches refined turn by turn.

use actix_web::{
    HttpResponse,
    web::{Json, Path},
};
use chrono::{SecondsFormat, Utc};
use serde::Deserialize;
use utoipa::IntoParams;
use vitrine_schemas::{
    Dialogue, DialoguePageRequest, DialogueRequest, DialogueResponse, DialogueState, TurnRequest,
};

use crate::{
    body::Body,
    call::Call,
    dialogues::{self, Input, Outcome, Read},
    error::{ApiError, ApiResult},
    openapi::{Bodied, Conflicting, Encoded, Gated, Keyed, Named},
};

/// Path of a dialogue's routes.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct DialoguePath {
    /// Dialogue.
    #[param(example = "7f5d1b1e-6f0e-4a49-9d4b-2f6f3f1f9a10")]
    pub d: String,
}

/// Begin a dialogue
///
/// A search that is refined turn by turn, in English or Chinese: "cheaper", "in blue", "more like the second", "not leather", "any
/// brand", "undo", "start over", 便宜一点, 要蓝色的, 更像第二个, 不要皮的. No model is asked: the same turn on the same state always gives the
/// same state. Each answer has the turn with what was understood and the state before and after, the whole dialogue, and hits as a
/// search has them; where nothing is found, what to take away. Dialogues are kept in memory, and forgotten when nobody goes on with
/// them for half an hour (`limits.dialogue_idle_s`) or when there are too many: `resume` goes on with one from an answer, so it also
/// outlives the server. Nothing is kept of the shopper but what was said, and `user` and `session` where they are given.
#[utoipa::path(
    post, path = "/v1/dialogues", tag = "dialogues", operation_id = "begin_dialogue",
    request_body(content = DialogueRequest, examples(
        ("with its first turn" = (value = json!({"collection": "shop", "text": "red running shoes under $50", "search": {"limit": 20}}))),
        ("gone on with" = (value = json!({"resume": {"collection": "shop", "state": {"text": "waterproof", "filters": [
            {"field": "color", "values": ["red"], "negated": false, "words": "red"}
        ]}}, "text": "in blue"})))
    )),
    responses(
        (status = 201, description = "Begun", body = DialogueResponse), Keyed, Gated, Bodied, Named, Conflicting, Encoded,
    ),
)]
pub async fn begin(call: Call, body: Body<DialogueRequest>) -> ApiResult<HttpResponse> {
    let DialogueRequest {
        collection,
        search,
        resume,
        text,
    } = body.0;
    let (dialogue, at) = match (collection, resume) {
        (Some(collection), None) => {
            let new = Dialogue {
                collection,
                search: search.unwrap_or_default(),
                state: DialogueState::default(),
                shown: Vec::new(),
                turns: Vec::new(),
            };
            (new, "")
        }
        (None, Some(mut dialogue)) => {
            dialogue.search = search.unwrap_or(dialogue.search);
            (dialogue, "/resume")
        }
        _ => {
            return Err(ApiError::invalid(
                "",
                "must have exactly one of collection, resume",
            ));
        }
    };
    call.check([dialogue.collection.as_str()].into_iter())?;
    dialogues::check(&call, &dialogue, at).await?;
    let outcome = match text {
        Some(text) => dialogues::turn(&call, dialogue, Input::Text(text)).await?,
        None => dialogues::page(&call, dialogue, None, None).await?,
    };
    let id = uuid::Uuid::new_v4().to_string();
    call.state
        .dialogues
        .add(id.clone(), outcome.dialogue.clone());
    Ok(HttpResponse::Created().json(response(&call, id, outcome)))
}

/// Look at a dialogue
///
/// Its state, its turns and what was shown; it is not asked again.
#[utoipa::path(
    get, path = "/v1/dialogues/{d}", tag = "dialogues", operation_id = "get_dialogue",
    params(DialoguePath),
    responses((status = 200, description = "The dialogue", body = DialogueResponse), Keyed, Named),
)]
pub async fn get(call: Call, path: Path<DialoguePath>) -> ApiResult<Json<DialogueResponse>> {
    let id = path.into_inner().d;
    let dialogue = read(&call, &id)?.dialogue;
    let outcome = Outcome {
        dialogue,
        turn: None,
        answer: None,
        relaxations: Vec::new(),
    };
    Ok(Json(response(&call, id, outcome)))
}

/// Say something
///
/// What the shopper says, or a control that they used: `like` and `exclude` an item, `drop` parts of the state, `undo`, `reset`.
#[utoipa::path(
    post, path = "/v1/dialogues/{d}/turns", tag = "dialogues", operation_id = "say",
    params(DialoguePath),
    request_body(content = TurnRequest, examples(
        ("relative to what is shown" = (value = json!({"text": "like the second, but cheaper"}))),
        ("Chinese" = (value = json!({"text": "要蓝色的，不要皮的"}))),
        ("without a part" = (value = json!({"drop": ["color"]}))),
        ("taken back" = (value = json!({"undo": true})))
    )),
    responses(
        (status = 200, description = "What was understood and found", body = DialogueResponse),
        Keyed, Gated, Bodied, Named, Conflicting, Encoded,
    ),
)]
pub async fn turn(
    call: Call,
    path: Path<DialoguePath>,
    body: Body<TurnRequest>,
) -> ApiResult<Json<DialogueResponse>> {
    let id = path.into_inner().d;
    let input = Input::try_from(body.0)?;
    let since = read(&call, &id)?;
    let outcome = dialogues::turn(&call, since.dialogue.clone(), input).await?;
    keep(&call, id, &since, outcome)
}

/// See a page
///
/// The first page of what the dialogue searches for, or the next by the `next_cursor` of the one before: the shopper counts on,
/// so "the twelfth" is the second of the second page of ten.
#[utoipa::path(
    post, path = "/v1/dialogues/{d}/page", tag = "dialogues", operation_id = "dialogue_page",
    params(DialoguePath),
    request_body(content = DialoguePageRequest, example = json!({"limit": 20})),
    responses(
        (status = 200, description = "What was found", body = DialogueResponse),
        Keyed, Gated, Bodied, Named, Conflicting, Encoded,
    ),
)]
pub async fn page(
    call: Call,
    path: Path<DialoguePath>,
    body: Body<DialoguePageRequest>,
) -> ApiResult<Json<DialogueResponse>> {
    let id = path.into_inner().d;
    let DialoguePageRequest { cursor, limit } = body.0;
    let since = read(&call, &id)?;
    let outcome = dialogues::page(&call, since.dialogue.clone(), cursor, limit).await?;
    keep(&call, id, &since, outcome)
}

/// Forget a dialogue
///
/// What was said is gone when this is answered.
#[utoipa::path(
    delete, path = "/v1/dialogues/{d}", tag = "dialogues", operation_id = "delete_dialogue",
    params(DialoguePath),
    responses((status = 204, description = "Forgotten"), Keyed, Named),
)]
pub async fn delete(call: Call, path: Path<DialoguePath>) -> ApiResult<HttpResponse> {
    let id = path.into_inner().d;
    read(&call, &id)?;
    call.state.dialogues.remove(&id);
    Ok(HttpResponse::NoContent().finish())
}

fn read(call: &Call, id: &str) -> ApiResult<Read> {
    let found = call.state.dialogues.get(id);
    let found = found.ok_or_else(ApiError::dialogue_not_found)?;
    call.check([found.dialogue.collection.as_str()].into_iter())?;
    Ok(found)
}

fn keep(
    call: &Call,
    id: String,
    since: &Read,
    outcome: Outcome,
) -> ApiResult<Json<DialogueResponse>> {
    let kept = &call.state.dialogues;
    if !kept.replace(&id, since, outcome.dialogue.clone()) {
        return Err(ApiError::dialogue_changed());
    }
    Ok(Json(response(call, id, outcome)))
}

fn response(call: &Call, id: String, outcome: Outcome) -> DialogueResponse {
    let expires = Utc::now() + call.state.dialogues.idle();
    DialogueResponse {
        id,
        expires_at: expires.to_rfc3339_opts(SecondsFormat::Secs, true),
        turn: outcome.turn,
        dialogue: outcome.dialogue,
        answer: outcome.answer,
        relaxations: outcome.relaxations,
    }
}
