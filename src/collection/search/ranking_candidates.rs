//! Features of the first candidates of a search, for the ranker and for its training.

use std::{collections::BTreeMap, sync::Arc};

use vitrine_schemas::{FeatureRow, RankingFeatures, RulePath, Source};

use crate::{
    Error, Result, Search, Shopper,
    collection::{
        Collection,
        ranking::CandidateSource,
        search::{candidates::SearchCandidates, context::SearchContext, pool::SearchPool},
        state::item_texts::texts,
    },
    query::blend::Ranked,
    rerank::{
        self, Candidate, FEATURE_VERSION, FEATURES, ItemFacts, ItemText, QueryText, Row,
        feature_rows,
    },
};

/// Microseconds in a day.
const DAY_MICROS: f64 = 86_400.0 * 1e6;

impl Collection {
    /// Returns the first `depth` candidates of a search by text, before rules and reranking, with
    /// the features that a ranker sees.
    ///
    /// # Errors
    /// [`Error::Invalid`]: the search has no text, or `depth` is not 1 to 1000; and those of a
    /// search.
    pub fn ranking_features(&self, request: &Search, depth: usize) -> Result<RankingFeatures> {
        if !(1..=rerank::MAX_DEPTH).contains(&depth) {
            let detail = format!("expected 1 to {}, got {depth}", rerank::MAX_DEPTH);
            return Err(Error::invalid("/limit", detail));
        }
        let mode = request
            .text_mode()
            .ok_or_else(|| Error::invalid("/query", "expected a text; features are of words"))?;
        if request.lexical.is_some() {
            self.refresh_texts()?;
        }
        let state = self.state.read();
        let request = Search {
            without_rules: true,
            sort: Vec::new(),
            ..request.clone()
        };
        let shopper = Shopper::default();
        let path = RulePath::Search;
        let context = SearchContext::new(self, &state, &request, &shopper, None, path)?;
        let source = SearchCandidates {
            context: &context,
            shown: 0,
        };
        let pool = source.gather(depth.max(context.initial_pool_size()))?;
        let first = first_candidates(&pool, &source.rank(&pool), depth);
        let rows = rows(&context, &pool, &first)?;
        let row = |(hit, row): (&Ranked, Row)| {
            Some(FeatureRow {
                id: state.ids.get(&hit.candidate.item)?.clone(),
                values: row.0.to_vec(),
            })
        };
        Ok(RankingFeatures {
            feature_version: FEATURE_VERSION,
            features: FEATURES.iter().map(|f| f.name.to_owned()).collect(),
            mode,
            candidates: first.iter().zip(rows).filter_map(row).collect(),
        })
    }
}

/// Returns the best of the candidates that a pool of `depth` candidates of each source has, in
/// their order. A larger pool has the same, so they do not depend on the page.
pub(super) fn first_candidates(pool: &SearchPool, ranked: &[Ranked], depth: usize) -> Vec<Ranked> {
    let lists = pool.lists.iter();
    let found = lists.flat_map(|(_, list)| list.iter().take(depth).map(|scored| scored.item));
    let found: roaring::RoaringBitmap = found.collect();
    let first = ranked
        .iter()
        .filter(|hit| found.contains(hit.candidate.item));
    first.take(depth).copied().collect()
}

/// Returns the features of candidates.
pub(super) fn rows(
    context: &SearchContext<'_>,
    pool: &SearchPool,
    first: &[Ranked],
) -> Result<Vec<Row>> {
    let request = context.request;
    let lexical_text = request.lexical.as_ref().map(|lexical| &lexical.text);
    let text = lexical_text.or(request.text.as_ref());
    let none = BTreeMap::new();
    let corrections = pool.lexical.as_ref().map_or(&none, |l| &l.corrections);
    let index = &context.collection.lexical;
    let query = QueryText::of(text.map_or("", String::as_str), corrections, index)?;
    let internal_ids: Vec<u32> = first.iter().map(|hit| hit.candidate.item).collect();
    let texts = item_texts(context, &internal_ids)?;
    let set = context.state.set_of(request.fingerprint.as_deref())?;
    let space = request.target.as_ref().map(|_| set.space(&request.space));
    let vectors = space.transpose()?.map(|space| space.vectors());
    let candidate = |(hit, text): (&Ranked, Arc<ItemText>)| {
        let item = hit.candidate.item;
        let score = |source| hit.candidate.signals.get(source).map(|signal| signal.score);
        Candidate {
            text,
            lexical: score(Source::Lexical),
            dense: score(Source::Query),
            blend: hit.score,
            vector: vectors
                .as_ref()
                .and_then(|vectors| Some(vectors.get(item)?.to_vec())),
            facts: facts(context, item),
        }
    };
    let candidates: Vec<Candidate> = first.iter().zip(texts).map(candidate).collect();
    Ok(feature_rows(&query, &candidates))
}

/// Returns the analyzed texts of items; those that are not cached are read and added.
fn item_texts(context: &SearchContext<'_>, internal_ids: &[u32]) -> Result<Vec<Arc<ItemText>>> {
    let (collection, state) = (context.collection, context.state);
    let cache = &collection.rankers.texts;
    let mut found = cache.get(internal_ids);
    let missing: Vec<usize> = (0..found.len()).filter(|at| found[*at].is_none()).collect();
    let id = |at: &usize| state.ids.get(&internal_ids[*at]).map_or("", String::as_str);
    let ids: Vec<&str> = missing.iter().map(id).collect();
    let items = match ids.is_empty() {
        true => Vec::new(),
        false => collection.load_many(state, &ids)?,
    };
    for (at, item) in missing.into_iter().zip(items) {
        let texts = item
            .map(|item| texts(&state.config, &item))
            .unwrap_or_default();
        let text = Arc::new(ItemText::of(&texts));
        cache.insert(internal_ids[at], text.clone());
        found[at] = Some(text);
    }
    Ok(found.into_iter().map(Option::unwrap_or_default).collect())
}

fn facts(context: &SearchContext<'_>, item: u32) -> ItemFacts {
    let payload = &context.state.payload;
    let now = context.collection.clock.now() as f64;
    let created = payload.number("created_at", item);
    let availability = payload.first_text("availability", item);
    let (events, popularity) = context.profile.activity(item);
    ItemFacts {
        price: payload.number("price", item),
        availability: availability.map(|availability| match availability.as_str() {
            "in_stock" => 1.0,
            "out_of_stock" => 0.0,
            _ => 0.5,
        }),
        age_days: created.map(|seconds| ((now - seconds * 1e6) / DAY_MICROS).max(0.0) as f32),
        rating: payload.number("rating", item),
        rating_count: payload.number("rating_count", item),
        events,
        popularity,
    }
}
