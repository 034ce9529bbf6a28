//! The two sides of a search.

/// Role of a text, for models that were trained with prefixes (e5, bge).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A search query.
    Query,
    /// A text to be found.
    Document,
}
