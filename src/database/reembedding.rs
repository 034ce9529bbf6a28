//! Manifest changes of a re-embedding: begin, switch, roll back and end.

use chrono::{SecondsFormat, Utc};
use vitrine_schemas::{ReembeddingInfo, ReembeddingRequest};

use crate::{
    Collection, Error, Result,
    collection::check_config,
    database::Database,
    storage::{Batch, ManifestEntry, StoredReembedding},
};

impl Database {
    /// Begins to re-embed a collection: a second set of spaces, to be filled by
    /// [`Collection::fill`]. Repeating the request succeeds.
    ///
    /// # Errors
    /// Another re-embedding is under way, or a space is invalid.
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

    /// Atomically switches searches to the filled spaces; the previous ones are kept for a
    /// rollback. Repeating the switch succeeds.
    ///
    /// # Errors
    /// No re-embedding is under way, or items lack vectors and `force` is false.
    pub fn switch_reembedding(&self, name: &str, force: bool) -> Result<ReembeddingInfo> {
        self.exchange(name, true, force)
    }

    /// Switches searches back to the previous spaces. Repeating the rollback succeeds.
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

    /// Ends a re-embedding and drops the inactive spaces.
    ///
    /// # Errors
    /// No re-embedding is under way.
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

    /// Deletes the vectors of dropped spaces. After a crash it is repeated at the next start.
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

/// Returns the second set: the requested spaces under new stored names, the others shared.
fn plan(entry: &mut ManifestEntry, request: &ReembeddingRequest) -> Result<StoredReembedding> {
    if request.fingerprint.is_empty() {
        return Err(Error::invalid("/fingerprint", "must not be empty"));
    }
    if entry.config.fingerprint.as_ref() == Some(&request.fingerprint) {
        let detail =
            "expected another fingerprint than the collection's own; there is nothing to re-embed";
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
            let hint = "is required: the collection was created without a fingerprint";
            return Err(Error::invalid("/from", hint));
        }
        (None, Some(from)) if from.is_empty() || *from == request.fingerprint => {
            let hint = "expected a fingerprint that differs from `fingerprint`";
            return Err(Error::invalid("/from", hint));
        }
        (None, Some(from)) => entry.config.fingerprint = Some(from.clone()),
        (Some(_), _) => {}
    }
    if request.vectors.is_empty() {
        return Err(Error::invalid("/vectors", "name at least one vector space"));
    }
    let generation = entry.generation.checked_add(1);
    let generation =
        generation.ok_or_else(|| Error::Storage("re-embedding ids exhausted".into()))?;
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
