//! Splits a byte stream into records: lines, or rows of separated text, whose form is detected.

use std::collections::VecDeque;

use vitrine_indexer::source::text::{RowError, TextOptions, TextRow, TextStream};

use crate::error::{ApiError, ApiResult};

/// Format of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One JSON object per line.
    Ndjson,
    /// Rows of separated text below a header.
    Csv,
}

/// One record as sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Line that it starts on, from 1.
    pub line: u64,
    /// Content as sent.
    pub content: Content,
}

/// Content of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Line without its end.
    Line(Vec<u8>),
    /// Cells of a row.
    Cells(csv::StringRecord),
    /// Row with a cell that does not fit the encoding.
    Undecodable(String),
    /// Line beyond the limit.
    TooLong,
}

impl Record {
    /// Returns the number of bytes.
    pub fn size(&self) -> usize {
        match &self.content {
            Content::Line(bytes) => bytes.len(),
            Content::Cells(cells) => cells.as_slice().len(),
            Content::Undecodable(_) | Content::TooLong => 0,
        }
    }

    /// Returns the record of a row.
    fn of(row: TextRow, encoding: &str) -> Self {
        let too_long = matches!(row.error, Some(RowError::TooLong { .. }));
        let content = match csv::StringRecord::from_byte_record(row.cells) {
            _ if too_long => Content::TooLong,
            Ok(cells) => Content::Cells(cells),
            Err(error) => Content::Undecodable(format!(
                "cell {} is not valid {encoding}; send the text in one encoding, best UTF-8",
                error.utf8_error().field() + 1
            )),
        };
        Self {
            line: row.line,
            content,
        }
    }
}

/// Collects bytes and returns whole records.
pub enum Splitter {
    /// JSON lines.
    Lines(LineSplitter),
    /// Separated text.
    Text(Box<TextStream>),
}

impl Splitter {
    /// Creates a splitter for records of at most `limit` bytes.
    pub fn new(format: Format, limit: usize, options: TextOptions) -> Self {
        match format {
            Format::Ndjson => Self::Lines(LineSplitter::new(limit)),
            Format::Csv => Self::Text(Box::new(TextStream::new(options, limit))),
        }
    }

    /// Adds the next bytes of the stream.
    pub fn push(&mut self, chunk: &[u8]) -> ApiResult<()> {
        match self {
            Self::Lines(lines) => lines.push(chunk),
            Self::Text(text) => text.push(chunk).map_err(not_text)?,
        }
        Ok(())
    }

    /// Ends the stream: the last record needs no line end.
    pub fn finish(&mut self) -> ApiResult<()> {
        match self {
            Self::Lines(lines) => lines.finish(),
            Self::Text(text) => text.finish().map_err(not_text)?,
        }
        Ok(())
    }

    /// Returns true while the form of the text is unknown.
    pub fn is_detecting(&self) -> bool {
        matches!(self, Self::Text(text) if !text.is_settled())
    }

    /// Detects the form from what has arrived, because the sender pauses.
    pub fn settle(&mut self) -> ApiResult<()> {
        match self {
            Self::Lines(_) => Ok(()),
            Self::Text(text) => text.settle().map_err(not_text),
        }
    }

    /// Returns the next whole record; blank lines are skipped.
    pub fn pop(&mut self) -> Option<Record> {
        match self {
            Self::Lines(lines) => lines.ready.pop_front(),
            Self::Text(text) => {
                let row = text.pop()?;
                let encoding = text.read_as().map_or("UTF-8", |form| form.encoding);
                Some(Record::of(row, encoding))
            }
        }
    }
}

fn not_text(reason: String) -> ApiError {
    ApiError::invalid("", reason)
}

/// Splitter of lines.
pub struct LineSplitter {
    /// Maximum length of a line.
    limit: usize,
    /// The line so far.
    bytes: Vec<u8>,
    too_long: bool,
    /// Line of the next byte.
    line: u64,
    ready: VecDeque<Record>,
}

impl LineSplitter {
    fn new(limit: usize) -> Self {
        Self {
            limit,
            bytes: Vec::new(),
            too_long: false,
            line: 1,
            ready: VecDeque::new(),
        }
    }

    fn push(&mut self, mut chunk: &[u8]) {
        while let Some(at) = chunk.iter().position(|byte| *byte == b'\n') {
            self.extend(&chunk[..at]);
            self.end();
            chunk = &chunk[at + 1..];
        }
        self.extend(chunk);
    }

    fn extend(&mut self, bytes: &[u8]) {
        self.too_long |= self.bytes.len() + bytes.len() > self.limit;
        if self.too_long {
            self.bytes.clear();
        } else {
            self.bytes.extend_from_slice(bytes);
        }
    }

    fn finish(&mut self) {
        if !self.bytes.is_empty() || self.too_long {
            self.end();
        }
    }

    fn end(&mut self) {
        let mut bytes = std::mem::take(&mut self.bytes);
        if self.line == 1 && bytes.starts_with(b"\xef\xbb\xbf") {
            bytes.drain(..3);
        }
        let content = match std::mem::take(&mut self.too_long) {
            true => Some(Content::TooLong),
            false if bytes.trim_ascii().is_empty() => None,
            false => {
                if bytes.last() == Some(&b'\r') {
                    bytes.pop();
                }
                Some(Content::Line(bytes))
            }
        };
        let line = self.line;
        self.ready
            .extend(content.map(|content| Record { line, content }));
        self.line += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(format: Format, text: &str, part: usize) -> Vec<(u64, Option<String>)> {
        let mut splitter = Splitter::new(format, 12, TextOptions::default());
        text.as_bytes()
            .chunks(part)
            .for_each(|part| splitter.push(part).expect("text"));
        splitter.finish().expect("text");
        let text = |record: Record| match record.content {
            Content::Line(bytes) => Some(String::from_utf8(bytes).expect("UTF-8")),
            Content::Cells(cells) => Some(cells.iter().collect::<Vec<_>>().join("/")),
            Content::Undecodable(_) | Content::TooLong => None,
        };
        std::iter::from_fn(|| splitter.pop())
            .map(|record| (record.line, text(record)))
            .collect()
    }

    #[test]
    fn records_do_not_depend_on_how_the_bytes_come() {
        let some = |text: &str| Some(text.to_owned());
        let csv = "\u{feff}\"a\",b\r\n\n1,\"x\n\"\"y\"\nlong,long,long\n2,5\" z\n,\"c\"";
        let wanted = [
            (1, some("a/b")),
            (3, some("1/x\n\"y")),
            (5, None),
            (6, some("2/5\" z")),
            (7, some("/c")),
        ];
        for part in 1..=csv.len() {
            assert_eq!(
                split(Format::Csv, csv, part),
                wanted,
                "{part} bytes at a time"
            );
        }
        let lines = "\u{feff}{\"\n  \n{}\r\n0123456789abc\n{}";
        let wanted = [
            (1, some("{\"")),
            (3, some("{}")),
            (4, None),
            (5, some("{}")),
        ];
        for part in 1..=lines.len() {
            assert_eq!(
                split(Format::Ndjson, lines, part),
                wanted,
                "{part} bytes at a time"
            );
        }
    }
}
