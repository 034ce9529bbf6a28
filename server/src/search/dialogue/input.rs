//! Inputs of a turn and their interpretation: acts, and the state after the turn.

use vitrine::nlu::dialogue;
use vitrine_schemas::{ActKind, Dialogue, DialogueAct, DialogueState, ShownItem, TurnRequest};

use super::shown;
use crate::{
    error::{ApiError, ApiResult},
    http::request_context::RequestContext,
};

/// Input of a turn: a text or a control.
pub enum Input {
    /// A text.
    Text(String),
    /// A recording, as Base64.
    Audio(String),
    /// More like this item.
    Like(String),
    /// Without this item.
    Exclude(String),
    /// Removes these parts of the state.
    Drop(Vec<String>),
    /// Undoes the previous turn.
    Undo,
    /// Clears the state.
    Reset,
}

impl TryFrom<TurnRequest> for Input {
    type Error = ApiError;

    fn try_from(request: TurnRequest) -> ApiResult<Self> {
        let TurnRequest {
            text,
            audio,
            like,
            exclude,
            drop,
            undo,
            reset,
        } = request;
        for (name, flag) in [("undo", undo), ("reset", reset)] {
            if flag == Some(false) {
                return Err(ApiError::invalid(
                    format!("/{name}"),
                    "expected true, got false; omit the field instead",
                ));
            }
        }
        let all = [
            text.map(Self::Text),
            audio.map(Self::Audio),
            like.map(Self::Like),
            exclude.map(Self::Exclude),
            drop.map(Self::Drop),
            undo.map(|_| Self::Undo),
            reset.map(|_| Self::Reset),
        ];
        let mut given = all.into_iter().flatten();
        match (given.next(), given.next()) {
            (Some(input), None) => Ok(input),
            _ => {
                let detail =
                    "expected exactly one of text, audio, like, exclude, drop, undo, reset";
                Err(ApiError::invalid("", detail))
            }
        }
    }
}

/// Returns the text of the input with its interpretation.
pub(super) async fn interpret(
    context: &RequestContext,
    dialogue: &Dialogue,
    input: Input,
) -> ApiResult<(String, dialogue::TurnInterpretation)> {
    let mut after = dialogue.state.clone();
    let act = |kind, field: Option<&str>, item: Option<&str>| DialogueAct {
        kind,
        words: String::new(),
        field: field.map(str::to_owned),
        values: Vec::new(),
        range: None,
        negated: false,
        item: item.map(str::to_owned),
        items: Vec::new(),
        sort: None,
        basis: None,
    };
    let acts = match input {
        Input::Text(text) => {
            let (c, state, shown) = (dialogue.collection.clone(), after, dialogue.shown.clone());
            let work = context.read(move |database| {
                let interpretation = database
                    .collection(&c)?
                    .interpret_turn(&text, &state, &shown)?;
                Ok((text, interpretation))
            });
            return work.await;
        }
        Input::Audio(_) => return Err(ApiError::internal("a recording without its text")),
        Input::Undo if dialogue.turns.is_empty() => {
            return Err(ApiError::invalid("/undo", "there is no turn to undo"));
        }
        Input::Undo => {
            let interpretation = dialogue::TurnInterpretation {
                acts: vec![act(ActKind::Undo, None, None)],
                unclear: Vec::new(),
                undo: true,
                after,
            };
            return Ok((String::new(), interpretation));
        }
        Input::Like(id) => {
            let acts = vec![act(ActKind::Like, None, Some(&id))];
            dialogue::like(&mut after, find_item(context, dialogue, id).await?);
            acts
        }
        Input::Exclude(id) => {
            let id = find_item(context, dialogue, id).await?.id;
            dialogue::exclude_item(&mut after, &id);
            vec![act(ActKind::Exclude, None, Some(&id))]
        }
        Input::Drop(parts) => {
            if parts.is_empty() {
                return Err(ApiError::invalid(
                    "/drop",
                    "must name at least one part of the state",
                ));
            }
            let mut acts = Vec::new();
            for (index, part) in parts.iter().enumerate() {
                if !dialogue::drop_part(&mut after, part) {
                    return Err(unknown_part(&dialogue.state, part, index));
                }
                acts.push(act(ActKind::Drop, Some(part), None));
            }
            acts
        }
        Input::Reset => {
            after = DialogueState::default();
            vec![act(ActKind::Reset, None, None)]
        }
    };
    let interpretation = dialogue::TurnInterpretation {
        acts,
        unclear: Vec::new(),
        undo: false,
        after,
    };
    Ok((String::new(), interpretation))
}

fn unknown_part(state: &DialogueState, part: &str, index: usize) -> ApiError {
    let mut parts: Vec<&str> = state.filters.iter().map(|f| f.field.as_str()).collect();
    let others = [
        ("text", !state.text.is_empty()),
        ("like", state.like.is_some()),
        ("excluded", !state.excluded.is_empty()),
        ("sort", state.sort.is_some()),
    ];
    parts.extend(
        others
            .into_iter()
            .filter(|(_, is)| *is)
            .map(|(name, _)| name),
    );
    parts.dedup();
    let detail = format!(
        "the state has no `{part}`; expected one of {}",
        parts.join(", ")
    );
    ApiError::invalid(format!("/drop/{index}"), detail)
}

/// Returns an item with its price, from the items shown or from the collection.
async fn find_item(
    context: &RequestContext,
    dialogue: &Dialogue,
    id: String,
) -> ApiResult<ShownItem> {
    if let Some(item) = dialogue.shown.iter().find(|s| s.id == id) {
        return Ok(item.clone());
    }
    let c = dialogue.collection.clone();
    let item = context.read(move |database| database.collection(&c)?.get(&id, false));
    Ok(shown(&item.await?))
}
