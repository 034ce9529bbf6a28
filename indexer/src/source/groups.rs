//! Products spread over several rows: a first row and the rows that continue it.

use std::iter::Peekable;

use serde_json::{Map, Value};
use vitrine_schemas::{Item, Price};

use super::{
    Record, SourceError,
    cells::{self, Row},
    table::{Line, Table},
};

/// Maximum number of rows of one product, so that a file without first rows is not read into
/// memory.
const MAX_ROWS: usize = 10_000;

/// Rows of one product.
pub(super) struct Group {
    pub line: u64,
    /// At least one row.
    rows: Vec<Row>,
    error: Option<String>,
}

/// Groups rows while `continues(first, next)`. An invalid row rejects its product and no other.
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
        error: first.error,
    };
    while let Some(next) = lines.next_if(|next| {
        next.as_ref()
            .is_ok_and(|next| continues(&group.rows[0], &next.row))
    }) {
        let Ok(next) = next else { break };
        if group.rows.len() == MAX_ROWS {
            group.error = Some(format!("a product has more than {MAX_ROWS} rows"));
            continue;
        }
        let error = next
            .error
            .map(|error| format!("line {}: {error}", next.line));
        group.error = group.error.or(error);
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
        let item = match &self.error {
            Some(error) => Err(error.clone()),
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

    /// Returns the distinct values of a column, in their order.
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

    /// Returns the lowest price of a column.
    pub fn lowest_price(&self, column: &str) -> Result<Option<Price>, String> {
        let prices = self.distinct(column)?;
        let prices = prices.iter().map(|text| cells::price(column, text));
        let prices = prices.collect::<Result<Vec<_>, _>>()?;
        Ok(prices
            .into_iter()
            .min_by(|a, b| a.amount.total_cmp(&b.amount)))
    }
}

/// Keyword attributes collected value by value.
#[derive(Default)]
pub(super) struct Keywords(Map<String, Value>);

impl Keywords {
    /// Adds a value unless it is present. The name is converted to a valid one.
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

    /// Returns the attributes of an item.
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
