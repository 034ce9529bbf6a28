//! Contents of the columns of a catalog: counts, types and examples.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use super::{
    Record,
    cells::{self, Row},
    groups::Survey,
    layout::Layout,
};

/// Contents of a column.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct ColumnReport {
    /// Field or attribute that it is read into; absent if it is ignored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Number of rows with a value.
    pub values: u64,
    /// Number of rows without one.
    pub empty: u64,
    /// Number of values that cannot be read.
    pub refused: u64,
    /// Type, from the values.
    #[serde(rename = "type")]
    pub kind: String,
    /// Decimal mark of a column of prices, if its values show one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decimal_mark: Option<char>,
    /// First value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub example: Option<String>,
    /// First value that cannot be read, with its reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_refused: Option<String>,
}

/// Contents of columns while they are counted.
#[derive(Default)]
pub(super) struct Columns {
    /// Number of rows.
    pub(super) rows: u64,
    order: Vec<String>,
    by_name: HashMap<String, (ColumnReport, Kinds)>,
}

impl Columns {
    pub(super) fn add(&mut self, row: &Row) {
        for (column, value) in row {
            let (report, kinds) = self.by_name.entry(column.clone()).or_insert_with(|| {
                self.order.push(column.clone());
                Default::default()
            });
            if cells::is_blank(value) {
                continue;
            }
            report.values += 1;
            kinds.add(value);
            if report.example.is_none() {
                report.example = Some(cells::as_text(value).chars().take(60).collect());
            }
        }
    }

    pub(super) fn finish(
        mut self,
        layout: &dyn Layout,
        survey: &Survey,
    ) -> Vec<(String, ColumnReport)> {
        let names = self.order.iter().map(|c| (c.clone(), "".into()));
        let fields: BTreeMap<String, String> = layout
            .fields(&names.collect())
            .into_iter()
            .map(|(field, column)| (column, field))
            .collect();
        let take = |column: String| {
            let (mut report, kinds) = self.by_name.remove(&column)?;
            report.field = fields.get(&column).cloned();
            report.empty = self.rows.saturating_sub(report.values);
            report.kind = kinds.name().to_owned();
            report.decimal_mark = survey.marks.get(&column).and_then(|mark| mark.mark());
            Some((column, report))
        };
        self.order.into_iter().filter_map(take).collect()
    }
}

/// Types that all values of a column fit so far.
#[derive(Clone, Copy)]
struct Kinds {
    integer: bool,
    number: bool,
    flag: bool,
    time: bool,
    any: bool,
}

impl Default for Kinds {
    fn default() -> Self {
        Self {
            integer: true,
            number: true,
            flag: true,
            time: true,
            any: false,
        }
    }
}

impl Kinds {
    fn add(&mut self, value: &serde_json::Value) {
        let text = cells::as_text(value);
        self.any = true;
        // A code such as `0042` is a text.
        let is_code = text.len() > 1 && text.starts_with('0') && !text.starts_with("0.");
        self.integer &= !is_code && text.parse::<i64>().is_ok();
        self.number &= !is_code && text.parse::<f64>().is_ok();
        self.flag &= matches!(
            text.to_lowercase().as_str(),
            "true" | "false" | "yes" | "no"
        );
        self.time &= text.contains(['-', '/', ':']) && super::values::rfc3339(value).is_ok();
    }

    fn name(self) -> &'static str {
        match self {
            Self { any: false, .. } => "none",
            Self { flag: true, .. } => "bool",
            Self { integer: true, .. } => "integer",
            Self { number: true, .. } => "float",
            Self { time: true, .. } => "datetime",
            _ => "keyword",
        }
    }
}

/// Counts the values of records that cannot be read, by column.
pub(crate) fn count_refused(columns: &mut [(String, ColumnReport)], record: &Record) {
    for note in &record.notes {
        let named = columns.iter_mut().find(|(name, _)| *name == note.column);
        if let Some((_, report)) = named {
            report.refused += 1;
            report
                .first_refused
                .get_or_insert_with(|| format!("line {}: {}", note.line, note.reason));
        }
    }
}
