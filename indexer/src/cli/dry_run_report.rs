//! Table of the columns of a dry run.

use comfy_table::{Table, presets};

use crate::pipeline::DryRun;

/// Returns the columns as a table, and the totals in a line.
pub(super) fn table(report: &DryRun) -> String {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table.set_header([
        "column", "field", "values", "empty", "refused", "type", "example",
    ]);
    for (name, column) in &report.columns {
        table.add_row([
            name.clone(),
            column
                .field
                .clone()
                .unwrap_or_else(|| "(ignored)".to_owned()),
            column.values.to_string(),
            column.empty.to_string(),
            column.refused.to_string(),
            column.kind.clone(),
            column.example.clone().unwrap_or_default(),
        ]);
    }
    let mut text = format!("{table}\n");
    for (name, column) in &report.columns {
        if let Some(first) = &column.first_refused {
            text.push_str(&format!(
                "{name}: {} values refused; {first}\n",
                column.refused
            ));
        }
    }
    for rejected in &report.first_rejected {
        let id = rejected.id.as_deref().unwrap_or("?");
        text.push_str(&format!(
            "line {}, id {id}: {}\n",
            rejected.line, rejected.reason
        ));
    }
    text.push_str(&format!(
        "{} records: {} items with {} variants, {} deletions, {} duplicates, {} rejected\n",
        report.read,
        report.items,
        report.variants,
        report.deletes,
        report.duplicates,
        report.rejected
    ));
    text
}
