//! Beginning, switching and ending the re-embedding of a collection: what of it is in the manifest.

use chrono::{SecondsFormat, Utc};
use vitrine_schemas::{ReembeddingInfo, ReembeddingRequest};

use super::Database;
use crate::{
    Collection, Error, Result,
    collection::check_config,
    storage::{Batch, ManifestEntry, StoredReembedding},
};

impl Database {
    /// Begins to re-embed a collection: a second set of spaces, to be filled by [`Collection::fill`]. The same again is no error.
    ///
    /// # Errors
    /// Another re-embedding is under way, or a space is declared wrongly.
    pub fn begin_reembedding(
        &self,
        name: &str,
        request: &ReembeddingRequest,
    ) -> Result<ReembeddingInfo> {
        let _change = self.change.lock();
        let collection = self.collection(name)?;
        let mut manifest = self.view.read().manifest.clone();
        let entry = manifest.entry(&collection)?;
        if let Some(info) = collection.reembedding() {
            let is_same = |set: &vitrine_schemas::SpaceSetInfo| {
                set.fingerprint.as_ref() == Some(&request.fingerprint)
                    && set.vectors == request.vectors
            };
            if is_same(&info.other) || is_same(&info.current) {
                return Ok(info);
            }
            return Err(Error::ReembeddingExists(
                info.other.fingerprint.unwrap_or_default(),
            ));
        }
        let stored = plan(entry, request)?;
        entry.generation = stored.placement.generation;
        entry.reembedding = Some(stored.clone());
        let current = entry.config.fingerprint.clone().unwrap_or_default();
        collection.begin(&current, &stored, || self.save(&manifest, Batch::default()))?;
        self.view.write().manifest = manifest;
        collection.reembedding().ok_or(Error::NoReembedding)
    }

    /// Has searches see the spaces that were filled, from one moment to the next; those from before are kept for a rollback. Once more
    /// is no error.
    ///
    /// # Errors
    /// No re-embedding is under way, or items lack vectors and `force` does not say that it be done all the same.
    pub fn switch_reembedding(&self, name: &str, force: bool) -> Result<ReembeddingInfo> {
        self.exchange(name, true, force)
    }

    /// Has searches see the spaces from before the switch again. Once more is no error.
    ///
    /// # Errors
    /// As [`Database::switch_reembedding`].
    pub fn roll_back_reembedding(&self, name: &str, force: bool) -> Result<ReembeddingInfo> {
        self.exchange(name, false, force)
    }

    fn exchange(&self, name: &str, switch: bool, force: bool) -> Result<ReembeddingInfo> {
        let _change = self.change.lock();
        let collection = self.collection(name)?;
        let mut manifest = self.view.read().manifest.clone();
        let entry = manifest.entry(&collection)?;
        let ManifestEntry {
            config,
            placement,
            reembedding,
            ..
        } = entry;
        let stored = reembedding.as_mut().ok_or(Error::NoReembedding)?;
        if stored.is_switched != switch {
            let now = now();
            std::mem::swap(config, &mut stored.config);
            std::mem::swap(placement, &mut stored.placement);
            stored.is_switched = switch;
            stored.switched = Some(now.clone());
            collection.exchange(&now, force, || self.save(&manifest, Batch::default()))?;
            self.view.write().manifest = manifest;
        }
        collection.reembedding().ok_or(Error::NoReembedding)
    }

    /// Ends a re-embedding: the spaces that searches do not see are dropped.
    ///
    /// # Errors
    /// None is under way.
    pub fn end_reembedding(&self, name: &str) -> Result<()> {
        let _change = self.change.lock();
        let collection = self.collection(name)?;
        let mut manifest = self.view.read().manifest.clone();
        let entry = manifest.entry(&collection)?;
        entry.reembedding = None;
        collection.end(|batch, names| {
            manifest.entry(&collection)?.garbage = names;
            self.save(&manifest, batch)?;
            self.view.write().manifest = manifest;
            Ok(())
        })?;
        self.collect_garbage(&collection)
    }

    /// Deletes the vectors of spaces that were dropped. A crash in between costs no more than to do it again at the next start.
    pub(super) fn collect_garbage(&self, collection: &Collection) -> Result<()> {
        let mut manifest = self.view.read().manifest.clone();
        let entry = manifest.entry(collection)?;
        let names = std::mem::take(&mut entry.garbage);
        if names.is_empty() {
            return Ok(());
        }
        collection.sweep(&names)?;
        self.save(&manifest, Batch::default())?;
        self.view.write().manifest = manifest;
        Ok(())
    }
}

/// The other set: the spaces named under names of their own, the rest as they are.
fn plan(entry: &mut ManifestEntry, request: &ReembeddingRequest) -> Result<StoredReembedding> {
    if request.fingerprint.is_empty() {
        return Err(Error::invalid("/fingerprint", "must not be empty"));
    }
    if entry.config.fingerprint.as_ref() == Some(&request.fingerprint) {
        let detail = "is the one that the collection has; there is nothing to re-embed";
        return Err(Error::invalid("/fingerprint", detail));
    }
    match (&entry.config.fingerprint, &request.from) {
        (Some(expected), Some(found)) if expected != found => {
            return Err(Error::FingerprintMismatch {
                expected: expected.clone(),
                found: found.clone(),
            });
        }
        (None, None) => {
            let mend = "is needed: the collection was made without a fingerprint";
            return Err(Error::invalid("/from", mend));
        }
        (None, Some(from)) if from.is_empty() || *from == request.fingerprint => {
            let mend = "must be a fingerprint other than that of the other encoders";
            return Err(Error::invalid("/from", mend));
        }
        (None, Some(from)) => entry.config.fingerprint = Some(from.clone()),
        (Some(_), _) => {}
    }
    if request.vectors.is_empty() {
        return Err(Error::invalid("/vectors", "name at least one vector space"));
    }
    let generation = entry.generation.checked_add(1);
    let generation =
        generation.ok_or_else(|| Error::Storage("re-embeddings are used up".into()))?;
    let (mut config, mut placement) = (entry.config.clone(), entry.placement.clone());
    config.fingerprint = Some(request.fingerprint.clone());
    placement.generation = generation;
    for (name, space) in &request.vectors {
        config.vectors.insert(name.clone(), space.clone());
        let stored_as = format!("{name}@{generation}");
        placement.names.insert(name.clone(), stored_as);
    }
    check_config(&config)?;
    Ok(StoredReembedding {
        started: now(),
        is_switched: false,
        switched: None,
        config,
        placement,
    })
}

fn now() -> String {
    Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true)
}
