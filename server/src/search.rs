//! A search as it is sent, made into one of the engine: its text is understood and embedded.

use std::{mem::replace, sync::Arc};

use base64::{Engine, engine::general_purpose::STANDARD};
use vitrine::{EmbedError, Embedder, Embedding, Error, LexicalQuery, Search, Shopper, Target};
use vitrine_schemas::{
    CollectionConfig, Fallback, Filter, FilterSpec, LexicalSpec, Operator, Query, SearchMode,
    SearchRequest, SearchResponse, UnderstandRequest, UnderstandResponse,
};

use crate::{
    call::Call,
    embedders::Embedders,
    error::{ApiError, ApiResult},
};

/// Longest text, in bytes.
const MOST_BYTES: usize = 4_096;

/// What the text of a query means, where that is known.
pub struct Meaning {
    /// What is left to search by; may be empty.
    pub text: String,
    /// What was taken out of it.
    pub filter: Filter,
    /// Whether it is of the request rather than of its text, so that a cursor holds for it alone.
    pub is_given: bool,
}

/// Answers a search.
pub async fn run(call: &Call, c: &str, request: SearchRequest) -> ApiResult<SearchResponse> {
    if request.ef.is_some_and(|ef| !(1..=10_000).contains(&ef)) {
        return Err(ApiError::invalid("/ef", "must be 1 to 10000"));
    }
    let words = words(&request)?;
    let understood = understand(call, c, &request).await?;
    let meaning = understood.as_ref().map(|u| Meaning {
        text: u.text.clone(),
        filter: u.filter.clone(),
        is_given: false,
    });
    let mut answer = answer(call, c, request, words, meaning).await?;
    answer.understood = understood;
    Ok(answer)
}

/// Answers a search whose words are known, and what they mean.
pub async fn answer(
    call: &Call,
    c: &str,
    mut request: SearchRequest,
    words: Option<String>,
    meaning: Option<Meaning>,
) -> ApiResult<SearchResponse> {
    let deadline = call.deadline();
    let mut asked = asked(&mut request);
    if let Some(meaning) = meaning.as_ref().filter(|m| m.is_given) {
        asked += &serde_json::to_string(&meaning.filter).unwrap_or_default();
    }
    // What is said of price and colour is in the filter; a text of nothing else ranks what it lets through.
    let left = meaning.as_ref().map(|m| m.text.clone());
    let left = left.filter(|text| !text.trim().is_empty());
    let text = match &request.query {
        Query::Text(text) => Some(text.clone()),
        _ => words.clone(),
    };
    let mut fallback = None;
    let (mut target, mut to_embed) = (None, None);
    match request.query {
        Query::Vector(vector) => target = Some(Target::Vector(vector)),
        Query::Item(id) => target = Some(Target::Item(id)),
        // Nothing but a filter: what it lets through is found as it lies.
        Query::Text(text) if text.is_empty() => {}
        Query::Text(_) if request.mode == Some(SearchMode::Lexical) => {}
        // Nobody asked for vectors by name.
        Query::Text(_) if request.mode.is_none() && !call.state.embedders.are_there() => {
            fallback = Some(Fallback::NoEncoder);
        }
        Query::Text(text) => to_embed = Some(Query::Text(left.clone().unwrap_or(text))),
        query @ Query::Image(_) => to_embed = Some(query),
    }
    // What is left may be words that no item has ("under 10", undone): then the whole text ranks.
    let whole = words.clone().filter(|_| left.is_some());
    let search = Search {
        target,
        words: words.map(|words| lexical(left.unwrap_or(words), request.lexical)),
        text,
        without_rules: !request.rules,
        space: request.space,
        fingerprint: request.fingerprint,
        filter: request.filter,
        understood: meaning.map(|m| FilterSpec::Tree(m.filter)),
        limit: request.limit,
        ef: request.ef,
        exact: request.exact,
        with_vectors: request.with_vectors,
        explain: request.explain,
        deadline: Some(deadline),
        cursor: request.cursor,
        asked,
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
        None => find(call, c, search, shopper, whole).await?,
        Some(query) => {
            let mut embedded = with_vector(call, c, search.clone(), query.clone()).await?;
            let first = find(call, c, embedded, shopper.clone(), whole.clone()).await;
            match first {
                // The spaces it was embedded for were dropped meanwhile; others are in use.
                Err(e) if e.code == "fingerprint_mismatch" && search.fingerprint.is_none() => {
                    embedded = with_vector(call, c, search, query).await?;
                    find(call, c, embedded, shopper, whole).await?
                }
                first => first?,
            }
        }
    };
    answer.fallbacks.extend(fallback);
    Ok(answer)
}

/// The search with the vector of a query, which is searched in the spaces that its encoders fill, also where others are in use by
/// then.
async fn with_vector(
    call: &Call,
    c: &str,
    mut search: Search,
    query: Arc<Query>,
) -> ApiResult<Search> {
    let (state, c) = (call.state.clone(), c.to_owned());
    let deadline = search.deadline.unwrap_or_else(|| call.deadline());
    let embedded = call.run(&call.state.embeds, deadline, move |database| {
        let config = database
            .collection(&c)?
            .config_of(search.fingerprint.as_deref())?;
        let vector = embed(&state.embedders, &query, &config, &search.space)?;
        search.target = Some(Target::Vector(vector));
        search.fingerprint.clone_from(&config.fingerprint);
        Ok(search)
    });
    embedded.await
}

async fn find(
    call: &Call,
    c: &str,
    mut search: Search,
    shopper: Shopper,
    whole: Option<String>,
) -> ApiResult<SearchResponse> {
    let c = c.to_owned();
    let deadline = search.deadline.unwrap_or_else(|| call.deadline());
    let answer = call.run(&call.state.searches, deadline, move |database| {
        let collection = database.collection(&c)?;
        let mut answer = collection.find(&search, &shopper)?;
        let is_nothing = |answer: &SearchResponse| {
            // What rules pin counts as well, found or not.
            let pinned: usize = answer.rules.iter().map(|rule| rule.pinned.len()).sum();
            answer.total.is_none_or(|t| t.value == pinned as u64)
        };
        if search.target.is_some() || !is_nothing(&answer) {
            return Ok(answer);
        }
        if let (Some(words), Some(whole)) = (&mut search.words, whole) {
            words.text = whole;
            answer = collection.find(&search, &shopper)?;
        }
        // All of it may be in words that no item has (a colour in another language): then the filter alone chooses.
        let nothing_understood = FilterSpec::Tree(Filter::default());
        let understood = search.understood.as_ref();
        if understood.is_some_and(|f| *f != nothing_understood) && is_nothing(&answer) {
            search.words = None;
            answer = collection.find(&search, &shopper)?;
        }
        Ok(answer)
    });
    answer.await
}

/// The words that are looked for, checked; None in a search by vector alone.
pub fn words(request: &SearchRequest) -> ApiResult<Option<String>> {
    let beside = request.lexical.as_ref().and_then(|l| l.text.as_ref());
    let (at, text) = match (&request.query, beside) {
        (Query::Text(_), Some(_)) => {
            let mend = "is for a query by vector, photo or item; a query by text has its words";
            return Err(ApiError::invalid("/lexical/text", mend));
        }
        (Query::Text(text), None) => ("/query/text", Some(text)),
        (_, beside) => ("/lexical/text", beside),
    };
    if let Some(text) = text {
        if text.trim().is_empty() {
            return Err(ApiError::invalid(at, "must not be empty"));
        }
        if text.len() > MOST_BYTES {
            let detail = format!("has {} bytes, at most {MOST_BYTES} are taken", text.len());
            return Err(ApiError::invalid(at, detail));
        }
    }
    match (request.mode, text) {
        (Some(SearchMode::Vector), _) => Ok(None),
        (Some(SearchMode::Hybrid | SearchMode::Lexical), None) => Err(ApiError::invalid(
            "/mode",
            "needs words: query by text, or give lexical.text",
        )),
        (Some(SearchMode::Lexical), _) if !matches!(request.query, Query::Text(_)) => {
            Err(ApiError::invalid("/mode", "is for a query by text"))
        }
        (_, text) => Ok(text.cloned()),
    }
}

async fn understand(
    call: &Call,
    c: &str,
    request: &SearchRequest,
) -> ApiResult<Option<UnderstandResponse>> {
    let Some(spec) = &request.understand else {
        return Ok(None);
    };
    let Query::Text(text) = &request.query else {
        return Err(ApiError::invalid("/understand", "is for a query by text"));
    };
    let wanted = UnderstandRequest {
        text: text.clone(),
        without: spec.without.clone(),
    };
    let c = c.to_owned();
    let answer = call.read(move |database| database.collection(&c)?.understand(&wanted));
    Ok(Some(answer.await?))
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

/// What is asked for, but for the size and the place of the page. The query, which may be a large photo, is not copied.
fn asked(request: &mut SearchRequest) -> String {
    let query = replace(&mut request.query, Query::Item(String::new()));
    let (limit, cursor) = (replace(&mut request.limit, 0), request.cursor.take());
    let mut json = serde_json::to_string(request).unwrap_or_default();
    match &query {
        Query::Vector(vector) => {
            let mut hasher = blake3::Hasher::new();
            for x in vector {
                hasher.update(&x.to_le_bytes());
            }
            json += hasher.finalize().to_hex().as_str();
        }
        Query::Image(image) => json += blake3::hash(image.as_bytes()).to_hex().as_str(),
        Query::Text(_) | Query::Item(_) => {
            json += &serde_json::to_string(&query).unwrap_or_default();
        }
    }
    (request.query, request.limit, request.cursor) = (query, limit, cursor);
    json
}

/// The query's vector in the space, from the encoders that filled the collection.
fn embed(
    embedders: &Embedders,
    query: &Query,
    config: &CollectionConfig,
    space: &str,
) -> vitrine::Result<Vec<f32>> {
    let embedder = embedders.of(config.fingerprint.as_deref())?;
    let mut vectors = encode(&*embedder, query)?;
    let vector = vectors.remove(space).ok_or_else(|| {
        let known: Vec<_> = vectors.keys().map(String::as_str).collect();
        Error::invalid(
            "/space",
            format!(
                "a query of this kind has no vector in `{space}`; use {}",
                known.join(" or ")
            ),
        )
    })?;
    match config.vectors.get(space) {
        Some(there) if there.dim != vector.len() => Err(Error::invalid(
            "/space",
            format!(
                "`{space}` has {} components, the encoders give {}; search it by vector or item",
                there.dim,
                vector.len()
            ),
        )),
        _ => Ok(vector),
    }
}

fn encode(embedder: &dyn Embedder, query: &Query) -> vitrine::Result<Embedding> {
    let (pointer, mut made) = match query {
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
        Query::Vector(_) | Query::Item(_) => return Ok(Embedding::new()),
    };
    match made.pop() {
        Some(Ok(vectors)) => Ok(vectors),
        Some(Err(EmbedError::Input(fault))) => Err(Error::invalid(pointer, fault)),
        Some(Err(fault)) => Err(fault.into()),
        None => Err(EmbedError::Model("no result".into()).into()),
    }
}
