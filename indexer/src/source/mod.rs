//! Catalog readers: a file, or standard input, in one of several formats becomes a stream of items.
//!
//! A fault within a record rejects that record and the stream goes on; a [`SourceError`] ends it. What the items mean,
//! how they are embedded and where they are written does not live here.

mod cells;
pub mod events;
mod google;
mod google_xml;
mod groups;
mod html;
mod input;
mod jsonl;
pub mod mapping;
mod parquet;
pub mod photo;
mod public_net;
mod rules;
mod shopify;
mod table;
#[cfg(test)]
mod tests;
mod vendure;

use std::{
    io,
    path::{Path, PathBuf},
};

use clap::ValueEnum;
use vitrine_schemas::Item;

use crate::sink::SinkError;

pub use mapping::Mapping;

use input::Input;

/// Layout of a catalog.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// One JSON object a line: items as the API takes them, or any keys with a mapping.
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
    /// Tells the format from a file's ending.
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

    /// The name on the command line.
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

/// One record of a catalog.
#[derive(Debug)]
pub struct Record {
    /// Its first line, from 1; for Parquet its row, from 1.
    pub line: u64,
    /// The item's id where it can be read.
    pub id: Option<String>,
    /// The item, or what is wrong with the record and how to mend it.
    pub item: Result<Item, String>,
}

/// The records of a catalog in their order. An `Err` says that the stream as a whole is broken and is the last one.
pub type Records = Box<dyn Iterator<Item = Result<Record, SourceError>> + Send>;

/// Why a catalog cannot be read, or not be read further.
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
    #[error("cannot tell the format of {name}; give --format: {known}")]
    UnknownFormat { name: String, known: String },
    #[error("{name} is UTF-16; save it as UTF-8")]
    Utf16 { name: String },
    #[error("mapping {}: {reason}", path.display())]
    Mapping { path: PathBuf, reason: String },
    #[error("format {} has a fixed mapping; leave out --mapping or read the file as csv", format.name())]
    FixedMapping { format: Format },
    #[error("{name} has no column `{column}`; it has: {found}")]
    MissingColumn {
        name: String,
        column: String,
        found: String,
    },
    #[error("{name}: {reason}")]
    Header { name: String, reason: String },
    #[error("{name} is no sound XML feed: {reason} (line {line}, byte {byte})")]
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

/// Opens a catalog; `-` is standard input.
///
/// Files ending in `.gz` and `.zst` are unpacked, standard input where its first bytes say so. Parquet is read from
/// plain files only.
///
/// # Errors
/// The format cannot be told, the file cannot be opened, or it has not the columns the mapping names.
pub fn open(
    source: &Path,
    format: Option<Format>,
    mapping: &Mapping,
) -> Result<Records, SourceError> {
    let format = format.map_or_else(|| Format::of(source), Ok)?;
    Ok(match format {
        Format::Parquet => last_error(parquet::records(source, mapping)?),
        Format::Jsonl => last_error(jsonl::records(Input::open(source)?, mapping)),
        Format::Csv => last_error(table::records(Input::open(source)?, mapping)?),
        Format::GoogleXml => last_error(google_xml::records(Input::open(source)?, mapping)?),
        Format::GoogleTsv => last_error(google::records(Input::open(source)?, mapping)?),
        Format::Shopify | Format::Vendure if !mapping.is_default() => {
            return Err(SourceError::FixedMapping { format });
        }
        Format::Shopify => last_error(shopify::records(Input::open(source)?)?),
        Format::Vendure => last_error(vendure::records(Input::open(source)?)?),
    })
}

/// Ends the stream after its first error.
fn last_error(
    mut records: impl Iterator<Item = Result<Record, SourceError>> + Send + 'static,
) -> Records {
    let mut broken = false;
    Box::new(std::iter::from_fn(move || {
        let next = if broken { None } else { records.next() };
        broken = !matches!(next, Some(Ok(_)));
        next
    }))
}
