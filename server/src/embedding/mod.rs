//! Embedding of written items. A write stores items at once and marks those without vectors as
//! pending; a thread embeds them in the background, in batches, as `vitrine-indexer index` would.
//! The marks are stored with the items, so a restart continues where it stopped.

mod images;
mod worker;

use std::{
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use actix_web::http::StatusCode;
use prometheus::IntCounterVec;
use tokio::{sync::Notify, time::timeout_at};
use vitrine::{Collection, EmbedPolicy, Error, Policy, Precondition, Written};
use vitrine_indexer::pipeline::{self, Options};
use vitrine_schemas::{
    EmbedMode, EmbeddingState, EmbeddingStatus, Item, ItemPatch, WaitFor, WriteParams,
};

use crate::{
    config::Embedding,
    embedders::Embedders,
    error::{ApiError, ApiResult},
    images::ImageFolders,
    ops::limits::Gate,
    served::Served,
};

/// Number of pending items up to which a write waits for its vectors by default.
const SHORT_QUEUE: u64 = 64;

/// Resources of the background thread.
pub struct Resources {
    /// Settings.
    pub settings: Embedding,
    /// Collections.
    pub database: Arc<Served>,
    /// Encoders.
    pub embedders: Arc<Embedders>,
    /// Folders of item images.
    pub images: Arc<ImageFolders>,
    /// Gate of queries, which are embedded before items.
    pub queries: Arc<Gate>,
    /// Counter of embedded items by outcome.
    pub embedded: IntCounterVec,
}

/// State shared with the background thread.
struct Shared {
    resources: Resources,
    /// True if items were written since the thread last looked.
    wake: Mutex<bool>,
    woken: Condvar,
    stopping: AtomicBool,
    /// Notified when items are no longer pending.
    progress: Notify,
}

/// Embedding of written items.
pub struct ItemEmbedding {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl ItemEmbedding {
    /// Starts the background thread. Items that were pending before are embedded first.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn start(resources: Resources) -> Result<Self, String> {
        let shared = Arc::new(Shared {
            resources,
            wake: Mutex::new(true),
            woken: Condvar::new(),
            stopping: AtomicBool::new(false),
            progress: Notify::new(),
        });
        let thread = match shared.resources.settings.writes {
            true => Some(worker::start(shared.clone())?),
            false => None,
        };
        Ok(Self {
            shared,
            thread: Mutex::new(thread),
        })
    }

    /// Stops the background thread after its current batch.
    pub fn stop(&self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        self.shared.wake();
        let thread = self.thread.lock();
        let thread = thread.unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the embedding thread panicked");
        }
    }

    /// Tells the background thread that there are pending items.
    pub fn wake(&self) {
        self.shared.wake();
    }

    /// Writes items; those without vectors are embedded in the background.
    ///
    /// # Errors
    /// As [`Collection::upsert`].
    pub fn write(
        &self,
        collection: &Collection,
        params: &WriteParams,
        mut items: Vec<Item>,
    ) -> vitrine::Result<Vec<vitrine::Result<Written>>> {
        let embedders = &self.shared.resources.embedders;
        embedders.embed_for_both_spaces(collection, &mut items);
        let written = self.with_policy(collection, params, |policy| {
            collection.upsert_with(items, policy)
        })?;
        self.shared.wake();
        Ok(written)
    }

    /// Patches an item; it is embedded in the background if what is embedded changes.
    ///
    /// # Errors
    /// As [`Collection::patch`].
    pub fn patch(
        &self,
        collection: &Collection,
        params: &WriteParams,
        id: &str,
        patch: &ItemPatch,
        condition: &Precondition,
    ) -> vitrine::Result<Item> {
        let item = self.with_policy(collection, params, |policy| {
            collection.patch_with(id, patch, policy, condition)
        })?;
        self.shared.wake();
        Ok(item)
    }

    /// Checks that the server embeds items of a collection.
    ///
    /// # Errors
    /// Embedding is off, or the encoders are missing.
    pub fn check(&self, collection: &Collection) -> vitrine::Result<()> {
        let config = collection.config();
        let detail = if !self.shared.resources.settings.writes {
            "the server does not embed items; set `embedding.writes = true`"
        } else if config.embed == EmbedMode::Off {
            "embedding is off for this collection; PATCH it with {\"embed\": \"on\"}"
        } else if config.fingerprint.is_none() {
            "the collection has no fingerprint, so its encoders are unknown"
        } else {
            let encoders = &self.shared.resources.embedders;
            return encoders.of(config.fingerprint.as_deref()).map(|_| ());
        };
        Err(Error::invalid("", detail))
    }

    /// Calls `work` with the policy of a write; none for a collection without encoders.
    fn with_policy<T>(
        &self,
        collection: &Collection,
        params: &WriteParams,
        work: impl FnOnce(Option<&EmbedPolicy<'_>>) -> T,
    ) -> T {
        let config = collection.config();
        let policy = self.policy(collection, params);
        let (Some(policy), Some(fingerprint)) = (policy, config.fingerprint.as_deref()) else {
            return work(None);
        };
        let options = self.shared.options();
        work(Some(&EmbedPolicy {
            policy,
            is_same: &pipeline::has_same_content,
            content_hash: &|item| pipeline::content_hash(item, fingerprint, &options),
        }))
    }

    /// Checks that there is room for more pending items, if the write would add some.
    ///
    /// # Errors
    /// 429: too many items are pending.
    pub fn admit(&self, collection: &Collection, params: &WriteParams) -> ApiResult<()> {
        let limit = self.shared.resources.settings.max_pending;
        if self.shared.pending() < limit || self.policy(collection, params) != Some(Policy::Embed) {
            return Ok(());
        }
        Err(ApiError::new(
            StatusCode::TOO_MANY_REQUESTS,
            "embedding_queue_full",
            format!(
                "{limit} items are waiting to be embedded (`embedding.max_pending`); retry later, import them (an import waits), or send vectors with `embed=off`"
            ),
        ))
    }

    /// Returns the policy of a write; none for a collection without encoders.
    fn policy(&self, collection: &Collection, params: &WriteParams) -> Option<Policy> {
        let config = collection.config();
        let fingerprint = config.fingerprint.as_deref()?;
        let is_off = config.embed == EmbedMode::Off || params.embed == Some(EmbedMode::Off);
        let encoders = &self.shared.resources.embedders;
        Some(if is_off || !self.shared.resources.settings.writes {
            Policy::Off
        } else if encoders.of(Some(fingerprint)).is_err() {
            Policy::Unavailable
        } else {
            Policy::Embed
        })
    }

    /// Returns how long a write with pending items waits for their vectors.
    pub fn patience(
        &self,
        collection: &Collection,
        params: &WriteParams,
        timeout: Duration,
    ) -> Duration {
        match params.wait {
            Some(WaitFor::Embedded) => timeout,
            Some(WaitFor::Stored) => Duration::ZERO,
            None if collection.pending_count() > SHORT_QUEUE => Duration::ZERO,
            None => Duration::from_millis(self.shared.resources.settings.wait_ms).min(timeout),
        }
    }

    /// Waits until these items are no longer pending, for at most `limit`.
    pub async fn wait(&self, collection: &Collection, ids: &[String], limit: Duration) {
        let deadline = Instant::now() + limit;
        loop {
            let progress = self.shared.progress.notified();
            if !ids.iter().any(|id| is_pending(collection, id)) {
                return;
            }
            if timeout_at(deadline.into(), progress).await.is_err() {
                return;
            }
        }
    }
}

/// Returns true if the vectors of an item follow.
pub fn is_pending(collection: &Collection, id: &str) -> bool {
    let state = collection.embedding_state(id);
    state.is_some_and(|state| state.status == EmbeddingStatus::Pending)
}

/// Returns the state of an item that was pending.
pub fn state_of(collection: &Collection, id: &str) -> EmbeddingState {
    let state = collection.embedding_state(id);
    state.unwrap_or_else(|| EmbeddingState::new(EmbeddingStatus::Done))
}

impl Drop for ItemEmbedding {
    fn drop(&mut self) {
        // Not joined: an encoder may be blocked.
        self.shared.stopping.store(true, Ordering::SeqCst);
        self.shared.wake();
    }
}

impl Shared {
    fn wake(&self) {
        *self.wake.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.woken.notify_one();
    }

    /// Returns the number of pending items of all collections.
    fn pending(&self) -> u64 {
        let collections = self.resources.database.load().open_collections();
        collections.iter().map(|c| c.pending_count()).sum()
    }

    /// Returns the options under which `vitrine-indexer index` would embed.
    fn options(&self) -> Options {
        Options {
            fetch_images: self.resources.settings.fetch_images,
            ..Options::default()
        }
    }
}

/// Logs a failure of the background thread; the items stay pending.
fn log_failure(collection: &Collection, error: &Error) {
    tracing::warn!(
        collection = collection.name(),
        "items stay pending: {error}"
    );
}
