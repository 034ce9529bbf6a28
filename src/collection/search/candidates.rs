//! Candidates of a search: the nearest vectors, full-text matches, or the first items of a filter.

use roaring::RoaringBitmap;
use vitrine_schemas::Source;

use crate::{
    Result,
    cf::Scored,
    collection::{
        State,
        ranking::{CandidateSource, page::Page},
        search::{
            context::SearchContext,
            pool::{HYBRID_VECTOR_K, SearchPool},
            vector::VectorMatches,
        },
    },
    lexical::{LexicalResults, LexicalSelection},
    query::blend::{BlendModel, CandidateSet, Ranked},
};

/// Minimum (score - mean) of the matches by vector, relative to that of the nearest item, if no
/// item has any of the words.
const MIN_OUTSTANDING_SHARE: f32 = 0.5;

/// Candidate source of a search.
pub(super) struct SearchCandidates<'a> {
    pub context: &'a SearchContext<'a>,
    /// Number of hits on earlier pages.
    pub shown: usize,
}

impl CandidateSource for SearchCandidates<'_> {
    type Pool = SearchPool;

    fn gather(&self, mut size: usize) -> Result<SearchPool> {
        let SearchContext {
            request, profile, ..
        } = self.context;
        if !self.context.is_multi_source() {
            // The pool is as large as the page, so it has to contain the earlier pages.
            size += self.shown;
        }
        let mut vector = self.nearest(match request.is_hybrid() {
            true => HYBRID_VECTOR_K,
            false => size,
        })?;
        let lexical = self.lexical(vector.as_ref(), size)?;
        let mut vector_matches = None;
        let mut corpus_score_stats = (0.0, 0.0);
        if let (Some(vector), Some(lexical)) = (&mut vector, &lexical) {
            corpus_score_stats = vector.corpus_score_stats();
            let needs_relevance = request.relevance != Some(0.0);
            if !lexical.unfiltered_top.is_empty() {
                vector_matches = Some(near_items(vector, &lexical.unfiltered_top));
            } else if needs_relevance {
                let relevance = request.relevance.unwrap_or(0.0);
                vector_matches = Some(outstanding_items(vector, corpus_score_stats.0, relevance));
            } else if let Some(nearest) = self.nearest(size.max(HYBRID_VECTOR_K))? {
                // No item has any of the words: a search by vector.
                *vector = nearest;
            }
        }
        let mut lists: Vec<(Source, Vec<Scored>)> = Vec::new();
        if let Some(vector) = &vector {
            let is_match = |item: u32| {
                let has_words = || lexical.as_ref().is_some_and(|l| l.all.contains(item));
                vector_matches
                    .as_ref()
                    .is_none_or(|by_vector| by_vector.contains(item))
                    || has_words()
            };
            let hits = vector.hits.iter().filter(|(item, _)| is_match(*item));
            let scored = hits.map(|(item, score)| Scored {
                item: *item,
                score: *score,
            });
            lists.push((Source::Query, scored.collect()));
        }
        if let Some(lexical) = &lexical {
            let scored = lexical.matches.iter().map(|m| Scored {
                item: m.internal_id,
                score: m.score,
            });
            lists.push((Source::Lexical, scored.collect()));
        }
        if request.is_filter_only() && !self.context.is_ordered() {
            lists.extend(self.default_order(size)?);
        }
        // The nearest items that match are few, and all in the list.
        let complete = vector_matches.as_ref().map(|_| Source::Query);
        let mut others = lists.iter().filter(|(source, _)| Some(*source) != complete);
        let is_exhausted = match request.is_filter_only() {
            true => lists.iter().map(|(_, list)| list.len()).sum::<usize>() < size,
            false => others.all(|(_, list)| list.len() < size),
        };
        let mut candidates = CandidateSet::default();
        let mut unseen_score_bound = None;
        if let Some(blend) = &self.context.blend {
            candidates = CandidateSet::of(profile.evidence(), &lists);
            if let (Some(vector), Some(lexical)) = (&vector, &lexical) {
                score_both(&mut candidates, vector, lexical);
                if blend.has_scaled_sources() {
                    candidates.set_ranges(&hybrid_ranges(vector, lexical));
                }
                candidates.coverage = lexical.coverage;
                candidates.background = corpus_score_stats;
                if vector_matches.is_some() && !is_exhausted && self.context.shopper.is_anonymous()
                {
                    let last = [vector.hits.last().map(|h| h.1), lexical.last_score()];
                    unseen_score_bound = Some(upper_bound(blend, &candidates, last));
                }
            }
            profile.score_candidates(&mut candidates, blend);
        }
        Ok(SearchPool {
            vector,
            lexical,
            vector_matches,
            lists,
            candidates,
            unseen_score_bound,
            is_exhausted,
        })
    }

    fn is_exhausted(&self, pool: &SearchPool) -> bool {
        pool.is_exhausted
    }

    fn is_top_k_final(&self, pool: &SearchPool, page: &Page) -> bool {
        let stage = &self.context.merchandising.stage;
        let Some(bound) = pool.unseen_score_bound.filter(|_| stage.boosts.is_empty()) else {
            return true;
        };
        let is_regular = |hit: &&Ranked| {
            let item = hit.candidate.item;
            !stage.is_pinned(item) && !stage.is_buried(item)
        };
        let mut hits = page.hits.iter().filter(is_regular);
        hits.all(|hit| hit.score > bound)
    }

    fn rank(&self, pool: &SearchPool) -> Vec<Ranked> {
        let _span = tracing::info_span!("rank").entered();
        match &self.context.blend {
            Some(blend) => in_order_of_ids(self.context.state, blend.rank(&pool.candidates)),
            None => rank_single_source(self.context.state, &pool.lists),
        }
    }

    fn unscored(&self, pool: &SearchPool, internal_id: u32) -> Ranked {
        match (&self.context.blend, &pool.vector) {
            (None, Some(vector)) => vector.unranked(internal_id),
            _ => Ranked::unscored(internal_id),
        }
    }
}

impl SearchCandidates<'_> {
    /// Returns the nearest eligible items, and the nearest of those that rules boost: a boost
    /// reaches items that are not among the first ones.
    fn nearest(&self, size: usize) -> Result<Option<VectorMatches>> {
        let SearchContext {
            collection,
            state,
            request,
            eligible,
            boosted,
            ..
        } = self.context;
        let Some(search) = request.vector_search() else {
            return Ok(None);
        };
        let _span = tracing::info_span!("vectors", space = search.space).entered();
        let mut found = collection.nearest(state, &search, eligible, size)?;
        if let Some(boosted) = boosted {
            found.merge(collection.nearest(state, &search, boosted, size)?);
        }
        Ok(Some(found))
    }

    fn lexical(
        &self,
        vector: Option<&VectorMatches>,
        size: usize,
    ) -> Result<Option<LexicalResults>> {
        let context = self.context;
        let Some(query) = &context.request.lexical else {
            return Ok(None);
        };
        let _span = tracing::info_span!("lexical").entered();
        let settings = context.collection.settings.now();
        let visible = context.state.visible_matches(None)?;
        let found = vector.into_iter().flat_map(|vector| &vector.hits);
        let selection = LexicalSelection {
            k: size,
            eligible: context.eligible.internal_ids(),
            boosted: context.boosted.as_ref().map(|items| items.internal_ids()),
            relevance: context.request.relevance.unwrap_or(0.0),
            extra_items: &found.map(|(internal_id, _)| *internal_id).collect(),
            visible: visible.internal_ids(),
        };
        let rewrite = &settings.query_rewrite;
        let index = &context.collection.lexical;
        Ok(Some(index.search(query, rewrite, &selection)?))
    }

    /// Returns the first items of a search without a query: by popularity, then the latest.
    fn default_order(&self, size: usize) -> Result<[(Source, Vec<Scored>); 2]> {
        let SearchContext {
            collection,
            state,
            eligible,
            ..
        } = self.context;
        let order = collection.item_order(state, &[], None, None)?;
        let first = order.first(eligible.internal_ids(), None, size);
        let (mut popular, mut newest) = (Vec::new(), Vec::new());
        for item in first {
            match order.popularity(item) {
                Some(score) => popular.push(Scored { item, score }),
                None => newest.push(Scored { item, score: 0.0 }),
            }
        }
        Ok([(Source::Popularity, popular), (Source::Newest, newest)])
    }
}

/// Returns the items whose vectors are as near to the query as those of the best full-text matches:
/// a hybrid search has these matches besides those with its words. The level is the median of the
/// scores of `references`, the best items of the whole collection, so that it does not depend on
/// the filter. Without a vector among them, all nearest items match.
fn near_items(vector: &VectorMatches, references: &[u32]) -> RoaringBitmap {
    let scores = references.iter().filter_map(|item| vector.score(*item));
    let mut scores: Vec<f32> = scores.collect();
    scores.sort_unstable_by(f32::total_cmp);
    let level = scores.get(scores.len() / 2).copied();
    let hits = vector.hits.iter();
    let near = hits.filter(|(_, score)| level.is_none_or(|level| *score >= level));
    near.map(|(item, _)| *item).collect()
}

/// Returns the nearest items that stand out from all others, if no item has any of the words of a
/// hybrid search: those whose distance from the mean score is a large share of that of the nearest.
fn outstanding_items(vector: &VectorMatches, mean: f32, relevance: f32) -> RoaringBitmap {
    let best = vector.hits.first().map_or(0.0, |(_, score)| score - mean);
    let share = MIN_OUTSTANDING_SHARE + (1.0 - MIN_OUTSTANDING_SHARE) * relevance;
    let hits = vector.hits.iter();
    let near = hits.filter(|(_, score)| score - mean >= best.max(0.0) * share);
    near.map(|(item, _)| *item).collect()
}

/// Adds the scores of each source for the candidates of the other one.
fn score_both(set: &mut CandidateSet, vector: &VectorMatches, lexical: &LexicalResults) {
    let score = |internal_id: u32| lexical.extra_scores.get(&internal_id).copied();
    set.score_missing(Source::Lexical, score);
    set.score_missing(Source::Query, |internal_id| vector.score(internal_id));
}

/// Returns the ranges that the scores of a hybrid search are scaled from: those of the first
/// candidates of each source. They do not depend on the page, so scores do not either.
fn hybrid_ranges(vector: &VectorMatches, lexical: &LexicalResults) -> [(Source, (f32, f32)); 2] {
    let nearest = vector.hits.iter().take(HYBRID_VECTOR_K);
    let nearest = nearest.map(|(item, score)| Scored {
        item: *item,
        score: *score,
    });
    let words = lexical
        .matches
        .iter()
        .take(HYBRID_VECTOR_K)
        .map(|m| Scored {
            item: m.internal_id,
            score: m.score,
        });
    let lists = [
        (Source::Query, nearest.collect()),
        (Source::Lexical, words.collect()),
    ];
    let mut first = CandidateSet::of(0.0, &lists);
    score_both(&mut first, vector, lexical);
    let (low, high) = first.score_range(Source::Query);
    // If vectors alone rank, those beyond the first ones must keep their order.
    let low = match lexical.matches.is_empty() && high > 0.0 {
        true => low.min(0.0),
        false => low,
    };
    [
        (Source::Query, (low, high)),
        (Source::Lexical, first.score_range(Source::Lexical)),
    ]
}

/// Returns the score of an item with these scores by vector and full text (Fagin's threshold
/// algorithm): what no list contains scores at most what the lists end with.
fn upper_bound(blend: &BlendModel, candidates: &CandidateSet, last: [Option<f32>; 2]) -> f32 {
    let sources = [Source::Query, Source::Lexical];
    let lists = sources.into_iter().zip(last).filter_map(|(source, score)| {
        let item = 0;
        Some((
            source,
            vec![Scored {
                item,
                score: score?,
            }],
        ))
    });
    let lists: Vec<_> = lists.collect();
    let mut unseen = CandidateSet::of(candidates.evidence, &lists);
    unseen.coverage = candidates.coverage;
    unseen.background = candidates.background;
    unseen.set_ranges(&sources.map(|source| (source, candidates.score_range(source))));
    let ranked = blend.rank(&unseen);
    ranked.first().map_or(f32::INFINITY, |hit| hit.score)
}

/// Puts candidates of equal scores in the order of their ids.
fn in_order_of_ids(state: &State, mut ranked: Vec<Ranked>) -> Vec<Ranked> {
    ranked.sort_by(|a, b| {
        let id = |hit: &Ranked| state.ids.get(&hit.candidate.item);
        b.score.total_cmp(&a.score).then_with(|| id(a).cmp(&id(b)))
    });
    ranked
}

/// Returns the list of a single source, equal scores in the order of ids. Items that only a filter
/// chose keep their order.
fn rank_single_source(state: &State, lists: &[(Source, Vec<Scored>)]) -> Vec<Ranked> {
    let all = lists.iter().flat_map(|(source, list)| {
        let ranked = list.iter().zip(1..);
        ranked.map(|(s, rank)| Ranked::from_source(*source, s.item, s.score, rank))
    });
    let ranked: Vec<_> = all.collect();
    match lists.iter().any(|(source, _)| *source == Source::Newest) {
        true => ranked,
        false => in_order_of_ids(state, ranked),
    }
}
