//! Cuts a byte stream into records: lines, or rows of a CSV file, whose quoted cells may hold line ends.

use std::collections::VecDeque;

/// What spreadsheets put before UTF-8.
const BYTE_ORDER_MARK: [u8; 3] = *b"\xef\xbb\xbf";

/// What a body holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A JSON object a line.
    Ndjson,
    /// Rows of cells.
    Csv,
}

/// One record as sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Line it starts on, from 1.
    pub line: u64,
    /// Its bytes without the line end; none where there were too many.
    pub bytes: Option<Vec<u8>>,
}

impl Record {
    /// Bytes held.
    pub fn size(&self) -> usize {
        self.bytes.as_ref().map_or(0, Vec::len)
    }
}

/// Where in a CSV row the reading is. JSON lines are `Plain` from end to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Before the first byte of a cell: only here a quote opens.
    CellStart,
    Plain,
    Quoted,
    /// After a quote within quotes: another one is a quote itself, anything else ends the quoted part.
    QuoteInQuoted,
    /// In a record that is too long, up to the next line end, quoted or not: an open quote must not eat the rest.
    TooLong,
}

/// Collects bytes and gives whole records.
pub struct Splitter {
    format: Format,
    /// Longest record.
    limit: usize,
    place: Place,
    /// The record so far.
    bytes: Vec<u8>,
    /// Line of the next byte, and of the record's first one.
    line: u64,
    start: u64,
    ready: VecDeque<Record>,
}

impl Splitter {
    /// For records of at most `limit` bytes.
    pub fn new(format: Format, limit: usize) -> Self {
        Self {
            format,
            limit,
            place: Place::CellStart,
            bytes: Vec::new(),
            line: 1,
            start: 1,
            ready: VecDeque::new(),
        }
    }

    /// Takes the next bytes of the stream.
    pub fn push(&mut self, chunk: &[u8]) {
        for &byte in chunk {
            let ends = byte == b'\n' && self.place != Place::Quoted;
            self.line += u64::from(byte == b'\n');
            if ends {
                self.end();
                continue;
            }
            self.place = self.follow(byte);
            if self.place != Place::TooLong {
                self.bytes.push(byte);
            }
            if self.line == 1 && self.bytes == BYTE_ORDER_MARK {
                self.bytes.clear();
                self.place = Place::CellStart;
            }
        }
    }

    /// Takes the end of the stream: the last record needs no line end.
    pub fn finish(&mut self) {
        if !self.bytes.is_empty() || self.place == Place::TooLong {
            self.end();
        }
    }

    /// The next whole record; blank lines are none.
    pub fn pop(&mut self) -> Option<Record> {
        self.ready.pop_front()
    }

    fn follow(&self, byte: u8) -> Place {
        if self.bytes.len() >= self.limit || self.place == Place::TooLong {
            return Place::TooLong;
        }
        match (self.format, self.place, byte) {
            (Format::Ndjson, ..) => Place::Plain,
            (_, Place::CellStart, b'"') | (_, Place::QuoteInQuoted, b'"') => Place::Quoted,
            (_, Place::Quoted, b'"') => Place::QuoteInQuoted,
            (_, Place::Quoted, _) => Place::Quoted,
            (_, _, b',') => Place::CellStart,
            _ => Place::Plain,
        }
    }

    fn end(&mut self) {
        let mut bytes = std::mem::take(&mut self.bytes);
        let too_long = self.place == Place::TooLong;
        if too_long || !bytes.trim_ascii().is_empty() {
            if bytes.last() == Some(&b'\r') {
                bytes.pop();
            }
            self.ready.push_back(Record {
                line: self.start,
                bytes: (!too_long).then_some(bytes),
            });
        }
        self.place = Place::CellStart;
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
