//! Role of a server in replication, and how far it is.

use chrono::{DateTime, Utc};
use parking_lot::Mutex;
use tokio::{
    sync::watch,
    time::{Instant, timeout_at},
};
use vitrine_schemas::{ReplicationInfo, ReplicationRole};

use super::{
    settings::ReplicationSettings,
    state::{State, Version},
};
use crate::served::Served;

/// Role and progress of a server.
pub struct Replication {
    /// Role.
    pub role: ReplicationRole,
    /// Settings.
    pub settings: ReplicationSettings,
    progress: Mutex<Progress>,
    /// Version that a replica serves; of a writer, only its epoch counts.
    version: watch::Sender<Version>,
}

#[derive(Clone, Default)]
struct Progress {
    number: u64,
    as_of: Option<DateTime<Utc>>,
    behind_since: Option<DateTime<Utc>>,
    fenced_by: Option<u64>,
    error: Option<String>,
    errors: u64,
    states: u64,
    copied_bytes: u64,
    seconds: f64,
}

impl Replication {
    /// Returns the state of a server of the role that the settings give it.
    pub fn new(settings: ReplicationSettings) -> Self {
        let role = match (&settings.store, settings.replica) {
            (None, _) => ReplicationRole::Single,
            (Some(_), false) => ReplicationRole::Writer,
            (Some(_), true) => ReplicationRole::Replica,
        };
        Self {
            role,
            settings,
            progress: Mutex::default(),
            version: watch::channel(Version::default()).0,
        }
    }

    /// Returns true for a replica.
    pub fn is_replica(&self) -> bool {
        self.role == ReplicationRole::Replica
    }

    /// Returns the version that requests are served from at least; None without replication.
    pub fn version(&self, served: &Served) -> Option<Version> {
        let version = *self.version.borrow();
        match self.role {
            ReplicationRole::Single => None,
            ReplicationRole::Replica => Some(version),
            ReplicationRole::Writer => {
                let operations = served.load().operations().ok()?;
                Some(Version {
                    operations,
                    ..version
                })
            }
        }
    }

    /// Waits until a replica serves a version; false if it does not until the deadline.
    pub async fn wait_for(&self, min: Version, deadline: Instant) -> bool {
        let mut version = self.version.subscribe();
        let reached = version.wait_for(|version| *version >= min);
        matches!(timeout_at(deadline, reached).await, Ok(Ok(_)))
    }

    /// Returns the epoch of the writer that overtook this one, if one did.
    pub fn fenced_by(&self) -> Option<u64> {
        self.progress.lock().fenced_by
    }

    /// Records that another writer took over.
    pub fn fence(&self, epoch: u64) {
        tracing::error!(
            epoch,
            "another writer took over the replication store: this server publishes nothing any more and refuses changes; stop it, and start it with an empty data directory to use it again"
        );
        self.progress.lock().fenced_by = Some(epoch);
    }

    /// Records the state that a writer begins with.
    pub fn begin(&self, state: &State) {
        let mut progress = self.progress.lock();
        (progress.number, progress.as_of) = (state.number, Some(state.as_of));
        drop(progress);
        self.version.send_replace(Version {
            epoch: state.epoch,
            operations: state.operations,
        });
    }

    /// Records the state that this server published, or serves.
    pub fn reached(&self, state: &State, copied_bytes: u64, seconds: f64) {
        let mut progress = self.progress.lock();
        progress.number = state.number;
        progress.as_of = Some(state.as_of);
        progress.behind_since = None;
        progress.error = None;
        progress.states += 1;
        progress.copied_bytes += copied_bytes;
        progress.seconds = seconds;
        drop(progress);
        self.version.send_replace(state.version());
    }

    /// Records that the state of a number is still all of the database at a time.
    pub fn confirmed(&self, number: u64, as_of: DateTime<Utc>) {
        let mut progress = self.progress.lock();
        progress.error = None;
        if progress.number == number {
            progress.as_of = progress.as_of.max(Some(as_of));
            progress.behind_since = None;
        }
    }

    /// Records that the store has a later state.
    pub fn behind(&self) {
        let mut progress = self.progress.lock();
        progress.behind_since.get_or_insert_with(Utc::now);
    }

    /// Records and logs a failure; what was served before is served on.
    pub fn failed(&self, error: String) {
        let mut progress = self.progress.lock();
        progress.errors += 1;
        // Once, not at each attempt.
        if progress.error.as_ref() != Some(&error) {
            tracing::error!("replication failed, will retry: {error}");
        }
        progress.error = Some(error);
    }

    /// Returns role and progress.
    pub fn info(&self, served: &Served) -> ReplicationInfo {
        let progress = self.progress.lock().clone();
        let version = self.version(served);
        let since = |at: DateTime<Utc>| {
            let ms = Utc::now().signed_duration_since(at).num_milliseconds();
            ms.max(0) as f64 / 1e3
        };
        ReplicationInfo {
            role: self.role,
            version: version.map(|version| version.to_string()),
            epoch: version.map_or(0, |version| version.epoch),
            state: progress.number,
            lag_seconds: progress.as_of.map(since),
            behind_seconds: progress.behind_since.map_or(0.0, since),
            fenced_by: progress.fenced_by,
            error: progress.error,
            errors: progress.errors,
            states: progress.states,
            copied_bytes: progress.copied_bytes,
            seconds: progress.seconds,
            writer_url: self.settings.writer_url.clone(),
        }
    }
}
