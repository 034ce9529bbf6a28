//! Items that the server has still to embed, or could not embed, by internal id.

use std::collections::BTreeMap;

use roaring::RoaringBitmap;
use serde::{Deserialize, Serialize};
use vitrine_schemas::{EmbeddingInfo, EmbeddingState, EmbeddingStatus};

use crate::{Result, collection::State, storage::Store};

/// Kind of the stored marks among the settings of a collection.
pub(in crate::collection) const KEY_PREFIX: u8 = b'e';

/// A stored mark; its key is the item id.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::collection) struct StoredMark {
    pub id: String,
    /// Internal id of the version that is marked; a mark of another version is void.
    pub version: u32,
    #[serde(flatten)]
    pub state: EmbeddingState,
}

/// Marks in memory. Some may be of items that are not live.
#[derive(Debug, Default)]
pub(in crate::collection) struct Marks {
    pending: RoaringBitmap,
    problems: BTreeMap<u32, EmbeddingState>,
}

impl Marks {
    /// Returns the state of a version of an item.
    pub fn get(&self, internal_id: u32) -> Option<EmbeddingState> {
        if self.pending.contains(internal_id) {
            return Some(EmbeddingState::new(EmbeddingStatus::Pending));
        }
        self.problems.get(&internal_id).cloned()
    }

    /// Sets or removes the state of a version of an item.
    pub fn set(&mut self, internal_id: u32, state: Option<EmbeddingState>) {
        self.remove(internal_id);
        match state {
            Some(state) if state.status == EmbeddingStatus::Pending => {
                self.pending.insert(internal_id);
            }
            Some(state) if is_stored(state.status) => {
                self.problems.insert(internal_id, state);
            }
            _ => {}
        }
    }

    /// Removes the state of a version of an item.
    pub fn remove(&mut self, internal_id: u32) {
        self.pending.remove(internal_id);
        self.problems.remove(&internal_id);
    }

    /// Returns the pending versions.
    pub fn pending(&self) -> &RoaringBitmap {
        &self.pending
    }

    /// Returns the states of versions that could not be embedded, or not fully, from this one on.
    pub fn problems(&self, from: u32) -> impl Iterator<Item = (u32, &EmbeddingState)> {
        self.problems.range(from..).map(|(n, state)| (*n, state))
    }
}

/// Returns true if a status is stored: all others follow from the vectors of the item.
pub(in crate::collection) fn is_stored(status: EmbeddingStatus) -> bool {
    use EmbeddingStatus::{Failed, Partial, Pending};
    matches!(status, Pending | Failed | Partial)
}

impl State {
    /// Reads the stored marks of live versions.
    pub(in crate::collection) fn read_marks(&mut self, store: &Store, id: u32) -> Result<()> {
        for mark in store.settings::<StoredMark>(id, KEY_PREFIX)? {
            if self.internal_ids.get(&mark.id) == Some(&mark.version) {
                self.marks.set(mark.version, Some(mark.state));
            }
        }
        Ok(())
    }

    /// Repeats changes of stored marks: of each, the item id, and the record if there is one.
    pub(in crate::collection) fn replay_marks(&mut self, marks: Vec<(String, Option<Vec<u8>>)>) {
        for (id, record) in marks {
            let mark = record.and_then(|r| serde_json::from_slice::<StoredMark>(&r).ok());
            match (mark, self.internal_ids.get(&id)) {
                (Some(mark), _) => self.marks.set(mark.version, Some(mark.state)),
                (None, Some(internal_id)) => self.marks.remove(*internal_id),
                (None, None) => {}
            }
        }
    }

    /// Counts the live marks.
    pub(in crate::collection) fn embedding_info(&self) -> EmbeddingInfo {
        let of = |status| {
            let problems = self.marks.problems(0);
            let of_it = problems.filter(|(n, s)| s.status == status && self.live.contains(*n));
            of_it.count() as u64
        };
        EmbeddingInfo {
            pending: self.marks.pending().intersection_len(&self.live),
            partial: of(EmbeddingStatus::Partial),
            failed: of(EmbeddingStatus::Failed),
        }
    }
}
