//! Dialogues: a turn changes the state, the state is searched for, the page is what the next turn speaks of.

mod store;

use vitrine::dialogue;
use vitrine_schemas::{
    ActKind, Dialogue, DialogueAct, DialogueSearch, DialogueState, DialogueTurn, FilterSpec,
    LexicalSpec, Query, Relaxation, SearchRequest, SearchResponse, ShownItem, TurnRequest, Unclear,
};

pub use store::{Read, Store};

use crate::{
    call::Call,
    error::{ApiError, ApiResult},
    search::{self, Meaning},
};

/// Turns that can be taken back.
const MOST_TURNS: usize = 50;

/// Items that "the second" may mean.
const MOST_SHOWN: usize = 1000;

/// Most bytes of a state, as JSON.
const MOST_BYTES: usize = 64 << 10;

/// What a turn says or does.
pub enum Input {
    /// Words.
    Text(String),
    /// Like this item.
    Like(String),
    /// Not this item.
    Exclude(String),
    /// Without these parts.
    Drop(Vec<String>),
    /// The turn before is taken back.
    Undo,
    /// All is taken away.
    Reset,
}

impl TryFrom<TurnRequest> for Input {
    type Error = ApiError;

    fn try_from(request: TurnRequest) -> ApiResult<Self> {
        let TurnRequest {
            text,
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
                    "must be true; leave it out otherwise",
                ));
            }
        }
        let all = [
            text.map(Self::Text),
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
                let detail = "must have exactly one of text, like, exclude, drop, undo, reset";
                Err(ApiError::invalid("", detail))
            }
        }
    }
}

/// What a turn came to.
pub struct Outcome {
    /// The dialogue after it.
    pub dialogue: Dialogue,
    /// The turn, where something was said.
    pub turn: Option<DialogueTurn>,
    /// The hits, where there is something to search for.
    pub answer: Option<SearchResponse>,
    /// What to take away, where nothing was found.
    pub relaxations: Vec<Relaxation>,
}

/// A dialogue that is begun or gone on with: its filter and its conditions are of the collection.
pub async fn check(call: &Call, dialogue: &Dialogue, at: &str) -> ApiResult<()> {
    let limit = dialogue.search.limit;
    if !(1..=1000).contains(&limit) {
        return Err(ApiError::invalid(
            format!("{at}/search/limit"),
            format!("is {limit}; use 1 to 1000"),
        ));
    }
    if dialogue.turns.len() > MOST_TURNS {
        let detail = format!(
            "has {} turns, at most {MOST_TURNS} are taken",
            dialogue.turns.len()
        );
        return Err(ApiError::invalid(format!("{at}/turns"), detail));
    }
    if dialogue.shown.len() > MOST_SHOWN {
        let detail = format!(
            "has {} items, at most {MOST_SHOWN} are taken",
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
    let counted = call.read(move |database| {
        let collection = database.collection(&c)?;
        let own = filter.map(|f| collection.count(Some(&f)));
        Ok((own.transpose(), collection.count(Some(&state))))
    });
    let (own, of_state) = counted.await?;
    own.map_err(|e| ApiError::from(e).below(&format!("{at}/search")))?;
    of_state.map_err(|e| ApiError::from(e).at(&format!("{at}/state/filters")))?;
    Ok(())
}

/// Answers a turn.
pub async fn turn(call: &Call, mut dialogue: Dialogue, input: Input) -> ApiResult<Outcome> {
    let before = dialogue.state.clone();
    let (text, said) = said(call, &dialogue, input).await?;
    let mut turn = DialogueTurn {
        text,
        acts: said.acts,
        unclear: said.unclear,
        before,
        after: said.after,
    };
    if said.undo {
        match dialogue.turns.pop() {
            Some(last) => turn.after = last.before,
            None => {
                turn.acts.clear();
                turn.unclear.push(Unclear {
                    words: turn.text.clone(),
                    detail: "there is no turn to take back".into(),
                });
            }
        }
    } else if turn.after != turn.before {
        check_size(&turn.after)?;
        dialogue.turns.push(turn.clone());
        let extra = dialogue.turns.len().saturating_sub(MOST_TURNS);
        dialogue.turns.drain(..extra);
    }
    dialogue.state.clone_from(&turn.after);
    let answer = search(call, &mut dialogue, None, None).await?;
    let relaxations = relaxations(call, &dialogue, answer.as_ref()).await?;
    Ok(Outcome {
        dialogue,
        turn: Some(turn),
        answer,
        relaxations,
    })
}

/// A page of what the state searches for.
pub async fn page(
    call: &Call,
    mut dialogue: Dialogue,
    cursor: Option<String>,
    limit: Option<usize>,
) -> ApiResult<Outcome> {
    let is_first = cursor.is_none();
    let answer = search(call, &mut dialogue, cursor, limit).await?;
    let relaxations = match is_first {
        true => relaxations(call, &dialogue, answer.as_ref()).await?,
        false => Vec::new(),
    };
    Ok(Outcome {
        dialogue,
        turn: None,
        answer,
        relaxations,
    })
}

async fn said(
    call: &Call,
    dialogue: &Dialogue,
    input: Input,
) -> ApiResult<(String, dialogue::Said)> {
    let mut after = dialogue.state.clone();
    let act = |kind, field: Option<&str>, item: Option<&str>| DialogueAct {
        kind,
        words: String::new(),
        field: field.map(str::to_owned),
        values: Vec::new(),
        range: None,
        negated: false,
        item: item.map(str::to_owned),
        basis: None,
    };
    let acts = match input {
        Input::Text(text) => {
            let (c, state, shown) = (dialogue.collection.clone(), after, dialogue.shown.clone());
            let work = call.read(move |database| {
                let said = database.collection(&c)?.converse(&text, &state, &shown)?;
                Ok((text, said))
            });
            return work.await;
        }
        Input::Undo if dialogue.turns.is_empty() => {
            return Err(ApiError::invalid("/undo", "there is no turn to take back"));
        }
        Input::Undo => {
            let said = dialogue::Said {
                acts: vec![act(ActKind::Undo, None, None)],
                unclear: Vec::new(),
                undo: true,
                after,
            };
            return Ok((String::new(), said));
        }
        Input::Like(id) => {
            let acts = vec![act(ActKind::Like, None, Some(&id))];
            dialogue::like(&mut after, seen(call, dialogue, id).await?);
            acts
        }
        Input::Exclude(id) => {
            let id = seen(call, dialogue, id).await?.id;
            dialogue::exclude(&mut after, &id);
            vec![act(ActKind::Exclude, None, Some(&id))]
        }
        Input::Drop(parts) => {
            if parts.is_empty() {
                return Err(ApiError::invalid("/drop", "must name a part of the state"));
            }
            let mut acts = Vec::new();
            for (at, part) in parts.iter().enumerate() {
                if !dialogue::drop_part(&mut after, part) {
                    return Err(no_part(&dialogue.state, part, at));
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
    let said = dialogue::Said {
        acts,
        unclear: Vec::new(),
        undo: false,
        after,
    };
    Ok((String::new(), said))
}

fn no_part(state: &DialogueState, part: &str, at: usize) -> ApiError {
    let mut there: Vec<&str> = state.filters.iter().map(|f| f.field.as_str()).collect();
    let others = [
        ("text", !state.text.is_empty()),
        ("like", state.like.is_some()),
        ("excluded", !state.excluded.is_empty()),
    ];
    there.extend(
        others
            .into_iter()
            .filter(|(_, is)| *is)
            .map(|(name, _)| name),
    );
    there.dedup();
    let detail = format!("the state has no `{part}`; it has: {}", there.join(", "));
    ApiError::invalid(format!("/drop/{at}"), detail)
}

/// An item with its price, whether it is on the page or not.
async fn seen(call: &Call, dialogue: &Dialogue, id: String) -> ApiResult<ShownItem> {
    if let Some(item) = dialogue.shown.iter().find(|s| s.id == id) {
        return Ok(item.clone());
    }
    let c = dialogue.collection.clone();
    let item = call.read(move |database| database.collection(&c)?.get(&id, false));
    Ok(shown(&item.await?))
}

fn shown(item: &vitrine_schemas::Item) -> ShownItem {
    ShownItem {
        id: item.id.clone(),
        price: item.price.as_ref().map(|p| p.amount),
    }
}

/// Searches for what the state says, and keeps what is on the page.
async fn search(
    call: &Call,
    dialogue: &mut Dialogue,
    cursor: Option<String>,
    limit: Option<usize>,
) -> ApiResult<Option<SearchResponse>> {
    let state = &dialogue.state;
    if cursor.is_none() {
        dialogue.shown.clear();
    }
    if dialogue::is_empty(state) {
        return Ok(None);
    }
    let mut request = request(&dialogue.search, state);
    request.limit = limit.unwrap_or(request.limit);
    request.cursor = cursor;
    let words = match &request.query {
        Query::Text(text) if text.is_empty() => None,
        _ => search::words(&request)?,
    };
    let meaning = Meaning {
        text: state.text.clone(),
        filter: dialogue::filter(state),
        is_given: true,
    };
    let answer = search::answer(call, &dialogue.collection, request, words, Some(meaning)).await?;
    for hit in &answer.hits {
        if dialogue.shown.len() < MOST_SHOWN && !dialogue.shown.iter().any(|s| s.id == hit.id) {
            dialogue.shown.push(shown(&hit.item));
        }
    }
    Ok(Some(answer))
}

fn request(search: &DialogueSearch, state: &DialogueState) -> SearchRequest {
    let beside = state.like.as_ref().filter(|_| !state.text.is_empty());
    let lexical = beside.map(|_| LexicalSpec {
        text: Some(state.text.clone()),
        ..LexicalSpec::default()
    });
    let query = match &state.like {
        Some(item) => Query::Item(item.id.clone()),
        None => Query::Text(dialogue::words(state)),
    };
    SearchRequest {
        query,
        space: search.space.clone(),
        fingerprint: None,
        filter: search.filter.clone(),
        // Likeness is of vectors, whatever finds words.
        mode: search.mode.filter(|_| state.like.is_none()),
        lexical,
        understand: None,
        limit: search.limit,
        cursor: None,
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
        preset: None,
    }
}

async fn relaxations(
    call: &Call,
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
    let found = call.read(move |database| {
        database
            .collection(&c)?
            .relaxations(&state, filter.as_ref())
    });
    found.await
}

fn check_size(state: &DialogueState) -> ApiResult<()> {
    let bytes = serde_json::to_vec(state).map_or(0, |text| text.len());
    if bytes > MOST_BYTES {
        let detail =
            format!("the state takes {bytes} bytes, at most {MOST_BYTES} are kept; start over");
        return Err(ApiError::invalid("", detail));
    }
    Ok(())
}
