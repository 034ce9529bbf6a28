//! Health of a database: what it can and cannot do at the moment.

use std::{collections::BTreeMap, fs, path::Path};

use parking_lot::Mutex;

pub use crate::storage::StoreHealth;
use crate::{Database, Result, index::SealedSegment, storage::Store};

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
        let segments = fs::read_dir(path.join("segments"));
        for entry in segments.into_iter().flatten().flatten() {
            match SealedSegment::open(&entry.path()) {
                Ok(_) => verification.segments += 1,
                Err(e) => {
                    let name = entry.file_name().to_string_lossy().into_owned();
                    verification.damaged_segments.insert(name, e.to_string());
                }
            }
        }
        Ok(verification)
    }
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
