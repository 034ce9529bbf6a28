//! Products spread over several rows, which need not be adjacent.
//!
//! A first pass over the file finds the products whose rows are not adjacent. Their rows are held
//! until the end of the file, in memory up to a limit and beyond it in temporary files; all other
//! products are complete as soon as another one begins.

use std::{
    collections::{HashMap, HashSet},
    hash::{DefaultHasher, Hash, Hasher},
    io::{BufRead, BufReader, BufWriter, Seek, Write},
};

use serde::{Deserialize, Serialize};
use vitrine_schemas::Item;

use super::{
    Record, SourceError,
    cells::{Marks, Row},
    layout::Layout,
    line::{Line, Lines},
};

/// Maximum number of rows of one product, so that a file with one key is not read into memory.
const MAX_ROWS: usize = 10_000;
/// Number of rows held in memory until the end of the file.
const MAX_HELD: usize = 100_000;
/// Number of temporary files over which held rows are distributed.
const FILES: u64 = 64;

/// Result of a first pass over a file.
#[derive(Debug, Default)]
pub(super) struct Survey {
    pub marks: Marks,
    /// Hashes of the keys of products whose rows are not adjacent.
    split: HashSet<u64>,
}

impl Survey {
    /// Reads all rows. An error of the file ends the pass; the next pass reports it.
    pub fn of(lines: Lines, layout: &mut dyn Layout) -> Self {
        let mut survey = Self::default();
        let prices = layout.prices();
        let (mut seen, mut previous) = (HashSet::new(), None);
        for line in lines.map_while(Result::ok) {
            for column in &prices {
                let Some(cell) = line.row.get(column) else {
                    continue;
                };
                // Fields of feeds in XML are lists.
                let values = cell
                    .as_array()
                    .map_or(std::slice::from_ref(cell), Vec::as_slice);
                let mark = survey.marks.entry(column.clone()).or_default();
                for text in values.iter().filter_map(serde_json::Value::as_str) {
                    mark.count(text);
                }
            }
            let key = layout.key(&line).filter(|_| line.error.is_none());
            let Some(key) = key.as_deref().map(hash) else {
                continue;
            };
            if previous != Some(key) && !seen.insert(key) {
                survey.split.insert(key);
            }
            previous = Some(key);
        }
        survey
    }
}

fn hash(key: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}

/// Rows of the product that is being read.
struct Open {
    key: String,
    rows: Vec<Line>,
}

/// Records of a file.
pub(super) struct Records<S> {
    lines: Lines,
    layout: Box<dyn Layout>,
    survey: S,
    open: Option<Open>,
    held: Held,
    ready: std::collections::VecDeque<Result<Record, SourceError>>,
    is_over: bool,
}

impl<S: AsRef<Survey>> Records<S> {
    pub fn new(lines: Lines, layout: Box<dyn Layout>, survey: S) -> Self {
        Self {
            lines,
            layout,
            survey,
            open: None,
            held: Held::default(),
            ready: Default::default(),
            is_over: false,
        }
    }

    fn add(&mut self, line: Line) -> Result<(), SourceError> {
        let key = self.layout.key(&line);
        if let Some(error) = line.error {
            let id = self.layout.id(&line.row);
            self.ready
                .push_back(Ok(Record::rejected(line.line, id, error)));
            return Ok(());
        }
        let Some(key) = key else {
            self.close();
            self.finish(None, vec![line]);
            return Ok(());
        };
        let number = hash(&key);
        if self.survey.as_ref().split.contains(&number) {
            return self.held.add(number, key, line);
        }
        match &mut self.open {
            Some(open) if open.key == key => {
                if open.rows.len() < MAX_ROWS {
                    open.rows.push(line);
                } else {
                    self.ready.push_back(Ok(too_many(line.line, key)));
                }
            }
            _ => {
                self.close();
                self.open = Some(Open {
                    key,
                    rows: vec![line],
                });
            }
        }
        Ok(())
    }

    fn close(&mut self) {
        if let Some(Open { key, rows }) = self.open.take() {
            self.finish(Some(key), rows);
        }
    }

    fn finish(&mut self, key: Option<String>, mut rows: Vec<Line>) {
        if let [Line { item: Some(_), .. }] = rows.as_slice()
            && let Some(line) = rows.pop()
        {
            self.ready.push_back(Ok(super::layout::item_record(line)));
            return;
        }
        let marks = &self.survey.as_ref().marks;
        let records = self.layout.product(key, rows, marks);
        self.ready.extend(records.into_iter().map(Ok));
    }

    /// Completes the products whose rows were held, of one temporary file at a time.
    fn end(&mut self) -> Result<bool, SourceError> {
        self.close();
        let Some(products) = self.held.next()? else {
            return Ok(false);
        };
        for (key, rows) in products {
            self.finish(Some(key), rows);
        }
        Ok(true)
    }
}

fn too_many(line: u64, key: String) -> Record {
    let reason = format!("expected at most {MAX_ROWS} rows of one product, got more");
    Record::rejected(line, Some(key), reason)
}

impl<S: AsRef<Survey>> Iterator for Records<S> {
    type Item = Result<Record, SourceError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(ready) = self.ready.pop_front() {
                return Some(ready);
            }
            if self.is_over {
                return None;
            }
            let outcome = match self.lines.next() {
                Some(Ok(line)) => self.add(line),
                // The product that was read last is reported before the error.
                Some(Err(error)) => {
                    self.is_over = true;
                    self.close();
                    self.ready.push_back(Err(error));
                    Ok(())
                }
                None => self.end().map(|more| self.is_over = !more),
            };
            if let Err(error) = outcome {
                self.is_over = true;
                self.ready.push_back(Err(error));
            }
        }
    }
}

/// Row in a temporary file.
#[derive(Serialize, Deserialize)]
struct Stored {
    key: String,
    line: u64,
    row: Row,
    item: Option<Box<Item>>,
}

type Products = Vec<(String, Vec<Line>)>;

/// Rows held until the end of the file.
#[derive(Default)]
struct Held {
    memory: Vec<(String, Line)>,
    files: Vec<BufWriter<std::fs::File>>,
}

impl Held {
    fn add(&mut self, number: u64, key: String, line: Line) -> Result<(), SourceError> {
        if self.files.is_empty() && self.memory.len() < MAX_HELD {
            self.memory.push((key, line));
            return Ok(());
        }
        if self.files.is_empty() {
            for _ in 0..FILES {
                let file = tempfile::tempfile().map_err(SourceError::Temporary)?;
                self.files.push(BufWriter::new(file));
            }
            for (key, line) in std::mem::take(&mut self.memory) {
                self.write(hash(&key), key, line)?;
            }
        }
        self.write(number, key, line)
    }

    fn write(&mut self, number: u64, key: String, line: Line) -> Result<(), SourceError> {
        let stored = Stored {
            key,
            line: line.line,
            row: line.row,
            item: line.item,
        };
        let file = &mut self.files[(number % FILES) as usize];
        let json = serde_json::to_vec(&stored).map_err(std::io::Error::from);
        json.and_then(|json| file.write_all(&json))
            .and_then(|()| file.write_all(b"\n"))
            .map_err(SourceError::Temporary)
    }

    /// Takes the products of memory, or of the next file; `None` if all were taken.
    fn next(&mut self) -> Result<Option<Products>, SourceError> {
        if !self.memory.is_empty() {
            return Ok(Some(by_key(std::mem::take(&mut self.memory))));
        }
        let Some(file) = self.files.pop() else {
            return Ok(None);
        };
        let rows = read_back(file).map_err(SourceError::Temporary)?;
        Ok(Some(by_key(rows)))
    }
}

fn read_back(file: BufWriter<std::fs::File>) -> std::io::Result<Vec<(String, Line)>> {
    let mut file = file.into_inner().map_err(|e| e.into_error())?;
    file.rewind()?;
    let lines = BufReader::new(file).lines();
    lines
        .map(|json| {
            let stored: Stored = serde_json::from_str(&json?)?;
            let mut line = Line::new(stored.line, stored.row);
            line.item = stored.item;
            Ok((stored.key, line))
        })
        .collect()
}

/// Groups rows by key, in the order of their first rows.
fn by_key(rows: Vec<(String, Line)>) -> Products {
    let mut places = HashMap::new();
    let mut products: Products = Vec::new();
    for (key, line) in rows {
        let place = *places.entry(key.clone()).or_insert(products.len());
        if place == products.len() {
            products.push((key, Vec::new()));
        }
        if products[place].1.len() < MAX_ROWS {
            products[place].1.push(line);
        }
    }
    products
}
