//! Deadline of the work of a thread, checked in every loop over data.
//!
//! Searches in vector indexes pass their deadline along, since they share work between threads.
//! Everything else of a request runs on one thread: filters, facets, diversification, highlights.
//! For these the thread has a deadline while [`within`] runs, so that a new loop needs one line to
//! respect it, and no function a parameter. Work without a deadline, such as that of an embedding
//! program, is not limited.

use std::{
    cell::{Cell, RefCell},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Instant,
};

use crate::{Error, Result};

/// Number of [`Ticker::tick`]s between two looks at the clock.
const TICKS: u32 = 1024;

thread_local! {
    static LIMIT: RefCell<Option<Limit>> = const { RefCell::new(None) };
}

#[derive(Clone)]
struct Limit {
    deadline: Instant,
    cancelled: Arc<AtomicBool>,
}

/// Restores the limit that the thread had before, also after a panic.
struct Restore(Option<Limit>);

impl Drop for Restore {
    fn drop(&mut self) {
        LIMIT.set(self.0.take());
    }
}

/// Runs work of this thread that fails with [`Error::DeadlineExceeded`] in the loops of the engine
/// once the deadline has passed or `cancelled` is true.
pub fn within<T>(deadline: Instant, cancelled: Arc<AtomicBool>, work: impl FnOnce() -> T) -> T {
    let limit = Limit {
        deadline,
        cancelled,
    };
    let _restore = Restore(LIMIT.replace(Some(limit)));
    work()
}

/// Runs work of this thread that must not end half done, such as a training, without its deadline.
pub fn without<T>(work: impl FnOnce() -> T) -> T {
    let _restore = Restore(LIMIT.replace(None));
    work()
}

/// Fails if the deadline of the thread has passed.
///
/// # Errors
/// [`Error::DeadlineExceeded`].
pub(crate) fn check() -> Result<()> {
    let is_over = LIMIT.with_borrow(|limit| {
        limit
            .as_ref()
            .is_some_and(|l| l.cancelled.load(Relaxed) || Instant::now() >= l.deadline)
    });
    if is_over {
        return Err(Error::DeadlineExceeded);
    }
    Ok(())
}

/// Checks the deadline once in a number of cheap steps.
#[derive(Default)]
pub(crate) struct Ticker(Cell<u32>);

impl Ticker {
    /// Counts a step.
    ///
    /// # Errors
    /// As [`check`].
    pub fn tick(&self) -> Result<()> {
        self.0.set(self.0.get() + 1);
        if self.0.get() < TICKS {
            return Ok(());
        }
        self.0.set(0);
        check()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn work_ends_at_its_deadline_or_when_it_is_cancelled() {
        let (cancelled, later) = (Arc::<AtomicBool>::default(), Duration::from_secs(600));
        within(Instant::now() + later, cancelled.clone(), || {
            assert!(check().is_ok());
            within(Instant::now(), Arc::default(), || {
                assert!(matches!(check(), Err(Error::DeadlineExceeded)));
                let ticker = Ticker::default();
                let steps = (0..5_000).take_while(|_| ticker.tick().is_ok());
                assert_eq!(steps.count(), TICKS as usize - 1);
            });
            assert!(check().is_ok());
            cancelled.store(true, Relaxed);
            assert!(check().is_err() && without(check).is_ok());
        });
        assert!(check().is_ok(), "without a deadline");
    }
}
