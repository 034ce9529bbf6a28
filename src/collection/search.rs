//! Nearest neighbours among live, visible, matching items.

use std::{sync::Arc, time::Instant};

use roaring::RoaringBitmap;
use vitrine_schemas::{Hit, Metric, SearchExplanation, SearchResponse, Source};

use super::{Collection, State, canary::Sample, reader::check_limit, schema};
use crate::{
    Error, Result, Target, VectorSearch, distance,
    index::{Allowed, Plan, SpaceIndex, Trace},
    query::blend::Ranked,
};

/// Up to so many equal distances are cut in the order of ids; beyond, which of the equals come back is open.
const MOST_TIES: usize = 4096;

/// What is near to a query.
pub(super) struct Near {
    /// Number and score, the best first, equal scores in the order of ids.
    pub hits: Vec<(u32, f32)>,
    trace: Trace,
    /// What was searched.
    index: Arc<SpaceIndex>,
    vector: Vec<f32>,
    metric: Metric,
}

impl Near {
    /// The answer, without hits yet.
    pub fn answer(&self, request: &VectorSearch) -> SearchResponse {
        SearchResponse {
            plan: self.plan().to_owned(),
            explain: request.explain.then(|| self.explanation()),
            ..SearchResponse::default()
        }
    }

    /// How they were found.
    pub fn plan(&self) -> &'static str {
        self.trace.plan.as_str()
    }

    /// Items with a vector that could have been found.
    pub fn matching(&self) -> u64 {
        self.trace.matching
    }

    /// Items that have a vector where was searched; some may be dead.
    pub fn members(&self) -> RoaringBitmap {
        self.index.members()
    }

    /// What it took.
    pub fn explanation(&self) -> SearchExplanation {
        SearchExplanation::from(self.trace)
    }

    /// An item that was not among what is near enough.
    pub fn unfound(&self, number: u32) -> Ranked {
        match self.score(number) {
            Some(score) => Ranked::alone(Source::Query, number, score, 0),
            None => Ranked::unfound(number),
        }
    }

    /// How near another item is; None where it has no vector.
    pub fn score(&self, number: u32) -> Option<f32> {
        let vector = self.index.vector(number)?;
        let distance = distance::distance(self.metric, &self.vector, &vector);
        Some(distance::score(self.metric, distance))
    }
}

impl Collection {
    /// Searches, without rules; always gives min(limit, matches) hits, equal scores in the order of ids.
    pub fn search(&self, request: &VectorSearch) -> Result<SearchResponse> {
        self.execute(&self.state.read(), request, None)
    }

    pub(super) fn execute(
        &self,
        state: &State,
        request: &VectorSearch,
        scope: Option<&RoaringBitmap>,
    ) -> Result<SearchResponse> {
        let started = Instant::now();
        check_limit(request.limit)?;
        let mut allowed = state.allowed(request.filter.as_ref())?;
        if let Some(scope) = scope {
            allowed = Arc::new(Allowed::from(allowed.numbers() & scope));
        }
        let near = self.nearest(state, request, &allowed, request.limit)?;
        let mut answer = near.answer(request);
        for (number, score) in &near.hits {
            let Some(id) = state.ids.get(number) else {
                continue;
            };
            answer.hits.push(Hit {
                id: id.clone(),
                score: *score,
                contributions: Vec::new(),
                reason: None,
                highlights: Vec::new(),
                group: None,
                item: self.load(state, id, request.with_vectors)?,
            });
        }
        answer.took_ms = started.elapsed().as_secs_f64() * 1e3;
        Ok(answer)
    }

    /// The min(limit, matches) nearest of `allowed`, which the request's filter has been through.
    pub(super) fn nearest(
        &self,
        state: &State,
        request: &VectorSearch,
        allowed: &Arc<Allowed>,
        limit: usize,
    ) -> Result<Near> {
        let set = state.set_of(request.fingerprint.as_deref())?;
        let index = set.space(&request.space)?;
        let metric = set
            .config
            .vectors
            .get(&request.space)
            .map(|s| (s.dim, s.metric));
        let (dim, metric) = metric.ok_or_else(|| Error::invalid("/space", "no such space"))?;
        let mut own = None;
        let vector = match &request.target {
            Target::Vector(v) => {
                let mut v = v.clone();
                schema::check_vector("/query/vector", &mut v, dim, metric)?;
                v
            }
            Target::Item(id) => {
                let number = *state
                    .numbers
                    .get(id)
                    .ok_or_else(|| Error::ItemNotFound(id.clone()))?;
                own = Some(number);
                index.vector(number).ok_or_else(|| Error::NoVector {
                    id: id.clone(),
                    space: request.space.clone(),
                })?
            }
        };
        // More than asked for, until the last one is farther than the limit's: so ties are cut by id.
        let mut k = limit + 1 + usize::from(own.is_some());
        let (mut found, trace) = loop {
            let (found, trace) = index.search(
                &vector,
                k,
                request.ef,
                request.exact,
                allowed,
                request.deadline,
            )?;
            let more = found.len() == k;
            let others: Vec<_> = found.into_iter().filter(|n| Some(n.id) != own).collect();
            let tied = match (others.get(limit - 1), others.last()) {
                (Some(a), Some(b)) => a.distance == b.distance && more,
                _ => false,
            };
            if !tied || k > MOST_TIES {
                break (others, trace);
            }
            k *= 2;
        };
        let is_current = Arc::ptr_eq(set.config, &state.config);
        if trace.plan != Plan::Exact && is_current {
            self.canary.offer(|| Sample {
                space: request.space.clone(),
                index: index.clone(),
                vector: vector.clone(),
                limit,
                ef: request.ef,
                allowed: allowed.clone(),
            });
        }
        found.sort_by(|a, b| {
            a.distance
                .total_cmp(&b.distance)
                .then_with(|| state.ids.get(&a.id).cmp(&state.ids.get(&b.id)))
        });
        let scored = found.into_iter().take(limit);
        Ok(Near {
            hits: scored
                .map(|n| (n.id, distance::score(metric, n.distance)))
                .collect(),
            trace,
            index: index.clone(),
            vector,
            metric,
        })
    }
}
