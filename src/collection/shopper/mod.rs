//! The shopper: histories, content and item neighbors that personalize rankings, and reasons.

pub(super) mod cold_items;
pub(super) mod content;
pub(super) mod history;
mod mapped_items;
pub(super) mod neighbors;
pub(super) mod reason;
pub(super) mod top_k;

use std::{cell::OnceCell, sync::Arc};

use parking_lot::RwLockReadGuard;
use roaring::RoaringBitmap;
use vitrine_schemas::{Source, recommend::Strategy};

use crate::{
    Result, Shopper,
    behavior::{Log, Model, Popular},
    collection::{
        Collection, State,
        shopper::{
            content::Content,
            history::History,
            neighbors::{ModelScores, model_scores},
            reason::HistoryExplainer,
        },
    },
    query::blend::{BlendModel, CandidateSet},
};

/// History and models that rank the hits of a search for a shopper.
pub(in crate::collection) struct ShopperProfile<'a> {
    state: &'a State,
    log: RwLockReadGuard<'a, Log>,
    model: Option<Arc<Model>>,
    popular: Option<Arc<Popular>>,
    history: History,
    content: Option<Content>,
    /// Computed once, for all pool sizes of a search.
    model_scores: OnceCell<ModelScores>,
}

impl<'a> ShopperProfile<'a> {
    /// Loads the profile of a shopper; content is compared in `space`.
    pub fn new(
        collection: &'a Collection,
        state: &'a State,
        shopper: &Shopper,
        space: Option<&str>,
    ) -> Result<Self> {
        let log = collection.behavior.log.read();
        let (user, session) = (shopper.user.as_deref(), shopper.session.as_deref());
        let history = History::of_shopper(user, session, state, &log);
        let model = collection.behavior.model();
        Ok(Self {
            content: Content::of(state, &history, space, Strategy::default())?,
            popular: model.as_ref().map(|model| model.popular()),
            model,
            state,
            log,
            history,
            model_scores: OnceCell::new(),
        })
    }

    /// Returns the items that the shopper rejected.
    pub fn rejected(&self) -> &RoaringBitmap {
        &self.history.excluded
    }

    /// Returns the evidence of the history: the number of its items that have events.
    pub fn evidence(&self) -> f32 {
        self.history.evidence()
    }

    /// Returns the number of events with an item, and its popularity by the active model.
    pub fn activity(&self, item: u32) -> (f32, Option<f32>) {
        let Some(log_id) = self.state.item_ids(&self.log).log_id(item) else {
            return (0.0, None);
        };
        let popularity = self.popular.as_ref().and_then(|p| p.score(log_id));
        (self.log.daily.count(log_id) as f32, popularity)
    }

    /// Returns true if a behavior model is trained.
    pub fn has_model(&self) -> bool {
        self.model.is_some()
    }

    /// Adds the signals of the personal sources with a weight in the blend to the candidates of a
    /// search.
    pub fn score_candidates(&self, set: &mut CandidateSet, blend: &BlendModel) {
        let has_weight = |source| blend.weight(source, self.evidence()) > 0.0;
        let ids = self.state.item_ids(&self.log);
        let log_id = |item| ids.log_id(item);
        if let Some(model) = &self.model {
            let scores = self.model_scores.get_or_init(|| {
                let (items, history) = (self.log.names().len(), &self.history.logged);
                model_scores(model, history, items, Strategy::default(), has_weight)
            });
            for (source, scores) in scores {
                set.rank_by(*source, |item| scores.get(log_id(item)?));
            }
            if let Some(popular) = self
                .popular
                .as_ref()
                .filter(|_| has_weight(Source::Popularity))
            {
                set.rank_by(Source::Popularity, |item| popular.score(log_id(item)?));
            }
            for candidate in &mut set.candidates {
                let events = log_id(candidate.item).map_or(0, |id| self.log.daily.count(id));
                candidate.events = events as f32;
            }
        }
        let content = self.content.as_ref();
        if let Some(content) = content.filter(|_| has_weight(Source::Content)) {
            set.rank_by(Source::Content, |item| content.score(item));
        }
    }

    /// Returns the explainer of hits by the shopper's history.
    pub fn explainer(&self) -> HistoryExplainer<'_> {
        HistoryExplainer {
            log: &self.log,
            model: self.model.as_deref(),
            history: &self.history,
            content: self.content.as_ref(),
            cold_items: None,
            followed_authors: None,
            min_users: self.state.config.anonymity.min_users,
            similar_sessions: OnceCell::new(),
        }
    }
}
