//! What is known of a shopper who searches.

use std::{cell::OnceCell, sync::Arc};

use parking_lot::RwLockReadGuard;
use roaring::RoaringBitmap;
use vitrine_schemas::{Source, recommend::Strategy};

use super::{
    super::{Collection, State},
    content::Content,
    history::History,
    neighbors::Scores,
    reason::Reasons,
};
use crate::{
    Result, Shopper,
    behaviour::{Log, Model},
    query::blend::{BlendModel, Question},
};

/// What is known of a shopper who searches.
pub(in super::super) struct Knowledge<'a> {
    state: &'a State,
    log: RwLockReadGuard<'a, Log>,
    model: Option<Arc<Model>>,
    history: History,
    content: Option<Content>,
}

impl<'a> Knowledge<'a> {
    /// Of a shopper; what they like is compared in `space`.
    pub fn of(
        collection: &'a Collection,
        state: &'a State,
        shopper: &Shopper,
        space: Option<&str>,
    ) -> Result<Self> {
        let log = collection.behaviour.log.read();
        let (user, session) = (shopper.user.as_deref(), shopper.session.as_deref());
        let history = History::of_people(user, session, state, &log);
        Ok(Self {
            content: Content::of(state, &history, space, Strategy::default())?,
            model: collection.behaviour.model(),
            state,
            log,
            history,
        })
    }

    /// What they never want to see again.
    pub fn rejected(&self) -> &RoaringBitmap {
        &self.history.excluded
    }

    /// How much is known.
    pub fn evidence(&self) -> f32 {
        self.history.evidence()
    }

    /// Whether anything was learned from behaviour.
    pub fn has_model(&self) -> bool {
        self.model.is_some()
    }

    /// Lets the sources that count rank what the query found.
    pub fn judge(&self, question: &mut Question, blend: &BlendModel) {
        let counts = |source| blend.weight(source, self.evidence()) > 0.0;
        let number = |item: u32| self.log.number(self.state.ids.get(&item)?);
        if let Some(model) = &self.model {
            let (items, history) = (self.log.names().len(), &self.history.numbers);
            if counts(Source::Behavior) {
                let scores = Scores::of(model, history, items, Strategy::default());
                question.rank_by(Source::Behavior, |item| scores.get(number(item)?));
            }
            if counts(Source::Session) {
                let scores = Scores::of_sessions(&model.sessions.near(history), items);
                question.rank_by(Source::Session, |item| scores.get(number(item)?));
            }
            if counts(Source::Popularity) {
                question.rank_by(Source::Popularity, |item| {
                    model.popular.score(number(item)?)
                });
            }
            for candidate in &mut question.candidates {
                let events = number(candidate.item).map_or(0, |n| self.log.daily.count(n));
                candidate.events = events as f32;
            }
        }
        if let Some(content) = self.content.as_ref().filter(|_| counts(Source::Content)) {
            question.rank_by(Source::Content, |item| content.score(item));
        }
    }

    /// Reasons for what was found.
    pub fn reasons(&self) -> Reasons<'_> {
        Reasons {
            log: &self.log,
            model: self.model.as_deref(),
            history: &self.history,
            content: self.content.as_ref(),
            near: OnceCell::new(),
        }
    }
}
