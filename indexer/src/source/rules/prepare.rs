//! Preparation of rows before they are read: values that the mapping translates, and blank cells
//! that repeat the row above.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Rules;
use crate::source::{
    cells::{as_text, is_blank},
    line::Lines,
};

/// Translations of the values of a column, in lower case.
type Translations = BTreeMap<String, String>;

/// Changes of rows that a mapping asks for.
#[derive(Clone, Default)]
struct Preparation {
    /// Columns to fill; they are filled where the first one is blank.
    fill_down: Vec<String>,
    values: BTreeMap<String, Translations>,
    /// The last values of the columns to fill.
    above: Vec<Value>,
}

impl Rules {
    /// Returns the rows as the mapping wants them to be read.
    pub fn prepared(&self, lines: Lines) -> Lines {
        if self.fill_down.is_empty() && self.values.is_empty() {
            return lines;
        }
        let lower = |(written, meant): (&String, &String)| (written.to_lowercase(), meant.clone());
        let values = self.values.iter().map(|(column, values)| {
            let values = values.iter().map(lower).collect();
            (column.clone(), values)
        });
        let mut preparation = Preparation {
            above: vec![Value::Null; self.fill_down.len()],
            fill_down: self.fill_down.clone(),
            values: values.collect(),
        };
        Box::new(lines.map(move |line| {
            let mut line = line?;
            if line.error.is_none() {
                preparation.fill(&mut line.row);
                preparation.translate(&mut line.row);
            }
            Ok(line)
        }))
    }
}

impl Preparation {
    fn fill(&mut self, row: &mut serde_json::Map<String, Value>) {
        let Some(key) = self.fill_down.first() else {
            return;
        };
        let repeats = row.get(key).is_none_or(is_blank);
        for (column, above) in self.fill_down.iter().zip(&mut self.above) {
            match row.get(column).filter(|value| !is_blank(value)) {
                None if repeats => {
                    row.insert(column.clone(), above.clone());
                }
                found => *above = found.cloned().unwrap_or_default(),
            }
        }
    }

    fn translate(&self, row: &mut serde_json::Map<String, Value>) {
        for (column, values) in &self.values {
            if let Some(cell) = row.get_mut(column)
                && let Some(meant) = values.get(&as_text(cell).to_lowercase())
            {
                *cell = meant.clone().into();
            }
        }
    }
}
