//! The encoders by the fingerprint of what they make. While a collection is re-embedded there are vectors of two: a query is
//! embedded by those that filled the spaces it searches, and a text that is written by both.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use vitrine::{
    Collection, Database, EmbedError, Embedder, Embedding, Error,
    schemas::{Item, OtherVectors, SpaceSetInfo},
};

/// Encoders that were not there are looked for again after so long: it takes seconds of work. A re-embedding looks at once.
const AGAIN: Duration = Duration::from_secs(300);

/// Looks for encoders whose vectors have a fingerprint.
pub type Find = dyn Fn(&str) -> Result<Option<Arc<dyn Embedder>>, EmbedError> + Send + Sync;

/// The encoders of a server.
#[derive(Default)]
pub struct Embedders {
    in_use: Option<Arc<dyn Embedder>>,
    find: Option<Box<Find>>,
    found: Mutex<Found>,
    /// Held by the one who looks; the others wait for what it finds. Who needs what is there does not wait.
    looking: Mutex<()>,
}

#[derive(Default)]
struct Found {
    there: BTreeMap<String, Arc<dyn Embedder>>,
    missing: BTreeMap<String, Instant>,
}

impl Found {
    /// What is known of a fingerprint; Some(None): there are no such encoders.
    fn get(&self, fingerprint: &str) -> Option<Option<Arc<dyn Embedder>>> {
        if let Some(there) = self.there.get(fingerprint) {
            return Some(Some(there.clone()));
        }
        let looked = self.missing.get(fingerprint)?;
        (looked.elapsed() < AGAIN).then_some(None)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Embedders {
    /// Those in use, and how to find those of another fingerprint.
    pub fn new(in_use: Option<Arc<dyn Embedder>>, find: Option<Box<Find>>) -> Self {
        Self {
            in_use,
            find,
            found: Mutex::default(),
            looking: Mutex::default(),
        }
    }

    /// Whether there are any.
    pub fn are_there(&self) -> bool {
        self.in_use.is_some()
    }

    /// Those in use, or the error that says how to have some.
    pub fn in_use(&self) -> vitrine::Result<Arc<dyn Embedder>> {
        let missing = Error::Embed(EmbedError::Unavailable("text or image"));
        self.in_use.clone().ok_or(missing)
    }

    /// Those whose vectors have this fingerprint; loading them takes a second or two, once. Without a fingerprint, those in use.
    ///
    /// # Errors
    /// There are none.
    pub fn of(&self, fingerprint: Option<&str>) -> vitrine::Result<Arc<dyn Embedder>> {
        let in_use = self.in_use()?;
        let Some(wanted) = fingerprint.filter(|f| *f != in_use.fingerprint()) else {
            return Ok(in_use);
        };
        let missing = || Error::FingerprintMismatch {
            expected: wanted.to_owned(),
            found: in_use.fingerprint().to_owned(),
        };
        if let Some(known) = lock(&self.found).get(wanted) {
            return known.ok_or_else(missing);
        }
        // Where they were missing at the last look, only one need wait for the next.
        let _looking = match lock(&self.found).missing.contains_key(wanted) {
            true => self.looking.try_lock().map_err(|_| missing())?,
            false => lock(&self.looking),
        };
        if let Some(known) = lock(&self.found).get(wanted) {
            return known.ok_or_else(missing);
        }
        let find = self.find.as_ref().ok_or_else(missing)?;
        let found = find(wanted)?;
        let mut all = lock(&self.found);
        let Some(found) = found else {
            all.missing.insert(wanted.to_owned(), Instant::now());
            return Err(missing());
        };
        tracing::info!(fingerprint = wanted, "encoders loaded");
        all.there.insert(wanted.to_owned(), found.clone());
        Ok(found)
    }

    /// Lets go of encoders that no collection has vectors of any more.
    pub fn release(&self, database: &Database) {
        let mut used = BTreeSet::new();
        for collection in database.open_collections() {
            used.extend(collection.config().fingerprint.clone());
            let other = collection.reembedding().map(|info| info.other.fingerprint);
            used.extend(other.flatten());
        }
        let mut found = lock(&self.found);
        found
            .there
            .retain(|fingerprint, _| used.contains(fingerprint));
        found.missing.clear();
    }

    /// Sees to it that queries by text and photo are answered as before after a switch to this fingerprint.
    ///
    /// # Errors
    /// They are answered now and would not be then.
    pub fn ready(&self, collection: &Collection, next: &str) -> vitrine::Result<()> {
        let config = collection.config();
        lock(&self.found).missing.clear();
        if self.of(config.fingerprint.as_deref()).is_err() || self.of(Some(next)).is_ok() {
            return Ok(());
        }
        Err(Error::invalid(
            "/fingerprint",
            format!(
                "the server finds no encoders of fingerprint {next} in its models folder, so it could not embed queries after the switch; put them, or their heads, there"
            ),
        ))
    }

    /// While the collection is re-embedded: gives items that are all text the vectors of the other encoders too. One with photos is
    /// left to the indexer, which can read them.
    pub fn embed_twice(&self, collection: &Collection, items: &mut [Item]) {
        let Some(info) = collection.reembedding() else {
            return;
        };
        for (from, to) in [(&info.current, &info.other), (&info.other, &info.current)] {
            let Some(fingerprint) = to.fingerprint.as_deref() else {
                continue;
            };
            let is_of = |item: &Item| match &item.fingerprint {
                Some(own) => Some(own) == from.fingerprint.as_ref(),
                None => std::ptr::eq(from, &info.current),
            };
            let mut wanting: Vec<(String, &mut Item)> = items
                .iter_mut()
                .filter(|item| is_of(item) && lacks(item, from))
                .filter_map(|item| Some((vitrine_indexer::pipeline::item_text(item)?, item)))
                .collect();
            if wanting.is_empty() {
                continue;
            }
            let embedder = match self.of(Some(fingerprint)) {
                Ok(embedder) => embedder,
                Err(e) => {
                    tracing::debug!("items stay pending: {e}");
                    continue;
                }
            };
            let texts: Vec<_> = wanting.iter().map(|(text, _)| text.as_str()).collect();
            let made = embedder.embed_text(&texts);
            for ((_, item), made) in wanting.iter_mut().zip(made) {
                match made.and_then(|text| with_behavior(&*embedder, &item.id, text)) {
                    Ok(vectors) => item.other_vectors = Some(of_set(fingerprint, vectors, to)),
                    Err(e) => tracing::warn!(item = item.id, "stays pending: {e}"),
                }
            }
        }
    }
}

/// Whether an item brings vectors of one of the encoders only, and they can be of nothing but its text.
fn lacks(item: &Item, own: &SpaceSetInfo) -> bool {
    let has_vectors = own
        .vectors
        .keys()
        .any(|space| item.vectors.contains_key(space));
    has_vectors && item.other_vectors.is_none() && item.images.is_empty()
}

/// A text's vectors joined with what behaviour says of the item, weighted as the indexer does.
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
                    .map(|own| (weights.text_weight, own.as_slice())),
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
