//! Answer of a turn: the search of the state, comparisons, and conditions to remove.

use vitrine::nlu::dialogue;
use vitrine_schemas::{
    ActKind, ComparedItem, Dialogue, DialogueAct, DialogueSearch, DialogueState, DialogueTurn,
    LexicalSpec, Query, Relaxation, SearchRequest, SearchResponse, SortSpec,
};

use super::{MAX_SHOWN, shown};
use crate::{
    error::{ApiResult, current_request_id},
    http::request_context::RequestContext,
    search::{self, Meaning, record::SearchRecord},
};

/// Page of the results of a state.
pub(super) enum Page {
    First,
    /// The first one of an unchanged state: the shopper still refers to all items that were shown.
    Again,
    /// By the cursor of the page before.
    At(String),
    /// After the items that were shown.
    AfterShown,
}

/// Searches with the state and records the items of the page as shown.
pub(super) async fn search(
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

/// Returns the search of a state.
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
pub(super) async fn compared(
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

/// Returns the conditions to remove if nothing was found.
pub(super) async fn relaxations(
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
