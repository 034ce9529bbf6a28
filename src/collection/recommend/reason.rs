//! Why an item is recommended, from what contributed most to its score.

use std::collections::HashMap;

use vitrine_schemas::{Reason, Source};

use super::{content::Content, history::History};
use crate::{
    behaviour::{Log, Model},
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
}

/// A reason without its words: those need the titles of what it rests on.
pub(in super::super) struct Ground {
    source: Source,
    /// Ids, the strongest first.
    pub items: Vec<String>,
}

impl Reasons<'_> {
    /// What a hit mostly rests on.
    pub fn ground(&self, hit: &Ranked, id: &str) -> Ground {
        let parts = hit.parts();
        let source = parts.first().map_or(Source::Newest, |(source, _)| *source);
        let items = match source {
            Source::Behavior => self.also_liked(id),
            Source::Session => self.liked(),
            Source::Content => match self.content {
                Some(content) => {
                    let places = content.reasons(hit.candidate.item).into_iter().take(NAMED);
                    places.map(|at| self.history.items[at].id.clone()).collect()
                }
                None => self.liked(),
            },
            Source::Query | Source::Popularity | Source::Newest => Vec::new(),
        };
        Ground { source, items }
    }

    fn also_liked(&self, id: &str) -> Vec<String> {
        let found = self.model.zip(self.log.number(id));
        let parts = found.map(|(m, number)| m.item_knn.reasons(&self.history.numbers, number));
        let parts = parts.into_iter().flatten().filter(|s| s.score > 0.0);
        let named = parts.map(|s| self.log.name(s.item).to_owned());
        named.take(NAMED).collect()
    }

    fn liked(&self) -> Vec<String> {
        let liked = self.history.liked().map(|given| given.id.clone());
        liked.take(NAMED).collect()
    }
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
            Source::Behavior => (
                "also_liked",
                format!("People who chose {named} chose this too"),
            ),
            Source::Session => ("in_visits", format!("In visits with {named}")),
            Source::Content => ("similar", format!("Similar to {named}")),
            Source::Popularity => ("popular", "Popular now".to_owned()),
            Source::Newest => ("new", "New in the catalog".to_owned()),
        };
        Reason {
            code: code.into(),
            items: self.items,
            text,
        }
    }
}
