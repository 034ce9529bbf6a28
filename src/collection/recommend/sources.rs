//! What each source proposes for one question.

use std::{collections::BTreeMap, time::Instant};

use roaring::RoaringBitmap;
use vitrine_schemas::{Fallback, Source, recommend::Strategy};

use super::{
    super::State,
    best::{best, best_allowed, known},
    content::Content,
    history::History,
    neighbors::Scores,
};
use crate::{
    Result,
    behaviour::{Log, Model},
    cf::Scored,
    index::Allowed,
    query::blend::{BlendModel, Question},
};

/// What sources read.
pub(super) struct Sources<'a> {
    pub state: &'a State,
    pub log: &'a Log,
    /// What was learned last, if anything.
    pub model: Option<&'a Model>,
}

/// What candidates are wanted for.
pub(super) struct Ask<'a> {
    pub history: &'a History,
    pub allowed: &'a Allowed,
    /// Candidates of each source.
    pub count: usize,
    pub blend: &'a BlendModel,
    pub space: Option<&'a str>,
    pub strategy: Strategy,
    pub deadline: Option<Instant>,
}

/// Candidates, and what gave them.
pub(super) struct Found {
    pub question: Question,
    /// Candidates by source.
    pub counts: BTreeMap<Source, u64>,
    pub fallbacks: Vec<Fallback>,
    pub content: Option<Content>,
}

impl Sources<'_> {
    /// The union of what the sources that count propose, each scoring what the others found.
    pub fn ask(&self, ask: &Ask<'_>) -> Result<Found> {
        let (history, allowed, count) = (ask.history, ask.allowed.numbers(), ask.count);
        let counts_for = |source| ask.blend.weight(source, history.evidence()) > 0.0;
        let mut fallbacks = Vec::new();
        let mut lists: Vec<(Source, Vec<Scored>)> = Vec::new();
        if history.items.is_empty() {
            fallbacks.push(Fallback::NoHistory);
        }
        if self.model.is_none() {
            fallbacks.push(Fallback::NoModel);
        }
        let model = |source| self.model.filter(|_| counts_for(source));
        let items = self.log.names().len();
        let behavior = model(Source::Behavior)
            .map(|model| Scores::of(model, &history.numbers, items, ask.strategy));
        let session = model(Source::Session)
            .map(|model| Scores::of_sessions(&model.sessions.near(&history.numbers), items));
        let scores = [(Source::Behavior, behavior), (Source::Session, session)];
        let scores = scores.map(|(source, scores)| Some((source, scores?)));
        for (source, scores) in scores.iter().flatten() {
            lists.push((*source, self.neighbors(scores, allowed, count)));
        }
        let content = Content::of(self.state, history, ask.space, ask.strategy)?;
        let content = content.filter(|_| counts_for(Source::Content));
        match &content {
            Some(content) => {
                let found = content.find(count, ask.allowed, ask.deadline)?;
                lists.push((Source::Content, found));
            }
            None if history.items.is_empty() || !counts_for(Source::Content) => {}
            None => fallbacks.push(Fallback::NoVectors),
        }
        let popularity = model(Source::Popularity);
        if let Some(model) = popularity {
            lists.push((Source::Popularity, self.popular(model, allowed, count)));
        }
        lists.retain(|(_, list)| !list.is_empty());
        let mut question = Question::of(history.evidence(), &lists);
        let number = |item: u32| self.log.number(self.state.ids.get(&item)?);
        for (source, scores) in scores.iter().flatten() {
            question.complete(*source, |item| scores.get(number(item)?));
        }
        if let Some(content) = &content {
            question.complete(Source::Content, |item| content.score(item));
        }
        if let Some(model) = popularity {
            question.complete(Source::Popularity, |item| {
                model.popular.score(number(item)?)
            });
        }
        for candidate in &mut question.candidates {
            let events = number(candidate.item).map_or(0, |n| self.log.daily.count(n));
            candidate.events = events as f32;
        }
        let counts = lists.iter().map(|(s, list)| (*s, list.len() as u64));
        Ok(Found {
            counts: counts.collect(),
            question,
            fallbacks,
            content,
        })
    }

    /// Neighbours of the history among the allowed items.
    fn neighbors(&self, scores: &Scores, allowed: &RoaringBitmap, count: usize) -> Vec<Scored> {
        let touched = scores.touched();
        // Few items are asked for their scores; many scores for their items.
        if allowed.len() < touched.len() as u64 {
            let scored = known(self.state, self.log, allowed).filter_map(|(item, number)| {
                let score = scores.get(number)?;
                Some(Scored { item, score })
            });
            return best(scored.collect(), count);
        }
        let scored = touched.iter().filter_map(|item| {
            let score = scores.get(*item)?;
            Some(Scored { item: *item, score })
        });
        best_allowed(scored.collect(), count, self.state, self.log, allowed)
    }

    /// The most popular of the allowed items.
    fn popular(&self, model: &Model, allowed: &RoaringBitmap, count: usize) -> Vec<Scored> {
        let mut found = Vec::with_capacity(count);
        // Down the list until it would have been cheaper to ask every allowed item.
        for one in model.popular.order().take(count + allowed.len() as usize) {
            let number = self.state.numbers.get(self.log.name(one.item));
            if let Some(number) = number.filter(|n| allowed.contains(**n)) {
                let (item, score) = (*number, one.score);
                found.push(Scored { item, score });
            }
            if found.len() == count {
                return found;
            }
        }
        let scored = known(self.state, self.log, allowed).filter_map(|(item, number)| {
            let score = model.popular.score(number)?;
            Some(Scored { item, score })
        });
        best(scored.collect(), count)
    }
}
