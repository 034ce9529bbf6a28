//! Nearest neighbours among live, visible, matching items.

use std::{sync::Arc, time::Instant};

use roaring::RoaringBitmap;
use vitrine_schemas::{
    FilterSpec, Hit, SearchExplanation, SearchResponse, SimilarParams, search::Scope,
};

use super::{Collection, State, canary::Sample, reader::check_limit, schema};
use crate::{
    Error, Result, Target, VectorSearch, distance,
    index::{Allowed, Plan},
};

/// Up to so many equal distances are cut in the order of ids; beyond, which of the equals come back is open.
const MOST_TIES: usize = 4096;

impl Collection {
    /// Searches; always gives min(limit, matches) hits, equal scores in the order of ids.
    pub fn search(&self, request: &VectorSearch) -> Result<SearchResponse> {
        self.execute(&self.state.read(), request, None)
    }

    /// Items near to an item, in its own category, in others or anywhere. Gives up at `deadline`.
    pub fn similar(
        &self,
        id: &str,
        params: &SimilarParams,
        deadline: Option<Instant>,
    ) -> Result<SearchResponse> {
        let state = self.state.read();
        let scope = match params.scope {
            Scope::Any => None,
            scope => {
                let category = self.load(&state, id, false)?.category.ok_or_else(|| {
                    Error::invalid(
                        "/scope",
                        format!("item `{id}` has no category; use scope any"),
                    )
                })?;
                let same = state.categories.get(&category).cloned().unwrap_or_default();
                Some(if scope == Scope::Same {
                    same
                } else {
                    state
                        .categories
                        .values()
                        .fold(RoaringBitmap::new(), |all, c| all | c)
                        - same
                })
            }
        };
        let request = VectorSearch {
            target: Target::Item(id.to_string()),
            space: params.space.clone(),
            filter: params.filter.clone().map(FilterSpec::Text),
            limit: params.limit,
            ef: None,
            exact: false,
            with_vectors: false,
            explain: params.explain,
            deadline,
        };
        self.execute(&state, &request, scope.as_ref())
    }

    fn execute(
        &self,
        state: &State,
        request: &VectorSearch,
        scope: Option<&RoaringBitmap>,
    ) -> Result<SearchResponse> {
        let started = Instant::now();
        check_limit(request.limit)?;
        let index = state.space(&request.space)?;
        let metric = state
            .config
            .vectors
            .get(&request.space)
            .map(|s| (s.dim, s.metric));
        let (dim, metric) = metric.ok_or_else(|| Error::invalid("/space", "no such space"))?;
        let allowed = match scope {
            None => state.allowed(request.filter.as_ref())?,
            Some(scope) => {
                let matching = state.matching(request.filter.as_ref())? - &state.hidden;
                Arc::new(Allowed::from(matching & scope))
            }
        };
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
        let mut k = request.limit + 1 + usize::from(own.is_some());
        let (mut found, trace) = loop {
            let (found, trace) = index.search(
                &vector,
                k,
                request.ef,
                request.exact,
                &allowed,
                request.deadline,
            )?;
            let more = found.len() == k;
            let others: Vec<_> = found.into_iter().filter(|n| Some(n.id) != own).collect();
            let tied = match (others.get(request.limit - 1), others.last()) {
                (Some(a), Some(b)) => a.distance == b.distance && more,
                _ => false,
            };
            if !tied || k > MOST_TIES {
                break (others, trace);
            }
            k *= 2;
        };
        if trace.plan != Plan::Exact {
            self.canary.offer(|| Sample {
                space: request.space.clone(),
                vector,
                limit: request.limit,
                ef: request.ef,
                allowed,
            });
        }
        found.sort_by(|a, b| {
            a.distance
                .total_cmp(&b.distance)
                .then_with(|| state.ids.get(&a.id).cmp(&state.ids.get(&b.id)))
        });
        let mut hits = Vec::new();
        for n in found.into_iter().take(request.limit) {
            let Some(id) = state.ids.get(&n.id) else {
                continue;
            };
            hits.push(Hit {
                id: id.clone(),
                score: distance::score(metric, n.distance),
                item: self.load(state, id, request.with_vectors)?,
            });
        }
        Ok(SearchResponse {
            hits,
            plan: trace.plan.as_str().to_owned(),
            explain: request.explain.then(|| SearchExplanation {
                plan: trace.plan.as_str().to_owned(),
                matching: trace.matching,
                members: trace.members,
                selectivity: trace.matching as f64 / trace.members.max(1) as f64,
                compared: trace.compared,
            }),
            took_ms: started.elapsed().as_secs_f64() * 1e3,
        })
    }
}
