//! Items that are embedded after they are written: the policy of a write, and the marks. A mark is
//! stored in the same batch as the item, so a pending item is never lost; it has the vectors of its
//! previous version until it gets its own (`pending`).

use vitrine_schemas::{
    EmbeddingEntry, EmbeddingInfo, EmbeddingResponse, EmbeddingState, EmbeddingStatus, Item,
    WriteStatus,
};

use crate::{
    Error, Result,
    collection::{
        Collection, State,
        state::{
            marks::{KEY_PREFIX, StoredMark, is_stored},
            read::check_limit,
        },
    },
    storage::Batch,
};

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

    /// Adds the mark of a version of an item to the batch.
    pub(super) fn put_mark(
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
}
