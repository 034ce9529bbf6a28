//! How far a build is, and how to call it off.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    thread,
};

use crate::{Error, Result};

/// Shared between a build and those who watch it.
#[derive(Debug)]
pub struct Progress {
    threads: usize,
    done: AtomicU64,
    cancelled: AtomicBool,
}

impl Default for Progress {
    /// With all threads of the machine.
    fn default() -> Self {
        Self::new(thread::available_parallelism().map_or(1, usize::from))
    }
}

impl Progress {
    /// Of a build with so many threads.
    pub fn new(threads: usize) -> Self {
        Self {
            threads: threads.max(1),
            done: AtomicU64::new(0),
            cancelled: AtomicBool::new(false),
        }
    }

    /// Threads the build may use.
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// Vectors done so far.
    pub fn done(&self) -> u64 {
        self.done.load(Relaxed)
    }

    /// Has the build end soon, without a result.
    pub fn cancel(&self) {
        self.cancelled.store(true, Relaxed);
    }

    pub(super) fn advance(&self, vectors: u64) {
        self.done.fetch_add(vectors, Relaxed);
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Relaxed)
    }

    /// Fails once the build was called off.
    pub(super) fn check(&self) -> Result<()> {
        if self.is_cancelled() {
            return Err(Error::Cancelled);
        }
        Ok(())
    }
}
