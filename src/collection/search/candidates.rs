//! Candidates of a search: the nearest vectors, full-text matches, or the newest items of a filter.

use vitrine_schemas::Source;

use crate::{
    Result,
    cf::Scored,
    collection::{
        State,
        ranking::CandidateSource,
        search::{context::SearchContext, pool::SearchPool},
    },
    query::blend::{CandidateSet, Ranked},
};

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
            collection,
            state,
            request,
            profile,
            eligible,
            ..
        } = self.context;
        if !self.context.is_multi_source() {
            // The pool is as large as the page, so it has to contain the earlier pages.
            size += self.shown;
        }
        let vector = request.vector_search();
        let vector = vector.map(|search| collection.nearest(state, &search, eligible, size));
        let vector = vector.transpose()?;
        let settings = collection.settings.now();
        let lexical = request.lexical.as_ref().map(|query| {
            let found = vector.iter().flat_map(|vector| &vector.hits);
            collection.lexical.search(
                query,
                &settings.query_rewrite,
                size,
                eligible.internal_ids(),
                &found.map(|(internal_id, _)| *internal_id).collect(),
            )
        });
        let lexical = lexical.transpose()?;
        let mut lists: Vec<(Source, Vec<Scored>)> = Vec::new();
        if let Some(vector) = &vector {
            let scored = vector.hits.iter().map(|(item, score)| Scored {
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
        if request.is_filter_only() {
            let newest = eligible.internal_ids().iter().rev().take(size);
            let newest = newest.map(|item| Scored { item, score: 0.0 });
            lists.push((Source::Newest, newest.collect()));
        }
        let is_exhausted = lists.iter().all(|(_, list)| list.len() < size);
        let mut candidates = CandidateSet::default();
        if let Some(blend) = &self.context.blend {
            candidates = CandidateSet::of(profile.evidence(), &lists);
            if let (Some(vector), Some(lexical)) = (&vector, &lexical) {
                let score = |internal_id: u32| lexical.also.get(&internal_id).copied();
                candidates.score_missing(Source::Lexical, score);
                candidates.score_missing(Source::Query, |internal_id| vector.score(internal_id));
            }
            profile.score_candidates(&mut candidates, blend);
        }
        Ok(SearchPool {
            vector,
            lexical,
            lists,
            candidates,
            is_exhausted,
        })
    }

    fn is_exhausted(&self, pool: &SearchPool) -> bool {
        pool.is_exhausted
    }

    fn rank(&self, pool: &SearchPool) -> Vec<Ranked> {
        match &self.context.blend {
            Some(blend) => blend.rank(&pool.candidates),
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

/// Returns the list of a single source, equal scores in the order of ids. Items that only a filter
/// chose keep their order, newest first.
fn rank_single_source(state: &State, lists: &[(Source, Vec<Scored>)]) -> Vec<Ranked> {
    let all = lists.iter().flat_map(|(source, list)| {
        let ranked = list.iter().zip(1..);
        ranked.map(|(s, rank)| Ranked::from_source(*source, s.item, s.score, rank))
    });
    let mut ranked: Vec<_> = all.collect();
    if lists.iter().any(|(source, _)| *source == Source::Newest) {
        return ranked;
    }
    ranked.sort_by(|a, b| {
        let id = |hit: &Ranked| state.ids.get(&hit.candidate.item);
        b.score.total_cmp(&a.score).then_with(|| id(a).cmp(&id(b)))
    });
    ranked
}
