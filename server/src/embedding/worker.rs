//! The thread that embeds pending items: one batch of each collection in turn, queries first.

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::{Arc, PoisonError, atomic::Ordering},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use vitrine::{Collection, Embedded, Embedder, ItemVectors};
use vitrine_indexer::{
    pipeline::{Vectorized, embed_items},
    source::image::Images,
};
use vitrine_schemas::{Item, OtherVectors};

use super::{Shared, images::ServerImages, log_failure};

/// Pause after which items are looked for without a signal: encoders may have been added.
const IDLE: Duration = Duration::from_secs(5);

/// Pause after a failure of the store or for lack of memory.
const FAILURE_PAUSE: Duration = Duration::from_secs(1);

/// Maximum time that a batch waits for queries.
const YIELD: Duration = Duration::from_millis(100);

/// Interval at which a waiting batch looks for queries.
const YIELD_STEP: Duration = Duration::from_millis(2);

/// Part of a batch that is embedded at once while queries are served.
const BUSY_SHARE: usize = 8;

/// Vectors of an item, or why it has none.
type Outcome = Result<ItemVectors, String>;

/// Starts the thread.
pub(super) fn start(shared: Arc<Shared>) -> Result<JoinHandle<()>, String> {
    let worker = Worker {
        others: Images::new(PathBuf::new(), shared.resources.settings.fetch_images),
        shared,
    };
    thread::Builder::new()
        .name("embed-items".into())
        .spawn(move || worker.run())
        .map_err(|e| format!("cannot start the embedding thread: {e}"))
}

struct Worker {
    shared: Arc<Shared>,
    /// Reader of images by bytes and web address.
    others: Images,
}

impl Worker {
    fn run(&self) {
        while !self.shared.stopping.load(Ordering::SeqCst) {
            let collections = self.shared.resources.database.load().open_collections();
            let mut embedded = 0;
            for collection in &collections {
                if self.shared.stopping.load(Ordering::SeqCst) {
                    return;
                }
                embedded += self.embed_batch(collection).unwrap_or_else(|error| {
                    log_failure(collection, &error);
                    thread::sleep(FAILURE_PAUSE);
                    0
                });
            }
            drop(collections);
            if embedded == 0 {
                self.sleep();
            }
        }
    }

    /// Waits for a signal.
    fn sleep(&self) {
        let guard = self.shared.wake.lock();
        let guard = guard.unwrap_or_else(PoisonError::into_inner);
        let wait = self.shared.woken.wait_timeout_while(guard, IDLE, |w| !*w);
        *wait.unwrap_or_else(PoisonError::into_inner).0 = false;
    }

    /// Gives way to queries; returns the number of items to embed at once.
    fn batch_size(&self) -> usize {
        let full = self.shared.resources.settings.batch;
        let queries = &self.shared.resources.queries;
        if queries.in_use() == 0 {
            return full;
        }
        let started = Instant::now();
        while queries.in_use() > 0 && started.elapsed() < YIELD {
            thread::sleep(YIELD_STEP);
        }
        full.div_ceil(BUSY_SHARE)
    }

    /// Embeds the oldest pending items of a collection; returns their number.
    fn embed_batch(&self, collection: &Collection) -> vitrine::Result<usize> {
        if collection.pending_count() == 0 {
            return Ok(0);
        }
        let config = collection.config();
        let embedder = match self
            .shared
            .resources
            .embedders
            .of(config.fingerprint.as_deref())
        {
            Ok(embedder) => embedder,
            Err(error) => {
                tracing::debug!(
                    collection = collection.name(),
                    "items stay pending: {error}"
                );
                return Ok(0);
            }
        };
        let taken = collection.take_pending(self.batch_size())?;
        let count = taken.len();
        if count == 0 {
            return Ok(0);
        }
        let items: Vec<&Item> = taken.iter().map(|(_, item)| item).collect();
        let mut outcomes = self.embed(collection, &*embedder, &items);
        let declared = |space: &str| config.vectors.contains_key(space);
        outcomes.iter_mut().for_each(|o| keep_spaces(o, declared));
        self.add_other(collection, &items, &mut outcomes);
        let embedded = taken.into_iter().zip(outcomes);
        let embedded = embedded.map(|((version, item), result)| {
            if let Err(reason) = &result {
                let (collection, item) = (collection.name(), &item.id);
                tracing::warn!(collection, item, "not embedded: {reason}");
            }
            Embedded {
                version,
                item,
                result,
            }
        });
        let completed = collection.complete(embedded.collect())?;
        let counter = &self.shared.resources.embedded;
        for (outcome, count) in [
            ("embedded", completed.embedded),
            ("failed", completed.failed),
            ("stale", completed.stale),
        ] {
            counter.with_label_values(&[outcome]).inc_by(count);
        }
        self.shared.progress.notify_waiters();
        Ok(count)
    }

    /// Embeds items; one that makes the encoders panic does not affect the others.
    fn embed(
        &self,
        collection: &Collection,
        embedder: &dyn Embedder,
        items: &[&Item],
    ) -> Vec<Outcome> {
        let images = ServerImages {
            folders: &self.shared.resources.images,
            others: &self.others,
            collection: collection.name(),
            fetches: self.shared.resources.settings.fetch_images,
        };
        let options = self.shared.options();
        let inputs = items.iter().map(|item| input(item)).collect();
        let embed = || embed_items(embedder, &images, &options, inputs);
        let results = catch_unwind(AssertUnwindSafe(embed));
        match results {
            Ok(results) => results.into_iter().map(|r| r.map(vectors)).collect(),
            Err(_) if items.len() == 1 => {
                vec![Err("the encoder panicked; the log has the cause".to_owned())]
            }
            Err(_) => {
                let one = |item: &&Item| self.embed(collection, embedder, &[item]);
                items.iter().flat_map(one).collect()
            }
        }
    }

    /// During a re-embedding, adds the vectors of the other encoders, if the server has them.
    fn add_other(&self, collection: &Collection, items: &[&Item], outcomes: &mut [Outcome]) {
        let Some(other) = collection.reembedding().map(|info| info.other) else {
            return;
        };
        let Some(fingerprint) = other.fingerprint else {
            return;
        };
        let Ok(embedder) = self.shared.resources.embedders.of(Some(&fingerprint)) else {
            return;
        };
        let others = self.embed(collection, &*embedder, items);
        for (outcome, mut found) in outcomes.iter_mut().zip(others) {
            keep_spaces(&mut found, |space| other.vectors.contains_key(space));
            if let (Ok(outcome), Ok(found)) = (outcome, found) {
                outcome.other = Some(OtherVectors {
                    fingerprint: fingerprint.clone(),
                    vectors: found.vectors,
                });
            }
        }
    }
}

/// Returns the item as the indexer would read it from a catalog.
fn input(item: &Item) -> Item {
    Item {
        fingerprint: None,
        content_hash: None,
        vectors: BTreeMap::new(),
        ..item.clone()
    }
}

fn vectors(vectorized: Vectorized) -> ItemVectors {
    let Vectorized { item, image_errors } = vectorized;
    ItemVectors {
        fingerprint: item.fingerprint.unwrap_or_default(),
        vectors: item.vectors,
        other: None,
        content_hash: item.content_hash,
        warning: (!image_errors.is_empty()).then(|| image_errors.join("; ")),
    }
}

/// Drops vectors of spaces that the collection does not have.
fn keep_spaces(outcome: &mut Outcome, declared: impl Fn(&str) -> bool) {
    let Ok(found) = outcome else {
        return;
    };
    let filled: Vec<_> = found.vectors.keys().cloned().collect();
    found.vectors.retain(|space, _| declared(space));
    if found.vectors.is_empty() {
        *outcome = Err(format!(
            "the encoders fill {}, and the collection has no such space; add one",
            filled.join(", ")
        ));
    }
}
