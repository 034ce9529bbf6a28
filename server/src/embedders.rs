//! Encoders by fingerprint. While a collection is re-embedded it has vectors of two encoders: a
//! query is embedded by the encoders that filled the spaces it searches, a written text by both.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use vitrine::{
    Collection, Database, EmbedError, Embedder, Embedding, Error,
    schemas::{Item, OtherVectors, SpaceSetInfo},
};

/// Time before missing encoders are looked up again: a lookup takes seconds of work. A re-embedding
/// looks them up immediately.
const RETRY_AFTER: Duration = Duration::from_secs(300);

/// Finds the encoders whose vectors have a fingerprint.
pub type FindEncoders = dyn Fn(&str) -> Result<Option<Arc<dyn Embedder>>, EmbedError> + Send + Sync;

/// The encoders of a server.
#[derive(Default)]
pub struct Embedders {
    in_use: Option<Arc<dyn Embedder>>,
    find: Option<Box<FindEncoders>>,
    cache: Mutex<EncoderCache>,
    /// Held during a lookup; other lookups wait for its result. Loaded encoders need no lookup.
    lookup: Mutex<()>,
}

#[derive(Default)]
struct EncoderCache {
    loaded: BTreeMap<String, Arc<dyn Embedder>>,
    missing: BTreeMap<String, Instant>,
}

impl EncoderCache {
    /// Returns the cached lookup of a fingerprint; Some(None) if there are no such encoders.
    fn get(&self, fingerprint: &str) -> Option<Option<Arc<dyn Embedder>>> {
        if let Some(embedder) = self.loaded.get(fingerprint) {
            return Some(Some(embedder.clone()));
        }
        let looked_up = self.missing.get(fingerprint)?;
        (looked_up.elapsed() < RETRY_AFTER).then_some(None)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Embedders {
    /// Creates the set of the encoders in use and a lookup of others by fingerprint.
    pub fn new(in_use: Option<Arc<dyn Embedder>>, find: Option<Box<FindEncoders>>) -> Self {
        Self {
            in_use,
            find,
            cache: Mutex::default(),
            lookup: Mutex::default(),
        }
    }

    /// Returns true if the server has encoders.
    pub fn is_loaded(&self) -> bool {
        self.in_use.is_some()
    }

    /// Returns the encoders in use.
    ///
    /// # Errors
    /// The server has none; the message says how to configure them.
    pub fn in_use(&self) -> vitrine::Result<Arc<dyn Embedder>> {
        let missing = Error::Embed(EmbedError::Unavailable("text or image"));
        self.in_use.clone().ok_or(missing)
    }

    /// Returns the encoders of a fingerprint, without one those in use. Loading them takes a second
    /// or two, once.
    ///
    /// # Errors
    /// There are no such encoders.
    pub fn of(&self, fingerprint: Option<&str>) -> vitrine::Result<Arc<dyn Embedder>> {
        let in_use = self.in_use()?;
        let Some(wanted) = fingerprint.filter(|f| *f != in_use.fingerprint()) else {
            return Ok(in_use);
        };
        let missing = || Error::FingerprintMismatch {
            expected: wanted.to_owned(),
            found: in_use.fingerprint().to_owned(),
        };
        if let Some(cached) = lock(&self.cache).get(wanted) {
            return cached.ok_or_else(missing);
        }
        // If they were missing at the last lookup, only one caller waits for the next.
        let _guard = if lock(&self.cache).missing.contains_key(wanted) {
            self.lookup.try_lock().map_err(|_| missing())?
        } else {
            lock(&self.lookup)
        };
        if let Some(cached) = lock(&self.cache).get(wanted) {
            return cached.ok_or_else(missing);
        }
        let find = self.find.as_ref().ok_or_else(missing)?;
        let found = find(wanted)?;
        let mut cache = lock(&self.cache);
        let Some(found) = found else {
            cache.missing.insert(wanted.to_owned(), Instant::now());
            return Err(missing());
        };
        tracing::info!(fingerprint = wanted, "encoders loaded");
        cache.loaded.insert(wanted.to_owned(), found.clone());
        Ok(found)
    }

    /// Unloads encoders that no collection has vectors of.
    pub fn release(&self, database: &Database) {
        let mut used = BTreeSet::new();
        for collection in database.open_collections() {
            used.extend(collection.config().fingerprint.clone());
            let other = collection.reembedding().map(|info| info.other.fingerprint);
            used.extend(other.flatten());
        }
        let mut cache = lock(&self.cache);
        cache
            .loaded
            .retain(|fingerprint, _| used.contains(fingerprint));
        cache.missing.clear();
    }

    /// Checks that queries by text and image still work after a switch to this fingerprint.
    ///
    /// # Errors
    /// They work now and would fail after the switch.
    pub fn check_switch(&self, collection: &Collection, next: &str) -> vitrine::Result<()> {
        let config = collection.config();
        lock(&self.cache).missing.clear();
        if self.of(config.fingerprint.as_deref()).is_err() || self.of(Some(next)).is_ok() {
            return Ok(());
        }
        Err(Error::invalid(
            "/fingerprint",
            format!(
                "no encoders with fingerprint {next} in the models folder, so queries could not be embedded after the switch; add the encoders, or their heads, to that folder"
            ),
        ))
    }

    /// During a re-embedding, adds the vectors of the other encoders to text-only items. Items with
    /// images are left to the indexer, which can read image files.
    pub fn embed_for_both_spaces(&self, collection: &Collection, items: &mut [Item]) {
        let Some(info) = collection.reembedding() else {
            return;
        };
        for (from, to) in [(&info.current, &info.other), (&info.other, &info.current)] {
            let Some(fingerprint) = to.fingerprint.as_deref() else {
                continue;
            };
            let has_source = |item: &Item| match &item.fingerprint {
                Some(fingerprint) => Some(fingerprint) == from.fingerprint.as_ref(),
                None => std::ptr::eq(from, &info.current),
            };
            let mut pending: Vec<(String, &mut Item)> = items
                .iter_mut()
                .filter(|item| has_source(item) && is_pending(item, from))
                .filter_map(|item| Some((vitrine_indexer::pipeline::item_text(item)?, item)))
                .collect();
            if pending.is_empty() {
                continue;
            }
            let embedder = match self.of(Some(fingerprint)) {
                Ok(embedder) => embedder,
                Err(e) => {
                    tracing::debug!("items stay pending: {e}");
                    continue;
                }
            };
            let texts: Vec<_> = pending.iter().map(|(text, _)| text.as_str()).collect();
            let embeddings = embedder.embed_text(&texts);
            for ((_, item), embedding) in pending.iter_mut().zip(embeddings) {
                match embedding.and_then(|text| with_behavior(&*embedder, &item.id, text)) {
                    Ok(vectors) => item.other_vectors = Some(of_set(fingerprint, vectors, to)),
                    Err(e) => tracing::warn!(item = item.id, "stays pending: {e}"),
                }
            }
        }
    }
}

/// Returns true if an item has vectors of one encoder only and is text-only.
fn is_pending(item: &Item, set: &SpaceSetInfo) -> bool {
    let has_vectors = set
        .vectors
        .keys()
        .any(|space| item.vectors.contains_key(space));
    has_vectors && item.other_vectors.is_none() && item.images.is_empty()
}

/// Fuses the vectors of a text with the behavior vectors of the item, weighted as in the indexer.
fn with_behavior(
    embedder: &dyn Embedder,
    id: &str,
    mut text: Embedding,
) -> Result<Embedding, EmbedError> {
    let weights = vitrine_indexer::pipeline::Options::default();
    if let Some((weight, vectors)) = embedder.embed_behavior(id)? {
        for (space, vector) in vectors {
            let mut parts = vec![(weights.behavior_weight * weight, vector.as_slice())];
            parts.extend(
                text.get(&space)
                    .map(|text| (weights.text_weight, text.as_slice())),
            );
            let fused = vitrine_indexer::space::fuse(&parts);
            text.insert(space, fused);
        }
    }
    Ok(text)
}

fn of_set(fingerprint: &str, mut vectors: Embedding, set: &SpaceSetInfo) -> OtherVectors {
    vectors.retain(|space, _| set.vectors.contains_key(space));
    OtherVectors {
        fingerprint: fingerprint.to_owned(),
        vectors,
    }
}
