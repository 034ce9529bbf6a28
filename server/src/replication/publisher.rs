//! The writer's side: publishes states, and removes what no state needs.

use std::{
    collections::{HashMap, HashSet},
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use futures_util::{StreamExt, TryStreamExt, stream};
use vitrine::Database;

use super::{
    claim::Claim,
    mark::Mark,
    served::Served,
    state::State,
    status::Replication,
    store::{SignOfLife, StateStore},
};
use crate::backup::{Checkpoint, FileEntry, blocking};

/// Files that are sent at once.
const UPLOADS: usize = 8;

/// Time after which the files are published again if RocksDB rewrote them without a write, as a
/// compaction does.
const REWRITTEN_AFTER: Duration = Duration::from_secs(60);

/// Time between two removals of what is no longer needed.
const CLEAN_INTERVAL: Duration = Duration::from_secs(60);

/// Publishes the states of a database until another writer takes over.
pub struct Publisher {
    store: StateStore,
    served: Arc<Served>,
    folder: PathBuf,
    replication: Arc<Replication>,
    epoch: u64,
    last: State,
    /// Write operations and bytes of tables when the last state was begun; None before the first.
    content: Option<(u64, u64)>,
    published: Instant,
    /// Time at which each object of the store was last needed.
    needed: HashMap<String, Instant>,
    cleaned: Instant,
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
            content: None,
            published: Instant::now(),
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
        let database = self.served.load();
        let as_of = Utc::now();
        let content = content(&database)?;
        let is_rewritten = self.content.is_some_and(|known| known != content)
            && self.published.elapsed() >= REWRITTEN_AFTER;
        let has_writes = self.content.is_none_or(|(known, _)| known != content.0);
        if has_writes || is_rewritten {
            let step = self.publish(database, as_of, content).await?;
            if step != Step::Done {
                return Ok(step);
            }
        } else {
            if let Some(epoch) = self.overtaken().await? {
                return Ok(Step::Overtaken(epoch));
            }
            self.replication.confirmed(self.last.number, as_of);
        }
        self.store
            .write_sign(&SignOfLife {
                number: self.last.number,
                as_of,
            })
            .await?;
        if self.cleaned.elapsed() >= CLEAN_INTERVAL {
            self.cleaned = Instant::now();
            self.clean().await?;
        }
        Ok(Step::Done)
    }

    /// Publishes a state: its files that the last state has not, then the state itself.
    async fn publish(
        &mut self,
        database: Arc<Database>,
        as_of: DateTime<Utc>,
        content: (u64, u64),
    ) -> Result<Step, String> {
        let started = Instant::now();
        let number = self.last.number + 1;
        let identity = database.id().to_owned();
        let known = self.last.files.iter();
        let known = known
            .map(|file| (file.name.clone(), file.clone()))
            .collect();
        let checkpoint = Checkpoint::take(database, format!("state-{number}"), known).await?;
        let copied_bytes = self.upload(&checkpoint).await?;
        let state = State {
            number,
            epoch: self.epoch,
            operations: content.0,
            as_of,
            database: identity,
            server: env!("CARGO_PKG_VERSION").into(),
            files: checkpoint.files.clone(),
            ..self.last.clone()
        };
        drop(checkpoint);
        let (folder, last, next) = (self.folder.clone(), self.last.clone(), state.clone());
        blocking(move || Mark::write(&folder, Some(&last), Some(&next))).await?;
        if !self.store.add(&state).await? {
            let other = self.store.read(number).await?;
            let other = other.ok_or("a state was removed while it was read")?;
            if other.epoch != self.epoch {
                return Ok(Step::Overtaken(other.epoch));
            }
            // An earlier attempt, whose answer was lost.
            (self.last, self.content) = (other, None);
            return Ok(Step::Done);
        }
        self.replication
            .reached(&state, copied_bytes, started.elapsed().as_secs_f64());
        (self.last, self.content, self.published) = (state, Some(content), Instant::now());
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
                repository.upload(&path, &file.blake3, file.bytes).await
            })
            .buffer_unordered(UPLOADS)
            .try_collect::<Vec<()>>()
            .await?;
        Ok(new.values().map(|file| file.bytes).sum())
    }

    /// Returns the epoch of another writer that added a state.
    async fn overtaken(&self) -> Result<Option<u64>, String> {
        let next = self.store.read(self.last.number + 1).await?;
        Ok(next.map(|state| state.epoch))
    }

    /// Removes states, and objects that no state needs, once they are old: replicas may be reading
    /// them until then.
    async fn clean(&mut self) -> Result<(), String> {
        let retain = Duration::from_secs(self.replication.settings.retain_seconds);
        let oldest = Utc::now() - retain;
        for (number, at) in self.store.numbers().await? {
            if number < self.last.number && at < oldest {
                self.store.remove(number).await?;
            }
        }
        let now = Instant::now();
        for file in &self.last.files {
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
        Ok(())
    }
}

/// Returns the write operations and the bytes of tables of a database, to notice changes.
fn content(database: &Database) -> Result<(u64, u64), String> {
    let operations = database.operations().map_err(|e| e.to_string())?;
    let usage = database.usage().map_err(|e| e.to_string())?;
    Ok((operations, usage.store_disk_bytes))
}
