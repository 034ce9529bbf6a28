//! Rows of separated text with a header line.

use std::io::Read;

use serde_json::Value;

use super::{
    SourceError,
    cells::Row,
    input::{Guard, Input},
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
    reader: csv::Reader<Guard>,
}

impl Table {
    pub fn open(input: Input, separator: u8) -> Result<Self, SourceError> {
        let name = input.name;
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(separator)
            .flexible(true)
            // The `\r` of `\r
            // ` is trimmed with the blanks around cells; as a terminator of its own it would break
            // line numbers.
            .terminator(csv::Terminator::Any(b'\n'))
            // The last line is terminated too, so that lines can be counted.
            .from_reader(Guard::new(Box::new(input.reader.chain(&b"\n"[..]))));
        let header = match reader.byte_headers() {
            Ok(header) => header.clone(),
            Err(error) => return Err(broken(&name, 1, error)),
        };
        let error = |reason: String| SourceError::Header {
            name: name.clone(),
            reason,
        };
        let mut columns: Vec<String> = Vec::new();
        for (at, column) in header.iter().enumerate() {
            let column = std::str::from_utf8(column)
                .map_err(|_| error(format!("the name of column {} is not UTF-8", at + 1)))?
                .trim();
            if !column.is_empty() && columns.iter().any(|c| c == column) {
                return Err(error(format!("duplicate column `{column}`")));
            }
            columns.push(column.to_owned());
        }
        if columns.is_empty() {
            return Err(error(
                "the file is empty; its first line must name the columns".to_owned(),
            ));
        }
        Ok(Self {
            name,
            columns,
            reader,
        })
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

    fn line(&self, line: u64, record: &csv::ByteRecord) -> Line {
        let mut row = Row::new();
        let mut error = (record.len() != self.columns.len()).then(|| {
            format!(
                "expected {} fields as in the header, got {}; quote fields that contain the separator",
                self.columns.len(),
                record.len()
            )
        });
        for (column, cell) in self.columns.iter().zip(record) {
            let text = String::from_utf8_lossy(cell);
            if error.is_none() && std::str::from_utf8(cell).is_err() {
                error = Some(format!("column `{column}`: not valid UTF-8"));
            }
            if !column.is_empty() {
                row.insert(column.clone(), Value::from(text.trim()));
            }
        }
        Line { line, row, error }
    }
}

impl Iterator for Table {
    type Item = Result<Line, SourceError>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut record = csv::ByteRecord::new();
        loop {
            self.reader.get_mut().begin();
            let start = self.reader.position().line();
            match self.reader.read_byte_record(&mut record) {
                Ok(false) => return None,
                Ok(true) if record.iter().all(|cell| cell.trim_ascii().is_empty()) => {}
                Ok(true) => {
                    // Counted from the end, because blank lines before a record are read with it.
                    let cells = record.as_slice().iter();
                    let within = cells.filter(|b| **b == b'\n').count() as u64;
                    let end = self.reader.position().line();
                    let line = end.saturating_sub(within + 1);
                    return Some(Ok(self.line(line, &record)));
                }
                Err(error) => return Some(Err(broken(&self.name, start, error))),
            }
        }
    }
}

fn broken(name: &str, line: u64, error: csv::Error) -> SourceError {
    let source = match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => std::io::Error::other(format!("{other:?}")),
    };
    SourceError::Read {
        name: name.to_owned(),
        line,
        source,
    }
}
