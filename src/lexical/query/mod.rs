//! Full-text queries and their results.

mod boosts;
mod builder;
mod collector;
mod cursors;
mod evaluate;
mod opener;
mod pieces;
mod plan;
mod quotes;
mod share;
mod spans;
#[cfg(test)]
mod tests;
mod threads;
mod window;
mod words;

use std::collections::{BTreeMap, HashMap};

use roaring::RoaringBitmap;

use self::{builder::Builder, plan::QueryPlan, threads::thread_count};
use super::{LexicalError, LexicalIndex, QueryRewrite};

/// A full-text query.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LexicalQuery {
    /// Words; those in quotes must be adjacent.
    pub text: String,
    /// True if the last word may be unfinished: search as you type.
    pub prefix: bool,
    /// True if all words must match.
    pub all: bool,
    /// True if a word that no item has also matches words within one or two edits.
    pub typos: bool,
    /// True if synonyms are not searched.
    pub without_synonyms: bool,
}

/// An item that matches.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LexicalMatch {
    /// Internal id.
    pub internal_id: u32,
    /// Share of the query that the item has; higher is better. It does not depend on the other
    /// matches: an item of average length with all words in its title scores about 1.
    pub score: f32,
    /// Share of the words of the query that the item has in any field, 0 to 1; rare words count
    /// more.
    pub coverage: f32,
}

/// Results of a full-text search.
#[derive(Clone, Debug, Default)]
pub struct LexicalResults {
    /// Best first, ties by internal id.
    pub matches: Vec<LexicalMatch>,
    /// Scores of the additional items that match.
    pub extra_scores: BTreeMap<u32, f32>,
    /// All items that match.
    pub all: RoaringBitmap,
    /// The best visible items, also those that are not eligible, best first; at most
    /// `REFERENCES`.
    pub unfiltered_top: Vec<u32>,
    /// Greatest coverage of the visible items, also those that are not eligible.
    pub coverage: f32,
    /// Corrections of words that no item has.
    pub corrections: BTreeMap<String, String>,
    /// Synonyms searched besides, by phrase.
    pub synonyms: BTreeMap<String, Vec<String>>,
    /// Terms searched, corrections included; they are highlighted.
    pub terms: Vec<String>,
}

impl LexicalResults {
    /// Returns the score of the last of the best matches.
    pub fn last_score(&self) -> Option<f32> {
        self.matches.last().map(|last| last.score)
    }
}

/// Items that a full-text search collects.
#[derive(Clone, Copy)]
pub struct LexicalSelection<'a> {
    /// Number of best matches; more if they are tied with the last one.
    pub k: usize,
    /// Items that may match.
    pub eligible: &'a RoaringBitmap,
    /// Items among the eligible ones of which the best `k` are returned too.
    pub boosted: Option<&'a RoaringBitmap>,
    /// Items whose scores are returned if they match.
    pub extra_items: &'a RoaringBitmap,
    /// Share of the best score that a match needs, 0 to 1.
    pub relevance: f32,
    /// Items among which [`LexicalResults::unfiltered_top`] is found.
    pub visible: &'a RoaringBitmap,
}

impl LexicalIndex {
    /// Finds the items of a selection that match.
    ///
    /// # Errors
    /// The index cannot be read.
    pub fn search(
        &self,
        query: &LexicalQuery,
        rewrite: &QueryRewrite,
        selection: &LexicalSelection<'_>,
    ) -> Result<LexicalResults, LexicalError> {
        self.search_on(query, rewrite, selection, thread_count)
    }

    /// Finds the items on as many threads as `threads` says.
    fn search_on(
        &self,
        query: &LexicalQuery,
        rewrite: &QueryRewrite,
        selection: &LexicalSelection<'_>,
        threads: impl FnOnce(&QueryPlan) -> u32,
    ) -> Result<LexicalResults, LexicalError> {
        let searcher = self.searcher();
        let mut found = LexicalResults::default();
        let plan = Builder {
            searcher: &searcher,
            fields: &self.fields,
            query,
            rewrite,
            found: &mut found,
            frequencies: HashMap::new(),
        }
        .build()?;
        if plan.is_empty() {
            return Ok(found);
        }
        let collected = self.evaluate(&plan, &searcher, selection, threads(&plan))?;
        collected.finish(&mut found);
        Ok(found)
    }
}
