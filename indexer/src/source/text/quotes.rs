//! One record of separated text with quotes.
//!
//! A cell is quoted if its first character is a quote and another quote is followed by a separator
//! or a line end. Everything else is taken as written: `"Best Dad" mug`, `5/8" bolt`, and an
//! opening quote without a closing one, which therefore takes no further rows with it. Where that
//! does not give the number of cells of the header, quotes within the line are read in other ways.

use csv::ByteRecord;
use memchr::{memchr, memchr2};

use super::dialect::Dialect;

/// Text that begins with a record.
#[derive(Clone, Copy)]
pub(super) struct Text<'a> {
    pub bytes: &'a [u8],
    /// True if no more text follows.
    pub ended: bool,
    pub dialect: Dialect,
    pub quote: u8,
    /// Number of cells of the header, unless this is the header.
    pub columns: Option<usize>,
    /// Maximum length of a quoted cell.
    pub limit: usize,
}

/// A record, and the bytes it takes with its line end.
pub(super) struct Record {
    pub cells: ByteRecord,
    pub length: usize,
}

/// End of a quoted cell.
enum Closing {
    /// Place of the closing quote, and of the separator or line end after it.
    At(usize, usize),
    /// The cell is not quoted.
    Missing,
    /// More text is needed.
    Unknown,
}

/// Record as quotes are meant to be used.
struct Strict {
    record: Record,
    /// True if a cell of several lines ends with a digit before its closing quote, which may be an
    /// inch mark.
    inches: bool,
}

impl<'a> Text<'a> {
    /// Reads the record; `None` if more text is needed.
    pub fn record(&self) -> Option<Record> {
        let strict = self.strict()?;
        let Some(columns) = self.columns else {
            return Some(strict.record);
        };
        let first = self.first_line();
        let fits = strict.record.cells.len() == columns;
        if strict.record.length <= first {
            return Some(if fits {
                strict.record
            } else {
                self.line(first, columns).unwrap_or(strict.record)
            });
        }
        // A cell of several lines: rows of their own if each of them has all cells.
        let apart = columns > 1 && self.stand_alone(first, strict.record.length, columns);
        let line = self.line(first, columns);
        let doubtful = matches!(self.dialect.delimiter, b'\t' | b'|') || strict.inches;
        match (fits, line) {
            (true, Some(line)) if apart && doubtful => Some(line),
            (true, _) => Some(strict.record),
            (false, Some(line)) => Some(line),
            (false, None) if apart => Some(self.alone(first).strict()?.record),
            (false, None) => Some(strict.record),
        }
    }

    /// Returns the length of the first line with its line end.
    fn first_line(&self) -> usize {
        memchr(self.dialect.newline, self.bytes).map_or(self.bytes.len(), |at| at + 1)
    }

    /// Returns the first `length` bytes as a text of their own.
    fn alone(&self, length: usize) -> Text<'a> {
        Text {
            bytes: &self.bytes[..length],
            ended: true,
            ..*self
        }
    }

    /// Returns the first line as a record, if one of the readings has the cells of the header.
    fn line(&self, length: usize, columns: usize) -> Option<Record> {
        let line = self.alone(length);
        let strict = line.strict().map(|strict| strict.record.cells);
        let readings = [strict, Some(line.lazy()), Some(line.literal())];
        let cells = readings.into_iter().flatten();
        let mut fitting = cells.filter(|cells| cells.len() == columns);
        fitting.next().map(|cells| Record { cells, length })
    }

    /// Returns true if every line from `from` to `to` is a row of its own.
    fn stand_alone(&self, from: usize, to: usize, columns: usize) -> bool {
        let mut at = from;
        while at < to {
            let rest = Text {
                bytes: &self.bytes[at..to],
                ended: true,
                ..*self
            };
            let length = rest.first_line();
            if rest.line(length, columns).is_none() {
                return false;
            }
            at += length;
        }
        true
    }

    /// Reads the record with quotes as they are meant; `None` if more text is needed.
    fn strict(&self) -> Option<Strict> {
        let mut cells = ByteRecord::new();
        let (mut at, mut inches) = (0, false);
        loop {
            let start = self.skip_blanks(at);
            let closing = match self.bytes.get(start) {
                Some(byte) if *byte == self.quote => self.closing(start + 1),
                _ => Closing::Missing,
            };
            match closing {
                Closing::Unknown => return None,
                Closing::At(quote, after) => {
                    let within = &self.bytes[start + 1..quote];
                    inches |= within.last().is_some_and(u8::is_ascii_digit)
                        && memchr(self.dialect.newline, within).is_some();
                    cells.push_field(&self.unescaped(within));
                    at = after;
                }
                Closing::Missing => {
                    let end = memchr2(
                        self.dialect.delimiter,
                        self.dialect.newline,
                        &self.bytes[at..],
                    );
                    let end = match end {
                        Some(end) => at + end,
                        None if self.ended => self.bytes.len(),
                        None => return None,
                    };
                    cells.push_field(self.unwrapped(self.content(at, end)));
                    at = end;
                }
            }
            match self.bytes.get(at) {
                Some(byte) if *byte == self.dialect.delimiter => at += 1,
                end => {
                    let length = at + usize::from(end.is_some());
                    return Some(Strict {
                        record: Record { cells, length },
                        inches,
                    });
                }
            }
        }
    }

    /// Finds the end of a quoted cell whose content begins at `from`.
    fn closing(&self, from: usize) -> Closing {
        let mut at = from;
        // True once a quote within the cell was escaped by a backslash instead of doubled.
        let mut backslashes = false;
        while let Some(found) = memchr(self.quote, &self.bytes[at..]) {
            let quote = at + found;
            let escaped = quote > from && self.bytes[quote - 1] == b'\\';
            if self.bytes.get(quote + 1) == Some(&self.quote) {
                at = quote + if backslashes && escaped { 1 } else { 2 };
                continue;
            }
            let after = self.skip_blanks(quote + 1);
            let feed = self.dialect.newline == b'\n';
            let end = match (self.bytes.get(after), self.bytes.get(after + 1)) {
                (None, _) => self.ended.then_some(after),
                (Some(b'\r'), Some(b'\n')) if feed => Some(after + 1),
                (Some(b'\r'), None) if feed => self.ended.then_some(after + 1),
                (Some(byte), _) if self.ends_cell(*byte) => Some(after),
                _ if escaped => {
                    backslashes = true;
                    at = quote + 1;
                    continue;
                }
                _ => return Closing::Missing,
            };
            return end.map_or(Closing::Unknown, |end| Closing::At(quote, end));
        }
        if self.ended || self.bytes.len() - from > self.limit {
            Closing::Missing
        } else {
            Closing::Unknown
        }
    }

    /// Reads a single line, where a quoted cell ends at the first quote before a separator.
    fn lazy(&self) -> ByteRecord {
        let line = self.content(0, self.bytes.len());
        let mut cells = ByteRecord::new();
        let mut at = 0;
        loop {
            let end = self.lazy_end(line, at);
            let cell = line[at..end].trim_ascii();
            match cell {
                [first, within @ .., last] if *first == self.quote && *last == self.quote => {
                    cells.push_field(&self.unescaped(within));
                }
                _ => cells.push_field(&line[at..end]),
            }
            if end == line.len() {
                return cells;
            }
            at = end + 1;
        }
    }

    fn lazy_end(&self, line: &[u8], at: usize) -> usize {
        let opens = line[at..].trim_ascii_start().first() == Some(&self.quote);
        let mut ends = memchr::memchr_iter(self.dialect.delimiter, &line[at..]).map(|end| at + end);
        if !opens {
            return ends.next().unwrap_or(line.len());
        }
        let closes = |end: &usize| {
            let cell = line[at..*end].trim_ascii();
            cell.len() > 1 && cell.last() == Some(&self.quote)
        };
        ends.find(closes).unwrap_or(line.len())
    }

    /// Reads a single line, where quotes have no meaning.
    fn literal(&self) -> ByteRecord {
        split(self.content(0, self.bytes.len()), self.dialect.delimiter)
    }

    /// Returns a part without its line end.
    fn content(&self, from: usize, to: usize) -> &'a [u8] {
        content(&self.bytes[from..to], self.dialect.newline)
    }

    fn ends_cell(&self, byte: u8) -> bool {
        byte == self.dialect.delimiter || byte == self.dialect.newline
    }

    /// Returns the place of the next byte that is not a blank within a cell.
    fn skip_blanks(&self, from: usize) -> usize {
        let rest = self.bytes.get(from..).unwrap_or_default();
        let blanks = rest
            .iter()
            .take_while(|b| **b == b' ' && self.dialect.delimiter != b' ')
            .count();
        from + blanks
    }

    /// Removes the quotes around a cell with quotes inside, such as `"12" ruler"`; those of
    /// `"Best Dad" mug "new"` belong to the text.
    fn unwrapped(&self, cell: &'a [u8]) -> &'a [u8] {
        let [first, within @ .., last] = cell.trim_ascii() else {
            return cell;
        };
        if *first != self.quote || *last != self.quote {
            return cell;
        }
        let mut inner = memchr::memchr_iter(self.quote, within);
        let opens = inner
            .clone()
            .next()
            .is_some_and(|at| at > 0 && within[at - 1] == b' ');
        if opens || inner.by_ref().count() % 2 == 1 {
            within
        } else {
            cell
        }
    }

    /// Replaces doubled quotes, and those after a backslash, by one.
    fn unescaped(&self, within: &[u8]) -> Vec<u8> {
        let mut plain = Vec::with_capacity(within.len());
        let mut at = 0;
        while at < within.len() {
            let pair = within.get(at..at + 2).unwrap_or_default();
            let doubled = pair == [self.quote, self.quote];
            let escaped = pair == [b'\\', self.quote] && within.get(at + 2) != Some(&self.quote);
            plain.push(if escaped { self.quote } else { within[at] });
            at += 1 + usize::from(doubled || escaped);
        }
        plain
    }
}

/// Removes the line end of a line.
pub(super) fn content(line: &[u8], newline: u8) -> &[u8] {
    let line = line.strip_suffix(&[newline]).unwrap_or(line);
    match newline {
        b'\n' => line.strip_suffix(b"\r").unwrap_or(line),
        _ => line,
    }
}

/// Splits a line at each separator.
pub(super) fn split(line: &[u8], delimiter: u8) -> ByteRecord {
    let mut cells = ByteRecord::new();
    let mut start = 0;
    for at in memchr::memchr_iter(delimiter, line) {
        cells.push_field(&line[start..at]);
        start = at + 1;
    }
    cells.push_field(&line[start..]);
    cells
}
