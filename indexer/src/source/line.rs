//! Row of a catalog of any format, before it has a meaning.

use vitrine_schemas::Item;

use super::{SourceError, cells::Row};

/// Row of a catalog.
pub(super) struct Line {
    /// Its first line, from 1; for Parquet its row, from 1.
    pub line: u64,
    pub row: Row,
    /// The item, if the row is one in the format of the API; `row` is empty then.
    pub item: Option<Box<Item>>,
    /// Reason why the row cannot be used.
    pub error: Option<String>,
}

impl Line {
    /// Creates a row without error.
    pub fn new(line: u64, row: Row) -> Self {
        Self {
            line,
            row,
            item: None,
            error: None,
        }
    }
}

/// Rows in their order. An `Err` is the last one: the stream as a whole is broken.
pub(super) type Lines = Box<dyn Iterator<Item = Result<Line, SourceError>> + Send>;
