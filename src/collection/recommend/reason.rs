//! Why an item is recommended, from what contributed most to its score.

use std::{cell::OnceCell, collections::HashMap};

use vitrine_schemas::{Reason, Source};

use super::{content::Content, history::History};
use crate::{
    behaviour::{Log, Model},
    cf::{NearSessions, Scored},
    query::blend::Ranked,
};

/// Items named in a reason.
const NAMED: usize = 3;

/// What reasons are told from.
pub(in super::super) struct Reasons<'a> {
    pub(super) log: &'a Log,
    pub(super) model: Option<&'a Model>,
    pub(super) history: &'a History,
    pub(super) content: Option<&'a Content>,
    /// People alike, once a reason needs them.
    pub(super) near: OnceCell<NearSessions<'a>>,
}

/// A reason without its words: those need the titles of what it rests on.
pub(in super::super) struct Ground {
    source: Source,
    /// Ids, the strongest first.
    pub items: Vec<String>,
}

impl<'a> Reasons<'a> {
    /// What a hit mostly rests on.
    pub fn ground(&self, hit: &Ranked, id: &str) -> Ground {
        let source = main(&hit.parts());
        let items = match source {
            Source::Behavior => self.also_liked(id),
            Source::Session => self.in_sessions(id),
            Source::Content => match self.content {
                Some(content) => {
                    let places = content.reasons(hit.candidate.item).into_iter().take(NAMED);
                    places.map(|at| self.history.items[at].id.clone()).collect()
                }
                None => self.liked(),
            },
            Source::Query
            | Source::Lexical
            | Source::Popularity
            | Source::Transition
            | Source::Newest
            | Source::Rules => Vec::new(),
        };
        Ground { source, items }
    }

    fn also_liked(&self, id: &str) -> Vec<String> {
        let found = self.model.zip(self.log.number(id));
        let history = &self.history.numbers;
        let parts = found.map(|(m, number)| m.live().item_knn.reasons(history, number));
        self.named(parts.unwrap_or_default())
    }

    fn in_sessions(&self, id: &str) -> Vec<String> {
        let found = self.model.zip(self.log.number(id));
        let votes = found.map(|(model, number)| self.near(model).reasons(number));
        self.named(votes.unwrap_or_default())
    }

    fn near(&self, model: &'a Model) -> &NearSessions<'a> {
        let near = || model.sessions.near(&self.history.numbers);
        self.near.get_or_init(near)
    }

    fn named(&self, items: Vec<Scored>) -> Vec<String> {
        let speaking = items.into_iter().filter(|s| s.score > 0.0);
        let named = speaking.map(|s| self.log.name(s.item).to_owned());
        named.take(NAMED).collect()
    }

    fn liked(&self) -> Vec<String> {
        let liked = self.history.liked().map(|given| given.id.clone());
        liked.take(NAMED).collect()
    }
}

/// The source that a hit mostly rests on, of parts with the greatest first. Popularity speaks for every hit: it says why this
/// one is here only where nothing of the shopper's own does. Rules change a score, but find nothing.
fn main(parts: &[(Source, f32)]) -> Source {
    let own = parts
        .iter()
        .find(|(source, _)| !matches!(source, Source::Popularity | Source::Rules));
    let found = || parts.iter().find(|(source, _)| *source != Source::Rules);
    own.or_else(found)
        .map_or(Source::Newest, |(source, _)| *source)
}

impl Ground {
    /// In words; ids stand for titles that are not there.
    pub fn told(self, titles: &HashMap<String, String>) -> Reason {
        let named: Vec<_> = self
            .items
            .iter()
            .map(|id| titles.get(id).unwrap_or(id).as_str())
            .collect();
        let named = named.join(", ");
        let (code, text) = match self.source {
            Source::Query => ("matches", "Matches the search".to_owned()),
            Source::Lexical => ("has_words", "Has the words of the search".to_owned()),
            Source::Behavior => (
                "also_liked",
                format!("People who chose {named} chose this too"),
            ),
            Source::Session => (
                "alike",
                format!("Shoppers like you, who chose {named}, chose this too"),
            ),
            Source::Content => ("similar", format!("Similar to {named}")),
            Source::Popularity => ("popular", "Popular now".to_owned()),
            Source::Transition => ("transition", "Of a category that people go to".to_owned()),
            Source::Newest | Source::Rules => ("new", "New in the catalog".to_owned()),
        };
        Reason {
            code: code.into(),
            items: self.items,
            text,
        }
    }
}
