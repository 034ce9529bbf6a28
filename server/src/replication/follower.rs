//! A replica's side: fetches new states. If a state has the files of the one in use, the writes
//! since are repeated in it; otherwise it is opened beside the one in use, and the two are
//! exchanged.

use std::{
    fs::File,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use rustix::fs::FlockOperation;
use tokio::{task::JoinHandle, time};
use vitrine::{Database, Options};

use super::{
    cache::{Cache, remove_folder},
    state::State,
    status::Replication,
    store::StateStore,
};
use crate::{
    backup::{blocking, make_folder},
    served::{Served, is_in_use},
};

/// Interval of the checks if a version is still in use.
const RETIRE_STEP: Duration = Duration::from_millis(50);

/// Time for which the version before the last one may delay the next one, so that two versions are
/// open, and not more.
const MAX_RETIRE: Duration = Duration::from_secs(60);

/// Follows the states of a store.
pub struct Follower {
    store: StateStore,
    cache: Cache,
    options: Options,
    replication: Arc<Replication>,
    state: State,
    folder: PathBuf,
    /// True if the version in use must be replaced: writes were repeated in part.
    is_broken: bool,
    retiring: Option<JoinHandle<()>>,
    /// Locks the folder of the replica.
    _lock: File,
}

/// A version that was opened.
struct Opened {
    database: Database,
    folder: PathBuf,
}

impl Follower {
    /// Opens the newest state, or, while the store cannot be used, the one that this replica served
    /// last. It waits until there is one.
    ///
    /// # Errors
    /// The folder cannot be used.
    pub async fn start(
        store: StateStore,
        folder: &Path,
        options: Options,
        replication: Arc<Replication>,
    ) -> Result<(Self, Database), String> {
        make_folder(folder)?;
        let lock = lock(folder)?;
        let cache = Cache::open(folder)?;
        let pause = Duration::from_secs_f64(replication.settings.poll_seconds);
        loop {
            let started = Instant::now();
            match first(&store, &cache, &options).await {
                Ok(Some((state, copied_bytes, opened))) => {
                    cache.keep(&state)?;
                    let seconds = started.elapsed().as_secs_f64();
                    replication.reached(&state, copied_bytes, seconds);
                    tracing::info!(
                        state = state.number,
                        copied_bytes,
                        seconds,
                        "replica opened"
                    );
                    let follower = Self {
                        store,
                        cache,
                        options,
                        replication,
                        state,
                        folder: opened.folder,
                        is_broken: false,
                        retiring: None,
                        _lock: lock,
                    };
                    return Ok((follower, opened.database));
                }
                Ok(None) => replication.failed(format!(
                    "{}: nothing is published yet; start the writer with this replication.store",
                    store.repository.target()
                )),
                Err(e) => replication.failed(e),
            }
            time::sleep(pause).await;
        }
    }

    /// Serves each new state, until the server ends.
    pub async fn run(mut self, served: Arc<Served>) {
        let pause = Duration::from_secs_f64(self.replication.settings.poll_seconds);
        loop {
            time::sleep(pause).await;
            if let Err(e) = self.step(&served).await {
                self.replication.failed(e);
            }
        }
    }

    async fn step(&mut self, served: &Served) -> Result<(), String> {
        let next = match self.newer().await? {
            Some(next) => next,
            None if self.is_broken => self.state.clone(),
            None => return Ok(()),
        };
        self.replication.behind();
        let started = Instant::now();
        let copied_bytes = self.cache.fetch(&self.store.repository, &next).await?;
        if next.continues(&self.state) && !self.is_broken {
            self.replay(served.load(), &next).await?;
        } else {
            self.replace(served, &next).await?;
        }
        let seconds = started.elapsed().as_secs_f64();
        self.replication.reached(&next, copied_bytes, seconds);
        tracing::debug!(
            state = next.number,
            copied_bytes,
            seconds,
            "serving a new state"
        );
        self.state = next.clone();
        let cache = self.cache.clone();
        blocking(move || cache.keep(&next)).await
    }

    /// Repeats the writes that a state has besides the one in use.
    async fn replay(&mut self, database: Arc<Database>, next: &State) -> Result<(), String> {
        let slices = next.log[self.state.log.len()..].to_vec();
        let cache = self.cache.clone();
        self.is_broken = true;
        let replayed = blocking(move || cache.replay(&database, &slices)).await;
        self.is_broken = replayed.is_err();
        replayed
    }

    /// Opens a state beside the one in use, and exchanges the two.
    async fn replace(&mut self, served: &Served, next: &State) -> Result<(), String> {
        // Taken: a task that has ended must not be waited for again, if the opening fails.
        if let Some(retiring) = self.retiring.take() {
            let _ = time::timeout(MAX_RETIRE, retiring).await;
        }
        let opened = open(&self.cache, next, &self.options).await?;
        let database = Arc::new(opened.database);
        database.inherit(&served.load());
        let before = served.swap(database);
        let folder = std::mem::replace(&mut self.folder, opened.folder);
        self.retiring = Some(retire(before, folder));
        self.is_broken = false;
        Ok(())
    }

    /// Returns the newest state, if it is later than the one in use.
    async fn newer(&self) -> Result<Option<State>, String> {
        let current = self.state.number;
        let heartbeat = self.store.read_heartbeat().await?;
        let named = heartbeat.as_ref().map(|heartbeat| heartbeat.number);
        let named = named.filter(|number| *number > current);
        // The heartbeat may be missing, or be that of a writer that was overtaken.
        let newest = self.store.read(named.unwrap_or(current + 1)).await?;
        match (newest, named) {
            (Some(state), _) => Ok(Some(state)),
            (None, Some(named)) => Err(format!("state {named} is named, but not in the store")),
            (None, None) => {
                if let Some(heartbeat) = heartbeat {
                    self.replication
                        .confirmed(heartbeat.number, heartbeat.as_of);
                }
                Ok(None)
            }
        }
    }
}

/// Returns the newest state that can be opened; None if nothing is published.
async fn first(
    store: &StateStore,
    cache: &Cache,
    options: &Options,
) -> Result<Option<(State, u64, Opened)>, String> {
    let published = async {
        for (number, _) in store.numbers().await? {
            match store.read(number).await? {
                Some(state) if !state.files.is_empty() => {
                    let copied = cache.fetch(&store.repository, &state).await?;
                    return Ok(Some((state, copied)));
                }
                _ => {}
            }
        }
        Ok::<_, String>(None)
    };
    let (state, copied) = match (published.await, cache.last()) {
        (Ok(Some(published)), _) => published,
        (Ok(None), None) => return Ok(None),
        (Err(e), None) => return Err(e),
        (unusable, Some(last)) => {
            let cause = unusable.err();
            let cause = cause.unwrap_or_else(|| "the store is empty".into());
            tracing::error!("serving the last state of this replica, since: {cause}");
            (last, 0)
        }
    };
    let opened = open(cache, &state, options).await?;
    Ok(Some((state, copied, opened)))
}

/// Opens a state whose files are here. If it cannot be opened, damaged files are removed, so that
/// they are fetched again.
async fn open(cache: &Cache, state: &State, options: &Options) -> Result<Opened, String> {
    let (cache, state, options) = (cache.clone(), state.clone(), options.clone());
    blocking(move || {
        let folder = cache.build(&state)?;
        let opened = Database::open(&folder, options).map_err(|e| e.to_string());
        let replayed = opened.and_then(|database| {
            cache.replay(&database, &state.log)?;
            Ok(database)
        });
        match replayed {
            Ok(database) => Ok(Opened { database, folder }),
            Err(e) => {
                let damaged = cache.remove_damaged(&state)?;
                Err(format!(
                    "state {} cannot be opened: {e}; {damaged} damaged files will be fetched again",
                    state.number
                ))
            }
        }
    })
    .await
}

/// Closes a version and removes its folder once no request uses it.
fn retire(database: Arc<Database>, folder: PathBuf) -> JoinHandle<()> {
    tokio::task::spawn_blocking(move || {
        while is_in_use(&database) {
            std::thread::sleep(RETIRE_STEP);
        }
        drop(database);
        if let Err(e) = remove_folder(&folder) {
            tracing::warn!("{e}");
        }
    })
}

/// Locks the folder of a replica against a second process.
fn lock(folder: &Path) -> Result<File, String> {
    let file = File::open(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Err(rustix::io::Errno::WOULDBLOCK) => Err(format!(
            "{} is in use by another process; give each replica a --data-dir of its own",
            folder.display()
        )),
        _ => Ok(file),
    }
}
