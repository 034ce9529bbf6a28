//! Reads batches of records from a request body.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use actix_web::web::Payload;
use tokio::time::{timeout, timeout_at};
use vitrine_indexer::source::text::TextOptions;

use super::{Batch, Format, Record, Splitter};
use crate::{error::ApiResult, http::body::next_chunk, ops::stopping::Stopping};

/// Maximum time that a record waits for others to fill its batch.
const MAX_BATCH_DELAY: Duration = Duration::from_millis(100);

/// Maximum pause between chunks; a sender may have to compute the items first.
const CHUNK_TIMEOUT: Duration = Duration::from_secs(600);

/// Pause of the sender after which the rest of an aborted import is not waited for.
const MAX_PAUSE: Duration = Duration::from_secs(2);

/// Batches of a body. Nothing is read ahead: writing throttles the sender.
pub struct Batches {
    payload: Payload,
    splitter: Splitter,
    ended: bool,
    stopping: Arc<Stopping>,
}

impl Batches {
    /// Reads a body whose records have at most `limit` bytes.
    pub fn new(
        payload: Payload,
        format: Format,
        limit: usize,
        options: TextOptions,
        stopping: Arc<Stopping>,
    ) -> Self {
        Self {
            payload,
            splitter: Splitter::new(format, limit, options),
            ended: false,
            stopping,
        }
    }

    /// Returns the next record, None at the end.
    pub async fn record(&mut self) -> ApiResult<Option<Record>> {
        loop {
            let record = self.splitter.pop();
            if record.is_some() || self.ended {
                return Ok(record);
            }
            self.read().await?;
        }
    }

    /// Returns the next batch, None at the end.
    pub async fn next(&mut self) -> ApiResult<Option<Batch>> {
        let mut batch = Batch::default();
        let Some(first) = self.record().await? else {
            return Ok(None);
        };
        batch.push(first);
        let due = Instant::now() + MAX_BATCH_DELAY;
        while !batch.is_full() {
            match timeout_at(due.into(), self.record()).await {
                Ok(Ok(Some(record))) => batch.push(record),
                Ok(Err(error)) => return Err(error),
                Ok(Ok(None)) | Err(_) => break,
            }
        }
        Ok(Some(batch))
    }

    /// Reads the rest of the body without keeping it, for at most `limit` and as long as the sender
    /// does not pause.
    pub async fn discard(&mut self, limit: Duration) {
        let deadline = Instant::now() + limit;
        while let Ok(Ok(Some(_))) = timeout_at(
            deadline.into(),
            next_chunk(&mut self.payload, MAX_PAUSE, &self.stopping),
        )
        .await
        {}
    }

    async fn read(&mut self) -> ApiResult<()> {
        let next = next_chunk(&mut self.payload, CHUNK_TIMEOUT, &self.stopping);
        let next = if self.splitter.is_detecting() {
            match timeout(MAX_BATCH_DELAY, next).await {
                Ok(next) => next?,
                Err(_) => return self.pause().await,
            }
        } else {
            next.await?
        };
        self.add(next)
    }

    /// Detects the form of a text from what has arrived, and waits for more.
    async fn pause(&mut self) -> ApiResult<()> {
        self.splitter.settle()?;
        if self.splitter.is_detecting() {
            let next = next_chunk(&mut self.payload, CHUNK_TIMEOUT, &self.stopping).await?;
            return self.add(next);
        }
        Ok(())
    }

    fn add(&mut self, chunk: Option<actix_web::web::Bytes>) -> ApiResult<()> {
        match chunk {
            Some(chunk) => self.splitter.push(&chunk),
            None => {
                self.ended = true;
                self.splitter.finish()
            }
        }
    }
}
