//! Lexical search: items by the words of their texts (BM25, Robertson and Zaragoza 2009, by tantivy).

mod analyzer;
mod highlight;
mod index;
mod phrases;
mod query;
mod spelling;
mod stop_words;
mod thesaurus;

use std::path::{Path, PathBuf};

pub use self::{
    highlight::{highlight, matching_words},
    index::{FIELDS, LexicalIndex, Texts},
    phrases::{MOST_WORDS, Phrases, Token, tokens},
    query::{Found, LexicalQuery, Match},
    stop_words::StopWords,
    thesaurus::{Thesaurus, Wording},
};
pub(crate) use analyzer::han_words;

/// What can go wrong with the index. All of it is mended by making it anew.
#[derive(Debug, thiserror::Error)]
pub enum LexicalError {
    /// The library's.
    #[error(transparent)]
    Index(#[from] tantivy::TantivyError),
    /// A file does not have the checksum it was written with.
    #[error("{} is damaged", .0.display())]
    Damaged(PathBuf),
    /// A file or folder.
    #[error("{}: {source}", path.display())]
    Io {
        /// File or folder.
        path: PathBuf,
        /// Cause.
        source: std::io::Error,
    },
    /// A change before failed.
    #[error("a change of the lexical index failed before")]
    Closed,
}

impl LexicalError {
    fn io(path: &Path, source: std::io::Error) -> Self {
        Self::Io {
            path: path.to_owned(),
            source,
        }
    }
}
