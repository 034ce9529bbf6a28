//! Progress and cancellation of a build.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    thread,
};

use crate::{Error, Result};

/// State shared between a build and its observers.
#[derive(Debug)]
pub struct Progress {
    threads: usize,
    done: AtomicU64,
    cancelled: AtomicBool,
}

impl Default for Progress {
    /// Uses all threads of the machine.
    fn default() -> Self {
        Self::new(thread::available_parallelism().map_or(1, usize::from))
    }
}

impl Progress {
    /// Creates the progress of a build with `threads` threads, at least 1.
    pub fn new(threads: usize) -> Self {
        Self {
            threads: threads.max(1),
            done: AtomicU64::new(0),
            cancelled: AtomicBool::new(false),
        }
    }

    /// Number of threads the build may use.
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// Number of vectors done so far.
    pub fn done(&self) -> u64 {
        self.done.load(Relaxed)
    }

    /// Requests that the build ends soon, without a result.
    pub fn cancel(&self) {
        self.cancelled.store(true, Relaxed);
    }

    pub(super) fn advance(&self, vectors: u64) {
        self.done.fetch_add(vectors, Relaxed);
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Relaxed)
    }

    /// Returns [`Error::Cancelled`] once the build was cancelled.
    pub(super) fn check(&self) -> Result<()> {
        if self.is_cancelled() {
            return Err(Error::Cancelled);
        }
        Ok(())
    }
}
