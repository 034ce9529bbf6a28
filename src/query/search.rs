//! A search by vector, by words or by both. Its execution is in `collection::find`.

use std::time::Instant;

use vitrine_schemas::{BlendSpec, DiversifySpec, FacetSpec, FacetsOver, FilterSpec};

use super::{Target, VectorSearch};
use crate::lexical::LexicalQuery;

/// What is looked for. By vector, by words, or, with both, by one ranking of what either finds.
#[derive(Debug, Clone, Default)]
pub struct Search {
    /// What to be near to.
    pub target: Option<Target>,
    /// Words to have.
    pub words: Option<LexicalQuery>,
    /// What the shopper wrote, as rules see it; what was understood of it included.
    pub text: Option<String>,
    /// Leave the collection's rules aside.
    pub without_rules: bool,
    /// Vector space.
    pub space: String,
    /// Of encoders with this fingerprint, where they are not those in use: during a re-embedding there are two.
    pub fingerprint: Option<String>,
    /// Only items that match.
    pub filter: Option<FilterSpec>,
    /// And only items that match this: what was understood of the words.
    pub understood: Option<FilterSpec>,
    /// How many hits, 1 to 1000.
    pub limit: usize,
    /// Breadth of the graph search.
    pub ef: Option<usize>,
    /// Compare with every vector.
    pub exact: bool,
    /// Return vectors too.
    pub with_vectors: bool,
    /// Tell how the answer was found.
    pub explain: bool,
    /// Give up at this time.
    pub deadline: Option<Instant>,
    /// Where the page before ended.
    pub cursor: Option<String>,
    /// What the caller was asked, but for the size and the place of the page: a cursor holds for the same only.
    pub asked: String,
    /// Values to count.
    pub facets: Vec<FacetSpec>,
    /// Among which items.
    pub facets_over: FacetsOver,
    /// Show where the words are.
    pub highlight: bool,
}

impl Search {
    /// Whether nothing but a filter chooses.
    pub(crate) fn is_plain(&self) -> bool {
        self.target.is_none() && self.words.is_none()
    }

    /// Whether words and a vector are joined.
    pub(crate) fn is_hybrid(&self) -> bool {
        self.target.is_some() && self.words.is_some()
    }

    /// The part by vector.
    pub(crate) fn near(&self) -> Option<VectorSearch> {
        Some(VectorSearch {
            target: self.target.clone()?,
            space: self.space.clone(),
            fingerprint: self.fingerprint.clone(),
            filter: self.filter.clone(),
            limit: self.limit,
            ef: self.ef,
            exact: self.exact,
            with_vectors: self.with_vectors,
            explain: self.explain,
            deadline: self.deadline,
        })
    }
}

impl From<VectorSearch> for Search {
    fn from(search: VectorSearch) -> Self {
        Self {
            target: Some(search.target),
            space: search.space,
            fingerprint: search.fingerprint,
            filter: search.filter,
            limit: search.limit,
            ef: search.ef,
            exact: search.exact,
            with_vectors: search.with_vectors,
            explain: search.explain,
            deadline: search.deadline,
            ..Self::default()
        }
    }
}

/// Who searches, and what the page shall be like.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Shopper {
    /// User, as in events.
    pub user: Option<String>,
    /// Visit, as in events.
    pub session: Option<String>,
    /// How the sources are joined.
    pub blend: Option<BlendSpec>,
    /// How unlike each other the hits shall be.
    pub diversify: Option<DiversifySpec>,
}

impl Shopper {
    /// Whether a search with it is like any other.
    pub fn is_nobody(&self) -> bool {
        *self == Self::default()
    }

    /// Whether nothing but the query says what is good.
    pub(crate) fn is_unknown(&self) -> bool {
        self.user.is_none() && self.session.is_none() && self.blend.is_none()
    }
}
