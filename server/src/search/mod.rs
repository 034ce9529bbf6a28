//! Search requests: query understanding, embedding, and the search in the engine.

pub mod dialogue;
mod embed;
pub mod features;
mod interleaving;
pub mod preset;
pub mod record;
mod request;
pub mod spoken;

use std::sync::Arc;

use vitrine::{Search, Shopper, Target, Understood};
use vitrine_schemas::{
    Fallback, Filter, FilterSpec, Query, Relevance, SearchMode, SearchRequest, SearchResponse,
    SortSpec, UnderstandRequest, UnderstandResponse,
};

pub use self::request::words;
use self::{
    embed::{embed, is_filled},
    request::{identity_of, lexical, preference, without_empty_text},
};
use crate::{
    error::{ApiError, ApiResult},
    http::request_context::RequestContext,
    search::{preset::CompletedSearch, record::SearchRecord},
};

/// Interpretation of a query text.
pub struct Meaning {
    /// Remaining search text; may be empty.
    pub text: String,
    /// Conditions taken out of the text.
    pub filter: Filter,
    /// Uncertain conditions of the text.
    pub preferred: Vec<FilterSpec>,
    /// True if it comes with the request, as in a dialogue, and not from the text: cursors are then
    /// bound to it.
    pub is_given: bool,
    /// True if the text also gave the order of the hits.
    pub sorts: bool,
}

/// Runs a search and records it under an id; interleaves its hits with those of its rival, if there
/// is one.
pub async fn run(
    context: &RequestContext,
    c: &str,
    search: CompletedSearch,
    request_id: String,
) -> ApiResult<SearchResponse> {
    let CompletedSearch {
        mut request,
        experiment,
        mut rival,
    } = search;
    let spoken = spoken::hear(context, c, &mut request.query).await?;
    if let (Some(spoken), Some(rival)) = (&spoken, &mut rival) {
        rival.query = Some(Query::Text(spoken.text.clone()));
    }
    let record = SearchRecord::begin(&request, request_id);
    let slow_searches = &context.state.slow_searches;
    let running = slow_searches.begin(&request);
    let answer = match (rival, &experiment) {
        (Some(rival), Some(experiment)) => {
            interleaving::run(context, c, [request, rival], &experiment.id).await
        }
        _ => run_one(context, c, request).await,
    };
    slow_searches.end(running, c, answer.as_ref().ok());
    let mut answer = answer?;
    answer.spoken = spoken;
    // An interleaved answer has the teams of its hits.
    answer.experiment = answer.experiment.or(experiment);
    if let Some(record) = record {
        record.finish(context, c, &mut answer);
    }
    // Which variant a hit comes from must not be shown.
    if let Some(experiment) = &mut answer.experiment {
        experiment.teams.clear();
    }
    Ok(answer)
}

/// Runs a search; understands its text first if requested.
async fn run_one(
    context: &RequestContext,
    c: &str,
    request: SearchRequest,
) -> ApiResult<SearchResponse> {
    if let Some(ef) = request.ef.filter(|ef| !(1..=10_000).contains(ef)) {
        let detail = format!("expected 1 to 10000, got {ef}");
        return Err(ApiError::invalid("/ef", detail));
    }
    let mut request = without_empty_text(request);
    let words = words(&request)?;
    let understood = understand(context, c, &request).await?;
    let sort = understood.as_ref().and_then(|u| u.sort.clone());
    let sorts = sort.is_some() && request.sort.is_empty();
    if sorts {
        request.sort.extend(sort.map(SortSpec::Key));
    }
    let meaning = understood.as_ref().map(|u| Meaning {
        text: u.text.clone(),
        filter: u.filter.clone(),
        preferred: u.preferred.iter().map(preference).collect(),
        is_given: false,
        sorts,
    });
    let mut answer = answer(context, c, request, words, meaning).await?;
    answer.understood = understood;
    Ok(answer)
}

/// Runs a search with known full-text terms and interpretation.
pub async fn answer(
    context: &RequestContext,
    c: &str,
    mut request: SearchRequest,
    words: Option<String>,
    meaning: Option<Meaning>,
) -> ApiResult<SearchResponse> {
    let deadline = context.deadline();
    let mut identity = identity_of(&mut request);
    if let Some(meaning) = meaning.as_ref().filter(|m| m.is_given) {
        identity += &serde_json::to_string(&meaning.filter).unwrap_or_default();
    }
    // Price, color and so on are in the filter; without other words the whole text ranks.
    let left = meaning.as_ref().map(|m| m.text.clone());
    let left = left.filter(|text| !text.trim().is_empty());
    let text = match &request.query {
        Some(Query::Text(text)) => Some(text.clone()),
        _ => words.clone(),
    };
    let mut fallback = None;
    // No vectors were requested explicitly.
    let words_will_do = request.mode.is_none() && matches!(request.query, Some(Query::Text(_)));
    let (mut target, mut to_embed) = (None, None);
    match request.query {
        None => {}
        Some(Query::Vector(vector)) => target = Some(Target::Vector(vector)),
        Some(Query::Item(id)) => target = Some(Target::Item(id)),
        Some(Query::Text(_)) if request.mode == Some(SearchMode::Lexical) => {}
        Some(Query::Text(_)) if words_will_do && !context.state.embedders.is_loaded() => {
            fallback = Some(Fallback::NoEncoder);
        }
        Some(Query::Text(text)) => to_embed = Some(Query::Text(left.clone().unwrap_or(text))),
        Some(query @ Query::Image(_)) => to_embed = Some(query),
        Some(Query::Audio(_)) => return Err(ApiError::internal("a recording without its text")),
    }
    let search = Search {
        target,
        understood: meaning.map(|meaning| Understood {
            filter: FilterSpec::Tree(meaning.filter),
            preferred: meaning.preferred,
            whole_text: words.clone().filter(|_| left.is_some()),
            is_optional: !meaning.is_given,
            has_sort: meaning.sorts,
        }),
        lexical: words.map(|words| lexical(left.unwrap_or(words), request.lexical)),
        relevance: request.relevance.map(Relevance::share),
        text,
        without_rules: !request.rules,
        without_ranker: !request.rerank,
        space: request.space,
        fingerprint: request.fingerprint,
        filter: request.filter,
        limit: request.limit,
        ef: request.ef,
        exact: request.exact,
        with_vectors: request.with_vectors,
        explain: request.explain,
        deadline: Some(deadline),
        sort: request.sort,
        offset: request.offset,
        cursor: request.cursor,
        cursor_key: identity,
        facets: request.facets,
        facets_over: request.facets_over,
        highlight: request.highlight,
    };
    let shopper = Shopper {
        user: request.user,
        session: request.session,
        blend: request.blend,
        diversify: request.diversify,
    };
    let mut answer = match to_embed.map(Arc::new) {
        None => find(context, c, search, shopper).await?,
        Some(query) => {
            let embed = |search| with_vector(context, c, search, query.clone(), words_will_do);
            let mut embedded = embed(search.clone()).await?;
            fallback = embedded.target.is_none().then_some(Fallback::NoEncoder);
            let first = find(context, c, embedded, shopper.clone()).await;
            match first {
                // The spaces that it was embedded for were dropped concurrently; others are in use.
                Err(e) if e.code == "fingerprint_mismatch" && search.fingerprint.is_none() => {
                    embedded = embed(search).await?;
                    find(context, c, embedded, shopper).await?
                }
                first => first?,
            }
        }
    };
    answer.fallbacks.extend(fallback);
    Ok(answer)
}

/// Adds the vector of a query. It is searched in the spaces that its encoders fill, even if other
/// spaces are in use by then. If `words_will_do`, a space with vectors of other encoders is left to
/// the words.
async fn with_vector(
    context: &RequestContext,
    c: &str,
    mut search: Search,
    query: Arc<Query>,
    words_will_do: bool,
) -> ApiResult<Search> {
    let (state, c) = (context.state.clone(), c.to_owned());
    let deadline = search.deadline.unwrap_or_else(|| context.deadline());
    let embedded = context.run(&context.state.embeds, deadline, move |database| {
        let config = database
            .collection(&c)?
            .config_of(search.fingerprint.as_deref())?;
        if words_will_do && !is_filled(&state.embedders, &config, &search.space)? {
            return Ok(search);
        }
        let vector = embed(&state.embedders, &query, &config, &search.space)?;
        search.target = Some(Target::Vector(vector));
        search.fingerprint.clone_from(&config.fingerprint);
        Ok(search)
    });
    embedded.await
}

async fn find(
    context: &RequestContext,
    c: &str,
    search: Search,
    shopper: Shopper,
) -> ApiResult<SearchResponse> {
    let c = c.to_owned();
    let deadline = search.deadline.unwrap_or_else(|| context.deadline());
    let run = context.run(&context.state.searches, deadline, move |database| {
        database.collection(&c)?.search(&search, &shopper)
    });
    run.await
}

async fn understand(
    context: &RequestContext,
    c: &str,
    request: &SearchRequest,
) -> ApiResult<Option<UnderstandResponse>> {
    let Some(spec) = &request.understand else {
        return Ok(None);
    };
    let text = match &request.query {
        Some(Query::Text(text)) => text,
        None => return Ok(None),
        Some(_) => return Err(ApiError::invalid("/understand", "requires a query by text")),
    };
    let understand = UnderstandRequest {
        text: text.clone(),
        without: spec.without.clone(),
    };
    let c = c.to_owned();
    let answer = context.read(move |database| database.collection(&c)?.understand(&understand));
    Ok(Some(answer.await?))
}
