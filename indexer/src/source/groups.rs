//! Products spread over several rows: a first row and the rows that continue it.

use std::iter::Peekable;

use serde_json::{Map, Value};
use vitrine_schemas::{Item, Price};

use super::{
    Record, SourceError,
    cells::{self, Row},
    table::{Line, Table},
};

/// Most rows of one product: a file without first rows must not be gathered whole.
const MAX_ROWS: usize = 10_000;

/// The rows of one product.
pub(super) struct Group {
    pub line: u64,
    /// At least one.
    rows: Vec<Row>,
    fault: Option<String>,
}

/// Gathers rows as long as `continues(first, next)`. A faulty row spoils its product and no other.
pub(super) fn groups(
    table: Table,
    continues: fn(&Row, &Row) -> bool,
) -> impl Iterator<Item = Result<Group, SourceError>> {
    let mut lines = table.peekable();
    std::iter::from_fn(move || {
        Some(
            lines
                .next()?
                .map(|first| gather(first, &mut lines, continues)),
        )
    })
}

fn gather(first: Line, lines: &mut Peekable<Table>, continues: fn(&Row, &Row) -> bool) -> Group {
    let mut group = Group {
        line: first.line,
        rows: vec![first.row],
        fault: first.fault,
    };
    while let Some(next) = lines.next_if(|next| {
        next.as_ref()
            .is_ok_and(|next| continues(&group.rows[0], &next.row))
    }) {
        let Ok(next) = next else { break };
        if group.rows.len() == MAX_ROWS {
            group.fault = Some(format!("has more than {MAX_ROWS} rows"));
            continue;
        }
        let fault = next
            .fault
            .map(|fault| format!("line {}: {fault}", next.line));
        group.fault = group.fault.or(fault);
        group.rows.push(next.row);
    }
    group
}

impl Group {
    pub fn record(
        self,
        id: Option<String>,
        make: impl Fn(&Self) -> Result<Item, String>,
    ) -> Record {
        let item = match &self.fault {
            Some(fault) => Err(fault.clone()),
            None => make(&self),
        };
        Record {
            line: self.line,
            id,
            item,
        }
    }

    pub fn first(&self) -> &Row {
        &self.rows[0]
    }

    /// The different values of a column, in their order.
    pub fn distinct(&self, column: &str) -> Result<Vec<String>, String> {
        let mut all = Vec::new();
        for row in &self.rows {
            for value in cells::texts(row, column)? {
                if !all.contains(&value) {
                    all.push(value);
                }
            }
        }
        Ok(all)
    }

    /// The lowest price in a column.
    pub fn lowest_price(&self, column: &str) -> Result<Option<Price>, String> {
        let prices = self.distinct(column)?;
        let prices = prices.iter().map(|text| cells::price(column, text));
        let prices = prices.collect::<Result<Vec<_>, _>>()?;
        Ok(prices
            .into_iter()
            .min_by(|a, b| a.amount.total_cmp(&b.amount)))
    }
}

/// Keyword attributes gathered value by value.
#[derive(Default)]
pub(super) struct Keywords(Map<String, Value>);

impl Keywords {
    /// Adds a value unless it is there. Names are made to fit.
    pub fn add(&mut self, name: &str, value: &str) {
        let (Some(name), value) = (cells::attribute_name(name), value.trim()) else {
            return;
        };
        if value.is_empty() {
            return;
        }
        let values = self
            .0
            .entry(name)
            .or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(values) = values
            && !values.iter().any(|v| v == value)
        {
            values.push(value.into());
        }
    }

    /// The attributes of an item.
    pub fn finish(self) -> Map<String, Value> {
        let scalar = |value| match value {
            Value::Array(values) => cells::one_or_many(values),
            other => Some(other),
        };
        let values = self.0.into_iter();
        values
            .filter_map(|(name, v)| Some((name, scalar(v)?)))
            .collect()
    }
}
