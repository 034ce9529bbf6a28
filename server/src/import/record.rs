//! Splits a byte stream into records: lines, or CSV rows, whose quoted cells may contain line
//! breaks.

use std::collections::VecDeque;

/// UTF-8 byte order mark that spreadsheets write.
const BYTE_ORDER_MARK: [u8; 3] = *b"\xef\xbb\xbf";

/// Format of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One JSON object per line.
    Ndjson,
    /// CSV rows.
    Csv,
}

/// One record as sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Line that it starts on, from 1.
    pub line: u64,
    /// Bytes without the line end; None if there were too many.
    pub bytes: Option<Vec<u8>>,
}

impl Record {
    /// Returns the number of bytes.
    pub fn size(&self) -> usize {
        self.bytes.as_ref().map_or(0, Vec::len)
    }
}

/// Parser state within a CSV row. JSON lines are always `Plain`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before the first byte of a cell: only here a quote opens a quoted cell.
    CellStart,
    Plain,
    Quoted,
    /// After a quote within quotes: another quote is an escaped one, anything else ends the quotes.
    QuoteInQuoted,
    /// In a record that is too long, up to the next line end, quoted or not: an open quote must not
    /// consume the rest.
    TooLong,
}

/// Collects bytes and returns whole records.
pub struct Splitter {
    format: Format,
    /// Maximum length of a record.
    limit: usize,
    state: State,
    /// The record so far.
    bytes: Vec<u8>,
    /// Line of the next byte, and of the record's first one.
    line: u64,
    start: u64,
    ready: VecDeque<Record>,
}

impl Splitter {
    /// Creates a splitter for records of at most `limit` bytes.
    pub fn new(format: Format, limit: usize) -> Self {
        Self {
            format,
            limit,
            state: State::CellStart,
            bytes: Vec::new(),
            line: 1,
            start: 1,
            ready: VecDeque::new(),
        }
    }

    /// Adds the next bytes of the stream.
    pub fn push(&mut self, chunk: &[u8]) {
        for &byte in chunk {
            let ends = byte == b'\n' && self.state != State::Quoted;
            self.line += u64::from(byte == b'\n');
            if ends {
                self.end();
                continue;
            }
            self.state = self.next_state(byte);
            if self.state != State::TooLong {
                self.bytes.push(byte);
            }
            if self.line == 1 && self.bytes == BYTE_ORDER_MARK {
                self.bytes.clear();
                self.state = State::CellStart;
            }
        }
    }

    /// Ends the stream: the last record needs no line end.
    pub fn finish(&mut self) {
        if !self.bytes.is_empty() || self.state == State::TooLong {
            self.end();
        }
    }

    /// Returns the next whole record; blank lines are skipped.
    pub fn pop(&mut self) -> Option<Record> {
        self.ready.pop_front()
    }

    fn next_state(&self, byte: u8) -> State {
        if self.bytes.len() >= self.limit || self.state == State::TooLong {
            return State::TooLong;
        }
        match (self.format, self.state, byte) {
            (Format::Ndjson, ..) => State::Plain,
            (_, State::CellStart, b'"') | (_, State::QuoteInQuoted, b'"') => State::Quoted,
            (_, State::Quoted, b'"') => State::QuoteInQuoted,
            (_, State::Quoted, _) => State::Quoted,
            (_, _, b',') => State::CellStart,
            _ => State::Plain,
        }
    }

    fn end(&mut self) {
        let mut bytes = std::mem::take(&mut self.bytes);
        let too_long = self.state == State::TooLong;
        if too_long || !bytes.trim_ascii().is_empty() {
            if bytes.last() == Some(&b'\r') {
                bytes.pop();
            }
            self.ready.push_back(Record {
                line: self.start,
                bytes: (!too_long).then_some(bytes),
            });
        }
        self.state = State::CellStart;
        self.start = self.line;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(format: Format, text: &str, part: usize) -> Vec<(u64, Option<String>)> {
        let mut splitter = Splitter::new(format, 12);
        text.as_bytes()
            .chunks(part)
            .for_each(|part| splitter.push(part));
        splitter.finish();
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        std::iter::from_fn(|| splitter.pop())
            .map(|record| (record.line, record.bytes.map(text)))
            .collect()
    }

    #[test]
    fn records_do_not_depend_on_how_the_bytes_come() {
        let csv = "\u{feff}\"a\",b\r\n\n1,\"x\n\"\"y\"\nlong,long,long\n2,5\" z\n,\"\"";
        let some = |text: &str| Some(text.to_owned());
        let wanted = [
            (1, some("\"a\",b")),
            (3, some("1,\"x\n\"\"y\"")),
            (5, None),
            (6, some("2,5\" z")),
            (7, some(",\"\"")),
        ];
        for part in 1..=csv.len() {
            assert_eq!(
                split(Format::Csv, csv, part),
                wanted,
                "{part} bytes at a time"
            );
        }
        let lines = "{\"\n  \n{}\r\n0123456789abc\n{}";
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
