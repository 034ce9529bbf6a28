//! Separator, quote and line ends of a table, detected from its head.

use super::{
    Quote, TextOptions,
    dialect::Dialect,
    rows::{RowParser, Step},
};

/// Separators that are detected.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// Number of rows that a separator is tried on.
const SAMPLE_ROWS: usize = 200;

impl Dialect {
    /// Detects the form of a table from its decoded head, which is the whole text if `complete`.
    /// Also returns the length of a first line `sep=;`.
    pub fn detect(head: &[u8], complete: bool, options: &TextOptions, usual: u8) -> (Self, usize) {
        let quote = match options.quote {
            None => Some(b'"'),
            Some(Quote::None) => None,
            Some(Quote::Char(quote)) => Some(quote),
        };
        let (newline, crlf) = line_ends(head, quote);
        let (declared, skipped) = declared_delimiter(head, newline);
        let rest = &head[skipped..];
        let mut dialect = Self {
            delimiter: usual,
            quote,
            newline,
            crlf,
        };
        if options.quote.is_none() && single_quoted(rest, newline) {
            dialect.quote = Some(b'\'');
        }
        dialect.delimiter = match options.delimiter.or(declared) {
            Some(delimiter) => delimiter,
            None => best_delimiter(rest, complete, dialect),
        };
        (dialect, skipped)
    }
}

/// Returns the last byte of the line ends, and true if they are `\r\n`, by the first line end
/// outside of quotes.
fn line_ends(head: &[u8], quote: Option<u8>) -> (u8, bool) {
    let mut quoted = false;
    for (at, byte) in head.iter().enumerate() {
        match byte {
            byte if Some(*byte) == quote => quoted = !quoted,
            b'\n' if !quoted => return (b'\n', at > 0 && head[at - 1] == b'\r'),
            b'\r' if !quoted && head.get(at + 1).is_some_and(|next| *next != b'\n') => {
                return (b'\r', false);
            }
            _ => {}
        }
    }
    // An odd quote in the header hides all line ends.
    match memchr::memchr(b'\n', head) {
        Some(at) => (b'\n', at > 0 && head[at - 1] == b'\r'),
        None if memchr::memchr(b'\r', head).is_some() => (b'\r', false),
        None => (b'\n', false),
    }
}

/// Returns the separator that a first line like `sep=;` names, and the length of that line.
fn declared_delimiter(head: &[u8], newline: u8) -> (Option<u8>, usize) {
    let Some(end) = memchr::memchr(newline, head) else {
        return (None, 0);
    };
    let line = head[..end].strip_suffix(b"\r").unwrap_or(&head[..end]);
    let line = match line {
        [b'"', within @ .., b'"'] => within,
        other => other,
    };
    match line {
        [s, e, p, b'=', delimiter] | [s, e, p, b'=', delimiter, b' ' | b',' | b';']
            if [*s, *e, *p].eq_ignore_ascii_case(b"sep") =>
        {
            (Some(*delimiter), end + 1)
        }
        _ => (None, 0),
    }
}

/// Returns true if all names of the header are in single quotes.
fn single_quoted(head: &[u8], newline: u8) -> bool {
    let end = memchr::memchr(newline, head).unwrap_or(head.len());
    let line = head[..end].trim_ascii();
    DELIMITERS.iter().any(|delimiter| {
        let names: Vec<_> = line.split(|b| b == delimiter).collect();
        names.len() > 1
            && names
                .iter()
                .all(|name| matches!(name.trim_ascii(), [b'\'', .., b'\'']))
    })
}

/// Returns the separator by which most rows have as many cells as the header, the usual one if
/// nothing speaks for another.
fn best_delimiter(head: &[u8], complete: bool, dialect: Dialect) -> u8 {
    let score = |delimiter| {
        let (cells, share) = sample(
            head,
            complete,
            Dialect {
                delimiter,
                ..dialect
            },
        );
        if cells < 2 { 0.0 } else { share * cells as f64 }
    };
    let usual = (dialect.delimiter, score(dialect.delimiter));
    DELIMITERS
        .into_iter()
        .map(|delimiter| (delimiter, score(delimiter)))
        .fold(
            usual,
            |best, other| if other.1 > best.1 { other } else { best },
        )
        .0
}

/// Returns the number of cells of the header, and the share of rows with as many.
fn sample(head: &[u8], complete: bool, dialect: Dialect) -> (usize, f64) {
    let mut parser = RowParser::new(dialect, head.len());
    parser.push(head);
    if complete {
        parser.finish();
    }
    let Step::Row(header) = parser.step() else {
        return (0, 0.0);
    };
    let cells = header.cells.len();
    parser.set_columns(cells);
    let (mut fitting, mut rows) = (0_u32, 0_u32);
    while let Step::Row(row) = parser.step() {
        rows += 1;
        fitting += u32::from(row.error.is_none());
        if rows as usize == SAMPLE_ROWS {
            break;
        }
    }
    let share = if rows == 0 {
        1.0
    } else {
        f64::from(fitting) / f64::from(rows)
    };
    (cells, share)
}
