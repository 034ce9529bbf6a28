//! Open writers of the full-text indexes of a database.
//!
//! A writer takes 16 MiB, three threads and a few files, so only a few are open at a time: the
//! least recently opened one is committed and closed when another collection writes.

use std::sync::{Arc, Weak};

use parking_lot::Mutex;

/// Maximum number of open writers; one in use is not closed, so a moment may have more.
const MAX_OPEN_WRITERS: usize = 8;

/// An index with a writer.
pub(super) trait HasWriter: Send + Sync {
    /// Commits and closes the writer, unless it is in use. Returns false if it is.
    fn try_close(&self) -> bool;

    /// Returns true if the writer is open or in use.
    fn is_open(&self) -> bool;
}

/// Indexes with an open writer, the latest last.
#[derive(Default)]
pub struct WriterPool(Mutex<Vec<Weak<dyn HasWriter>>>);

impl WriterPool {
    /// Adds an index whose writer was opened, and closes the writers beyond the limit. The caller
    /// holds the lock of its own writer.
    pub(super) fn add(&self, index: &Arc<dyn HasWriter>) {
        let mut surplus: Vec<Arc<dyn HasWriter>> = {
            let mut open = self.0.lock();
            let this = Arc::downgrade(index);
            open.retain(|other| {
                !other.ptr_eq(&this) && other.upgrade().is_some_and(|other| other.is_open())
            });
            open.push(this);
            let surplus = open.len().saturating_sub(MAX_OPEN_WRITERS);
            open.drain(..surplus)
                .filter_map(|other| other.upgrade())
                .collect()
        };
        surplus.retain(|other| !other.try_close());
        let busy = surplus.iter().map(Arc::downgrade);
        self.0.lock().splice(0..0, busy);
    }

    /// Returns the number of open writers.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        let open = self.0.lock();
        let open = open.iter().filter_map(Weak::upgrade);
        open.filter(|index| index.is_open()).count()
    }
}
