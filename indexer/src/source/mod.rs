//! Catalog readers: a file, or standard input, in one of several formats becomes a stream of items.
//!
//! An error within a record rejects that record and the stream continues; a [`SourceError`] ends
//! it. Semantics of the items, their embedding and their destination do not live here.

mod catalog;
pub mod cells;
mod columns;
pub mod events;
mod google;
mod google_xml;
mod groups;
mod html;
pub mod image;
mod input;
mod json_item;
mod jsonl;
mod layout;
mod line;
pub mod mapping;
mod parquet;
pub use parquet::check_pages;
mod public_net;
mod rows;
mod rules;
mod shopify;
mod table;
#[cfg(test)]
mod tests;
pub mod text;
mod tidy;
mod time;
pub mod values;
mod variants;
mod vendure;

use std::{
    io,
    path::{Path, PathBuf},
};

use clap::ValueEnum;
use vitrine_schemas::Item;

use crate::sink::SinkError;

pub use catalog::Catalog;
pub use cells::Note;
pub use columns::ColumnReport;
pub(crate) use columns::count_refused;
pub use mapping::Mapping;

use text::ReadAs;

/// Layout of a catalog.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// One JSON object per line: items in the format of the API, or any keys with a mapping.
    Jsonl,
    /// Comma separated with a header line.
    Csv,
    /// Parquet file.
    Parquet,
    /// Google Merchant feed, RSS 2.0 or Atom.
    GoogleXml,
    /// Google Merchant feed, tab separated.
    GoogleTsv,
    /// Shopify product export (CSV).
    Shopify,
    /// Vendure product import (CSV).
    Vendure,
}

impl Format {
    /// Derives the format from the extension of a file.
    fn of(source: &Path) -> Result<Self, SourceError> {
        match input::ending(source).as_deref() {
            Some("jsonl" | "ndjson") => Ok(Self::Jsonl),
            Some("csv") => Ok(Self::Csv),
            Some("parquet") => Ok(Self::Parquet),
            Some("xml") => Ok(Self::GoogleXml),
            Some("tsv") => Ok(Self::GoogleTsv),
            _ => Err(SourceError::UnknownFormat {
                name: input::name_of(source),
                known: Self::names(),
            }),
        }
    }

    /// Returns the name on the command line.
    fn name(self) -> String {
        self.to_possible_value()
            .map(|value| value.get_name().to_owned())
            .unwrap_or_default()
    }

    fn names() -> String {
        let names: Vec<_> = Self::value_variants().iter().map(|f| f.name()).collect();
        names.join(", ")
    }
}

/// Record of a catalog.
#[derive(Debug)]
pub struct Record {
    /// Its first line, from 1; for Parquet its row, from 1.
    pub line: u64,
    /// Id of the item, if it can be read.
    pub id: Option<String>,
    /// Item, or the problem of the record and how to fix it.
    pub item: Result<Item, String>,
    /// True if the record deletes the item of its id.
    pub is_delete: bool,
    /// Invalid values, whose fields were dropped.
    pub notes: Vec<Note>,
    /// Lines of rows that a later row of the same product replaced.
    pub superseded: Vec<u64>,
}

impl Record {
    /// Creates the record of an item without notes.
    pub fn new(line: u64, item: Item) -> Self {
        Self {
            line,
            id: Some(item.id.clone()),
            item: Ok(item),
            is_delete: false,
            notes: Vec::new(),
            superseded: Vec::new(),
        }
    }

    /// Creates a record that cannot be used.
    pub fn rejected(line: u64, id: Option<String>, reason: String) -> Self {
        Self {
            line,
            id,
            item: Err(reason),
            is_delete: false,
            notes: Vec::new(),
            superseded: Vec::new(),
        }
    }
}

/// Records of a catalog in their order. An `Err` is the last item: the stream as a whole is broken.
pub type Records = Box<dyn Iterator<Item = Result<Record, SourceError>> + Send>;

/// Errors that prevent reading a catalog, or reading it further.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum SourceError {
    #[error(transparent)]
    Server(Box<SinkError>),
    #[error("cannot open {}: {source}", path.display())]
    Open { path: PathBuf, source: io::Error },
    #[error("cannot read {name} beyond line {line}: {source}")]
    Read {
        name: String,
        line: u64,
        source: io::Error,
    },
    #[error(
        "cannot write a temporary file: {0}; free space in the folder for temporary files, or set TMPDIR"
    )]
    Temporary(io::Error),
    #[error("unknown format of {name}; set --format to one of: {known}")]
    UnknownFormat { name: String, known: String },
    #[error(
        "{source}; it was read with {read_as}; if that is wrong, set --delimiter, --quote or --encoding"
    )]
    ReadAs {
        source: Box<SourceError>,
        read_as: ReadAs,
    },
    #[error("mapping {}: {reason}", path.display())]
    Mapping { path: PathBuf, reason: String },
    #[error("format {} has a fixed mapping; omit --mapping or read the file as csv", format.name())]
    FixedMapping { format: Format },
    #[error("{name} has no column `{column}`; its columns are: {found}")]
    MissingColumn {
        name: String,
        column: String,
        found: String,
    },
    #[error("{name}: {reason}")]
    Header { name: String, reason: String },
    #[error("{name} is not a well-formed XML feed: {reason} (line {line}, byte {byte})")]
    Xml {
        name: String,
        line: u64,
        byte: u64,
        reason: String,
    },
    #[error("{name}, row {row}: {reason}")]
    Parquet {
        name: String,
        row: u64,
        reason: String,
    },
}

/// Opens a catalog whose encoding and separator are detected, see
/// [`Catalog::open_as`].
///
/// # Errors
/// The format is unknown, the file cannot be opened, or it lacks columns that the mapping names.
///
/// # Examples
///
/// ```
/// use vitrine_indexer::source::{self, Mapping};
///
/// let folder = tempfile::tempdir()?;
/// let file = folder.path().join("products.csv");
/// std::fs::write(&file, "id,title,price\nSKU1,Red shoes,59.00\nSKU2,Blue hat,cheap\n")?;
///
/// let records = source::open(&file, None, &Mapping::default())?.collect::<Result<Vec<_>, _>>()?;
/// let first = records[0].item.as_ref().expect("an item");
/// assert_eq!(first.title.as_deref(), Some("Red shoes"));
/// // The second price is not a number: it costs this field alone, and a note names its line.
/// let second = records[1].item.as_ref().expect("an item");
/// assert!(second.price.is_none());
/// assert_eq!(records[1].notes[0].line, 3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn open(
    source: &Path,
    format: Option<Format>,
    mapping: &Mapping,
) -> Result<Records, SourceError> {
    Catalog::open(source, format, mapping)?.records()
}

impl SourceError {
    /// Adds the form that a text was read in, if the error may come from a wrong one.
    pub(crate) fn with_form(self, read_as: ReadAs) -> Self {
        match self {
            Self::MissingColumn { .. } | Self::Header { .. } => Self::ReadAs {
                source: Box::new(self),
                read_as,
            },
            other => other,
        }
    }
}
