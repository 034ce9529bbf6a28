//! Full-text search: finds items by the words of their texts (BM25, Robertson and Zaragoza 2009, by
//! tantivy).

mod analyzer;
mod evidence;
mod highlight;
mod index;
mod phrases;
mod query;
mod segment_ids;
mod spelling;
mod stop_words;
mod synonyms;
mod terms;
#[cfg(test)]
mod tests;
mod writer_pool;

use std::path::{Path, PathBuf};

pub(crate) use self::{
    analyzer::{han_words, is_han, is_stop, simplify},
    terms::{TextTerm, idf, is_number, text_terms},
};
pub use self::{
    highlight::{highlight, matching_words},
    index::{FIELDS, LexicalIndex, Texts},
    phrases::{MAX_PHRASE_WORDS, Phrases, Token, tokens},
    query::{LexicalMatch, LexicalQuery, LexicalResults, LexicalSelection},
    stop_words::StopWords,
    synonyms::{QueryRewrite, Synonyms},
    writer_pool::WriterPool,
};

/// Errors of the index. All are repaired by rebuilding it.
#[derive(Debug, thiserror::Error)]
pub enum LexicalError {
    /// Error of tantivy.
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
    /// An earlier change failed.
    #[error("an earlier change of the lexical index failed")]
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
