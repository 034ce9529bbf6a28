//! Separated text that arrives in parts, as in a request: detection waits for a head, and rows
//! follow.

use encoding_rs::{Encoding, UTF_8};

use super::{
    HEAD, ReadAs, TextOptions, TextRow,
    dialect::Dialect,
    encoding::{self, Content, Decoder},
    rows::{RowParser, Step},
};

/// Rows of a stream of bytes.
pub struct TextStream {
    options: TextOptions,
    limit: usize,
    state: State,
}

enum State {
    /// Bytes so far, before detection.
    Head(Vec<u8>),
    Rows {
        decoder: Decoder,
        parser: Box<RowParser>,
        read_as: ReadAs,
        /// True before the header, which sets the number of cells.
        header: bool,
    },
}

impl TextStream {
    /// Creates a reader of rows of at most `limit` bytes.
    pub fn new(options: TextOptions, limit: usize) -> Self {
        Self {
            options,
            limit,
            state: State::Head(Vec::new()),
        }
    }

    /// Adds bytes.
    ///
    /// # Errors
    /// The bytes are not text.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), String> {
        match &mut self.state {
            State::Rows {
                decoder, parser, ..
            } => decoder.decode(bytes, false, parser.buffer_for_decoding()),
            State::Head(head) => {
                head.extend_from_slice(bytes);
                if head.len() >= HEAD {
                    self.detect(false)?;
                }
            }
        }
        Ok(())
    }

    /// Ends the text.
    ///
    /// # Errors
    /// The bytes are not text.
    pub fn finish(&mut self) -> Result<(), String> {
        if matches!(self.state, State::Head(_)) {
            self.detect(true)?;
        }
        if let State::Rows {
            decoder, parser, ..
        } = &mut self.state
        {
            decoder.decode(&[], true, parser.buffer_for_decoding());
            parser.finish();
        }
        Ok(())
    }

    /// Detects the form from what has arrived, if that includes a whole line: the sender waits for
    /// an answer.
    ///
    /// # Errors
    /// The bytes are not text.
    pub fn settle(&mut self) -> Result<(), String> {
        match &self.state {
            State::Head(head) if has_line(head) => self.detect(false),
            _ => Ok(()),
        }
    }

    /// Returns true once the form is known.
    pub fn is_settled(&self) -> bool {
        matches!(self.state, State::Rows { .. })
    }

    /// Returns the form, once it is known.
    pub fn read_as(&self) -> Option<&ReadAs> {
        match &self.state {
            State::Head(_) => None,
            State::Rows { read_as, .. } => Some(read_as),
        }
    }

    /// Returns the next row that has arrived as a whole; the first one is the header.
    pub fn pop(&mut self) -> Option<TextRow> {
        let State::Rows { parser, header, .. } = &mut self.state else {
            return None;
        };
        let Step::Row(row) = parser.step() else {
            return None;
        };
        if std::mem::take(header) {
            parser.set_columns(row.cells.len());
        }
        Some(row)
    }

    fn detect(&mut self, complete: bool) -> Result<(), String> {
        let State::Head(head) = &mut self.state else {
            return Ok(());
        };
        let head = std::mem::take(head);
        let encoding: &'static Encoding = match self.options.encoding {
            Some(encoding) => encoding,
            None if head.is_empty() => UTF_8,
            None => encoding::detect(&head, complete, Content::Table)?,
        };
        let mut decoder = Decoder::new(encoding);
        let mut text = Vec::new();
        let mark = encoding::mark_length(encoding, &head);
        decoder.decode(&head[mark..], false, &mut text);
        let (dialect, skipped) = Dialect::detect(&text, complete, &self.options, b',');
        let mut parser = Box::new(RowParser::new(dialect, self.limit));
        parser.push(&text[skipped..]);
        parser.start_at(1 + u64::from(skipped > 0));
        self.state = State::Rows {
            decoder,
            parser,
            read_as: dialect.describe(encoding),
            header: true,
        };
        Ok(())
    }
}

/// Returns true if a line, and a byte of the next one, have arrived.
fn has_line(head: &[u8]) -> bool {
    memchr::memchr(b'\n', head).is_some()
        || memchr::memchr(b'\r', head).is_some_and(|at| at + 2 < head.len())
}
