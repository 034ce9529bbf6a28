//! Turns of a dialogue: a turn changes the state, the state is searched, and the items shown are
//! what the next turn refers to.

use vitrine::nlu::dialogue;
use vitrine_schemas::{
    ActKind, ComparedItem, Dialogue, DialogueAct, DialogueSearch, DialogueState, DialogueTurn,
    FilterSpec, LexicalSpec, Query, Relaxation, SearchRequest, SearchResponse, ShownItem, SortSpec,
    TurnRequest, Unclear, limits::MAX_PAGE_SIZE,
};

use crate::{
    error::{ApiError, ApiResult, current_request_id},
    http::request_context::RequestContext,
    search::{self, Meaning, record::SearchRecord},
};

/// Maximum number of turns that can be undone.
const MAX_TURNS: usize = 50;

/// Maximum number of shown items that "the second" may refer to.
const MAX_SHOWN: usize = 1000;

/// Maximum size of a state in bytes of JSON.
const MAX_STATE_BYTES: usize = 64 << 10;

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

async fn interpret(
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

fn shown(item: &vitrine_schemas::Item) -> ShownItem {
    ShownItem {
        id: item.id.clone(),
        price: item.price.as_ref().map(|p| p.amount),
    }
}

/// Page of the results of a state.
enum Page {
    First,
    /// The first one of an unchanged state: the shopper still refers to all items that were shown.
    Again,
    /// By the cursor of the page before.
    At(String),
    /// After the items that were shown.
    AfterShown,
}

/// Searches with the state and records the items of the page as shown.
async fn search(
    context: &RequestContext,
    dialogue: &mut Dialogue,
    page: Page,
    limit: Option<usize>,
) -> ApiResult<Option<SearchResponse>> {
    let state = &dialogue.state;
    if matches!(page, Page::First) {
        dialogue.shown.clear();
    }
    if dialogue::is_empty(state) {
        return Ok(None);
    }
    let mut request = request(&dialogue.search, state);
    request.limit = limit.unwrap_or(request.limit);
    match page {
        Page::First | Page::Again => {}
        Page::At(cursor) => request.cursor = Some(cursor),
        Page::AfterShown => request.offset = dialogue.shown.len(),
    }
    let words = match &request.query {
        None => None,
        _ => search::words(&request)?,
    };
    let meaning = Meaning {
        text: state.text.clone(),
        filter: dialogue::filter(state),
        preferred: Vec::new(),
        is_given: true,
        sorts: false,
    };
    let record = SearchRecord::begin(&request, current_request_id());
    let c = &dialogue.collection;
    let mut answer = search::answer(context, c, request, words, Some(meaning)).await?;
    if let Some(record) = record {
        record.finish(context, c, &mut answer);
    }
    for hit in &answer.hits {
        if dialogue.shown.len() < MAX_SHOWN && !dialogue.shown.iter().any(|s| s.id == hit.id) {
            dialogue.shown.push(shown(&hit.item));
        }
    }
    Ok(Some(answer))
}

fn request(search: &DialogueSearch, state: &DialogueState) -> SearchRequest {
    let refined = state.like.as_ref().filter(|_| !state.text.is_empty());
    let lexical = refined.map(|_| LexicalSpec {
        text: Some(state.text.clone()),
        ..LexicalSpec::default()
    });
    let query = match &state.like {
        Some(item) => Some(Query::Item(item.id.clone())),
        None => Some(dialogue::words(state))
            .filter(|text| !text.is_empty())
            .map(Query::Text),
    };
    SearchRequest {
        query,
        space: search.space.clone(),
        fingerprint: None,
        filter: search.filter.clone(),
        // Similarity to an item is always by vectors.
        mode: search.mode.filter(|_| state.like.is_none()),
        lexical,
        relevance: None,
        understand: None,
        limit: search.limit,
        cursor: None,
        offset: 0,
        sort: state.sort.iter().cloned().map(SortSpec::Key).collect(),
        facets: search.facets.clone(),
        facets_over: search.facets_over,
        highlight: search.highlight,
        ef: None,
        exact: false,
        with_vectors: false,
        explain: search.explain,
        user: search.user.clone(),
        session: search.session.clone(),
        blend: search.blend.clone(),
        diversify: search.diversify.clone(),
        rules: true,
        rerank: true,
        preset: None,
        experiment: None,
    }
}

/// Returns the items of a comparison with the values to compare.
async fn compared(
    context: &RequestContext,
    dialogue: &Dialogue,
    turn: &DialogueTurn,
) -> ApiResult<Vec<ComparedItem>> {
    let is_comparison = |act: &&DialogueAct| act.kind == ActKind::Compare;
    let Some(act) = turn.acts.iter().find(is_comparison) else {
        return Ok(Vec::new());
    };
    let (c, ids, field) = (
        dialogue.collection.clone(),
        act.items.clone(),
        act.field.clone(),
    );
    let items = context.read(move |database| {
        let collection = database.collection(&c)?;
        let items = ids.iter().map(|id| collection.get(id, false));
        items.collect::<Result<Vec<_>, _>>()
    });
    let items = items.await?;
    let all: Vec<_> = items.iter().map(values).collect();
    let field = field.filter(|field| all.iter().all(|values| values.contains_key(field)));
    let compared = items.into_iter().zip(all).map(|(item, mut values)| {
        if let Some(field) = &field {
            values.retain(|name, _| name == field);
        }
        ComparedItem {
            id: item.id,
            title: item.title,
            values,
        }
    });
    Ok(compared.collect())
}

/// Returns the values of an item by field.
fn values(item: &vitrine_schemas::Item) -> serde_json::Map<String, serde_json::Value> {
    let mut values = item.attributes.clone();
    let texts = [("category", &item.category), ("brand", &item.brand)];
    for (name, text) in texts {
        if let Some(text) = text {
            values.insert(name.to_owned(), text.as_str().into());
        }
    }
    if let Some(price) = &item.price {
        values.insert("price".to_owned(), price.amount.into());
    }
    values
}

async fn relaxations(
    context: &RequestContext,
    dialogue: &Dialogue,
    answer: Option<&SearchResponse>,
) -> ApiResult<Vec<Relaxation>> {
    if answer.is_none_or(|a| !a.hits.is_empty()) {
        return Ok(Vec::new());
    }
    let (c, state, filter) = (
        dialogue.collection.clone(),
        dialogue.state.clone(),
        dialogue.search.filter.clone(),
    );
    let relaxations = context.read(move |database| {
        database
            .collection(&c)?
            .relaxations(&state, filter.as_ref())
    });
    relaxations.await
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
