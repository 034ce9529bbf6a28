//! A vector, full-text or hybrid search. It is executed in `collection::search`.

use std::time::Instant;

use vitrine_schemas::{
    BlendSpec, DiversifySpec, FacetSpec, FacetsOver, Fallback, Filter, FilterSpec, SearchMode,
    SortSpec,
};

use crate::{
    lexical::LexicalQuery,
    query::{Target, VectorSearch},
};

/// A search by vector, by full text, or by both in one blended ranking; or by neither, which
/// returns all items that match the filter.
#[derive(Debug, Clone, Default)]
pub struct Search {
    /// The query vector or item.
    pub target: Option<Target>,
    /// The full-text query.
    pub lexical: Option<LexicalQuery>,
    /// Share of the best full-text score that a match needs, 0 to 1; None: any of the words. If no
    /// item has any of them, the matches of a hybrid search stand out by their vectors, unless
    /// this is 0.
    pub relevance: Option<f32>,
    /// The query text for merchandising rules, including the part that was understood as filters.
    pub text: Option<String>,
    /// Ignores the collection's merchandising rules.
    pub without_rules: bool,
    /// Ignores the collection's ranker.
    pub without_ranker: bool,
    /// Name of the vector space.
    pub space: String,
    /// Fingerprint of the encoders that made the query vector, if they are not those in use: during
    /// a re-embedding there are two sets of spaces.
    pub fingerprint: Option<String>,
    /// Filter that hits match.
    pub filter: Option<FilterSpec>,
    /// Part of the text that was understood as conditions, which hits match too.
    pub understood: Option<Understood>,
    /// Number of hits, 1 to 1000.
    pub limit: usize,
    /// Width of the graph search's beam.
    pub ef: Option<usize>,
    /// Compares with every vector instead of searching a graph.
    pub exact: bool,
    /// Returns the vectors of the hits.
    pub with_vectors: bool,
    /// Returns an explanation of the execution.
    pub explain: bool,
    /// Time at which the search fails with a timeout.
    pub deadline: Option<Instant>,
    /// Keys that the matches are sorted by; default: relevance, and without a query, popularity if
    /// there are events, then the latest first.
    pub sort: Vec<SortSpec>,
    /// Number of hits to skip; not together with `cursor`.
    pub offset: usize,
    /// The `next_cursor` of the previous page.
    pub cursor: Option<String>,
    /// The caller's request without limit and cursor: a cursor is valid only for the same key.
    pub cursor_key: String,
    /// Fields whose values are counted.
    pub facets: Vec<FacetSpec>,
    /// Items among which the values are counted.
    pub facets_over: FacetsOver,
    /// Returns fragments with the matched words marked.
    pub highlight: bool,
}

/// Conditions that a part of a search's text was understood as.
#[derive(Debug, Clone)]
pub struct Understood {
    /// Filter that hits match besides that of the request.
    pub filter: FilterSpec,
    /// Conditions that are uncertain: hits that meet one rank higher.
    pub preferred: Vec<FilterSpec>,
    /// The whole text, if `lexical` has only the rest of it.
    pub whole_text: Option<String>,
    /// True if the text is searched as it stands when no item meets the conditions.
    pub is_optional: bool,
    /// True if `sort` comes from the text.
    pub has_sort: bool,
}

impl Search {
    /// Returns relaxed versions of this search, to be tried in order while nothing matches, each
    /// with the fallback to report.
    pub(crate) fn retries(&self) -> Vec<(Self, Option<Fallback>)> {
        let Some(understood) = &self.understood else {
            return Vec::new();
        };
        let whole_text = self.lexical.clone().map(|lexical| LexicalQuery {
            text: understood.whole_text.clone().unwrap_or(lexical.text),
            ..lexical
        });
        let with_lexical = |lexical| Self {
            lexical,
            ..self.clone()
        };
        let mut retries = Vec::new();
        // The remaining words may match no item ("under 10", undone): then the whole text ranks.
        if whole_text.is_some() && understood.whole_text.is_some() {
            retries.push((with_lexical(whole_text.clone()), None));
        }
        if understood.filter == FilterSpec::Tree(Filter::default()) {
            return retries;
        }
        // All words may match no item of the filter (a color in another language): then the filter
        // selects, and the vector ranks if there is one.
        retries.push((with_lexical(None), None));
        // Conditions that no item meets give way to the text as it stands.
        if understood.is_optional {
            let mut plain = with_lexical(whole_text);
            plain.understood = None;
            if understood.has_sort {
                plain.sort.clear();
            }
            retries.push((plain, Some(Fallback::UnderstoodFilter)));
        }
        retries
    }

    /// Returns true if there is neither a vector nor a full-text query.
    pub(crate) fn is_filter_only(&self) -> bool {
        self.target.is_none() && self.lexical.is_none()
    }

    /// Returns true if vector and full-text search are blended.
    pub(crate) fn is_hybrid(&self) -> bool {
        self.target.is_some() && self.lexical.is_some()
    }

    /// Returns the retrieval mode of a search by text; None without one.
    pub(crate) fn text_mode(&self) -> Option<SearchMode> {
        let has_text = |text: &String| !text.trim().is_empty();
        match (&self.lexical, &self.target) {
            (Some(_), Some(_)) => Some(SearchMode::Hybrid),
            (Some(_), None) => Some(SearchMode::Lexical),
            (None, Some(_)) => self
                .text
                .as_ref()
                .filter(|t| has_text(t))
                .map(|_| SearchMode::Vector),
            (None, None) => None,
        }
    }

    /// Returns the vector search of the request.
    pub(crate) fn vector_search(&self) -> Option<VectorSearch> {
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

/// The shopper of a search, with the ranking and diversity they get.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Shopper {
    /// User id, as in events.
    pub user: Option<String>,
    /// Session id, as in events.
    pub session: Option<String>,
    /// Blend of the sources.
    pub blend: Option<BlendSpec>,
    /// Result diversification.
    pub diversify: Option<DiversifySpec>,
}

impl Shopper {
    /// Returns true if nothing is set, so that the search is not personalized or diversified.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Returns true if hits are ranked by the query alone.
    pub(crate) fn is_anonymous(&self) -> bool {
        self.user.is_none() && self.session.is_none() && self.blend.is_none()
    }
}
