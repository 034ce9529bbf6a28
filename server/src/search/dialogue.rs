//! Turns of a dialogue: a turn changes the state, the state is searched, and the items shown are
//! what the next turn refers to.

mod answers;
mod input;

use vitrine::nlu::dialogue;
use vitrine_schemas::{
    ActKind, ComparedItem, Dialogue, DialogueState, DialogueTurn, FilterSpec, Relaxation,
    SearchResponse, ShownItem, Unclear, limits::MAX_PAGE_SIZE,
};

pub use self::input::Input;
use self::{
    answers::{Page, compared, relaxations, search},
    input::interpret,
};
use crate::{
    error::{ApiError, ApiResult},
    http::request_context::RequestContext,
};

/// Maximum number of turns that can be undone.
const MAX_TURNS: usize = 50;

/// Maximum number of shown items that "the second" may refer to.
const MAX_SHOWN: usize = 1000;

/// Maximum size of a state in bytes of JSON.
const MAX_STATE_BYTES: usize = 64 << 10;

/// Result of a turn or page.
pub struct Outcome {
    /// The dialogue afterwards.
    pub dialogue: Dialogue,
    /// The turn, if there was one.
    pub turn: Option<DialogueTurn>,
    /// The search results, if the state is not empty.
    pub answer: Option<SearchResponse>,
    /// Conditions to remove if nothing was found.
    pub relaxations: Vec<Relaxation>,
    /// Items that the turn compares.
    pub compared: Vec<ComparedItem>,
}

/// Validates a new or resumed dialogue: sizes, filter and conditions. `at` is the JSON pointer of
/// the dialogue in the request.
pub async fn check(context: &RequestContext, dialogue: &Dialogue, at: &str) -> ApiResult<()> {
    let limit = dialogue.search.limit;
    if !(1..=MAX_PAGE_SIZE).contains(&limit) {
        return Err(ApiError::invalid(
            format!("{at}/search/limit"),
            format!("expected 1 to {MAX_PAGE_SIZE}, got {limit}"),
        ));
    }
    if dialogue.turns.len() > MAX_TURNS {
        let detail = format!(
            "has {} turns; the limit is {MAX_TURNS}",
            dialogue.turns.len()
        );
        return Err(ApiError::invalid(format!("{at}/turns"), detail));
    }
    if dialogue.shown.len() > MAX_SHOWN {
        let detail = format!(
            "has {} items; the limit is {MAX_SHOWN}",
            dialogue.shown.len()
        );
        return Err(ApiError::invalid(format!("{at}/shown"), detail));
    }
    let states = dialogue.turns.iter().flat_map(|t| [&t.before, &t.after]);
    for state in states.chain([&dialogue.state]) {
        check_size(state).map_err(|e| e.below(&format!("{at}/state")))?;
    }
    let (c, filter) = (dialogue.collection.clone(), dialogue.search.filter.clone());
    let state = FilterSpec::Tree(dialogue::filter(&dialogue.state));
    let counted = context.read(move |database| {
        let collection = database.collection(&c)?;
        let filtered = filter.map(|f| collection.count(Some(&f)));
        Ok((filtered.transpose(), collection.count(Some(&state))))
    });
    let (filtered, matching_state) = counted.await?;
    filtered.map_err(|e| ApiError::from(e).below(&format!("{at}/search")))?;
    matching_state.map_err(|e| ApiError::from(e).with_pointer(&format!("{at}/state/filters")))?;
    Ok(())
}

/// Runs a turn.
pub async fn turn(
    context: &RequestContext,
    mut dialogue: Dialogue,
    input: Input,
) -> ApiResult<Outcome> {
    let before = dialogue.state.clone();
    let (text, interpretation) = interpret(context, &dialogue, input).await?;
    let mut turn = DialogueTurn {
        text,
        acts: interpretation.acts,
        unclear: interpretation.unclear,
        before,
        after: interpretation.after,
    };
    if interpretation.undo {
        match dialogue.turns.pop() {
            Some(last) => turn.after = last.before,
            None => {
                turn.acts.clear();
                turn.unclear.push(Unclear {
                    words: turn.text.clone(),
                    detail: "there is no turn to undo".into(),
                });
            }
        }
    } else if turn.after != turn.before {
        check_size(&turn.after)?;
        dialogue.turns.push(turn.clone());
        let extra = dialogue.turns.len().saturating_sub(MAX_TURNS);
        dialogue.turns.drain(..extra);
    }
    dialogue.state.clone_from(&turn.after);
    let has_more = turn.acts.iter().any(|act| act.kind == ActKind::More);
    let compared = compared(context, &dialogue, &turn).await?;
    let page = if has_more {
        Page::AfterShown
    } else if turn.after == turn.before {
        Page::Again
    } else {
        Page::First
    };
    let answer = search(context, &mut dialogue, page, None).await?;
    let relaxations = match has_more {
        true => Vec::new(),
        false => relaxations(context, &dialogue, answer.as_ref()).await?,
    };
    Ok(Outcome {
        dialogue,
        turn: Some(turn),
        answer,
        relaxations,
        compared,
    })
}

/// Returns a page of the results of the current state.
pub async fn page(
    context: &RequestContext,
    mut dialogue: Dialogue,
    cursor: Option<String>,
    limit: Option<usize>,
) -> ApiResult<Outcome> {
    let is_first = cursor.is_none();
    let page = cursor.map_or(Page::First, Page::At);
    let answer = search(context, &mut dialogue, page, limit).await?;
    let relaxations = if is_first {
        relaxations(context, &dialogue, answer.as_ref()).await?
    } else {
        Vec::new()
    };
    Ok(Outcome {
        dialogue,
        turn: None,
        answer,
        relaxations,
        compared: Vec::new(),
    })
}

fn check_size(state: &DialogueState) -> ApiResult<()> {
    let bytes = serde_json::to_vec(state).map_or(0, |text| text.len());
    if bytes > MAX_STATE_BYTES {
        let detail =
            format!("the state is {bytes} bytes long; the limit is {MAX_STATE_BYTES}; start over");
        return Err(ApiError::invalid("", detail));
    }
    Ok(())
}

/// Returns an item as it is remembered, with its price.
fn shown(item: &vitrine_schemas::Item) -> ShownItem {
    ShownItem {
        id: item.id.clone(),
        price: item.price.as_ref().map(|p| p.amount),
    }
}
