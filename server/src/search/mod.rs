//! Search requests: query understanding, embedding, and the search in the engine.

pub mod dialogue;
pub mod features;
mod interleaving;
pub mod preset;
pub mod record;
pub mod spoken;

use std::{mem::replace, sync::Arc};

use base64::{Engine, engine::general_purpose::STANDARD};
use vitrine::{
    EmbedError, Embedder, Embedding, Error, LexicalQuery, Search, Shopper, Target, Understood,
};
use vitrine_schemas::{
    CollectionConfig, Condition, Fallback, Filter, FilterSpec, LexicalSpec, Operator, Query,
    Relevance, SearchMode, SearchRequest, SearchResponse, SortSpec, UnderstandRequest,
    UnderstandResponse, UnderstoodPart, filter::MatchCondition,
};

use crate::{
    embedders::Embedders,
    error::{ApiError, ApiResult},
    http::request_context::RequestContext,
    search::{preset::CompletedSearch, record::SearchRecord},
};

/// Maximum length of a query text in bytes.
const MAX_TEXT_BYTES: usize = 4_096;

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

/// Returns the validated full-text query; None in a search by vector alone.
pub fn words(request: &SearchRequest) -> ApiResult<Option<String>> {
    let lexical_text = request.lexical.as_ref().and_then(|l| l.text.as_ref());
    let (pointer, text) = match (&request.query, lexical_text) {
        (None, Some(_)) => {
            let detail = "requires a query by vector, image or item; send a text as `query.text`";
            return Err(ApiError::invalid("/lexical/text", detail));
        }
        // Without a query there is nothing to search in one way or another.
        (None, None) => return Ok(None),
        (Some(Query::Text(_)), Some(_)) => {
            let detail =
                "cannot be combined with a query by text; use it with a vector, image or item";
            return Err(ApiError::invalid("/lexical/text", detail));
        }
        (Some(Query::Text(text)), None) => ("/query/text", Some(text)),
        (_, lexical_text) => ("/lexical/text", lexical_text),
    };
    if let Some(text) = text {
        if text.trim().is_empty() {
            return Err(ApiError::invalid(pointer, "must not be empty"));
        }
        if text.len() > MAX_TEXT_BYTES {
            let detail = format!(
                "is {} bytes long; the limit is {MAX_TEXT_BYTES}",
                text.len()
            );
            return Err(ApiError::invalid(pointer, detail));
        }
    }
    match (request.mode, text) {
        (Some(SearchMode::Vector), _) => Ok(None),
        (Some(SearchMode::Hybrid | SearchMode::Lexical), None) => Err(ApiError::invalid(
            "/mode",
            "requires a text: query by text, or set `lexical.text`",
        )),
        (Some(SearchMode::Lexical), _) if !matches!(request.query, Some(Query::Text(_))) => Err(
            ApiError::invalid("/mode", "`lexical` requires a query by text"),
        ),
        (_, text) => Ok(text.cloned()),
    }
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

/// Returns the filter that an uncertain condition would be.
fn preference(part: &UnderstoodPart) -> FilterSpec {
    let values = part.values.iter().map(String::as_str);
    let condition = MatchCondition::any_of(&part.field, values);
    FilterSpec::Tree(Filter {
        must: vec![Condition::Match(condition)],
        ..Filter::default()
    })
}

/// Returns the request without its query if that is an empty text, as of an empty search box.
fn without_empty_text(mut request: SearchRequest) -> SearchRequest {
    let is_empty = |query: &Query| matches!(query, Query::Text(text) if text.trim().is_empty());
    request.query = request.query.filter(|query| !is_empty(query));
    request
}

fn lexical(text: String, spec: Option<LexicalSpec>) -> LexicalQuery {
    let spec = spec.unwrap_or_default();
    LexicalQuery {
        text,
        prefix: spec.prefix,
        all: spec.operator == Operator::And,
        typos: spec.typos,
        without_synonyms: !spec.synonyms,
    }
}

/// Serializes the request without page size and cursor; cursors are bound to it. The query, which
/// may be a large image, is hashed and not copied.
fn identity_of(request: &mut SearchRequest) -> String {
    let query = request.query.take();
    let (limit, cursor) = (replace(&mut request.limit, 0), request.cursor.take());
    let mut json = serde_json::to_string(request).unwrap_or_default();
    match &query {
        Some(Query::Vector(vector)) => {
            let mut hasher = blake3::Hasher::new();
            for x in vector {
                hasher.update(&x.to_le_bytes());
            }
            json += hasher.finalize().to_hex().as_str();
        }
        Some(Query::Image(bytes) | Query::Audio(bytes)) => {
            json += blake3::hash(bytes.as_bytes()).to_hex().as_str()
        }
        Some(Query::Text(_) | Query::Item(_)) | None => {
            json += &serde_json::to_string(&query).unwrap_or_default();
        }
    }
    (request.query, request.limit, request.cursor) = (query, limit, cursor);
    json
}

/// Returns false for a declared space that has the name of one of the encoders, but another
/// dimension.
fn is_filled(
    embedders: &Embedders,
    config: &CollectionConfig,
    space: &str,
) -> vitrine::Result<bool> {
    let Some(declared) = config.vectors.get(space) else {
        return Ok(true);
    };
    let embedder = embedders.of(config.fingerprint.as_deref())?;
    let own = embedder.dims().get(space);
    Ok(own.is_none_or(|dim| *dim == declared.dim))
}

/// Embeds the query for the space with the encoders that filled the collection.
fn embed(
    embedders: &Embedders,
    query: &Query,
    config: &CollectionConfig,
    space: &str,
) -> vitrine::Result<Vec<f32>> {
    let embedder = embedders.of(config.fingerprint.as_deref())?;
    let mut vectors = encode(&*embedder, query)?;
    let vector = vectors.remove(space).ok_or_else(|| {
        let spaces: Vec<_> = vectors.keys().map(String::as_str).collect();
        Error::invalid(
            "/space",
            format!(
                "a query of this kind has no vector in `{space}`; use {}",
                spaces.join(" or ")
            ),
        )
    })?;
    match config.vectors.get(space) {
        Some(declared) if declared.dim != vector.len() => Err(Error::invalid(
            "/space",
            format!(
                "expected {} components for `{space}`, got {} from the encoders; search it by vector or item",
                declared.dim,
                vector.len()
            ),
        )),
        _ => Ok(vector),
    }
}

fn encode(embedder: &dyn Embedder, query: &Query) -> vitrine::Result<Embedding> {
    let (pointer, mut embedded) = match query {
        Query::Text(text) if text.trim().is_empty() => {
            return Err(Error::invalid("/query/text", "must not be empty"));
        }
        Query::Text(text) => ("/query/text", embedder.embed_query(&[text])),
        Query::Image(text) => {
            let bytes = STANDARD
                .decode(text)
                .map_err(|e| Error::invalid("/query/image", format!("is not base64: {e}")))?;
            ("/query/image", embedder.embed_image(&[bytes]))
        }
        Query::Audio(_) | Query::Vector(_) | Query::Item(_) => return Ok(Embedding::new()),
    };
    match embedded.pop() {
        Some(Ok(vectors)) => Ok(vectors),
        Some(Err(EmbedError::Input(message))) => Err(Error::invalid(pointer, message)),
        Some(Err(error)) => Err(error.into()),
        None => Err(EmbedError::Model("no result".into()).into()),
    }
}
