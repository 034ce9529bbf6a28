//! A catalog read without writing or embedding: what would be stored, refused and guessed.

use std::collections::{BTreeMap, HashSet};

use serde::Serialize;
use vitrine_schemas::AttributeType;

use super::{Guess, IndexError, Reject, RejectKind, Rejects, item_text, short_hash};
use crate::source::{Catalog, ColumnReport, count_refused};

/// Number of rejected records in the report.
const MAX_REPORTED: usize = 10;

/// Report of a dry run.
#[derive(Debug, Default, Serialize)]
pub struct DryRun {
    /// Records read.
    pub read: u64,
    /// Items that would be written.
    pub items: u64,
    /// Variants of these items.
    pub variants: u64,
    /// Records that delete their items.
    pub deletes: u64,
    /// Records with an id seen before.
    pub duplicates: u64,
    /// Records that cannot be used.
    pub rejected: u64,
    /// Values that cannot be read; their items would be stored without them.
    pub refused_values: u64,
    /// The first rejected records.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub first_rejected: Vec<Rejected>,
    /// Columns of the file by name.
    pub columns: BTreeMap<String, ColumnReport>,
    /// Types of the attributes.
    pub attributes: BTreeMap<String, AttributeType>,
}

/// Rejected record.
#[derive(Debug, Serialize)]
pub struct Rejected {
    /// Line of the source, from 1.
    pub line: u64,
    /// Id, if it could be read.
    pub id: Option<String>,
    /// Reason, and how to fix it.
    pub reason: String,
}

/// Reads a catalog and reports its contents; `limit` is the maximum number of records.
///
/// # Errors
/// The file cannot be read further, or the rejects file cannot be written.
pub fn dry_run(
    catalog: &Catalog,
    declared: BTreeMap<String, AttributeType>,
    limit: usize,
    rejects: &mut Rejects,
) -> Result<DryRun, IndexError> {
    let mut columns = catalog.columns()?;
    let (mut report, mut guess, mut seen) = (DryRun::default(), Guess::default(), HashSet::new());
    for record in catalog.records()?.take(limit) {
        let record = record?;
        report.read += 1;
        report.refused_values += record.notes.len() as u64;
        report.duplicates += record.superseded.len() as u64;
        count_refused(&mut columns, &record);
        for note in &record.notes {
            rejects.add_quietly(&Reject {
                line: note.line,
                id: record.id.as_deref(),
                kind: RejectKind::Field,
                field: Some(&note.column),
                reason: &note.reason,
            })?;
        }
        let reason = match &record.item {
            Ok(_) if record.is_delete => {
                report.deletes += 1;
                continue;
            }
            Ok(item)
                if item_text(item).is_none()
                    && item.images.is_empty()
                    && item.vectors.is_empty() =>
            {
                "nothing to embed: add a title, a description, an image or vectors"
            }
            Ok(item) => {
                if seen.insert(short_hash(&item.id)) {
                    report.items += 1;
                    report.variants += item.variants.len() as u64;
                } else {
                    report.duplicates += 1;
                }
                guess.add(item);
                continue;
            }
            Err(reason) => reason,
        };
        let (line, id) = (record.line, record.id.as_deref());
        report.rejected += 1;
        rejects.add(&Reject {
            line,
            id,
            kind: RejectKind::Record,
            field: None,
            reason,
        })?;
        if report.first_rejected.len() < MAX_REPORTED {
            report.first_rejected.push(Rejected {
                line,
                id: id.map(str::to_owned),
                reason: reason.to_owned(),
            });
        }
    }
    report.columns = columns.into_iter().collect();
    report.attributes = guess.types();
    report.attributes.extend(declared);
    Ok(report)
}
