//! Internal ids of the documents of each segment of the index.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use parking_lot::Mutex;
use tantivy::{Searcher, SegmentReader, index::SegmentId};

use super::LexicalError;

/// Name of the field that holds the internal id.
pub(super) const ID_FIELD: &str = "number";

/// Internal ids by document, in memory: 4 bytes for each document of the segments that were
/// searched. Reading them from the columns of the index takes longer than scoring a document.
#[derive(Default)]
pub(super) struct SegmentIds(Mutex<HashMap<SegmentId, Arc<[u32]>>>);

impl SegmentIds {
    /// Returns the internal ids of a segment; forgets those of segments that are no longer there.
    pub fn get(
        &self,
        segment: &SegmentReader,
        searcher: &Searcher,
    ) -> Result<Arc<[u32]>, LexicalError> {
        let id = segment.segment_id();
        if let Some(known) = self.0.lock().get(&id) {
            return Ok(known.clone());
        }
        let column = segment.fast_fields().u64(ID_FIELD)?;
        let internal_id = |document| {
            let internal_id = column.first(document).and_then(|id| u32::try_from(id).ok());
            internal_id.ok_or_else(|| {
                let message = format!("expected an internal id of document {document}, got none");
                tantivy::TantivyError::InternalError(message)
            })
        };
        let ids: Arc<[u32]> = (0..segment.max_doc())
            .map(internal_id)
            .collect::<Result<_, _>>()?;
        let mut known = self.0.lock();
        let live = searcher
            .segment_readers()
            .iter()
            .map(SegmentReader::segment_id);
        let live: HashSet<_> = live.collect();
        known.retain(|id, _| live.contains(id));
        known.insert(id, ids.clone());
        Ok(ids)
    }

    /// Returns the memory in bytes.
    pub fn memory_bytes(&self) -> u64 {
        let bytes = |ids: &Arc<[u32]>| size_of_val(&ids[..]) as u64;
        self.0.lock().values().map(bytes).sum()
    }
}
