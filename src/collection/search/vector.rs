//! Nearest neighbors among live, visible, matching items.

use std::{sync::Arc, time::Instant};

use roaring::RoaringBitmap;
use vitrine_schemas::{Hit, Metric, SearchExplanation, SearchResponse, Source};

use crate::{
    Error, Result, Target, VectorSearch,
    collection::{
        Collection, State, lifecycle::recall_canary::Sample, schema, state::read::check_limit,
    },
    distance,
    index::{CandidateFilter, Plan, SearchParams, SearchStats, SpaceIndex},
    query::blend::Ranked,
};

/// Maximum number of equal distances that are cut in the order of ids; of more, any may be
/// returned.
const MAX_TIES: usize = 4096;

/// Number of items that tell the mean and deviation of the scores of all items.
const BACKGROUND_ITEMS: u64 = 200;

/// Nearest neighbors of a query.
pub(in crate::collection) struct VectorMatches {
    /// Internal ids and scores, best first, equal scores in the order of ids.
    pub hits: Vec<(u32, f32)>,
    stats: SearchStats,
    /// The index that was searched.
    index: Arc<SpaceIndex>,
    vector: Vec<f32>,
    metric: Metric,
}

impl VectorMatches {
    /// Returns the response without its hits.
    pub fn response(&self, request: &VectorSearch) -> SearchResponse {
        SearchResponse {
            plan: self.plan().to_owned(),
            explain: request.explain.then(|| self.explanation()),
            ..SearchResponse::default()
        }
    }

    /// Returns the name of the search plan.
    pub fn plan(&self) -> &'static str {
        self.stats.plan.as_str()
    }

    /// Returns the number of eligible items with a vector.
    pub fn matching(&self) -> u64 {
        self.stats.matching
    }

    /// Returns the items with a vector in the searched space; some may not be live.
    pub fn members(&self) -> RoaringBitmap {
        self.index.members()
    }

    /// Returns the plan and cost of the search.
    pub fn explanation(&self) -> SearchExplanation {
        SearchExplanation::from(self.stats)
    }

    /// Returns an item that is not among the hits, with its score.
    pub fn unranked(&self, internal_id: u32) -> Ranked {
        match self.score(internal_id) {
            Some(score) => Ranked::from_source(Source::Query, internal_id, score, 0),
            None => Ranked::unscored(internal_id),
        }
    }

    /// Returns the score of any item; None if it has no vector.
    pub fn score(&self, internal_id: u32) -> Option<f32> {
        let vector = self.index.vector(internal_id)?;
        let distance = distance::distance(self.metric, &self.vector, &vector);
        Some(distance::score(self.metric, distance))
    }
}

impl VectorMatches {
    /// Adds hits of another search for the same vector.
    pub fn merge(&mut self, other: Self) {
        let known: RoaringBitmap = self.hits.iter().map(|(id, _)| *id).collect();
        let others = other.hits.into_iter();
        self.hits
            .extend(others.filter(|(id, _)| !known.contains(*id)));
        self.hits.sort_by(|a, b| b.1.total_cmp(&a.1));
    }

    /// Returns the mean and standard deviation of the scores of all items, estimated from items
    /// that are spread over the space; zeros without items.
    pub fn corpus_score_stats(&self) -> (f32, f32) {
        let members = self.index.members();
        let count = members.len().min(BACKGROUND_ITEMS);
        let ids = (0..count).filter_map(|n| members.select((n * members.len() / count) as u32));
        let scores: Vec<f32> = ids.filter_map(|id| self.score(id)).collect();
        let count = scores.len().max(1) as f32;
        let mean = scores.iter().sum::<f32>() / count;
        let squares: f32 = scores.iter().map(|score| (score - mean).powi(2)).sum();
        (mean, (squares / count).sqrt())
    }
}

impl State {
    /// Returns the item that is searched by, which is not among its own matches.
    pub(super) fn searched_item(&self, target: Option<&Target>) -> Option<u32> {
        match target? {
            Target::Item(id) => self.internal_ids.get(id).copied(),
            Target::Vector(_) => None,
        }
    }
}

impl Collection {
    /// Searches by vector only, without merchandising rules. Returns exactly min(limit, matches)
    /// hits, equal scores in the order of ids.
    ///
    /// # Errors
    /// [`Error::Invalid`] with pointers into the request, items and vectors that do not exist, the
    /// deadline.
    pub fn search_vectors(&self, request: &VectorSearch) -> Result<SearchResponse> {
        self.search_vectors_in(&self.state.read(), request, None)
    }

    /// Searches among the items in `scope`; None for all.
    pub(in crate::collection) fn search_vectors_in(
        &self,
        state: &State,
        request: &VectorSearch,
        scope: Option<&RoaringBitmap>,
    ) -> Result<SearchResponse> {
        let started = Instant::now();
        check_limit(request.limit)?;
        let mut eligible = state.visible_matches(request.filter.as_ref())?;
        if let Some(scope) = scope {
            eligible = Arc::new(CandidateFilter::from(eligible.internal_ids() & scope));
        }
        let searched = state.searched_item(Some(&request.target));
        if let Some(searched) = searched.filter(|id| eligible.internal_ids().contains(*id)) {
            let mut others = eligible.internal_ids().clone();
            others.remove(searched);
            eligible = Arc::new(CandidateFilter::from(others));
        }
        let matches = self.nearest(state, request, &eligible, request.limit)?;
        let mut response = matches.response(request);
        let offers = state.offers(request.filter.as_ref())?;
        for (internal_id, score) in &matches.hits {
            let Some(id) = state.ids.get(internal_id) else {
                continue;
            };
            let item = self.load(state, id, request.with_vectors)?;
            response.hits.push(Hit {
                id: id.clone(),
                score: *score,
                contributions: Vec::new(),
                reason: None,
                ranking: None,
                highlights: Vec::new(),
                group: None,
                offer: offers.of(&item),
                item,
            });
        }
        response.took_ms = started.elapsed().as_secs_f64() * 1e3;
        Ok(response)
    }

    /// Returns the min(limit, matches) nearest items of `eligible`, which already passed the
    /// request's filter.
    pub(in crate::collection) fn nearest(
        &self,
        state: &State,
        request: &VectorSearch,
        eligible: &Arc<CandidateFilter>,
        limit: usize,
    ) -> Result<VectorMatches> {
        let set = state.set_of(request.fingerprint.as_deref())?;
        let index = set.space(&request.space)?;
        let metric = set
            .config
            .vectors
            .get(&request.space)
            .map(|s| (s.dim, s.metric));
        let (dim, metric) = metric.ok_or_else(|| Error::invalid("/space", "no such space"))?;
        let vector = match &request.target {
            Target::Vector(v) => {
                let mut v = v.clone();
                schema::check_vector("/query/vector", &mut v, dim, metric)?;
                v
            }
            Target::Item(id) => {
                let internal_id = *state
                    .internal_ids
                    .get(id)
                    .ok_or_else(|| Error::ItemNotFound(id.clone()))?;
                index.vector(internal_id).ok_or_else(|| Error::NoVector {
                    id: id.clone(),
                    space: request.space.clone(),
                })?
            }
        };
        // Searches for more than `limit` items until the last is farther than the one at the limit,
        // so that ties are cut by id.
        let mut k = limit + 1;
        let (mut neighbors, stats) = loop {
            let params = SearchParams {
                k,
                ef: request.ef,
                exact: request.exact,
                filter: Some(eligible.as_ref()),
                deadline: request.deadline,
            };
            let (neighbors, stats) = index.search(&vector, &params)?;
            let has_more = neighbors.len() == k;
            let is_tied = match (neighbors.get(limit - 1), neighbors.last()) {
                (Some(a), Some(b)) => a.distance == b.distance && has_more,
                _ => false,
            };
            if !is_tied || k > MAX_TIES {
                break (neighbors, stats);
            }
            k *= 2;
        };
        let is_current = Arc::ptr_eq(set.config, &state.config);
        if stats.plan != Plan::BruteForce && is_current {
            self.canary.offer(|| Sample {
                space: request.space.clone(),
                index: index.clone(),
                vector: vector.clone(),
                limit,
                ef: request.ef,
                filter: eligible.clone(),
            });
        }
        neighbors.sort_by(|a, b| {
            a.distance
                .total_cmp(&b.distance)
                .then_with(|| state.ids.get(&a.id).cmp(&state.ids.get(&b.id)))
        });
        let scored = neighbors.into_iter().take(limit);
        Ok(VectorMatches {
            hits: scored
                .map(|n| (n.id, distance::score(metric, n.distance)))
                .collect(),
            stats,
            index: index.clone(),
            vector,
            metric,
        })
    }
}

impl From<SearchStats> for SearchExplanation {
    fn from(stats: SearchStats) -> Self {
        Self {
            plan: stats.plan.as_str().to_owned(),
            matching: stats.matching,
            members: stats.vectors,
            selectivity: stats.matching as f64 / stats.vectors.max(1) as f64,
            compared: stats.distance_computations,
        }
    }
}
