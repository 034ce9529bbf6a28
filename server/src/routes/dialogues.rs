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
    dialogue_store::VersionedDialogue,
    error::{ApiError, ApiResult},
    http::{
        body::Body,
        request_context::RequestContext,
        responses::{
            AuthErrors, BodyErrors, ConflictErrors, EncoderErrors, NotFoundErrors, OverloadErrors,
        },
    },
    search::{
        dialogue::{self, Input, Outcome},
        spoken,
    },
};

/// Path parameters of dialogue routes.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct DialoguePath {
    /// Dialogue id.
    #[param(example = "7f5d1b1e-6f0e-4a49-9d4b-2f6f3f1f9a10")]
    pub d: String,
}

/// Begin a dialogue
///
/// Starts a search that is refined turn by turn, in English, Chinese or German: "cheaper", "in
/// blue", "more like the second", "not leather", "any brand", "undo", "start over", 便宜一点,
/// 要蓝色的, 更像第二个, "günstiger", "kein Leder". No language model is used: the same turn on the same
/// state always gives the same state. Each response has the interpreted turn with the state before
/// and after, the whole dialogue, and search results; if nothing is found, the conditions to
/// remove. Dialogues are kept in memory and expire after half an hour without use
/// (`limits.dialogue_idle_s`) or when there are too many: `resume` continues one from a response,
/// also after a restart. Only the texts and, if given, `user` and `session` are stored.
#[utoipa::path(
    post, path = "/v1/dialogues", tag = "dialogues", operation_id = "begin_dialogue",
    request_body(content = DialogueRequest, examples(
        ("with a first turn" = (value = json!({"collection": "shop", "text": "red running shoes under $50", "search": {"limit": 20}}))),
        ("resumed" = (value = json!({"resume": {"collection": "shop", "state": {"text": "waterproof", "filters": [
            {"field": "color", "values": ["red"], "negated": false, "words": "red"}
        ]}}, "text": "in blue"})))
    )),
    responses(
        (status = 201, description = "The new dialogue", body = DialogueResponse), AuthErrors, OverloadErrors, BodyErrors, NotFoundErrors, ConflictErrors, EncoderErrors,
    ),
)]
pub async fn begin(
    context: RequestContext,
    body: Body<DialogueRequest>,
) -> ApiResult<HttpResponse> {
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
                "expected exactly one of collection, resume",
            ));
        }
    };
    context.check([dialogue.collection.as_str()].into_iter())?;
    dialogue::check(&context, &dialogue, at).await?;
    let outcome = match text {
        Some(text) => dialogue::turn(&context, dialogue, Input::Text(text)).await?,
        None => dialogue::page(&context, dialogue, None, None).await?,
    };
    let id = uuid::Uuid::new_v4().to_string();
    context
        .state
        .dialogues
        .add(id.clone(), context.key_name(), outcome.dialogue.clone());
    Ok(HttpResponse::Created().json(response(&context, id, outcome)))
}

/// Get a dialogue
///
/// Returns state, turns and shown items without searching again.
#[utoipa::path(
    get, path = "/v1/dialogues/{d}", tag = "dialogues", operation_id = "get_dialogue",
    params(DialoguePath),
    responses((status = 200, description = "The dialogue", body = DialogueResponse), AuthErrors, NotFoundErrors),
)]
pub async fn get(
    context: RequestContext,
    path: Path<DialoguePath>,
) -> ApiResult<Json<DialogueResponse>> {
    let id = path.into_inner().d;
    let dialogue = read(&context, &id)?.dialogue;
    let outcome = Outcome {
        dialogue,
        turn: None,
        answer: None,
        relaxations: Vec::new(),
        compared: Vec::new(),
    };
    Ok(Json(response(&context, id, outcome)))
}

/// Add a turn
///
/// Sends a text or a recording of the shopper, or a control: `like` or `exclude` an item, `drop`
/// parts of the state, `undo`, `reset`.
#[utoipa::path(
    post, path = "/v1/dialogues/{d}/turns", tag = "dialogues", operation_id = "add_turn",
    params(DialoguePath),
    request_body(content = TurnRequest, examples(
        ("relative to shown items" = (value = json!({"text": "like the second, but cheaper"}))),
        ("Chinese" = (value = json!({"text": "要蓝色的，不要皮的"}))),
        ("remove a condition" = (value = json!({"drop": ["color"]}))),
        ("undo" = (value = json!({"undo": true})))
    )),
    responses(
        (status = 200, description = "The interpreted turn and the results", body = DialogueResponse),
        AuthErrors, OverloadErrors, BodyErrors, NotFoundErrors, ConflictErrors, EncoderErrors,
    ),
)]
pub async fn turn(
    context: RequestContext,
    path: Path<DialoguePath>,
    body: Body<TurnRequest>,
) -> ApiResult<Json<DialogueResponse>> {
    let id = path.into_inner().d;
    let mut input = Input::try_from(body.0)?;
    let since = read(&context, &id)?;
    let mut spoken = None;
    if let Input::Audio(audio) = input {
        let heard = spoken::text_of(&context, &since.dialogue.collection, audio, "/audio").await?;
        input = Input::Text(heard.text.clone());
        spoken = Some(heard);
    }
    let outcome = dialogue::turn(&context, since.dialogue.clone(), input).await?;
    let mut response = store(&context, id, &since, outcome)?;
    response.spoken = spoken;
    Ok(response)
}

/// Get a page of results
///
/// Returns the first page of results of the dialogue, or the next one by the `next_cursor` of the
/// previous page. Positions count on: "the twelfth" is the second item of the second page of ten.
#[utoipa::path(
    post, path = "/v1/dialogues/{d}/page", tag = "dialogues", operation_id = "dialogue_page",
    params(DialoguePath),
    request_body(content = DialoguePageRequest, example = json!({"limit": 20})),
    responses(
        (status = 200, description = "The results", body = DialogueResponse),
        AuthErrors, OverloadErrors, BodyErrors, NotFoundErrors, ConflictErrors, EncoderErrors,
    ),
)]
pub async fn page(
    context: RequestContext,
    path: Path<DialoguePath>,
    body: Body<DialoguePageRequest>,
) -> ApiResult<Json<DialogueResponse>> {
    let id = path.into_inner().d;
    let DialoguePageRequest { cursor, limit } = body.0;
    let since = read(&context, &id)?;
    let outcome = dialogue::page(&context, since.dialogue.clone(), cursor, limit).await?;
    store(&context, id, &since, outcome)
}

/// Delete a dialogue
///
/// The dialogue is erased when the response is sent.
#[utoipa::path(
    delete, path = "/v1/dialogues/{d}", tag = "dialogues", operation_id = "delete_dialogue",
    params(DialoguePath),
    responses((status = 204, description = "Deleted"), AuthErrors, NotFoundErrors),
)]
pub async fn delete(context: RequestContext, path: Path<DialoguePath>) -> ApiResult<HttpResponse> {
    let id = path.into_inner().d;
    read(&context, &id)?;
    context.state.dialogues.remove(&id);
    Ok(HttpResponse::NoContent().finish())
}

fn read(context: &RequestContext, id: &str) -> ApiResult<VersionedDialogue> {
    let found = context.state.dialogues.get(id);
    let found = found.ok_or_else(ApiError::dialogue_not_found)?;
    context.check([found.dialogue.collection.as_str()].into_iter())?;
    Ok(found)
}

fn store(
    context: &RequestContext,
    id: String,
    since: &VersionedDialogue,
    outcome: Outcome,
) -> ApiResult<Json<DialogueResponse>> {
    let dialogues = &context.state.dialogues;
    if !dialogues.replace(&id, since, outcome.dialogue.clone()) {
        return Err(ApiError::dialogue_changed());
    }
    Ok(Json(response(context, id, outcome)))
}

fn response(context: &RequestContext, id: String, outcome: Outcome) -> DialogueResponse {
    let expires = Utc::now() + context.state.dialogues.idle();
    DialogueResponse {
        id,
        expires_at: expires.to_rfc3339_opts(SecondsFormat::Secs, true),
        turn: outcome.turn,
        spoken: None,
        dialogue: outcome.dialogue,
        answer: outcome.answer,
        relaxations: outcome.relaxations,
        compared: outcome.compared,
    }
}
