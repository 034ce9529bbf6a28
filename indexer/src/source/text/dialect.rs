//! Form of separated text.

use encoding_rs::Encoding;

use super::ReadAs;

/// Form of separated text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Dialect {
    pub delimiter: u8,
    /// `None` if quotes are part of the cells.
    pub quote: Option<u8>,
    /// Last byte of a line end: `\n`, or `\r` in files without line feeds.
    pub newline: u8,
    /// True if lines end with `\r\n`.
    pub crlf: bool,
}

impl Dialect {
    /// Describes the form for messages.
    pub fn describe(&self, encoding: &'static Encoding) -> ReadAs {
        ReadAs {
            encoding: encoding.name(),
            delimiter: Some(char::from(self.delimiter)),
            quote: self.quote.map(char::from),
            line_ends: Some(match (self.newline, self.crlf) {
                (b'\r', _) => "CR",
                (_, true) => "CRLF",
                _ => "LF",
            }),
        }
    }
}
