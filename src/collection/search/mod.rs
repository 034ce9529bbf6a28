//! Vector, full-text and hybrid searches, optionally personalized for a shopper.
//!
//! `context` resolves a request, `candidates` gathers what the query finds, `ranking` makes a page
//! of it, and this module builds the response.

mod candidates;
mod catalog;
mod context;
mod dialogue;
mod highlights;
mod map;
mod ordered;
mod pool;
mod ranking_candidates;
mod reranking;
mod scroll;
pub(super) mod understand;
mod vector;

use std::{collections::HashSet, time::Instant};

use roaring::RoaringBitmap;
use vitrine_schemas::{Hit, RulePath, SearchResponse};

use crate::{
    Result, Search, Shopper,
    collection::{
        Collection, State,
        ranking::{
            RankedPage, RankingRequest, cursor::Cursor, diversify, offer::Offers, page::Page,
        },
        search::{
            candidates::SearchCandidates, context::SearchContext, pool::SearchPool,
            reranking::Reranking,
        },
        state::read::check_limit,
    },
    deadline,
    query::blend::BlendModel,
};

impl Collection {
    /// Searches for a shopper: returns exactly min(limit, matching items that the shopper did not
    /// reject) hits. If several sources are blended, the score is the sum of the contributions. If
    /// nothing matches what was [understood](Search::understood) of a text, more of the text is
    /// taken as words.
    ///
    /// # Errors
    /// [`Error::Invalid`](crate::Error::Invalid) with pointers into the request, items and vectors
    /// that do not exist, the deadline.
    ///
    /// # Examples
    ///
    /// The shop has red shoes (`a`, 40 EUR), blue shoes (`b`, 60 EUR) and a red hat (`c`, 20 EUR).
    ///
    /// ```
    /// use vitrine::{LexicalQuery, Search, Shopper, Target, schemas::FilterSpec};
    ///
    /// # mod support { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doc_shop.rs")); }
    /// # let (_folder, _database, shop) = support::shop()?;
    /// let request = Search {
    ///     target: Some(Target::Vector(vec![1.0, 0.1])),
    ///     space: "shared".into(),
    ///     lexical: Some(LexicalQuery { text: "shoes".into(), ..Default::default() }),
    ///     filter: Some(FilterSpec::Text("price < 50".into())),
    ///     limit: 10,
    ///     ..Search::default()
    /// };
    /// let response = shop.search(&request, &Shopper::default())?;
    /// assert_eq!(response.hits[0].id, "a");
    /// assert!(response.hits.iter().all(|hit| hit.id != "b"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn search(&self, request: &Search, shopper: &Shopper) -> Result<SearchResponse> {
        let _span = tracing::info_span!("search", collection = self.name).entered();
        if request.lexical.is_some() {
            self.refresh_texts()?;
        }
        let started = Instant::now();
        let state = self.state.read();
        let search =
            |request: &Search| self.search_in(&state, request, shopper, None, RulePath::Search);
        let mut response = search(request)?;
        if matches_nothing(&response) {
            for (request, fallback) in request.retries() {
                response = search(&request)?;
                response.fallbacks.extend(fallback);
                if !matches_nothing(&response) {
                    break;
                }
            }
        }
        response.took_ms = started.elapsed().as_secs_f64() * 1e3;
        Ok(response)
    }

    /// Searches among the items in `scope` (None: all), with the rules of `path`. Texts are those
    /// of the last refresh.
    pub(in crate::collection) fn search_in(
        &self,
        state: &State,
        request: &Search,
        shopper: &Shopper,
        scope: Option<&RoaringBitmap>,
        path: RulePath,
    ) -> Result<SearchResponse> {
        let started = Instant::now();
        check_limit(request.limit)?;
        if let Some(spec) = &shopper.diversify {
            diversify::check(spec, state)?;
        }
        let context = SearchContext::new(self, state, request, shopper, scope, path)?;
        if context.is_ordered() {
            return self.ordered_search(&context, started);
        }
        let (cursor, key) = (request.cursor.as_deref(), request.cursor_key.as_str());
        let cursor = Cursor::decode(cursor, key, context.initial_pool_size())?;
        let ranking = context.ranking(cursor, request.offset + request.limit);
        let candidates = Reranking::of(SearchCandidates {
            context: &context,
            shown: ranking.cursor.len() as usize,
        });
        let RankedPage {
            pool: reranked,
            ranked,
            mut page,
            pool_size,
        } = self.rank_page(&ranking, &candidates)?;
        page.skip(request.offset);
        let ranker = candidates.usage(&reranked);
        let pool = &reranked.pool;
        let mut hits = self.search_hits(&context, &ranking, pool, &page)?;
        candidates.explain(&reranked, &mut hits);
        // Page numbers need no cursor.
        let next_cursor = ranking.next_cursor(pool_size, &hits, key, |next| {
            ranked.len() as u64 > next.len() || !pool.is_exhausted
        });
        let lexical = pool.lexical.as_ref();
        Ok(SearchResponse {
            next_cursor,
            total: Some(context.total(pool)),
            facets: context.facets(pool, &ranked)?,
            corrections: lexical.map_or_else(Default::default, |l| {
                highlights::corrections_as_written(&l.corrections, &hits)
            }),
            synonyms: lexical.map_or_else(Default::default, |l| l.synonyms.clone()),
            understood: None,
            spoken: None,
            plan: pool.plan(),
            explain: request.explain.then(|| context.explanation(pool)),
            sources: context.source_usage(&pool.candidates),
            blend: context.blend.as_ref().map(BlendModel::usage),
            ranker,
            fallbacks: context.fallbacks(),
            diversity: page.diversity,
            rules: context.merchandising.rule_usage(state, &hits),
            hits,
            request_id: None,
            experiment: None,
            took_ms: started.elapsed().as_secs_f64() * 1e3,
        })
    }

    /// Returns the hits of a page with records, reasons, highlights and vectors.
    fn search_hits(
        &self,
        context: &SearchContext<'_>,
        ranking: &RankingRequest<'_>,
        pool: &SearchPool,
        page: &Page,
    ) -> Result<Vec<Hit>> {
        let _span = tracing::info_span!("hits").entered();
        let mut hits = if context.is_multi_source() {
            self.explained_hits(ranking, page, &context.profile.explainer())?
        } else {
            self.plain_hits(ranking, page)?
        };
        self.decorate(context, pool, &mut hits)?;
        Ok(hits)
    }

    /// Adds highlights, the words of reasons and vectors to hits, as requested.
    fn decorate(
        &self,
        context: &SearchContext<'_>,
        pool: &SearchPool,
        hits: &mut [Hit],
    ) -> Result<()> {
        let terms = pool.lexical.iter().flat_map(|l| &l.terms);
        let terms: HashSet<&str> = terms.map(String::as_str).collect();
        let offers = Offers::among(context.state, context.rows.clone());
        let offers = offers.sorted_by(&context.request.sort);
        offers.add_to(hits, &terms);
        for hit in hits {
            deadline::check()?;
            if let Some(reason) = &mut hit.reason {
                highlights::name_words(reason, &hit.item, &terms);
            }
            if context.request.highlight {
                hit.highlights = highlights::highlights(&hit.item, &terms);
            }
            if context.request.with_vectors {
                hit.item.vectors = self.load(context.state, &hit.id, true)?.vectors;
            }
        }
        Ok(())
    }
}

/// Returns true if a search found nothing but pinned items, which count in its total.
fn matches_nothing(response: &SearchResponse) -> bool {
    let pinned: usize = response.rules.iter().map(|rule| rule.pinned.len()).sum();
    response.total.is_some_and(|t| t.value == pinned as u64)
}
