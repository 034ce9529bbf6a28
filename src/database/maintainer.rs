//! The threads that keep indexes in order while the database serves: one seals, one merges, one learns and watches. None waits
//! for another, so a merge that takes minutes leaves no long tail behind.

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
use crate::{Collection, Error, Result, index::Work};

/// How often each looks for something to do.
const EVERY: Duration = Duration::from_millis(250);

/// How long a collection is left alone after a failure.
const AFTER_FAILURE: Duration = Duration::from_secs(30);

/// After a measurement of recall there is rest for so many times as long as it took.
const REST_PER_MEASUREMENT: u32 = 100;

/// Runs until it is dropped, which calls off the builds under way.
pub(super) struct Maintainer {
    view: Weak<RwLock<View>>,
    stop: Arc<Stop>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Stop {
    asked: AtomicBool,
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
            Ok(c.maintain(Work::Seal, 1)? || c.follow(1))
        })?;
        started.spawn("index-merge", move |c| c.maintain(Work::Merge, threads))?;
        let mut watch = Watch::new()?;
        started.spawn("watch", move |c| watch.step(c))?;
        Ok(started)
    }

    /// A thread that takes a step in each collection, again and again: at once where a step did something.
    fn spawn(
        &mut self,
        name: &str,
        mut step: impl FnMut(&Collection) -> Result<bool> + Send + 'static,
    ) -> std::io::Result<()> {
        let (stop, view) = (self.stop.clone(), self.view.clone());
        let run = move || {
            while !stop.asked.load(Relaxed) {
                let mut pause = EVERY;
                for collection in collections(&view) {
                    match step(&collection) {
                        Ok(true) => pause = Duration::ZERO,
                        Ok(false) | Err(Error::Cancelled) => {}
                        Err(e) => {
                            let name = collection.name();
                            tracing::error!(collection = name, "left as it is for now: {e}");
                            pause = AFTER_FAILURE;
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
            self.stop.asked.store(true, Relaxed);
            self.stop.woken.notify_all();
        }
        for collection in collections(&self.view) {
            collection.cancel_maintenance();
        }
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("index maintenance panicked");
            }
        }
    }
}

impl Stop {
    fn wait(&self, pause: Duration) {
        let mut lock = self.lock.lock();
        if !pause.is_zero() && !self.asked.load(Relaxed) {
            self.woken.wait_for(&mut lock, pause);
        }
    }
}

/// Trains, measures recall, looks at the health of graphs and keeps states.
struct Watch {
    /// A single thread: measuring must not take the threads of searches.
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
        if collection.maintain_behaviour()? || collection.check_health() {
            return Ok(true);
        }
        if Instant::now() >= self.rested
            && let Some(took) = self.alone.install(|| collection.measure_recall())?
        {
            self.rested = Instant::now() + took * REST_PER_MEASUREMENT;
        }
        collection.maintain_words()?;
        collection.save_if_quiet()?;
        Ok(false)
    }
}

fn collections(view: &Weak<RwLock<View>>) -> Vec<Arc<Collection>> {
    let view = view.upgrade();
    view.map(|v| v.read().open.values().cloned().collect())
        .unwrap_or_default()
}
