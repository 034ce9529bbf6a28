//! The account of what was refused: a JSON line each in the rejects file, the first few in the log.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::Path,
};

use serde::Serialize;

/// Refusals shown in the log.
const SHOWN: u32 = 10;

/// What a refusal cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RejectKind {
    /// The record: it cannot be read, or there is nothing to embed.
    Record,
    /// A photo; the item is there without it.
    Photo,
    /// The collection refused the item or event.
    Write,
}

/// One refusal.
#[derive(Debug, Serialize)]
pub struct Reject<'a> {
    /// Line of the source, from 1.
    pub line: u64,
    /// Id of the item or event where it could be read.
    pub id: Option<&'a str>,
    /// What was refused.
    pub kind: RejectKind,
    /// Field at fault where one is told apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<&'a str>,
    /// Why, and the mend.
    pub reason: &'a str,
}

/// Where refusals go.
#[derive(Default)]
pub struct Rejects {
    file: Option<BufWriter<File>>,
    shown: u32,
}

impl Rejects {
    /// Writes to a new file, or to the log alone.
    ///
    /// # Errors
    /// The file cannot be made.
    pub fn create(path: Option<&Path>) -> std::io::Result<Self> {
        let file = path.map(File::create).transpose()?.map(BufWriter::new);
        Ok(Self { file, shown: 0 })
    }

    /// Records one.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn add(&mut self, reject: &Reject<'_>) -> std::io::Result<()> {
        self.shown += 1;
        if self.shown <= SHOWN {
            tracing::warn!(line = reject.line, id = reject.id, kind = ?reject.kind, field = reject.field, "{}", reject.reason);
        }
        if self.shown == SHOWN && self.file.is_none() {
            tracing::warn!("further refusals are only counted; --rejects FILE lists them all");
        }
        if let Some(file) = &mut self.file {
            serde_json::to_writer(&mut *file, reject)?;
            file.write_all(b"\n")?;
            file.flush()?;
        }
        Ok(())
    }
}
