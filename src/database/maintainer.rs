//! The thread that seals and merges indexes while the database serves.

use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use parking_lot::{Condvar, Mutex, RwLock};

use super::View;
use crate::{Collection, Error};

/// How often it looks for something to do.
const EVERY: Duration = Duration::from_millis(250);

/// How long it leaves a collection alone whose indexes could not be maintained.
const AFTER_FAILURE: Duration = Duration::from_secs(30);

/// Runs until it is dropped, which calls off the build under way.
pub(super) struct Maintainer {
    view: Weak<RwLock<View>>,
    stop: Arc<Stop>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Stop {
    asked: AtomicBool,
    lock: Mutex<()>,
    woken: Condvar,
}

impl Maintainer {
    /// Starts the thread; builds use `threads` threads.
    pub fn start(view: &Arc<RwLock<View>>, threads: usize) -> std::io::Result<Self> {
        let stop = Arc::new(Stop::default());
        let (of_thread, weak) = (stop.clone(), Arc::downgrade(view));
        let thread = thread::Builder::new()
            .name("index-maintenance".into())
            .spawn(move || of_thread.run(&weak, threads))?;
        Ok(Self {
            view: Arc::downgrade(view),
            stop,
            thread: Some(thread),
        })
    }
}

impl Drop for Maintainer {
    fn drop(&mut self) {
        self.stop.asked.store(true, Relaxed);
        for collection in collections(&self.view) {
            collection.cancel_maintenance();
        }
        self.stop.woken.notify_all();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("index maintenance panicked");
        }
    }
}

impl Stop {
    fn run(&self, view: &Weak<RwLock<View>>, threads: usize) {
        while !self.asked.load(Relaxed) {
            let mut pause = EVERY;
            for collection in collections(view) {
                match collection.train_if_due() {
                    Ok(true) => pause = Duration::ZERO,
                    Ok(false) => {}
                    Err(e) => {
                        let name = collection.name();
                        tracing::error!(collection = name, "nothing was learned: {e}");
                        pause = AFTER_FAILURE;
                    }
                }
                match collection.maintain(false, threads) {
                    Ok(true) => pause = Duration::ZERO,
                    Ok(false) | Err(Error::Cancelled) => {}
                    Err(e) => {
                        let name = collection.name();
                        tracing::error!(
                            collection = name,
                            "indexes were not sealed, searches go on without: {e}"
                        );
                        pause = AFTER_FAILURE;
                    }
                }
            }
            let mut lock = self.lock.lock();
            if !self.asked.load(Relaxed) {
                self.woken.wait_for(&mut lock, pause);
            }
        }
    }
}

fn collections(view: &Weak<RwLock<View>>) -> Vec<Arc<Collection>> {
    let view = view.upgrade();
    view.map(|v| v.read().open.values().cloned().collect())
        .unwrap_or_default()
}
