//! Batches of records out of a request's body, as they come.

use std::time::{Duration, Instant};

use actix_web::web::Payload;
use tokio::time::timeout_at;

use super::{Batch, Format, Record, Splitter};
use crate::{body::next_chunk, error::ApiResult};

/// A record waits so long for others to share its batch.
const GATHERING: Duration = Duration::from_millis(100);

/// Longest pause of a sender, who may have to make the items first.
const PATIENCE: Duration = Duration::from_secs(600);

/// The batches of a body. Nothing is read ahead: a sender is as fast as the writing.
pub struct Batches {
    payload: Payload,
    splitter: Splitter,
    ended: bool,
}

impl Batches {
    /// Of a body whose records have at most `limit` bytes.
    pub fn new(payload: Payload, format: Format, limit: usize) -> Self {
        Self {
            payload,
            splitter: Splitter::new(format, limit),
            ended: false,
        }
    }

    /// One record; none at the end.
    pub async fn record(&mut self) -> ApiResult<Option<Record>> {
        loop {
            let record = self.splitter.pop();
            if record.is_some() || self.ended {
                return Ok(record);
            }
            self.read().await?;
        }
    }

    /// The next batch; none at the end.
    pub async fn next(&mut self) -> ApiResult<Option<Batch>> {
        let mut batch = Batch::default();
        let Some(first) = self.record().await? else {
            return Ok(None);
        };
        batch.push(first);
        let due = Instant::now() + GATHERING;
        while !batch.is_full() {
            match timeout_at(due.into(), self.record()).await {
                Ok(Ok(Some(record))) => batch.push(record),
                Ok(Err(fault)) => return Err(fault),
                Ok(Ok(None)) | Err(_) => break,
            }
        }
        Ok(Some(batch))
    }

    async fn read(&mut self) -> ApiResult<()> {
        match next_chunk(&mut self.payload, PATIENCE).await? {
            Some(chunk) => self.splitter.push(&chunk),
            None => {
                self.splitter.finish();
                self.ended = true;
            }
        }
        Ok(())
    }
}
