//! Candidates of a recommendation by source: item neighbors, sequential rules, similar sessions,
//! content, popularity.

use std::{collections::BTreeMap, time::Instant};

use roaring::RoaringBitmap;
use vitrine_schemas::{Fallback, Source, recommend::Strategy};

use crate::{
    Result,
    behavior::{Model, Popular},
    cf::Scored,
    collection::{
        ItemIds,
        recommend::following::Following,
        shopper::{
            cold_items::{ColdItems, ColdScores, sum},
            content::Content,
            history::History,
            neighbors::{ModelScores, NeighborScores, model_scores},
            top_k::{top_k, top_k_eligible},
        },
    },
    index::CandidateFilter,
    query::blend::{BlendModel, CandidateSet},
};

/// Data that the sources read.
pub(in crate::collection) struct Sources<'a> {
    pub ids: ItemIds<'a>,
    /// The active behavior model; None if none is trained.
    pub model: Option<&'a Model>,
    /// Items with few events; None to leave out their estimated scores.
    pub cold_items: Option<&'a ColdItems>,
}

/// Parameters of a recommendation's candidates.
pub(in crate::collection) struct SourceRequest<'a> {
    pub history: &'a History,
    pub eligible: &'a CandidateFilter,
    pub blend: &'a BlendModel,
    pub space: Option<&'a str>,
    pub strategy: Strategy,
    /// Authors that the user follows, if any.
    pub following: Option<&'a Following<'a>>,
    pub deadline: Option<Instant>,
}

/// Scores of items by the history of a request, which do not depend on the size of the pool.
pub(in crate::collection) struct SourceScores {
    model: ModelScores,
    cold: Option<ColdScores>,
    pub content: Option<Content>,
}

/// Candidates with the sources that found them.
pub(in crate::collection) struct SourceCandidates {
    pub candidates: CandidateSet,
    /// Number of candidates by source.
    pub counts: BTreeMap<Source, u64>,
    pub fallbacks: Vec<Fallback>,
}

impl SourceScores {
    /// Returns the estimated scores of a source; None if it does not estimate.
    fn cold_of(&self, source: Source) -> Option<&ColdScores> {
        self.cold.as_ref().filter(|_| source == Source::Behavior)
    }

    /// Returns the score of an item as estimated by similar items, for a source that estimates.
    fn estimate(&self, source: Source, item: u32) -> Option<f32> {
        self.cold_of(source)?.get(item)
    }
}

impl Sources<'_> {
    /// Scores items by the sources that have a weight and depend on the history.
    ///
    /// # Errors
    /// The space does not exist.
    pub fn score(&self, request: &SourceRequest<'_>) -> Result<SourceScores> {
        let history = request.history;
        let has_weight = |source| request.blend.weight(source, history.evidence()) > 0.0;
        let model = self.model.map(|model| {
            let (items, logged) = (self.ids.log.names().len(), &history.logged);
            model_scores(model, logged, items, request.strategy, has_weight)
        });
        let content = Content::of(self.ids.state, history, request.space, request.strategy)?;
        let model = model.unwrap_or_default();
        Ok(SourceScores {
            cold: self.cold_scores(history, &model)?,
            model,
            content: content.filter(|_| has_weight(Source::Content)),
        })
    }

    /// Estimates the behavior scores of items with few events, if behavior has a weight.
    fn cold_scores(&self, history: &History, scores: &ModelScores) -> Result<Option<ColdScores>> {
        let behavior = scores
            .iter()
            .find(|(source, _)| *source == Source::Behavior);
        let (Some((_, behavior)), Some(cold_items), Some(model)) =
            (behavior, self.cold_items, self.model)
        else {
            return Ok(None);
        };
        cold_items.extend_for_request(self.ids, model)?;
        Ok(cold_items.scores(&history.logged, behavior))
    }

    /// Returns the union of `count` candidates of each source that has a weight; each source also
    /// scores the candidates of the others.
    pub fn gather(
        &self,
        request: &SourceRequest<'_>,
        scores: &SourceScores,
        count: usize,
    ) -> Result<SourceCandidates> {
        let (history, eligible) = (request.history, request.eligible.internal_ids());
        let has_weight = |source| request.blend.weight(source, history.evidence()) > 0.0;
        let mut fallbacks = Vec::new();
        let mut lists: Vec<(Source, Vec<Scored>)> = Vec::new();
        if history.items.is_empty() {
            fallbacks.push(Fallback::NoHistory);
        }
        if self.model.is_none() {
            fallbacks.push(Fallback::NoModel);
        }
        let log_id = |item| self.ids.log_id(item);
        for (source, of_source) in &scores.model {
            let mut list = self.neighbors(of_source, eligible, count);
            if let Some(cold) = scores.cold_of(*source) {
                let own = |item| of_source.get(log_id(item)?);
                list = cold.added_to(list, own, eligible, count);
            }
            lists.push((*source, list));
        }
        let content = &scores.content;
        match content {
            Some(content) => {
                let nearest = content.nearest(count, request.eligible, request.deadline)?;
                lists.push((Source::Content, nearest));
            }
            None if history.items.is_empty() || !has_weight(Source::Content) => {}
            None => fallbacks.push(Fallback::NoVectors),
        }
        let model = self.model.filter(|_| has_weight(Source::Popularity));
        let popular = model.map(Model::popular);
        if let Some(popular) = &popular {
            lists.push((Source::Popularity, self.popular(popular, eligible, count)));
        }
        let following = request.following.filter(|_| has_weight(Source::Following));
        if let Some(following) = following {
            lists.push((Source::Following, following.newest(eligible, count)));
        }
        lists.retain(|(_, list)| !list.is_empty());
        let mut candidates = CandidateSet::of(history.evidence(), &lists);
        for (source, of_source) in &scores.model {
            let own = |item| of_source.get(log_id(item)?);
            let estimate = |item| scores.estimate(*source, item);
            candidates.score_missing(*source, |item| sum(own(item), estimate(item)));
        }
        if let Some(content) = content {
            candidates.score_missing(Source::Content, |item| content.score(item));
        }
        if let Some(popular) = &popular {
            candidates.score_missing(Source::Popularity, |item| popular.score(log_id(item)?));
        }
        if let Some(following) = following {
            candidates.score_missing(Source::Following, |item| following.score(item));
        }
        for candidate in &mut candidates.candidates {
            let events = log_id(candidate.item).map_or(0, |id| self.ids.log.daily.count(id));
            candidate.events = events as f32;
            let estimate = scores.estimate(Source::Behavior, candidate.item);
            if let Some(cold_items) = self.cold_items.filter(|_| estimate.is_some()) {
                candidate.events += cold_items.evidence(candidate.item, self.ids.log);
            }
        }
        let counts = lists.iter().map(|(s, list)| (*s, list.len() as u64));
        Ok(SourceCandidates {
            counts: counts.collect(),
            candidates,
            fallbacks,
        })
    }

    /// Returns the eligible items with the best scores.
    fn neighbors(
        &self,
        scores: &NeighborScores,
        eligible: &RoaringBitmap,
        count: usize,
    ) -> Vec<Scored> {
        // Looks up the scores of few eligible items, or the items of few scores.
        if eligible.len() < scores.touched().len() as u64 {
            let scored = self.ids.logged(eligible).filter_map(|(item, log_id)| {
                let score = scores.get(log_id)?;
                Some(Scored { item, score })
            });
            return top_k(scored.collect(), count);
        }
        top_k_eligible(scores.positive(), count, self.ids, eligible)
    }

    /// Returns the most popular eligible items.
    fn popular(&self, popular: &Popular, eligible: &RoaringBitmap, count: usize) -> Vec<Scored> {
        let mut top = Vec::with_capacity(count);
        // Goes down the list until it is cheaper to look up the score of every eligible item.
        let order = popular.order();
        for scored in order.take(count + eligible.len() as usize) {
            let internal_id = self.ids.internal_id(scored.item);
            if let Some(internal_id) = internal_id.filter(|id| eligible.contains(*id)) {
                top.push(Scored {
                    item: internal_id,
                    score: scored.score,
                });
            }
            if top.len() == count {
                return top;
            }
        }
        let scored = self.ids.logged(eligible).filter_map(|(item, log_id)| {
            let score = popular.score(log_id)?;
            Some(Scored { item, score })
        });
        top_k(scored.collect(), count)
    }
}
