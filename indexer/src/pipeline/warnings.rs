//! Values that cost their fields: counted by column, each in the rejects file.

use serde::Serialize;

use super::{IndexError, Pipeline, Reject, RejectKind};
use crate::source::Note;

/// Values of a column that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RefusedValues {
    /// Number of values.
    pub count: u64,
    /// Line of the first.
    pub line: u64,
    /// The first value.
    pub example: String,
    /// Reason of the first, and how to fix it.
    pub reason: String,
}

impl Pipeline<'_> {
    /// Reports a value that is left out.
    pub(super) fn refuse_value(&mut self, note: &Note, id: Option<&str>) -> Result<(), IndexError> {
        let columns = &mut self.summary.refused_values;
        match columns.get_mut(&note.column) {
            Some(refused) => refused.count += 1,
            None => {
                let first = RefusedValues {
                    count: 1,
                    line: note.line,
                    example: note.value.clone(),
                    reason: note.reason.clone(),
                };
                columns.insert(note.column.clone(), first);
            }
        }
        self.rejects.add_quietly(&Reject {
            line: note.line,
            id,
            kind: RejectKind::Field,
            field: Some(&note.column),
            reason: &note.reason,
        })?;
        Ok(())
    }
}
