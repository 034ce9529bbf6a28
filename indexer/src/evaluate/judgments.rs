//! Relevance judgments: the relevant items of a query, with grades.

use std::{
    collections::{BTreeMap, HashMap},
    fs::File,
    io::{BufRead, BufReader},
    path::Path,
};

use serde_json::json;

use super::{EvaluateError, JudgedQuery};

/// Judged items of each query, with their relevance: 0 for irrelevant, higher is better.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Judgments(pub BTreeMap<String, HashMap<String, f64>>);

impl Judgments {
    /// Reads a CSV file with the given columns for query, item and relevance; without the last,
    /// every line is a relevant item.
    ///
    /// # Errors
    /// [`EvaluateError::Judgments`] with the line and how to fix it.
    pub fn from_csv(path: &Path, columns: &[String]) -> Result<Self, EvaluateError> {
        let error_at = |line: u64, reason: String| error_at(path, line, reason);
        let mut reader = csv::Reader::from_path(path).map_err(|e| error_at(0, e.to_string()))?;
        let header = reader
            .headers()
            .map_err(|e| error_at(1, e.to_string()))?
            .clone();
        let place = |column: &String| {
            header.iter().position(|h| h == column).ok_or_else(|| {
                let there: Vec<_> = header.iter().collect();
                let there = there.join(", ");
                error_at(
                    1,
                    format!("no column `{column}`; the columns are: {there} (select them with --columns)"),
                )
            })
        };
        let places = columns.iter().map(place).collect::<Result<Vec<_>, _>>()?;
        let mut judgments = Self::default();
        for record in reader.records() {
            let record = record
                .map_err(|e| error_at(e.position().map_or(0, |p| p.line()), e.to_string()))?;
            let line = record.position().map_or(0, |p| p.line());
            let cell = |at: usize| places.get(at).and_then(|p| record.get(*p));
            let relevance = cell(2).map(|text| relevance(text).map_err(|e| error_at(line, e)));
            let relevance = relevance.transpose()?.unwrap_or(1.0);
            judgments.add(
                cell(0).unwrap_or_default(),
                cell(1).unwrap_or_default(),
                relevance,
            );
        }
        Ok(judgments)
    }

    /// Reads TREC qrels, `query-id 0 item relevance` per line, with the queries' texts in a file of
    /// `query-id<tab>text` lines.
    ///
    /// # Errors
    /// [`EvaluateError::Judgments`] with the line and how to fix it.
    pub fn from_qrels(path: &Path, queries: &Path) -> Result<Self, EvaluateError> {
        let mut texts = HashMap::new();
        for (number, line) in lines(queries)? {
            let (id, text) = line.split_once('\t').ok_or_else(|| {
                error_at(
                    queries,
                    number,
                    "expected query-id, a tab, the query's text".into(),
                )
            })?;
            texts.insert(id.trim().to_owned(), text.trim().to_owned());
        }
        let mut judgments = Self::default();
        for (number, line) in lines(path)? {
            let parts: Vec<_> = line.split_whitespace().collect();
            let [id, _, item, grade] = parts[..] else {
                return Err(error_at(
                    path,
                    number,
                    "expected query-id 0 item relevance".into(),
                ));
            };
            let text = texts.get(id).ok_or_else(|| {
                error_at(
                    path,
                    number,
                    format!("query `{id}` is not in {}", queries.display()),
                )
            })?;
            let grade = relevance(grade).map_err(|e| error_at(path, number, e))?;
            // TREC marks junk with negative grades.
            judgments.add(text, item, grade.max(0.0));
        }
        Ok(judgments)
    }

    /// Returns its queries as texts to search for.
    pub fn queries(&self) -> Vec<JudgedQuery> {
        let query = |(text, judged): (&String, &HashMap<String, f64>)| JudgedQuery {
            name: text.clone(),
            query: json!({ "text": text }),
            judged: judged.clone(),
        };
        self.0.iter().map(query).collect()
    }

    fn add(&mut self, query: &str, item: &str, relevance: f64) {
        let items = self.0.entry(query.to_owned()).or_default();
        let known = items.entry(item.to_owned()).or_insert(relevance);
        *known = known.max(relevance);
    }
}

fn relevance(text: &str) -> Result<f64, String> {
    match text.trim().parse::<f64>() {
        Ok(grade) if grade.is_finite() => Ok(grade),
        _ => Err(format!("expected a number as relevance, got `{text}`")),
    }
}

/// Returns the non-empty lines with their numbers.
fn lines(path: &Path) -> Result<Vec<(u64, String)>, EvaluateError> {
    let file = File::open(path).map_err(|e| error_at(path, 0, e.to_string()))?;
    let numbered = (1..).zip(BufReader::new(file).lines());
    let read = numbered.map(|(number, line)| match line {
        Ok(line) => Ok((number, line)),
        Err(e) => Err(error_at(path, number, e.to_string())),
    });
    let mut lines = read.collect::<Result<Vec<_>, _>>()?;
    lines.retain(|(_, line)| !line.trim().is_empty());
    Ok(lines)
}

fn error_at(path: &Path, line: u64, reason: String) -> EvaluateError {
    EvaluateError::Judgments {
        path: path.to_owned(),
        line,
        reason,
    }
}
