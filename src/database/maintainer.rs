//! Maintenance threads: one seals, one merges, one writes the search log, one builds suggestions,
//! one trains models and watches recall and graph health. They do not wait for each other, so
//! vectors are sealed while a merge takes minutes.

use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use parking_lot::{Condvar, Mutex, RwLock};
use rayon::{ThreadPool, ThreadPoolBuilder};

use super::View;
use crate::{Collection, Error, Result, index::JobKind};

/// Time between two checks for work.
const CHECK_INTERVAL: Duration = Duration::from_millis(250);

/// Pause after a failure.
const FAILURE_PAUSE: Duration = Duration::from_secs(30);

/// Pause after a measurement of recall, as a multiple of its duration.
const REST_PER_MEASUREMENT: u32 = 100;

/// Runs until it is dropped, which cancels the running builds.
pub(super) struct Maintainer {
    view: Weak<RwLock<View>>,
    stop: Arc<Stop>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Stop {
    requested: AtomicBool,
    lock: Mutex<()>,
    woken: Condvar,
}

impl Maintainer {
    /// Starts the threads; merges use `threads` threads.
    pub fn start(view: &Arc<RwLock<View>>, threads: usize) -> std::io::Result<Self> {
        let mut started = Self {
            view: Arc::downgrade(view),
            stop: Arc::default(),
            threads: Vec::new(),
        };
        started.spawn("index-seal", |c| {
            Ok(c.maintain(JobKind::Seal, 1)? || c.follow(1))
        })?;
        started.spawn("index-merge", move |c| c.maintain(JobKind::Merge, threads))?;
        started.spawn("sales", |c| {
            c.advance_sales();
            Ok(false)
        })?;
        started.spawn("search-log", |c| {
            c.maintain_searches()?;
            Ok(false)
        })?;
        started.spawn("suggest", Collection::maintain_suggestions)?;
        let mut watch = Watch::new()?;
        started.spawn("watch", move |c| watch.step(c))?;
        Ok(started)
    }

    /// Starts a thread that repeats a step for each collection, without a pause while steps do
    /// work.
    fn spawn(
        &mut self,
        name: &str,
        mut step: impl FnMut(&Collection) -> Result<bool> + Send + 'static,
    ) -> std::io::Result<()> {
        let (stop, view) = (self.stop.clone(), self.view.clone());
        let run = move || {
            while !stop.requested.load(Relaxed) {
                let mut pause = CHECK_INTERVAL;
                for collection in collections(&view) {
                    match step(&collection) {
                        Ok(true) => pause = Duration::ZERO,
                        Ok(false) | Err(Error::Cancelled) => {}
                        Err(e) => {
                            let name = collection.name();
                            tracing::error!(
                                collection = name,
                                "maintenance failed, will retry: {e}"
                            );
                            pause = FAILURE_PAUSE;
                        }
                    }
                }
                stop.wait(pause);
            }
        };
        let thread = thread::Builder::new().name(name.to_owned()).spawn(run)?;
        self.threads.push(thread);
        Ok(())
    }
}

impl Drop for Maintainer {
    fn drop(&mut self) {
        {
            let _lock = self.stop.lock.lock();
            self.stop.requested.store(true, Relaxed);
            self.stop.woken.notify_all();
        }
        for collection in collections(&self.view) {
            collection.cancel_maintenance();
        }
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a maintenance thread panicked");
            }
        }
    }
}

impl Stop {
    fn wait(&self, pause: Duration) {
        let mut lock = self.lock.lock();
        if !pause.is_zero() && !self.requested.load(Relaxed) {
            self.woken.wait_for(&mut lock, pause);
        }
    }
}

/// Trains models, measures recall, checks the health of graphs and saves state files.
struct Watch {
    /// A pool of one thread, so that measuring does not take the threads of searches.
    alone: ThreadPool,
    rested: Instant,
}

impl Watch {
    fn new() -> std::io::Result<Self> {
        let alone = ThreadPoolBuilder::new()
            .num_threads(1)
            .thread_name(|_| "watch-recall".into());
        Ok(Self {
            alone: alone.build().map_err(std::io::Error::other)?,
            rested: Instant::now(),
        })
    }

    fn step(&mut self, collection: &Collection) -> Result<bool> {
        if collection.maintain_behavior()? || collection.check_health() {
            return Ok(true);
        }
        if Instant::now() >= self.rested
            && let Some(took) = self.alone.install(|| collection.measure_recall())?
        {
            self.rested = Instant::now() + took * REST_PER_MEASUREMENT;
        }
        collection.maintain_lexical()?;
        collection.save_if_idle()?;
        Ok(false)
    }
}

fn collections(view: &Weak<RwLock<View>>) -> Vec<Arc<Collection>> {
    let view = view.upgrade();
    view.map(|v| v.read().open.values().cloned().collect())
        .unwrap_or_default()
}
