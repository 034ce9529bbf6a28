//! Concurrency limits. Blocking work runs on worker threads behind the gate of its kind (searches,
//! writes, embedding, thumbnails): a gate admits a fixed number of calls, queues a fixed number
//! more and rejects the rest immediately with 429. A call that passes its deadline gets 504, and
//! its work ends in the engine's next check of the deadline; so does that of a client that has
//! gone. The permit is held until the work has really ended.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use actix_web::web;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{timeout, timeout_at},
};

use tracing::Span;
use vitrine::deadline::within;

use crate::error::{ApiError, ApiResult, REQUEST_ID, current_request_id};

/// Limits the concurrent work of one kind.
pub struct Gate {
    permits: Arc<Semaphore>,
    queue: Semaphore,
    size: usize,
}

impl Gate {
    /// Creates a gate: `size` calls run, `queue` more wait, the rest are rejected.
    pub fn new(size: usize, queue: usize) -> Self {
        Self {
            permits: Arc::new(Semaphore::new(size)),
            queue: Semaphore::new(queue),
            size,
        }
    }

    /// Returns the number of permits in use.
    pub fn in_use(&self) -> usize {
        self.size.saturating_sub(self.permits.available_permits())
    }

    /// Runs blocking work under a permit; 429 if the queue is full, 504 at the deadline.
    pub async fn run<T, F>(&self, deadline: Instant, work: F) -> ApiResult<T>
    where
        T: Send + 'static,
        F: FnOnce() -> ApiResult<T> + Send + 'static,
    {
        let permit = match self.permits.clone().try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => {
                let _place = self
                    .queue
                    .try_acquire()
                    .map_err(|_| ApiError::overloaded())?;
                timeout_at(deadline.into(), self.permits.clone().acquire_owned())
                    .await
                    .map_err(|_| ApiError::deadline())?
                    .map_err(ApiError::internal)?
            }
        };
        let cancel = CancelOnDrop::default();
        let cancelled = cancel.0.clone();
        let work = move || within(deadline, cancelled, work);
        timeout_at(deadline.into(), block(permit, work))
            .await
            .map_err(|_| ApiError::deadline())?
    }

    /// Waits for a permit without limit, then runs blocking work for at most `timeout`. For
    /// streamed work: waiting slows the sender down.
    pub async fn run_in_turn<T, F>(&self, limit: Duration, work: F) -> ApiResult<T>
    where
        T: Send + 'static,
        F: FnOnce() -> ApiResult<T> + Send + 'static,
    {
        let permit = self.permits.clone().acquire_owned().await;
        let permit = permit.map_err(ApiError::internal)?;
        timeout(limit, block(permit, work))
            .await
            .map_err(|_| ApiError::deadline())?
    }
}

/// Ends the work of a request whose client has gone: the server drops the request then.
#[derive(Default)]
struct CancelOnDrop(Arc<AtomicBool>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

async fn block<T, F>(permit: OwnedSemaphorePermit, work: F) -> ApiResult<T>
where
    T: Send + 'static,
    F: FnOnce() -> ApiResult<T> + Send + 'static,
{
    let (id, span) = (current_request_id(), Span::current());
    web::block(move || {
        let _permit = permit;
        span.in_scope(|| REQUEST_ID.sync_scope(id, work))
    })
    .await
    .map_err(|_| ApiError::internal("a worker panicked"))?
}
