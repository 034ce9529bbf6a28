//! Judgements of relevance: which items are right for a query, and how right.

use std::{
    collections::{BTreeMap, HashMap},
    fs::File,
    io::{BufRead, BufReader},
    path::Path,
};

use serde_json::json;

use super::{EvaluateError, Question};

/// Judged items of each query, with their relevance: 0 for what is not relevant, the more the better.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Judgements(pub BTreeMap<String, HashMap<String, f64>>);

impl Judgements {
    /// From a CSV file with the given columns for query, item and relevance; without the last, every line is a right answer.
    ///
    /// # Errors
    /// [`EvaluateError::Judgements`] with the line and the mend.
    pub fn from_csv(path: &Path, columns: &[String]) -> Result<Self, EvaluateError> {
        let fault = |line: u64, reason: String| fault(path, line, reason);
        let mut reader = csv::Reader::from_path(path).map_err(|e| fault(0, e.to_string()))?;
        let header = reader
            .headers()
            .map_err(|e| fault(1, e.to_string()))?
            .clone();
        let place = |column: &String| {
            header.iter().position(|h| h == column).ok_or_else(|| {
                let there: Vec<_> = header.iter().collect();
                let there = there.join(", ");
                fault(
                    1,
                    format!("no column `{column}`; there are: {there} (--columns names them)"),
                )
            })
        };
        let places = columns.iter().map(place).collect::<Result<Vec<_>, _>>()?;
        let mut judgements = Self::default();
        for record in reader.records() {
            let record =
                record.map_err(|e| fault(e.position().map_or(0, |p| p.line()), e.to_string()))?;
            let line = record.position().map_or(0, |p| p.line());
            let cell = |at: usize| places.get(at).and_then(|p| record.get(*p));
            let relevance = cell(2).map(|text| relevance(text).map_err(|e| fault(line, e)));
            let relevance = relevance.transpose()?.unwrap_or(1.0);
            judgements.add(
                cell(0).unwrap_or_default(),
                cell(1).unwrap_or_default(),
                relevance,
            );
        }
        Ok(judgements)
    }

    /// From TREC's form, `query-id 0 item relevance` a line, with the queries' texts in a file of `query-id<tab>text` lines.
    ///
    /// # Errors
    /// [`EvaluateError::Judgements`] with the line and the mend.
    pub fn from_qrels(path: &Path, queries: &Path) -> Result<Self, EvaluateError> {
        let mut texts = HashMap::new();
        for (number, line) in lines(queries)? {
            let (id, text) = line.split_once('\t').ok_or_else(|| {
                fault(
                    queries,
                    number,
                    "write it as query-id, a tab, the query's text".into(),
                )
            })?;
            texts.insert(id.trim().to_owned(), text.trim().to_owned());
        }
        let mut judgements = Self::default();
        for (number, line) in lines(path)? {
            let parts: Vec<_> = line.split_whitespace().collect();
            let [id, _, item, grade] = parts[..] else {
                return Err(fault(
                    path,
                    number,
                    "write it as query-id 0 item relevance".into(),
                ));
            };
            let text = texts.get(id).ok_or_else(|| {
                fault(
                    path,
                    number,
                    format!("query `{id}` is not in {}", queries.display()),
                )
            })?;
            let grade = relevance(grade).map_err(|e| fault(path, number, e))?;
            // TREC writes junk as less than nothing.
            judgements.add(text, item, grade.max(0.0));
        }
        Ok(judgements)
    }

    /// Its queries as texts to search by.
    pub fn questions(&self) -> Vec<Question> {
        let question = |(text, judged): (&String, &HashMap<String, f64>)| Question {
            name: text.clone(),
            query: json!({ "text": text }),
            judged: judged.clone(),
        };
        self.0.iter().map(question).collect()
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
        _ => Err(format!("relevance `{text}` is no number")),
    }
}

/// Lines that are not empty, with their numbers.
fn lines(path: &Path) -> Result<Vec<(u64, String)>, EvaluateError> {
    let file = File::open(path).map_err(|e| fault(path, 0, e.to_string()))?;
    let numbered = (1..).zip(BufReader::new(file).lines());
    let read = numbered.map(|(number, line)| match line {
        Ok(line) => Ok((number, line)),
        Err(e) => Err(fault(path, number, e.to_string())),
    });
    let mut lines = read.collect::<Result<Vec<_>, _>>()?;
    lines.retain(|(_, line)| !line.trim().is_empty());
    Ok(lines)
}

fn fault(path: &Path, line: u64, reason: String) -> EvaluateError {
    EvaluateError::Judgements {
        path: path.to_owned(),
        line,
        reason,
    }
}
