//! Reranking of the first candidates of a search by the active ranker, between the blend and the
//! merchandising rules.

use std::{collections::HashMap, sync::Arc};

use vitrine_schemas::{Hit, HitRanking, RankerUse, Source};

use crate::{
    Result,
    collection::{
        lifecycle::rankers::ActiveRanker,
        ranking::{CandidateSource, page::Page},
        search::{
            candidates::SearchCandidates,
            context::SearchContext,
            pool::SearchPool,
            ranking_candidates::{first_candidates, rows},
        },
    },
    query::blend::{BlendModel, Ranked, Signal},
    rerank::Row,
};

/// Candidates of a search, the first ones ranked again if a ranker applies.
pub(super) struct Reranking<'a> {
    candidates: SearchCandidates<'a>,
    ranker: Option<Arc<ActiveRanker>>,
}

/// Candidates with their ranking.
pub(super) struct RerankedPool {
    pub pool: SearchPool,
    ranked: Vec<Ranked>,
    /// Rank before, from 1, and features of the candidates that were ranked again.
    features: HashMap<u32, (u64, Row)>,
}

impl<'a> Reranking<'a> {
    /// Returns the candidates of a search, with the active ranker if it applies: the search is by
    /// text and of the mode that the ranker was trained on, and no shopper's history ranks it.
    pub fn of(candidates: SearchCandidates<'a>) -> Self {
        let context = candidates.context;
        let ranker = context.collection.rankers.active();
        let ranker = ranker.filter(|ranker| {
            !context.request.without_ranker
                && context.request.text_mode() == Some(ranker.mode)
                && is_ranked_by_query(context)
        });
        Self { candidates, ranker }
    }

    /// Adds the causes of their ranks to hits.
    pub fn explain(&self, pool: &RerankedPool, hits: &mut [Hit]) {
        let context = self.candidates.context;
        let Some(ranker) = self.ranker.as_ref().filter(|_| context.request.explain) else {
            return;
        };
        for hit in hits {
            let internal_id = context.state.internal_ids.get(&hit.id);
            let features = internal_id.and_then(|id| pool.features.get(id));
            hit.ranking = features.map(|(rank_before, row)| {
                let (base, contributions) = ranker.forest.explain(row);
                HitRanking {
                    rank_before: *rank_before,
                    score: base + contributions.values().sum::<f32>(),
                    base,
                    contributions,
                }
            });
        }
    }

    /// Returns the ranker, if it applied.
    pub fn usage(&self, pool: &RerankedPool) -> Option<RankerUse> {
        self.ranker.as_ref().map(|ranker| RankerUse {
            version: ranker.version,
            candidates: pool.features.len() as u64,
        })
    }
}

impl CandidateSource for Reranking<'_> {
    type Pool = RerankedPool;

    fn gather(&self, size: usize) -> Result<RerankedPool> {
        let depth = self.ranker.as_ref().map_or(0, |ranker| ranker.depth);
        let pool = self.candidates.gather(size.max(depth))?;
        let mut ranked = self.candidates.rank(&pool);
        let mut features = HashMap::new();
        if let Some(ranker) = &self.ranker {
            let first = first_candidates(&pool, &ranked, depth);
            let rows = rows(self.candidates.context, &pool, &first)?;
            let reranked = rerank(ranker, &first, &rows);
            for hit in &mut ranked {
                if let Some(other) = reranked.get(&hit.candidate.item) {
                    *hit = *other;
                }
            }
            // Stable: candidates of equal scores keep their order, which is that of the ranker.
            ranked.sort_by(|a, b| b.score.total_cmp(&a.score).then(rank(a).cmp(&rank(b))));
            let known = first.iter().zip(rows).zip(1..);
            features = known
                .map(|((hit, row), rank)| (hit.candidate.item, (rank, row)))
                .collect();
        }
        Ok(RerankedPool {
            pool,
            ranked,
            features,
        })
    }

    fn is_exhausted(&self, pool: &RerankedPool) -> bool {
        self.candidates.is_exhausted(&pool.pool)
    }

    fn rank(&self, pool: &RerankedPool) -> Vec<Ranked> {
        pool.ranked.clone()
    }

    fn unscored(&self, pool: &RerankedPool, internal_id: u32) -> Ranked {
        self.candidates.unscored(&pool.pool, internal_id)
    }

    fn is_top_k_final(&self, pool: &RerankedPool, page: &Page) -> bool {
        self.candidates.is_top_k_final(&pool.pool, page)
    }
}

/// Returns true if hits are ranked by the query alone, as in the searches that a ranker is trained
/// on.
fn is_ranked_by_query(context: &SearchContext<'_>) -> bool {
    match &context.blend {
        Some(blend) => *blend == BlendModel::hybrid(),
        None => true,
    }
}

/// Returns the candidates with the scores of their ranks: the scores of all candidates stay the
/// same, the best one goes to the first candidate by the ranker and so on. So scores are in order
/// also among the candidates that were not ranked again, and a boost has the effect that it had
/// before.
fn rerank(ranker: &ActiveRanker, first: &[Ranked], rows: &[Row]) -> HashMap<u32, Ranked> {
    let own: Vec<f32> = rows.iter().map(|row| ranker.forest.score(row)).collect();
    let mut order: Vec<usize> = (0..first.len()).collect();
    order.sort_by(|a, b| own[*b].total_cmp(&own[*a]));
    let mut reranked = HashMap::with_capacity(first.len());
    for (rank, at) in order.into_iter().enumerate() {
        let mut hit = first[at];
        let signal = Signal {
            score: own[at],
            rank: rank as u32 + 1,
        };
        hit.rescore(Source::Ranker, first[rank].score, signal);
        reranked.insert(hit.candidate.item, hit);
    }
    reranked
}

/// Returns the rank by the ranker; candidates that it did not rank come last.
fn rank(hit: &Ranked) -> u32 {
    let signal = hit.candidate.signals.get(Source::Ranker);
    signal.map_or(u32::MAX, |signal| signal.rank)
}
