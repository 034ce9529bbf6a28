//! Maintenance threads: one each seals, merges, begins and ends sales, writes the search log,
//! builds suggestions, trains models, maps cold items, watches recall and graph health, watches the
//! store, and purges it. They do not wait for each other, so vectors are sealed while a merge takes
//! minutes. A step that fails or panics is repeated later, for its collection alone.

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use parking_lot::{Condvar, Mutex, RwLock};
use rayon::{ThreadPool, ThreadPoolBuilder};

use super::{
    View,
    health::{Failures, Outcome},
};
use crate::{Collection, Error, Result, index::JobKind, storage::Store};

/// Time between two checks for work.
const CHECK_INTERVAL: Duration = Duration::from_millis(250);

/// Time between two checks of the store.
const STORE_INTERVAL: Duration = Duration::from_secs(1);

/// Pause of a collection's step after a failure; it doubles with each further one.
const FAILURE_PAUSE: Duration = Duration::from_secs(30);
const MAX_FAILURE_PAUSE: Duration = Duration::from_secs(900);

/// Pause after a measurement of recall, as a multiple of its duration.
const REST_PER_MEASUREMENT: u32 = 100;

/// Runs until it is dropped, which cancels the running builds.
pub(super) struct Maintainer {
    view: Weak<RwLock<View>>,
    failures: Arc<Failures>,
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
    pub fn start(
        view: &Arc<RwLock<View>>,
        store: &Arc<Store>,
        failures: &Arc<Failures>,
        threads: usize,
    ) -> std::io::Result<Self> {
        let mut started = Self::new(view, failures);
        started.spawn("index-seal", |c| {
            Ok(c.maintain(JobKind::Seal, 1)? || c.follow(1))
        })?;
        started.spawn("index-merge", move |c| c.maintain(JobKind::Merge, threads))?;
        started.spawn_for_reads()?;
        started.spawn("search-log", |c| {
            c.maintain_searches()?;
            Ok(false)
        })?;
        started.spawn("train", Collection::maintain_behavior)?;
        let mut watch = Watch::new()?;
        started.spawn("watch", move |c| watch.step(c))?;
        started.spawn_for_store("store", store, Store::watch)?;
        started.spawn_for_store("purge", store, Store::purge_if_due)?;
        Ok(started)
    }

    /// Starts the threads of a copy that is only read.
    pub fn start_for_replica(
        view: &Arc<RwLock<View>>,
        failures: &Arc<Failures>,
    ) -> std::io::Result<Self> {
        let mut started = Self::new(view, failures);
        started.spawn("index-graph", |c| Ok(c.follow(1)))?;
        started.spawn_for_reads()?;
        Ok(started)
    }

    fn new(view: &Arc<RwLock<View>>, failures: &Arc<Failures>) -> Self {
        Self {
            view: Arc::downgrade(view),
            failures: failures.clone(),
            stop: Arc::default(),
            threads: Vec::new(),
        }
    }

    /// Starts the threads that keep answers up to date without a write to the store.
    fn spawn_for_reads(&mut self) -> std::io::Result<()> {
        self.spawn("sales", |c| {
            c.advance_sales();
            Ok(false)
        })?;
        self.spawn("popularity", |c| {
            c.refresh_popularity();
            Ok(false)
        })?;
        self.spawn("cold-items", Collection::refresh_cold_items)?;
        self.spawn("suggest", Collection::maintain_suggestions)
    }

    /// Starts a thread that repeats a step for each collection, without a pause while steps do
    /// work.
    fn spawn(
        &mut self,
        name: &'static str,
        mut step: impl FnMut(&Collection) -> Result<bool> + Send + 'static,
    ) -> std::io::Result<()> {
        let (stop, view, failures) = (self.stop.clone(), self.view.clone(), self.failures.clone());
        let run = move || {
            let mut paused: BTreeMap<String, Pause> = BTreeMap::new();
            while !stop.requested.load(Relaxed) {
                let mut pause = CHECK_INTERVAL;
                for collection in collections(&view) {
                    let key = collection.name();
                    if paused.get(key).is_some_and(Pause::lasts) {
                        continue;
                    }
                    let outcome = attempt(|| step(&collection));
                    failures.record(name, key, &outcome);
                    match outcome {
                        Outcome::Worked => {
                            paused.remove(key);
                            pause = Duration::ZERO;
                        }
                        Outcome::Idle => {
                            paused.remove(key);
                        }
                        Outcome::Failed(e) | Outcome::Panicked(e) => {
                            let pause = paused.entry(key.to_owned()).or_default();
                            pause.extend();
                            tracing::error!(
                                collection = key,
                                task = name,
                                retry_s = pause.length.as_secs(),
                                "maintenance failed, will retry: {e}"
                            );
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

    /// Starts a thread that repeats a step for the store.
    fn spawn_for_store(
        &mut self,
        name: &'static str,
        store: &Arc<Store>,
        step: fn(&Store) -> Result<()>,
    ) -> std::io::Result<()> {
        let (stop, store, failures) = (self.stop.clone(), store.clone(), self.failures.clone());
        let run = move || {
            while !stop.requested.load(Relaxed) {
                let outcome = attempt(|| step(&store).map(|()| false));
                failures.record(name, "", &outcome);
                if let Outcome::Failed(e) | Outcome::Panicked(e) = outcome {
                    tracing::error!(task = name, "maintenance failed, will retry: {e}");
                }
                stop.wait(STORE_INTERVAL);
            }
        };
        let thread = thread::Builder::new().name(name.to_owned()).spawn(run)?;
        self.threads.push(thread);
        Ok(())
    }
}

/// Runs a step; a panic ends the step only.
fn attempt(step: impl FnOnce() -> Result<bool>) -> Outcome {
    // A panic may leave something half-changed behind locks that do not poison; the next step
    // checks or rebuilds it.
    match catch_unwind(AssertUnwindSafe(step)) {
        Ok(Ok(true)) => Outcome::Worked,
        Ok(Ok(false) | Err(Error::Cancelled)) => Outcome::Idle,
        Ok(Err(e)) => Outcome::Failed(e.to_string()),
        Err(panic) => {
            let text = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied());
            Outcome::Panicked(format!("panic: {}", text.unwrap_or("no message")))
        }
    }
}

/// Pause of a step for a collection.
#[derive(Default)]
struct Pause {
    until: Option<Instant>,
    length: Duration,
}

impl Pause {
    fn lasts(&self) -> bool {
        self.until.is_some_and(|until| Instant::now() < until)
    }

    fn extend(&mut self) {
        self.length = (self.length * 2).clamp(FAILURE_PAUSE, MAX_FAILURE_PAUSE);
        self.until = Some(Instant::now() + self.length);
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

/// Measures recall, checks the health of graphs and saves state files.
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
        if collection.check_health() {
            return Ok(true);
        }
        // One failure does not skip the others.
        let results = [
            self.measure(collection),
            collection.maintain_lexical(),
            collection.save_if_idle(),
        ];
        results.into_iter().collect::<Result<()>>()?;
        Ok(false)
    }

    fn measure(&mut self, collection: &Collection) -> Result<()> {
        if Instant::now() < self.rested {
            return Ok(());
        }
        if let Some(took) = self.alone.install(|| collection.measure_recall())? {
            self.rested = Instant::now() + took * REST_PER_MEASUREMENT;
        }
        Ok(())
    }
}

fn collections(view: &Weak<RwLock<View>>) -> Vec<Arc<Collection>> {
    let view = view.upgrade();
    view.map(|v| v.read().open.values().cloned().collect())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_ends_its_step_only_and_is_counted() {
        let failures = Failures::default();
        let outcome = attempt(|| panic!("asked to"));
        failures.record("index-seal", "shop", &outcome);
        assert!(matches!(&outcome, Outcome::Panicked(e) if e.contains("asked to")));
        let seal = &failures.tasks()["index-seal"];
        assert_eq!((seal.failures, seal.panics, seal.failing.len()), (1, 1, 1));
        failures.record("index-seal", "shop", &attempt(|| Ok(false)));
        let seal = &failures.tasks()["index-seal"];
        assert_eq!((seal.failures, seal.failing.len()), (1, 0));
    }

    #[test]
    fn pauses_grow_to_a_maximum() {
        let mut pause = Pause::default();
        assert!(!pause.lasts());
        for seconds in [30, 60, 120, 240, 480, 900, 900] {
            pause.extend();
            assert_eq!(pause.length.as_secs(), seconds);
            assert!(pause.lasts());
        }
    }
}
