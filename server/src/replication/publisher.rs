//! The writer's side: publishes states, and removes what no state needs.

#[cfg(test)]
mod tests;

use std::{
    collections::{HashMap, HashSet},
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::{StreamExt, TryStreamExt, stream};
use vitrine::{Database, LogSlice};

use super::{
    claim::Claim,
    mark::Mark,
    state::State,
    status::Replication,
    store::{Heartbeat, StateStore},
};
use crate::{
    backup::{Checkpoint, FileEntry, blocking},
    served::Served,
};

/// Files that are sent at once.
const UPLOADS: usize = 8;

/// Bytes and number of the slices of the log after which all files are published again.
const MAX_LOG_BYTES: u64 = 64 << 20;
const MAX_LOG_SLICES: usize = 300;

/// Time between two removals of what is no longer needed.
const CLEAN_INTERVAL: Duration = Duration::from_secs(60);

/// Seconds in which one state is kept for the history.
const HISTORY_STEP_SECONDS: i64 = 60;

/// Publishes the states of a database until another writer takes over.
pub struct Publisher {
    store: StateStore,
    served: Arc<Served>,
    folder: PathBuf,
    replication: Arc<Replication>,
    epoch: u64,
    last: State,
    /// The state under way, which may be in the store: the answer may have been lost.
    unconfirmed: Option<Unconfirmed>,
    /// Bytes of tables when the files were published last; None if they must be published next.
    table_bytes: Option<u64>,
    /// Time at which the files were published last.
    published: Instant,
    /// True if a write changed something that replicas see only when they open a state.
    is_partial: bool,
    /// Time at which each object of the store was last needed.
    needed: HashMap<String, Instant>,
    cleaned: Instant,
}

/// A state that is being added, and what is known of it.
struct Unconfirmed {
    state: State,
    copied_bytes: u64,
    started: Instant,
}

/// Result of a step.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    Done,
    /// Another writer has this epoch.
    Overtaken(u64),
}

impl Publisher {
    /// Returns the publisher of a writer that took an epoch.
    pub fn new(
        store: StateStore,
        claim: Claim,
        served: Arc<Served>,
        folder: PathBuf,
        replication: Arc<Replication>,
    ) -> Self {
        replication.begin(&claim.last);
        Self {
            store,
            served,
            folder,
            replication,
            epoch: claim.epoch,
            last: claim.last,
            unconfirmed: None,
            table_bytes: None,
            published: Instant::now(),
            is_partial: false,
            needed: HashMap::new(),
            cleaned: Instant::now(),
        }
    }

    /// Publishes at the interval of the settings until another writer takes over.
    pub async fn run(mut self) {
        let interval = Duration::from_secs_f64(self.replication.settings.publish_seconds);
        let mut ticks = tokio::time::interval(interval);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            match self.step().await {
                Ok(Step::Done) => {}
                Ok(Step::Overtaken(epoch)) => return self.replication.fence(epoch),
                Err(e) => self.replication.failed(e),
            }
        }
    }

    async fn step(&mut self) -> Result<Step, String> {
        // The same state again: another one of its number could not be told from it after a kill.
        let added = self.add_unconfirmed().await?;
        if added != Step::Done {
            return Ok(added);
        }
        let database = self.served.load();
        let (as_of, started) = (Utc::now(), Instant::now());
        let read = match self.slice(&database).await? {
            Some(slice) if slice.bytes.is_empty() => None,
            Some(slice) => Some(self.with_slice(slice).await?),
            None => Some(self.with_files(database).await?),
        };
        let step = match read {
            Some((state, copied_bytes)) => {
                let state = State {
                    number: self.last.number + 1,
                    epoch: self.epoch,
                    content_epoch: self.epoch,
                    as_of,
                    read_at: state.read_at,
                    server: env!("CARGO_PKG_VERSION").into(),
                    ..state
                };
                self.add(state, copied_bytes, started).await?
            }
            None => {
                let step = self.overtaken().await?;
                if step == Step::Done {
                    self.replication.confirmed(self.last.number, as_of);
                }
                step
            }
        };
        if step != Step::Done {
            return Ok(step);
        }
        let number = self.last.number;
        self.store
            .write_heartbeat(&Heartbeat { number, as_of })
            .await?;
        if self.cleaned.elapsed() >= CLEAN_INTERVAL {
            self.cleaned = Instant::now();
            return self.clean().await;
        }
        Ok(Step::Done)
    }

    /// Returns the writes since the last state; None if all files are due instead.
    async fn slice(&mut self, database: &Arc<Database>) -> Result<Option<LogSlice>, String> {
        let Some(table_bytes) = self.table_bytes else {
            return Ok(None);
        };
        let log_bytes: u64 = self.last.log.iter().map(|slice| slice.bytes).sum();
        let (since, database) = (self.last.operations, database.clone());
        let (bytes, slice) = blocking(move || {
            let read = || {
                let bytes = database.usage()?.store_disk_bytes;
                if database.operations()? == since {
                    return Ok((bytes, Some(LogSlice::default())));
                }
                // Published writes must not be lost by a power cut.
                database.flush()?;
                Ok((bytes, database.log_since(since)?))
            };
            read().map_err(|e: vitrine::Error| e.to_string())
        })
        .await?;
        // A compaction changes tables without a write; of models and segments, replicas see those
        // that were there when they opened a state.
        let interval = Duration::from_secs_f64(self.replication.settings.files_seconds);
        let is_old = self.published.elapsed() >= interval;
        if is_old && (self.is_partial || bytes != table_bytes) {
            return Ok(None);
        }
        let is_long = |slice: &LogSlice| {
            let bytes = log_bytes + slice.bytes.len() as u64;
            !slice.bytes.is_empty()
                && (bytes > MAX_LOG_BYTES || self.last.log.len() >= MAX_LOG_SLICES)
        };
        Ok(slice.filter(|slice| !is_long(slice)))
    }

    /// Sends a slice of the log; returns the last state with it, and the bytes sent.
    async fn with_slice(&mut self, slice: LogSlice) -> Result<(State, u64), String> {
        let bytes = slice.bytes.len() as u64;
        let blake3 = blake3::hash(&slice.bytes).to_hex().to_string();
        self.needed.insert(blake3.clone(), Instant::now());
        let repository = &self.store.repository;
        repository.upload_bytes(&blake3, slice.bytes).await?;
        repository.sync_upload(&blake3).await?;
        self.is_partial |= slice.is_partial;
        let mut state = self.last.clone();
        state.operations = slice.last;
        state.read_at = Some(Utc::now());
        state.log.push(FileEntry {
            name: format!("log/{}", slice.last),
            bytes,
            modified_ns: 0,
            blake3,
        });
        Ok((state, bytes))
    }

    /// Sends the files of the database that the last state has not; returns a state of them, and
    /// the bytes sent.
    async fn with_files(&mut self, database: Arc<Database>) -> Result<(State, u64), String> {
        let name = format!("state-{}", self.last.number + 1);
        let known = self.last.files.iter();
        let known = known
            .map(|file| (file.name.clone(), file.clone()))
            .collect();
        // Until it is published.
        self.table_bytes = None;
        let checkpoint = Checkpoint::take(database.clone(), name, known).await?;
        let read_at = Utc::now();
        // Before the upload, during which tables may change that this state does not have.
        let usage = database.usage().map_err(|e| e.to_string())?;
        let copied_bytes = self.upload(&checkpoint).await?;
        self.table_bytes = Some(usage.store_disk_bytes);
        (self.published, self.is_partial) = (Instant::now(), false);
        let state = State {
            operations: checkpoint.operations,
            database: database.id().to_owned(),
            files: checkpoint.files.clone(),
            log: Vec::new(),
            read_at: Some(read_at),
            ..self.last.clone()
        };
        Ok((state, copied_bytes))
    }

    /// Adds a state to the chain.
    async fn add(
        &mut self,
        state: State,
        copied_bytes: u64,
        started: Instant,
    ) -> Result<Step, String> {
        let (folder, last, next) = (self.folder.clone(), self.last.clone(), state.clone());
        blocking(move || Mark::write(&folder, &last, Some(&next))).await?;
        self.unconfirmed = Some(Unconfirmed {
            state,
            copied_bytes,
            started,
        });
        self.add_unconfirmed().await
    }

    /// Adds the state under way, if there is one.
    async fn add_unconfirmed(&mut self) -> Result<Step, String> {
        let Some(Unconfirmed { state, .. }) = &self.unconfirmed else {
            return Ok(Step::Done);
        };
        if !self.store.add(state).await? {
            let other = self.store.read(state.number).await?;
            let other = other.ok_or("a state was removed while it was read")?;
            if other.epoch != self.epoch {
                return Ok(Step::Overtaken(other.epoch));
            }
            // An earlier attempt, whose answer was lost.
        }
        // Its number may have been free since a later writer removed its old states.
        let number = state.number;
        if let Step::Overtaken(epoch) = self.overtaken_after(number).await? {
            // The epoch is the number of its first state.
            if epoch <= number {
                self.store.remove(number).await?;
            }
            return Ok(Step::Overtaken(epoch));
        }
        if let Some(added) = self.unconfirmed.take() {
            // Only the history has them after this.
            let now = Instant::now();
            let objects = self.last.objects().map(|file| (file.blake3.clone(), now));
            self.needed.extend(objects);
            let seconds = added.started.elapsed().as_secs_f64();
            self.replication
                .reached(&added.state, added.copied_bytes, seconds);
            self.last = added.state;
        }
        Ok(Step::Done)
    }

    /// Copies the files that the last state has not; returns their bytes.
    async fn upload(&mut self, checkpoint: &Checkpoint) -> Result<u64, String> {
        let now = Instant::now();
        let known: HashSet<_> = self.last.files.iter().map(|file| &file.blake3).collect();
        let mut new: HashMap<&str, &FileEntry> = HashMap::new();
        for file in &checkpoint.files {
            self.needed.insert(file.blake3.clone(), now);
            if !known.contains(&file.blake3) {
                new.insert(&file.blake3, file);
            }
        }
        let repository = &self.store.repository;
        stream::iter(new.values())
            .map(|file| async move {
                let path = checkpoint.path(file);
                repository.upload(&path, &file.blake3, file.bytes).await?;
                repository.sync_upload(&file.blake3).await
            })
            .buffer_unordered(UPLOADS)
            .try_collect::<Vec<()>>()
            .await?;
        Ok(new.values().map(|file| file.bytes).sum())
    }

    /// Looks for a state of another writer.
    async fn overtaken(&self) -> Result<Step, String> {
        self.overtaken_after(self.last.number).await
    }

    /// Looks for a state of another writer after a number. It may be any later one: a writer
    /// removes its old states.
    async fn overtaken_after(&self, number: u64) -> Result<Step, String> {
        let numbers = self.store.numbers().await?;
        let newest = numbers.first().map_or(0, |(newest, _)| *newest);
        if newest <= number {
            return Ok(Step::Done);
        }
        let newest = self.store.read(newest).await?;
        let newest = newest.ok_or("a state was removed while it was read")?;
        Ok(match newest.epoch == self.epoch {
            true => Step::Done,
            false => Step::Overtaken(newest.epoch),
        })
    }

    /// Removes states, and objects that no state needs, once they are old: replicas may be reading
    /// them until then.
    async fn clean(&mut self) -> Result<Step, String> {
        // First, so that nothing of another writer is removed.
        let step = self.overtaken().await?;
        if step != Step::Done {
            return Ok(step);
        }
        let settings = &self.replication.settings;
        let retain = Duration::from_secs(settings.retain_seconds);
        let history = settings.history();
        let states = self.store.numbers().await?;
        for number in outdated(&states, Utc::now(), retain, history) {
            if number < self.last.number {
                self.store.remove(number).await?;
            }
        }
        // An object that no newer state has was last needed by the states of that time.
        let retain = retain.max(history.to_std().unwrap_or_default());
        let now = Instant::now();
        for file in self.last.objects() {
            self.needed.insert(file.blake3.clone(), now);
        }
        for hash in self.store.objects().await?.into_keys() {
            // Objects of an earlier process count as needed since this one saw them.
            let needed = *self.needed.entry(hash.clone()).or_insert(now);
            if needed.elapsed() > retain {
                self.store.repository.delete_object(&hash).await?;
                self.needed.remove(&hash);
            }
        }
        Ok(Step::Done)
    }
}

/// Returns the states, newest first, that are no longer kept: those older than `retain`, but for
/// the newest of each minute of the `history`.
fn outdated(
    states: &[(u64, DateTime<Utc>)],
    now: DateTime<Utc>,
    retain: Duration,
    history: TimeDelta,
) -> Vec<u64> {
    let mut last_step = None;
    let mut has_oldest = false;
    let outdated = states.iter().filter(|(_, at)| {
        let age = now - at;
        if age > history && !history.is_zero() && !std::mem::replace(&mut has_oldest, true) {
            // The database of the times from the beginning of the history to the next state.
            return false;
        }
        let step = Some(at.timestamp().div_euclid(HISTORY_STEP_SECONDS));
        let is_newest = std::mem::replace(&mut last_step, step) != step;
        let is_retained = age.to_std().is_ok_and(|age| age <= retain) || age < TimeDelta::zero();
        !(is_retained || age <= history && is_newest)
    });
    outdated.map(|(number, _)| *number).collect()
}
