//! Preparation of rows before they are read: values that the mapping translates, and blank cells
//! that repeat the row above.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Rules;
use crate::source::{
    cells::{Row, as_text, cell, is_blank},
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
    /// True if the row with these values was refused.
    is_lost: bool,
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
            is_lost: false,
        };
        Box::new(lines.map(move |line| {
            let mut line = line?;
            if line.error.is_some() {
                preparation.lose(&line.row);
            } else if let Err(reason) = preparation.fill(&mut line.row) {
                line.error = Some(reason);
            } else {
                preparation.translate(&mut line.row);
            }
            Ok(line)
        }))
    }
}

impl Preparation {
    /// Forgets the row above if it was refused, unless it belonged to the one above it.
    fn lose(&mut self, row: &Row) {
        let key = self.fill_down.first();
        let repeats = key.is_some_and(|key| cell(row, key).is_some_and(is_blank));
        self.is_lost |= !repeats;
    }

    /// Fills the blank cells of a row that belongs to the one above.
    ///
    /// # Errors
    /// The row above was refused.
    fn fill(&mut self, row: &mut Row) -> Result<(), String> {
        let Some(key) = self.fill_down.first() else {
            return Ok(());
        };
        let repeats = cell(row, key).is_none_or(is_blank);
        if repeats && self.is_lost {
            return Err(format!(
                "column `{key}`: is blank, and the row above that has it was refused; repair that row"
            ));
        }
        self.is_lost = false;
        for (column, above) in self.fill_down.iter().zip(&mut self.above) {
            match cell(row, column).filter(|value| !is_blank(value)) {
                None if repeats && !above.is_null() => {
                    row.insert(column.clone(), above.clone());
                }
                None if repeats => {}
                found => *above = found.cloned().unwrap_or_default(),
            }
        }
        Ok(())
    }

    fn translate(&self, row: &mut Row) {
        for (column, values) in &self.values {
            let meaning = |value: &Value| values.get(&as_text(value).to_lowercase()).cloned();
            let translated = match cell(row, column) {
                Some(Value::Array(all)) => {
                    let meant = |value: &Value| meaning(value).map_or(value.clone(), Value::from);
                    Value::Array(all.iter().map(meant).collect())
                }
                Some(value) => match meaning(value) {
                    Some(meant) => meant.into(),
                    None => continue,
                },
                None => continue,
            };
            row.insert(column.clone(), translated);
        }
    }
}
