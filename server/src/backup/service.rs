//! Snapshots of a running server: one at a time, on request and on a schedule.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use parking_lot::Mutex;
use vitrine::Subject;
use vitrine_schemas::{SnapshotInfo, SnapshotState};

use super::{
    create::{create, created, delete_snapshot, new_id, prune_snapshots},
    erasures::{Erasure, may_predate},
    replay,
    repository::Repository,
    settings::BackupSettings,
};
use crate::served::Served;

/// Longest pause after a scheduled snapshot that failed.
const RETRY_PAUSE: Duration = Duration::from_secs(600);

/// Snapshots that failed, or that run, which are shown besides those of the target.
const MAX_SHOWN: usize = 20;

/// Backups of a server.
pub struct Backups {
    database: Arc<Served>,
    settings: BackupSettings,
    /// Time for which earlier states of the database can be restored besides snapshots.
    history: TimeDelta,
    repository: Option<Repository>,
    /// Locked while a snapshot is made.
    running: tokio::sync::Mutex<()>,
    /// Snapshots that run or failed, the newest last.
    shown: Mutex<Vec<SnapshotInfo>>,
    /// Time of the last complete snapshot in seconds since 1970; 0 for none since the start.
    pub last_success: AtomicI64,
    /// Snapshots that failed since the start.
    pub failures: AtomicU64,
}

impl Backups {
    /// Opens the target of the settings, if any. Erasures of the time of the `history` are kept,
    /// also if no snapshot needs them.
    ///
    /// # Errors
    /// The target cannot be opened.
    pub fn open(
        database: Arc<Served>,
        settings: BackupSettings,
        history: TimeDelta,
    ) -> Result<Self, String> {
        let repository = settings.target.as_deref().map(Repository::open);
        Ok(Self {
            database,
            repository: repository.transpose()?,
            settings,
            history,
            running: tokio::sync::Mutex::default(),
            shown: Mutex::default(),
            last_success: AtomicI64::new(0),
            failures: AtomicU64::new(0),
        })
    }

    /// Returns the target; None if none is configured.
    pub fn repository(&self) -> Option<&Repository> {
        self.repository.as_ref()
    }

    /// Writes an erasure beside the snapshots, so that they forget the user or session when they
    /// are restored.
    ///
    /// # Errors
    /// The target cannot be written.
    pub async fn record_erasure(&self, subject: &Subject) -> Result<(), String> {
        match self.repository() {
            Some(repository) => {
                let erasure = Erasure::now(self.database.load().id(), subject);
                repository.write_erasure(&erasure).await
            }
            None => Ok(()),
        }
    }

    /// Begins a snapshot; [`Backups::run`] makes it.
    pub fn begin(&self) -> SnapshotInfo {
        let snapshot = SnapshotInfo {
            id: new_id(),
            state: SnapshotState::Running,
            database: self.database.load().id().to_owned(),
            created_at: Utc::now().to_rfc3339(),
            version: env!("CARGO_PKG_VERSION").into(),
            ..SnapshotInfo::default()
        };
        let mut shown = self.shown.lock();
        shown.push(snapshot.clone());
        let excess = shown.len().saturating_sub(MAX_SHOWN);
        shown.drain(..excess);
        snapshot
    }

    /// Makes a snapshot that was begun, after those under way, and removes old ones.
    ///
    /// # Errors
    /// No target is configured, or the snapshot failed.
    pub async fn run(&self, id: &str) -> Result<SnapshotInfo, String> {
        let made = self.make(id).await;
        let mut shown = self.shown.lock();
        match &made {
            Ok(snapshot) => {
                shown.retain(|s| s.id != id);
                self.last_success.store(Utc::now().timestamp(), Relaxed);
                tracing::info!(
                    snapshot = id,
                    bytes = snapshot.bytes,
                    copied_bytes = snapshot.copied_bytes,
                    seconds = snapshot.seconds,
                    "snapshot complete"
                );
            }
            Err(e) => {
                self.failures.fetch_add(1, Relaxed);
                if let Some(snapshot) = shown.iter_mut().find(|s| s.id == id) {
                    snapshot.state = SnapshotState::Failed;
                    snapshot.error = Some(e.clone());
                }
                tracing::error!(snapshot = id, "the snapshot failed: {e}");
            }
        }
        made
    }

    /// Deletes a snapshot, or forgets one that failed, after those under way; returns false if
    /// there is none of that id.
    ///
    /// # Errors
    /// The target cannot be read or written.
    pub async fn delete(&self, id: &str) -> Result<bool, String> {
        let _one = self.running.lock().await;
        let deleted = match self.repository() {
            Some(repository) => delete_snapshot(repository, id).await?,
            None => false,
        };
        let mut shown = self.shown.lock();
        let before = shown.len();
        shown.retain(|s| s.id != id || s.state == SnapshotState::Running);
        Ok(deleted || shown.len() < before)
    }

    async fn make(&self, id: &str) -> Result<SnapshotInfo, String> {
        let repository = self.repository().ok_or("no backup.target is configured")?;
        let _one = self.running.lock().await;
        let snapshot = create(self.database.load(), repository, id.to_owned()).await?;
        if self.settings.keep > 0 {
            if let Err(e) = prune_snapshots(repository, self.settings.keep).await {
                tracing::error!("old snapshots were not removed: {e}");
            }
            if let Err(e) = replay::prune(repository, Utc::now() - self.history).await {
                tracing::error!("old erasures were not removed: {e}");
            }
        }
        Ok(snapshot)
    }

    /// Returns the snapshots of the target and those that run or failed, the newest first.
    ///
    /// # Errors
    /// The target cannot be read.
    pub async fn list(&self) -> Result<Vec<SnapshotInfo>, String> {
        let mut snapshots = self.shown.lock().clone();
        if let Some(repository) = self.repository() {
            for (id, manifest) in repository.manifests().await? {
                snapshots.push(match manifest {
                    Ok(manifest) => manifest.snapshot,
                    Err(e) => SnapshotInfo {
                        id,
                        state: SnapshotState::Failed,
                        error: Some(e),
                        ..SnapshotInfo::default()
                    },
                });
            }
        }
        snapshots.sort_by(|a, b| b.id.cmp(&a.id));
        Ok(snapshots)
    }

    /// Returns the number of complete snapshots whose content may be that before a time; `None`
    /// without a target.
    ///
    /// # Errors
    /// The target cannot be read.
    pub async fn made_before(&self, time: DateTime<Utc>) -> Result<Option<u64>, String> {
        if self.repository().is_none() {
            return Ok(None);
        }
        let snapshots = self.list().await?;
        let complete = snapshots
            .iter()
            .filter(|snapshot| snapshot.state == SnapshotState::Complete);
        let before = complete.filter(|snapshot| may_predate(snapshot, time));
        Ok(Some(before.count() as u64))
    }

    /// Makes snapshots at the interval of the settings, until the server ends.
    pub async fn follow_schedule(self: Arc<Self>) {
        let Some(hours) = self.settings.interval_hours else {
            return;
        };
        let interval = Duration::from_secs_f64(hours * 3600.0);
        loop {
            tokio::time::sleep(self.pause(interval).await).await;
            let snapshot = self.begin();
            // A failure is in the log, the metrics and the list.
            if self.run(&snapshot.id).await.is_err() {
                tokio::time::sleep(interval.min(RETRY_PAUSE)).await;
            }
        }
    }

    /// Returns the time until a snapshot is due: the interval after the newest one, whichever
    /// process made it.
    async fn pause(&self, interval: Duration) -> Duration {
        let ids = match self.repository() {
            Some(repository) => repository.ids().await.unwrap_or_default(),
            None => Vec::new(),
        };
        let newest = ids.iter().find_map(|id| created(id));
        let since = newest.map(|at| Utc::now().signed_duration_since(at));
        let since = since.and_then(|since| since.to_std().ok());
        since.map_or(Duration::ZERO, |since| interval.saturating_sub(since))
    }
}
