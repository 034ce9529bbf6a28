//! An entry of the suggestions.

use vitrine_schemas::SuggestionKind;

use super::fold::Folded;
use crate::search_log::PopularQuery;

/// Score of a query that was searched for once, and per order of magnitude: people type queries
/// again rather than the words of titles.
const QUERY_SCORE: f64 = 2.0;
const QUERY_WEIGHT: f64 = 1.5;

/// A text that may be suggested.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// The text as it is shown.
    pub text: Box<str>,
    /// The folded text.
    pub key: String,
    pub kind: SuggestionKind,
    pub items: u64,
    /// Path of a category.
    pub category: Option<Box<str>>,
    pub score: f64,
    /// Ids of its items, if they are few: it is not suggested once they are gone. Empty if unknown.
    pub members: Vec<Box<str>>,
}

impl From<PopularQuery> for Entry {
    fn from(query: PopularQuery) -> Self {
        Self {
            key: Folded::new(&query.text).text(),
            text: query.text.into(),
            kind: SuggestionKind::Query,
            items: query.hits,
            category: None,
            score: QUERY_SCORE + QUERY_WEIGHT * (query.searches as f64).ln_1p(),
            members: Vec::new(),
        }
    }
}

impl Entry {
    /// Approximate bytes in memory.
    pub fn bytes(&self) -> u64 {
        let ids = self.members.iter().map(|id| id.len() + 16).sum::<usize>();
        let path = self.category.as_ref().map_or(0, |path| path.len());
        (size_of::<Self>() + self.text.len() + self.key.len() + path + ids) as u64
    }
}
