//! Health of a database: what it can and cannot do at the moment.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use parking_lot::Mutex;

pub use crate::storage::StoreHealth;
use crate::{Database, Result, collection::check_state, index::SealedSegment, storage::Store};

/// Health of a database.
#[derive(Debug, Clone, Default)]
pub struct Health {
    /// State of the store: writable, or the cause why it is not.
    pub store: StoreHealth,
    /// Acknowledged write operations that were missing when the store was opened.
    pub lost_operations: u64,
    /// Collections that are not open because of damaged data, with the cause.
    pub damaged: BTreeMap<String, String>,
    /// Maintenance tasks that failed at least once, by name.
    pub tasks: BTreeMap<&'static str, TaskHealth>,
}

/// Failures of a maintenance task.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TaskHealth {
    /// Failed steps since the start, panics included.
    pub failures: u64,
    /// Panics since the start.
    pub panics: u64,
    /// Cause by collection, for those whose last step failed; the name is empty for the store.
    pub failing: BTreeMap<String, String>,
}

/// Result of a complete check of a data directory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verification {
    /// Entries of the store, all of which can be read.
    pub entries: u64,
    /// Segment files that are whole.
    pub segments: u64,
    /// Segment files that are damaged, with the cause. They are built again from the store.
    pub damaged_segments: BTreeMap<String, String>,
    /// State files that are damaged, with the cause. The next start reads all records instead.
    pub damaged_states: BTreeMap<String, String>,
}

impl Database {
    /// Reads every block of a data directory that no process has open, without a change.
    ///
    /// # Errors
    /// [`crate::Error::Locked`], [`crate::Error::DamagedDirectory`], [`crate::Error::Damaged`].
    pub fn verify_closed(path: &Path) -> Result<Verification> {
        let mut verification = Verification {
            entries: Store::verify_closed(path)?,
            ..Verification::default()
        };
        for (name, file) in files(&path.join("segments")) {
            match SealedSegment::open(&file) {
                Ok(_) => verification.segments += 1,
                Err(e) => {
                    verification.damaged_segments.insert(name, e.to_string());
                }
            }
        }
        for (name, file) in files(&path.join("states")) {
            let bytes = fs::read(&file).map_err(|e| e.to_string());
            if let Err(cause) = bytes.and_then(|bytes| check_state(&bytes)) {
                verification.damaged_states.insert(name, cause);
            }
        }
        Ok(verification)
    }
}

/// Returns the files of a folder by name; none if it cannot be read.
fn files(folder: &Path) -> Vec<(String, PathBuf)> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let named = entries.map(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        (name, entry.path())
    });
    named.collect()
}

impl Database {
    /// Makes a damaged data directory, which no process has open, one that can be opened, with
    /// everything that can be read; returns the number of entries of the store. Deletions may be
    /// undone. Make a copy of the directory first.
    ///
    /// # Errors
    /// [`crate::Error::Locked`]; nothing can be read.
    pub fn repair(path: &Path) -> Result<u64> {
        Store::repair(path)
    }
}

/// Outcome of a step of maintenance.
pub(super) enum Outcome {
    /// There may be more to do.
    Worked,
    Idle,
    Failed(String),
    Panicked(String),
}

/// Failures of all maintenance tasks.
#[derive(Default)]
pub(super) struct Failures(Mutex<BTreeMap<&'static str, TaskHealth>>);

impl Failures {
    /// Records the outcome of a step.
    pub fn record(&self, task: &'static str, collection: &str, outcome: &Outcome) {
        let mut tasks = self.0.lock();
        match outcome {
            Outcome::Worked | Outcome::Idle => {
                if let Some(health) = tasks.get_mut(task) {
                    health.failing.remove(collection);
                }
            }
            Outcome::Failed(cause) | Outcome::Panicked(cause) => {
                let health = tasks.entry(task).or_default();
                health.failures += 1;
                health.panics += u64::from(matches!(outcome, Outcome::Panicked(_)));
                health.failing.insert(collection.to_owned(), cause.clone());
            }
        }
    }

    pub fn tasks(&self) -> BTreeMap<&'static str, TaskHealth> {
        self.0.lock().clone()
    }
}
