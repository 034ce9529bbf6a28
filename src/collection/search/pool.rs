//! Candidates of a search, as its sources found them.

use roaring::RoaringBitmap;
use vitrine_schemas::Source;

use crate::{
    cf::Scored, collection::search::vector::VectorMatches, lexical::LexicalResults,
    query::blend::CandidateSet,
};

/// Number of nearest vectors of a hybrid search that may match besides the items with its words,
/// and of the first candidates that scores are scaled by.
pub(super) const HYBRID_VECTOR_K: usize = 100;

/// Candidates of a search.
pub(super) struct SearchPool {
    pub vector: Option<VectorMatches>,
    pub lexical: Option<LexicalResults>,
    /// Items of a hybrid search that match by their vectors; None in other searches, or with
    /// `relevance: all` and no item with any of the words: all vectors match.
    pub vector_matches: Option<RoaringBitmap>,
    /// Lists of the sources that found them.
    pub lists: Vec<(Source, Vec<Scored>)>,
    /// Candidates to blend; empty if a single source ranks.
    pub candidates: CandidateSet,
    /// Maximum score of the matches of a hybrid search that are not among the candidates; None if
    /// unknown, or if there are no such matches.
    pub unseen_score_bound: Option<f32>,
    /// True if there are no other matches.
    pub is_exhausted: bool,
}

impl SearchPool {
    /// Returns how the candidates were found, such as `graph+lexical`.
    pub fn plan(&self) -> String {
        let vector = self.vector.as_ref().map(|vector| vector.plan());
        let lexical = self.lexical.as_ref().map(|_| "lexical");
        let plans: Vec<_> = vector.into_iter().chain(lexical).collect();
        if plans.is_empty() {
            "filter".to_owned()
        } else {
            plans.join("+")
        }
    }
}
