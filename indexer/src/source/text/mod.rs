//! Text of catalogs and event files: encoding, separator, quotes and line ends are detected from
//! the head of a file, unless they are given. Meaning of columns does not live here.

mod detect;
pub(super) mod dialect;
pub(super) mod encoding;
mod quotes;
pub(super) mod rows;
mod stream;
#[cfg(test)]
mod tests;

use std::fmt;

use encoding_rs::Encoding;
use serde::Serialize;

pub use rows::{RowError, TextRow};
pub use stream::TextStream;

/// Bytes at the start of a file from which encoding and separator are detected.
pub(super) const HEAD: usize = 256 << 10;

/// Encoding, separator and quote of a file; what is absent is detected.
#[derive(Debug, Clone, Default, PartialEq, Eq, clap::Args)]
pub struct TextOptions {
    /// Encoding of the file, such as utf-8, utf-16le, windows-1252 or shift_jis; detected if
    /// omitted.
    #[arg(long, value_name = "NAME", value_parser = encoding::by_name)]
    pub encoding: Option<&'static Encoding>,
    /// Separator of the cells: a character, or tab; detected if omitted.
    #[arg(long, value_name = "CHAR", value_parser = delimiter)]
    pub delimiter: Option<u8>,
    /// Quote around cells: a character, or none [default: "].
    #[arg(long, value_name = "CHAR", value_parser = quote)]
    pub quote: Option<Quote>,
}

/// Quote around cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quote {
    /// Every quote is part of a cell.
    None,
    /// This character.
    Char(u8),
}

/// Parses a separator.
///
/// # Errors
/// It is not a single ASCII character other than a line end.
pub fn delimiter(text: &str) -> Result<u8, String> {
    match text.to_ascii_lowercase().as_str() {
        "tab" | "\\t" => Ok(b'\t'),
        "comma" => Ok(b','),
        "semicolon" => Ok(b';'),
        "pipe" => Ok(b'|'),
        _ => character(text)
            .filter(|c| *c != b'"')
            .ok_or_else(|| format!("expected one ASCII character or `tab`, got `{text}`")),
    }
}

/// Parses a quote.
///
/// # Errors
/// It is neither `none` nor a single ASCII character other than a line end.
pub fn quote(text: &str) -> Result<Quote, String> {
    if text.is_empty() || text.eq_ignore_ascii_case("none") {
        return Ok(Quote::None);
    }
    character(text)
        .map(Quote::Char)
        .ok_or_else(|| format!("expected one ASCII character or `none`, got `{text}`"))
}

fn character(text: &str) -> Option<u8> {
    match *text.as_bytes() {
        [byte] if byte.is_ascii() && byte != b'\n' && byte != b'\r' => Some(byte),
        _ => None,
    }
}

impl TextOptions {
    /// Parses options given as texts.
    ///
    /// # Errors
    /// Names the option and the values it takes.
    pub fn parse(
        encoding: Option<&str>,
        delimiter: Option<&str>,
        quote: Option<&str>,
    ) -> Result<Self, String> {
        Ok(Self {
            encoding: named("encoding", encoding, encoding::by_name)?,
            delimiter: named("delimiter", delimiter, self::delimiter)?,
            quote: named("quote", quote, self::quote)?,
        })
    }
}

fn named<T>(
    name: &str,
    text: Option<&str>,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<Option<T>, String> {
    text.map(|text| parse(text).map_err(|reason| format!("{name}: {reason}")))
        .transpose()
}

/// Form in which a file was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReadAs {
    /// Name of the encoding.
    pub encoding: &'static str,
    /// Separator of the cells; `None` unless the file is a table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delimiter: Option<char>,
    /// Quote around cells; `None` if quotes are part of the cells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quote: Option<char>,
    /// Line ends: LF, CRLF or CR.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line_ends: Option<&'static str>,
}

impl ReadAs {
    /// Describes a text that is not a table.
    pub(super) fn text(encoding: &'static Encoding) -> Self {
        Self {
            encoding: encoding.name(),
            delimiter: None,
            quote: None,
            line_ends: None,
        }
    }
}

impl fmt::Display for ReadAs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "encoding {}", self.encoding)?;
        match self.delimiter {
            Some('\t') => f.write_str(", separator tab")?,
            Some(delimiter) => write!(f, ", separator `{delimiter}`")?,
            None => return Ok(()),
        }
        match self.quote {
            Some(quote) => write!(f, ", quote `{quote}`")?,
            None => f.write_str(", no quotes")?,
        }
        write!(f, ", line ends {}", self.line_ends.unwrap_or("LF"))
    }
}
