//! Rows of separated text with a header line.

use std::io;

use csv::ByteRecord;
use encoding_rs::Encoding;
use serde_json::Value;

use super::{
    SourceError,
    cells::Row,
    input::{Input, MAX_RECORD},
    text::{
        HEAD, TextRow,
        dialect::Dialect,
        rows::{RowParser, Step},
    },
};

/// Row, with the error that prevents using it.
pub(super) struct Line {
    /// Its first line, from 1.
    pub line: u64,
    pub row: Row,
    /// Problem of the row.
    pub error: Option<String>,
}

/// Separated text.
pub(super) struct Table {
    name: String,
    columns: Vec<String>,
    reader: Box<dyn io::BufRead + Send>,
    parser: RowParser,
    encoding: &'static Encoding,
}

impl Table {
    /// Opens a table whose separator is usually `delimiter`.
    pub fn open(mut input: Input, delimiter: u8) -> Result<Self, SourceError> {
        let name = input.name;
        let broken = |line: u64| {
            let name = name.clone();
            move |source| SourceError::Read { name, line, source }
        };
        let (mut head, mut complete) = (Vec::new(), false);
        while head.len() < HEAD && !complete {
            complete = !more(&mut input.reader, &mut head).map_err(broken(1))?;
        }
        let options = &input.reading.text;
        let (dialect, skipped) = Dialect::detect(&head, complete, options, delimiter);
        let mut parser = RowParser::new(dialect, MAX_RECORD);
        parser.push(&head[skipped..]);
        parser.start_at(1 + u64::from(skipped > 0));
        let mut table = Self {
            name,
            columns: Vec::new(),
            reader: input.reader,
            parser,
            encoding: input.encoding,
        };
        let header = table.read()?;
        if header.is_some() {
            input.reading.note(dialect.describe(input.encoding));
        }
        table.columns = table.header(header)?;
        table.parser.set_columns(table.columns.len());
        Ok(table)
    }

    fn header(&self, row: Option<TextRow>) -> Result<Vec<String>, SourceError> {
        let error = |reason: String| SourceError::Header {
            name: self.name.clone(),
            reason,
        };
        let Some(row) = row else {
            let reason = "the file is empty; its first line must name the columns";
            return Err(error(reason.to_owned()));
        };
        if let Some(problem) = row.error {
            return Err(error(format!("the header: {problem}")));
        }
        let mut columns: Vec<String> = Vec::new();
        for (at, column) in row.cells.iter().enumerate() {
            let column = std::str::from_utf8(column)
                .map_err(|_| {
                    error(format!(
                        "the name of column {} is not {}; set --encoding",
                        at + 1,
                        self.encoding.name()
                    ))
                })?
                .trim();
            columns.push(column.to_owned());
        }
        Ok(columns)
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Renames the columns.
    pub fn rename(mut self, new: impl Fn(&str) -> String) -> Self {
        for column in &mut self.columns {
            *column = new(column);
        }
        self
    }

    /// Reads the next row; `None` at the end.
    fn read(&mut self) -> Result<Option<TextRow>, SourceError> {
        loop {
            match self.parser.step() {
                Step::Row(row) => return Ok(Some(row)),
                Step::End => return Ok(None),
                Step::More => {}
            }
            match more(&mut self.reader, self.parser.buffer_for_decoding()) {
                Ok(true) => {}
                Ok(false) => self.parser.finish(),
                Err(source) => {
                    return Err(SourceError::Read {
                        name: self.name.clone(),
                        line: self.parser.line(),
                        source,
                    });
                }
            }
        }
    }

    fn line(&self, row: &TextRow) -> Line {
        let mut error = row.error.map(|error| error.to_string());
        let cells = self.cells(&row.cells, &mut error);
        Line {
            line: row.line,
            row: cells,
            error,
        }
    }

    fn cells(&self, record: &ByteRecord, error: &mut Option<String>) -> Row {
        let mut row = Row::new();
        for (column, cell) in self.columns.iter().zip(record) {
            let text = String::from_utf8_lossy(cell);
            if error.is_none() && matches!(text, std::borrow::Cow::Owned(_)) {
                *error = Some(format!(
                    "column `{column}`: not valid {}; set --encoding, or save the file in one encoding",
                    self.encoding.name()
                ));
            }
            if !column.is_empty() {
                add(&mut row, column, text.trim());
            }
        }
        row
    }
}

impl Iterator for Table {
    type Item = Result<Line, SourceError>;

    fn next(&mut self) -> Option<Self::Item> {
        let row = self.read().transpose()?;
        Some(row.map(|row| self.line(&row)))
    }
}

/// Adds a cell to a row. Columns of one name, which exports have for custom fields and images, are
/// a list.
fn add(row: &mut Row, column: &str, text: &str) {
    let Some(value) = row.get_mut(column) else {
        row.insert(column.to_owned(), text.into());
        return;
    };
    match value {
        Value::Array(values) if !text.is_empty() => values.push(text.into()),
        Value::String(first) if first.is_empty() => *value = text.into(),
        Value::String(_) if !text.is_empty() => *value = vec![value.take(), text.into()].into(),
        _ => {}
    }
}

/// Appends the next bytes; returns false at the end.
fn more(reader: &mut impl io::BufRead, to: &mut Vec<u8>) -> io::Result<bool> {
    let bytes = reader.fill_buf()?;
    let count = bytes.len();
    to.extend_from_slice(bytes);
    reader.consume(count);
    Ok(count > 0)
}
