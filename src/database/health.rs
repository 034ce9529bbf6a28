//! Health of a database: what it can and cannot do at the moment.

use std::collections::BTreeMap;

use parking_lot::Mutex;

pub use crate::storage::StoreHealth;

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
