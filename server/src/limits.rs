//! Bounded work. Everything that takes time runs on blocking threads behind a gate of its kind (searches, writes,
//! embedding): so many calls at a time, so many more in a queue, the rest are refused at once with 429. A call that
//! has passed its deadline is answered with 504; its permit stays taken until the work has really ended.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use actix_web::{http::StatusCode, web};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{timeout, timeout_at},
};

use crate::error::{ApiError, ApiResult, REQUEST_ID, current_request_id};

/// Bounds the work of one kind that runs at the same time.
pub struct Gate {
    permits: Arc<Semaphore>,
    queue: Semaphore,
    size: usize,
}

impl Gate {
    /// `size` calls run, `queue` more wait, the rest are refused.
    pub fn new(size: usize, queue: usize) -> Self {
        Self {
            permits: Arc::new(Semaphore::new(size)),
            queue: Semaphore::new(queue),
            size,
        }
    }

    /// Permits in use.
    pub fn in_use(&self) -> usize {
        self.size.saturating_sub(self.permits.available_permits())
    }

    /// Runs blocking work under a permit; 429 where the queue is full, 504 at the deadline.
    pub async fn run<T, F>(&self, deadline: Instant, work: F) -> ApiResult<T>
    where
        T: Send + 'static,
        F: FnOnce() -> ApiResult<T> + Send + 'static,
    {
        let permit = match self.permits.clone().try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => {
                let _place = self.queue.try_acquire().map_err(|_| overloaded())?;
                timeout_at(deadline.into(), self.permits.clone().acquire_owned())
                    .await
                    .map_err(|_| ApiError::deadline())?
                    .map_err(ApiError::internal)?
            }
        };
        timeout_at(deadline.into(), block(permit, work))
            .await
            .map_err(|_| ApiError::deadline())?
    }

    /// Waits for a permit however long it takes, then runs blocking work for at most `time`: for work that comes in
    /// parts, whose sender is slowed down by the waiting.
    pub async fn run_in_turn<T, F>(&self, time: Duration, work: F) -> ApiResult<T>
    where
        T: Send + 'static,
        F: FnOnce() -> ApiResult<T> + Send + 'static,
    {
        let permit = self.permits.clone().acquire_owned().await;
        let permit = permit.map_err(ApiError::internal)?;
        timeout(time, block(permit, work))
            .await
            .map_err(|_| ApiError::deadline())?
    }
}

async fn block<T, F>(permit: OwnedSemaphorePermit, work: F) -> ApiResult<T>
where
    T: Send + 'static,
    F: FnOnce() -> ApiResult<T> + Send + 'static,
{
    let id = current_request_id();
    web::block(move || {
        let _permit = permit;
        REQUEST_ID.sync_scope(id, work)
    })
    .await
    .map_err(|_| ApiError::internal("a worker panicked"))?
}

fn overloaded() -> ApiError {
    ApiError::new(
        StatusCode::TOO_MANY_REQUESTS,
        "overloaded",
        "too many requests of this kind are under way; try again in a second",
    )
}
