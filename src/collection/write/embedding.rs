//! Items that are embedded after they are written. A mark is stored in the same batch as the item,
//! so a pending item is never lost; it has the vectors of its previous version until it gets its
//! own. The encoders are elsewhere: they take pending items, and complete them.

use vitrine_schemas::{
    EmbedMode, EmbeddingEntry, EmbeddingInfo, EmbeddingResponse, EmbeddingState, EmbeddingStatus,
    Item, OtherVectors, WriteStatus,
};

use crate::{
    Error, Result,
    collection::{
        Collection, State, Writer,
        lifecycle::memory::wanted_bytes,
        schema,
        state::{
            marks::{KEY_PREFIX, StoredMark, is_stored},
            read::check_limit,
            space_set::Vectors,
        },
    },
    storage::Batch,
};

/// Items marked at once.
const CHUNK_ITEMS: usize = 4096;

/// Treatment of items that are written without vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// They are marked as pending, unless what is embedded did not change.
    Embed,
    /// They have no vectors.
    Off,
    /// They keep their vectors if what is embedded did not change; otherwise they have none.
    Unavailable,
}

/// Treatment of items without vectors, and what the encoders know about items.
pub struct EmbedPolicy<'a> {
    /// Treatment.
    pub policy: Policy,
    /// Returns true if the vectors of the first item are also those of the second.
    pub is_same: &'a (dyn Fn(&Item, &Item) -> bool + Sync),
    /// Returns the hash of the embedded content, if it is known without reading an image.
    pub content_hash: &'a (dyn Fn(&Item) -> Option<String> + Sync),
}

/// Outcome of a written item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Outcome.
    pub status: WriteStatus,
    /// State of its vectors, if it brought none and the collection has encoders.
    pub embedding: Option<EmbeddingState>,
}

/// Vectors of a pending item.
#[derive(Debug, Clone, PartialEq)]
pub struct ItemVectors {
    /// Encoders of `vectors`.
    pub fingerprint: String,
    /// Vectors by space.
    pub vectors: Vectors,
    /// During a re-embedding: vectors of the other encoders.
    pub other: Option<OtherVectors>,
    /// Hash of the embedded content.
    pub content_hash: Option<String>,
    /// Cause why some of its images are not part of them.
    pub warning: Option<String>,
}

/// A pending item that was embedded.
#[derive(Debug, Clone, PartialEq)]
pub struct Embedded {
    /// Version that was embedded.
    pub version: u32,
    /// The item as it was taken.
    pub item: Item,
    /// Its vectors, or why it has none.
    pub result: std::result::Result<ItemVectors, String>,
}

/// Number of completed items by their outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Completed {
    /// Items with vectors.
    pub embedded: u64,
    /// Items that cannot be embedded.
    pub failed: u64,
    /// Items that were written again or deleted in the meantime.
    pub stale: u64,
}

/// Effect of a patch on the vectors.
#[derive(Default)]
pub(super) struct Plan {
    /// True if the record cannot keep its internal id.
    pub is_new_version: bool,
    pub drops_vectors: bool,
    /// State to report.
    pub state: Option<EmbeddingState>,
}

impl State {
    /// Gives an item the vectors that a version has in all spaces.
    fn carry(&self, internal_id: u32, item: &mut Item) {
        item.vectors = self.view().vectors_of(internal_id);
        item.other_vectors = self.beside(None, internal_id);
    }
}

fn reported(status: EmbeddingStatus) -> Option<EmbeddingState> {
    Some(EmbeddingState::new(status))
}

/// Marks an item whose vectors follow.
fn make_pending(item: &mut Item) -> Option<EmbeddingState> {
    item.fingerprint = None;
    item.content_hash = None;
    item.embedding = reported(EmbeddingStatus::Pending);
    item.embedding.clone()
}

impl Collection {
    /// Applies the policy to new versions of items; returns the states to report.
    pub(super) fn plan_upserts(
        &self,
        policy: Option<&EmbedPolicy<'_>>,
        items: &mut [Item],
    ) -> Result<Vec<Option<EmbeddingState>>> {
        let Some(policy) = policy else {
            return Ok(vec![None; items.len()]);
        };
        let ids: Vec<_> = items.iter().map(|item| item.id.as_str()).collect();
        let stored = self.store.items(self.id, &ids)?;
        let plan = |(item, old): (&mut Item, Option<(u32, Item)>)| {
            let brings_vectors = !item.vectors.is_empty() || item.other_vectors.is_some();
            (!brings_vectors).then(|| self.plan_upsert(policy, item, old))?
        };
        Ok(items.iter_mut().zip(stored).map(plan).collect())
    }

    fn plan_upsert(
        &self,
        policy: &EmbedPolicy<'_>,
        item: &mut Item,
        old: Option<(u32, Item)>,
    ) -> Option<EmbeddingState> {
        if policy.policy == Policy::Off {
            return reported(EmbeddingStatus::Off);
        }
        let state = self.state.read();
        let old = old.filter(|(n, _)| state.live.contains(*n));
        if let Some((before, old)) = &old {
            let is_embedded =
                state.marks.get(*before).is_none() && !state.view().vectors_of(*before).is_empty();
            if is_embedded && (policy.is_same)(old, item) {
                item.fingerprint = None;
                item.content_hash = (policy.content_hash)(item);
                item.fingerprint.clone_from(&state.config.fingerprint);
                state.carry(*before, item);
                return reported(EmbeddingStatus::Done);
            }
        }
        let planned = make_pending(item);
        if policy.policy == Policy::Unavailable {
            item.embedding = None;
            return reported(EmbeddingStatus::Unavailable);
        }
        if let Some((before, _)) = old {
            state.carry(before, item);
        }
        planned
    }

    /// Applies the policy to a patched item that brings no vectors; it has those of `old`.
    pub(super) fn plan_patch(&self, policy: &EmbedPolicy<'_>, old: &Item, item: &mut Item) -> Plan {
        let is_same = (policy.is_same)(old, item);
        if is_same && (old.embedding.is_some() || !old.vectors.is_empty()) {
            item.embedding.clone_from(&old.embedding);
            let state = item.embedding.clone();
            return Plan {
                state: state.or_else(|| reported(EmbeddingStatus::Done)),
                ..Plan::default()
            };
        }
        let (status, drops_vectors) = match policy.policy {
            Policy::Embed => (EmbeddingStatus::Pending, false),
            Policy::Off => (EmbeddingStatus::Off, true),
            Policy::Unavailable => (EmbeddingStatus::Unavailable, true),
        };
        make_pending(item);
        if drops_vectors {
            item.embedding = None;
            item.vectors.clear();
        }
        Plan {
            is_new_version: true,
            drops_vectors,
            state: reported(status),
        }
    }

    /// Adds the mark of a new version to the batch and to `marks`, or removes that of the version
    /// before.
    pub(super) fn mark(
        &self,
        batch: &mut Batch,
        marks: &mut Vec<(u32, EmbeddingState)>,
        internal_id: u32,
        before: Option<u32>,
        item: &mut Item,
    ) -> Result<()> {
        match (item.embedding.take(), before) {
            (Some(state), _) if is_stored(state.status) => {
                self.put_mark(batch, internal_id, &item.id, &state)?;
                marks.push((internal_id, state));
            }
            (_, Some(before)) => self.unmark(batch, before, &item.id),
            _ => {}
        }
        Ok(())
    }

    fn put_mark(
        &self,
        batch: &mut Batch,
        version: u32,
        id: &str,
        state: &EmbeddingState,
    ) -> Result<()> {
        let mark = StoredMark {
            id: id.to_owned(),
            version,
            state: state.clone(),
        };
        batch.put_setting(self.id, KEY_PREFIX, id, &mark)
    }

    /// Removes the mark of a version of an item, if it has one.
    pub(super) fn unmark(&self, batch: &mut Batch, internal_id: u32, id: &str) {
        if self.state.read().marks.get(internal_id).is_some() {
            batch.delete_setting(self.id, KEY_PREFIX, id);
        }
    }

    /// Returns the number of items by embedding problem.
    pub fn embedding_info(&self) -> EmbeddingInfo {
        self.state.read().embedding_info()
    }

    /// Returns the number of items whose vectors follow.
    pub fn pending_count(&self) -> u64 {
        let state = self.state.read();
        state.marks.pending().intersection_len(&state.live)
    }

    /// Returns the state of an item that is pending or has an embedding problem.
    pub fn embedding_state(&self, id: &str) -> Option<EmbeddingState> {
        let state = self.state.read();
        let internal_id = state.internal_ids.get(id)?;
        state.marks.get(*internal_id)
    }

    /// Returns items of one status, in the order of their versions.
    ///
    /// # Errors
    /// The limit is not 1 to 1000, or the status has no list.
    pub fn embedding_list(
        &self,
        status: EmbeddingStatus,
        after: Option<u32>,
        limit: usize,
    ) -> Result<EmbeddingResponse> {
        check_limit(limit)?;
        if !is_stored(status) {
            let detail = "expected pending, partial or failed";
            return Err(Error::invalid("/status", detail));
        }
        let state = self.state.read();
        let from = after.map_or(0, |n| n.saturating_add(1));
        let mut versions: Vec<u32> = match status {
            EmbeddingStatus::Pending => state.marks.pending().range(from..).collect(),
            _ => {
                let problems = state.marks.problems(from);
                let of_it = problems.filter(|(_, s)| s.status == status);
                of_it.map(|(n, _)| n).collect()
            }
        };
        versions.retain(|n| state.live.contains(*n));
        let has_more = versions.len() > limit;
        versions.truncate(limit);
        let entry = |n: &u32| {
            Some(EmbeddingEntry {
                id: state.ids.get(n)?.clone(),
                state: state.marks.get(*n)?,
            })
        };
        Ok(EmbeddingResponse {
            info: state.embedding_info(),
            items: versions.iter().filter_map(entry).collect(),
            next: versions.last().copied().filter(|_| has_more),
        })
    }

    /// Returns pending items with their versions, the oldest first; none if embedding is off.
    ///
    /// # Errors
    /// The store failed.
    pub fn take_pending(&self, limit: usize) -> Result<Vec<(u32, Item)>> {
        let state = self.state.read();
        if state.config.embed == EmbedMode::Off {
            return Ok(Vec::new());
        }
        let pending = state.marks.pending() & &state.live;
        let versions: Vec<u32> = pending.iter().take(limit).collect();
        let ids = versions.iter().filter_map(|n| state.ids.get(n));
        let ids: Vec<_> = ids.map(String::as_str).collect();
        let records = self.load_many(&state, &ids)?;
        let items = versions.into_iter().zip(records);
        Ok(items.filter_map(|(n, item)| Some((n, item?))).collect())
    }

    /// Stores the vectors of pending items. Items that have changed in what is embedded, or are
    /// gone, are skipped.
    ///
    /// # Errors
    /// No room, or the store failed; the items stay pending.
    pub fn complete(&self, embedded: Vec<Embedded>) -> Result<Completed> {
        let mut writer = self.lock()?;
        let ids: Vec<_> = embedded.iter().map(|e| e.item.id.as_str()).collect();
        let stored = self.store.items(self.id, &ids)?;
        let mut completed = Completed::default();
        let (mut replaced, mut filled) = (Vec::new(), Vec::new());
        for (embedded, stored) in embedded.into_iter().zip(stored) {
            let Some(item) = self.completed_item(&embedded, stored)? else {
                completed.stale += 1;
                continue;
            };
            match item.embedding.as_ref().map(|state| state.status) {
                Some(EmbeddingStatus::Failed) => completed.failed += 1,
                _ => completed.embedded += 1,
            }
            // A vector is never replaced in place, so an item with old ones gets a new version.
            let state = self.state.read();
            if state
                .every_space()
                .any(|s| s.vector(embedded.version).is_some())
            {
                replaced.push(item);
            } else {
                filled.push((embedded.version, item));
            }
        }
        self.fill_pending(filled)?;
        self.complete_versions(&mut writer, replaced)?;
        Ok(completed)
    }

    fn complete_versions(&self, writer: &mut Writer, items: Vec<Item>) -> Result<()> {
        match items.is_empty() {
            true => Ok(()),
            false => self.commit(writer, items),
        }
    }

    /// Returns the current record with its vectors and its state; None if it is no longer pending.
    fn completed_item(
        &self,
        embedded: &Embedded,
        stored: Option<(u32, Item)>,
    ) -> Result<Option<Item>> {
        let (is_pending, configs) = {
            let state = self.state.read();
            let is_pending = state.marks.pending().contains(embedded.version);
            (is_pending, state.configs())
        };
        let Some((_, mut item)) = stored.filter(|(n, _)| is_pending && *n == embedded.version)
        else {
            return Ok(None);
        };
        let is_unchanged = item == embedded.item;
        let outcome = match &embedded.result {
            Ok(found) => {
                item.vectors.clone_from(&found.vectors);
                item.other_vectors.clone_from(&found.other);
                item.fingerprint = Some(found.fingerprint.clone());
                item.content_hash = found.content_hash.clone().filter(|_| is_unchanged);
                match schema::check_item(&configs, &mut item) {
                    // The encoders are no longer those of the collection: others will embed it.
                    Err(Error::FingerprintMismatch { .. }) => return Ok(None),
                    Err(error) => Err(error.to_string()),
                    Ok(()) => Ok(found.warning.clone()),
                }
            }
            Err(reason) => Err(reason.clone()),
        };
        let problem = |status, error: String| EmbeddingState {
            status,
            error: Some(error),
        };
        item.embedding = match outcome {
            Ok(warning) => warning.map(|warning| problem(EmbeddingStatus::Partial, warning)),
            Err(reason) => {
                item.vectors.clear();
                item.other_vectors = None;
                item.fingerprint = None;
                item.content_hash = None;
                Some(problem(EmbeddingStatus::Failed, reason))
            }
        };
        Ok(Some(item))
    }

    /// Adds the vectors of versions that have none.
    fn fill_pending(&self, items: Vec<(u32, Item)>) -> Result<()> {
        if items.is_empty() {
            return Ok(());
        }
        let indexes = self.state.read().indexes();
        let config = self.config();
        let mut batch = Batch::default();
        let (mut rows, mut marks, mut wanted) = (Vec::new(), Vec::new(), 0);
        for (version, mut item) in items {
            let state = item.embedding.take();
            match &state {
                Some(state) => self.put_mark(&mut batch, version, &item.id, state)?,
                None => batch.delete_setting(self.id, KEY_PREFIX, &item.id),
            }
            marks.push((version, state));
            let own = self.state.read().place(&mut item, None);
            wanted += wanted_bytes(&item, &own, &config, &indexes);
            batch.put_item(self.id, version, &item)?;
            for (name, vector) in own {
                batch.put_vector(self.id, version, &name, &vector);
                rows.push((name, version, vector));
            }
        }
        self.admit(&batch, wanted)?;
        self.store.write(batch)?;
        for (name, index) in &indexes {
            let of_it = rows.iter().filter(|(n, ..)| n == name);
            let of_it: Vec<_> = of_it.map(|(_, n, v)| (*n, v.as_slice())).collect();
            if !of_it.is_empty() {
                index.insert(&of_it);
            }
        }
        let mut state = self.state.write();
        for (version, mark) in marks {
            state.marks.set(version, mark);
        }
        drop(state);
        self.report();
        Ok(())
    }

    /// Marks all items without a vector in the active spaces as pending, also those that could not
    /// be embedded; returns the number of those that were not pending.
    ///
    /// # Errors
    /// The store failed.
    pub fn embed_missing(&self) -> Result<u64> {
        let _writer = self.lock()?;
        let missing = {
            let state = self.state.read();
            let spaces = state.spaces.values();
            let embedded = spaces.fold(state.marks.pending().clone(), |all, s| all | s.members());
            &state.live - embedded
        };
        let missing: Vec<u32> = missing.iter().collect();
        for chunk in missing.chunks(CHUNK_ITEMS) {
            let mut batch = Batch::default();
            let pending = EmbeddingState::new(EmbeddingStatus::Pending);
            {
                let state = self.state.read();
                for version in chunk {
                    if let Some(id) = state.ids.get(version) {
                        self.put_mark(&mut batch, *version, id, &pending)?;
                    }
                }
            }
            self.store.write(batch)?;
            let mut state = self.state.write();
            for version in chunk {
                state.marks.set(*version, Some(pending.clone()));
            }
        }
        Ok(missing.len() as u64)
    }
}
