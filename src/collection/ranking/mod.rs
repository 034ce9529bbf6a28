//! The ranking pipeline shared by search, similar items and recommendations.
//!
//! A request describes what its path needs: the eligible items, the pool size, the merchandising
//! rules and the diversity of a page ([`RankingRequest`]), how candidates are gathered and blended
//! ([`CandidateSource`]), and why a hit is shown ([`hits::Explainer`]). The pipeline is the same
//! for all:
//!
//! 1. gather candidates among the eligible items, blend their scores into a ranking, and rerank the
//!    first ones of a search by the active ranker;
//! 2. apply merchandising rules: boost, bury, and append the pins that were not found;
//! 3. select a page: skip hits of earlier pages, diversify, place pins;
//! 4. if the page could be better, repeat with a pool four times as large, up to a maximum;
//! 5. load the records of the page and explain each hit.

pub(super) mod contributions;
pub(super) mod cursor;
pub(super) mod diversify;
pub(super) mod hits;
pub(super) mod merchandising;
pub(super) mod offer;
pub(super) mod order;
pub(super) mod page;
pub(super) mod pool_size;

use roaring::RoaringBitmap;
use vitrine_schemas::{DiversifySpec, Hit};

use crate::{
    Result,
    collection::{
        Collection, State,
        ranking::{cursor::Cursor, merchandising::Merchandising, page::Page},
    },
    query::blend::Ranked,
};

/// Factor by which the pool grows until a page is complete.
const POOL_GROWTH: usize = 4;

/// A page to rank: the eligible items and the constraints of the page.
pub(in crate::collection) struct RankingRequest<'a> {
    pub state: &'a State,
    /// Internal ids of the items that may be hits.
    pub eligible: &'a RoaringBitmap,
    pub merchandising: &'a Merchandising,
    pub diversify: Option<&'a DiversifySpec>,
    /// Space in which similarity is measured if `diversify` names none.
    pub space: Option<&'a str>,
    /// Sets of items that get an equal quota of the page, if there are several.
    pub quota_sets: &'a [RoaringBitmap],
    pub limit: usize,
    /// Hits of earlier pages, and the pool size to start with.
    pub cursor: Cursor,
    /// Pool size up to which the pool grows.
    pub max_pool_size: usize,
}

/// Gathers candidates and blends their scores.
pub(in crate::collection) trait CandidateSource {
    /// Candidates of one pool size.
    type Pool;

    /// Returns the best candidates, about `size` of each source.
    fn gather(&self, size: usize) -> Result<Self::Pool>;

    /// Returns true if a larger pool would contain no other candidates.
    fn is_exhausted(&self, pool: &Self::Pool) -> bool;

    /// Returns the candidates of a pool by their blended scores, best first.
    fn rank(&self, pool: &Self::Pool) -> Vec<Ranked>;

    /// Returns a pinned item that is not in the pool.
    fn unscored(&self, _pool: &Self::Pool, internal_id: u32) -> Ranked {
        Ranked::unscored(internal_id)
    }

    /// Returns true if a larger pool would not change the hits of the page.
    fn is_top_k_final(&self, _pool: &Self::Pool, _page: &Page) -> bool {
        true
    }

    /// Adds other candidates to the largest pool if its page lacks `missing` hits. Returns true if
    /// there were any.
    fn backfill(
        &self,
        _request: &RankingRequest<'_>,
        _pool: &mut Self::Pool,
        _missing: usize,
    ) -> bool {
        false
    }
}

/// A page with the pool that it was taken from.
pub(in crate::collection) struct RankedPage<P> {
    pub pool: P,
    /// Number of candidates that each source was asked for.
    pub pool_size: usize,
    /// The ranking after merchandising, with every pin.
    pub ranked: Vec<Ranked>,
    pub page: Page,
}

impl Collection {
    /// Ranks the candidates of a source and selects a page, with a larger pool where needed.
    pub(in crate::collection) fn rank_page<S: CandidateSource>(
        &self,
        request: &RankingRequest<'_>,
        source: &S,
    ) -> Result<RankedPage<S::Pool>> {
        let mut pool_size = request.cursor.pool_size;
        loop {
            let mut pool = source.gather(pool_size)?;
            let mut ranked = request.merchandised(source, &pool);
            let mut page = self.page(request, &ranked)?;
            let can_grow = pool_size < request.max_pool_size && !source.is_exhausted(&pool);
            if can_grow && (page.is_short || !source.is_top_k_final(&pool, &page)) {
                pool_size = (pool_size * POOL_GROWTH).min(request.max_pool_size);
                continue;
            }
            let missing = request.limit - request.unburied_hits(&page);
            if missing > 0 && source.backfill(request, &mut pool, missing) {
                ranked = request.merchandised(source, &pool);
                page = self.page(request, &ranked)?;
            }
            return Ok(RankedPage {
                pool,
                pool_size,
                ranked,
                page,
            });
        }
    }
}

impl RankingRequest<'_> {
    /// Returns the ranking of a pool after boosts, burials and pins.
    fn merchandised<S: CandidateSource>(&self, source: &S, pool: &S::Pool) -> Vec<Ranked> {
        let stage = &self.merchandising.stage;
        stage.apply(source.rank(pool), |id| source.unscored(pool, id))
    }

    /// Returns the number of hits on a page that are pinned or not buried.
    fn unburied_hits(&self, page: &Page) -> usize {
        let stage = &self.merchandising.stage;
        let ids = page.hits.iter().map(|hit| hit.candidate.item);
        ids.filter(|id| stage.is_pinned(*id) || !stage.is_buried(*id))
            .count()
    }

    /// Returns true if an item was on an earlier page.
    pub fn was_shown(&self, internal_id: u32) -> bool {
        let id = || self.state.ids.get(&internal_id);
        self.cursor.len() > 0 && id().is_some_and(|id| self.cursor.has_shown(id))
    }

    /// Returns the cursor of the next page; None if this page is not full, if `has_more` finds
    /// nothing left after it, or if too many hits were shown. `key` identifies the request.
    pub fn next_cursor(
        &self,
        pool_size: usize,
        hits: &[Hit],
        key: &str,
        has_more: impl FnOnce(&Cursor) -> bool,
    ) -> Option<String> {
        let ids: Vec<&str> = hits.iter().map(|hit| hit.id.as_str()).collect();
        self.cursor_after(pool_size, &ids, key, has_more)
    }

    /// Returns the cursor after a page of the items with these ids.
    pub fn cursor_after(
        &self,
        pool_size: usize,
        ids: &[&str],
        key: &str,
        has_more: impl FnOnce(&Cursor) -> bool,
    ) -> Option<String> {
        let mut next = self.cursor.clone();
        next.pool_size = pool_size;
        next.add_page(ids.iter().copied());
        if ids.len() < self.limit || !has_more(&next) {
            return None;
        }
        next.encode(key)
    }
}
