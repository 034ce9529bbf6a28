//! Rows of separated text from bytes that arrive in parts of any size.

use std::fmt;

use csv::ByteRecord;
use memchr::memchr;

use super::{
    dialect::Dialect,
    quotes::{self, Text},
};

/// Row as it was written.
#[derive(Debug)]
pub struct TextRow {
    /// Its first line, from 1.
    pub line: u64,
    /// Cells; bytes that are not UTF-8 did not fit the encoding.
    pub cells: ByteRecord,
    /// Problem of the row.
    pub error: Option<RowError>,
}

/// Problem of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowError {
    /// It is longer than the limit.
    TooLong {
        /// Maximum number of bytes.
        limit: usize,
    },
    /// It has more or fewer cells than the header.
    Cells {
        /// Number of cells of the header.
        expected: usize,
        /// Number of cells of the row.
        got: usize,
    },
}

impl fmt::Display for RowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { limit } => {
                write!(
                    f,
                    "expected a line of at most {limit} bytes, got a longer one; shorten it"
                )
            }
            Self::Cells { expected, got } => write!(
                f,
                "expected {expected} fields as in the header, got {got}; quote fields that contain the separator"
            ),
        }
    }
}

/// Result of a step of the parser.
pub(crate) enum Step {
    Row(TextRow),
    /// More bytes are needed.
    More,
    /// All rows were returned.
    End,
}

/// Parser of rows; blank ones are skipped.
pub(crate) struct RowParser {
    dialect: Dialect,
    columns: Option<usize>,
    limit: usize,
    buffer: Vec<u8>,
    /// Start of the next row in the buffer.
    at: usize,
    /// Bytes after the start of the row that have no line end.
    searched: usize,
    /// Line of the next row.
    line: u64,
    ended: bool,
    /// True within a line that is too long.
    skipping: bool,
}

impl RowParser {
    /// Creates a parser of rows of at most `limit` bytes.
    pub fn new(dialect: Dialect, limit: usize) -> Self {
        Self {
            dialect,
            columns: None,
            limit,
            buffer: Vec::new(),
            at: 0,
            searched: 0,
            line: 1,
            ended: false,
            skipping: false,
        }
    }

    /// Sets the line of the next row.
    pub fn start_at(&mut self, line: u64) {
        self.line = line;
    }

    /// Sets the number of cells that each row must have.
    pub fn set_columns(&mut self, columns: usize) {
        self.columns = Some(columns);
    }

    /// Returns the line of the next row.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// Adds bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer_for_decoding().extend_from_slice(bytes);
    }

    /// Returns the buffer, to append bytes to.
    pub fn buffer_for_decoding(&mut self) -> &mut Vec<u8> {
        self.buffer.drain(..self.at);
        self.at = 0;
        &mut self.buffer
    }

    /// Ends the text; the last row needs no line end.
    pub fn finish(&mut self) {
        self.ended = true;
    }

    /// Returns the next row.
    pub fn step(&mut self) -> Step {
        loop {
            let rest = &self.buffer[self.at..];
            let newline = memchr(self.dialect.newline, &rest[self.searched..]);
            let length = match newline {
                Some(at) => self.searched + at + 1,
                None if self.ended && rest.is_empty() => return Step::End,
                None if self.ended => rest.len(),
                None => match self.wait() {
                    Some(row) => return Step::Row(row),
                    None => return Step::More,
                },
            };
            if self.skipping {
                self.skipping = false;
                self.advance(length);
                continue;
            }
            let line = quotes::content(&rest[..length], self.dialect.newline);
            if line.len() > self.limit {
                let row = self.too_long();
                self.advance(length);
                return Step::Row(row);
            }
            if line.trim_ascii().is_empty() {
                self.advance(length);
                continue;
            }
            let Some(record) = self.record(line, length) else {
                self.searched = 0;
                return Step::More;
            };
            let row = self.row(record.cells);
            self.advance(record.length);
            if row.cells.iter().any(|cell| !cell.trim_ascii().is_empty()) {
                return Step::Row(row);
            }
        }
    }

    /// Keeps an incomplete line for later, unless it is too long, which is reported once.
    fn wait(&mut self) -> Option<TextRow> {
        let length = self.buffer.len() - self.at;
        if !self.skipping && length <= self.limit {
            self.searched = length;
            return None;
        }
        let row = (!self.skipping).then(|| self.too_long());
        self.skipping = true;
        self.at = self.buffer.len();
        self.searched = 0;
        row
    }

    fn record(&self, line: &[u8], length: usize) -> Option<quotes::Record> {
        match self.dialect.quote {
            Some(quote) if memchr(quote, line).is_some() => Text {
                bytes: &self.buffer[self.at..],
                ended: self.ended,
                dialect: self.dialect,
                quote,
                columns: self.columns,
                limit: self.limit,
            }
            .record(),
            _ => Some(quotes::Record {
                cells: quotes::split(line, self.dialect.delimiter),
                length,
            }),
        }
    }

    fn row(&self, mut cells: ByteRecord) -> TextRow {
        // Empty cells behind the last column say nothing.
        if let Some(columns) = self.columns.filter(|columns| *columns < cells.len())
            && cells.iter().skip(columns).all(<[u8]>::is_empty)
        {
            cells.truncate(columns);
        }
        let got = cells.len();
        let wrong = self.columns.filter(|expected| *expected != got);
        TextRow {
            line: self.line,
            cells,
            error: wrong.map(|expected| RowError::Cells { expected, got }),
        }
    }

    fn too_long(&self) -> TextRow {
        TextRow {
            line: self.line,
            cells: ByteRecord::new(),
            error: Some(RowError::TooLong { limit: self.limit }),
        }
    }

    /// Moves behind a record.
    fn advance(&mut self, length: usize) {
        let passed = &self.buffer[self.at..self.at + length];
        self.line += memchr::memchr_iter(self.dialect.newline, passed).count() as u64;
        self.at += length;
        self.searched = 0;
    }
}
