//! Pool sizes: numbers of candidates that are gathered for a page.

use crate::collection::ranking::cursor::MAX_POOL_SIZE;

/// Number of candidates that each source gives for a page.
///
/// The pool is larger than the page, so that a hit that is near in one source and good in the
/// others is among the candidates.
#[derive(Clone, Copy, Debug)]
pub(in crate::collection) struct PoolSize {
    /// Minimum size.
    pub min: usize,
    /// Candidates per hit.
    pub per_hit: usize,
    /// Maximum size, up to which the pool grows where a page is incomplete.
    pub max: usize,
}

impl PoolSize {
    /// Pool of a search with several sources.
    pub const SEARCH: Self = Self {
        min: 100,
        per_hit: 5,
        max: MAX_POOL_SIZE,
    };

    /// Pool of a recommendation.
    pub const RECOMMENDATION: Self = Self {
        min: 100,
        per_hit: 3,
        max: MAX_POOL_SIZE,
    };

    /// Pool of similar items in other categories.
    pub const CROSS_CATEGORY: Self = Self {
        min: 100,
        per_hit: 5,
        max: 5_000,
    };

    /// Returns the pool of a diversified page, with more candidates to choose from.
    pub const fn diversified(self) -> Self {
        Self {
            min: 200,
            per_hit: 10,
            ..self
        }
    }

    /// Returns the size to start with for a page of `limit` hits.
    pub fn initial(self, limit: usize) -> usize {
        self.min.max(limit * self.per_hit)
    }
}
