//! Report of rejected records: one JSON line each in the rejects file, the first few in the log.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::Path,
};

use serde::Serialize;

/// Number of rejects shown in the log.
const MAX_LOGGED: u32 = 10;

/// Consequence of a reject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RejectKind {
    /// The whole record: it cannot be read, or has nothing to embed.
    Record,
    /// One image; the item is stored without it.
    Image,
    /// One value; the item is stored without its field.
    Field,
    /// The collection rejected the item or event.
    Write,
}

/// One reject.
#[derive(Debug, Serialize)]
pub struct Reject<'a> {
    /// Line of the source, from 1.
    pub line: u64,
    /// Id of the item or event, if it could be read.
    pub id: Option<&'a str>,
    /// Rejected thing.
    pub kind: RejectKind,
    /// Field with the error, if it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<&'a str>,
    /// Reason, and how to fix it.
    pub reason: &'a str,
}

/// Reject as written.
#[derive(Serialize)]
struct Named<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a str>,
    #[serde(flatten)]
    reject: &'a Reject<'a>,
}

/// Writer of rejects.
#[derive(Default)]
pub struct Rejects {
    file: Option<BufWriter<File>>,
    /// Name of the source.
    source: Option<String>,
    shown: u32,
}

impl Rejects {
    /// Writes to a new file, or only to the log.
    ///
    /// # Errors
    /// The file cannot be created.
    pub fn create(path: Option<&Path>) -> std::io::Result<Self> {
        let file = path.map(File::create).transpose()?.map(BufWriter::new);
        Ok(Self {
            file,
            source: None,
            shown: 0,
        })
    }

    /// Sets the name of the source that is reported with each reject.
    #[must_use]
    pub fn of(mut self, source: &Path) -> Self {
        self.source = Some(source.display().to_string());
        self
    }

    /// Writes a reject to the file only: the log has a summary of its kind.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn add_quietly(&mut self, reject: &Reject<'_>) -> std::io::Result<()> {
        let Some(file) = &mut self.file else {
            return Ok(());
        };
        let named = Named {
            file: self.source.as_deref(),
            reject,
        };
        serde_json::to_writer(&mut *file, &named)?;
        file.write_all(b"\n")?;
        file.flush()
    }

    /// Records a reject.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn add(&mut self, reject: &Reject<'_>) -> std::io::Result<()> {
        self.shown += 1;
        if self.shown <= MAX_LOGGED {
            let file = self.source.as_deref();
            tracing::warn!(file, line = reject.line, id = reject.id, kind = ?reject.kind, field = reject.field, "{}", reject.reason);
        }
        if self.shown == MAX_LOGGED && self.file.is_none() {
            tracing::warn!("further rejects are only counted; use --rejects FILE to list all");
        }
        self.add_quietly(reject)
    }
}
