//! Slices of the write-ahead log: the write operations since a moment, to be repeated in a copy of
//! the store, and what they change in memory.

use std::collections::{BTreeMap, BTreeSet};

use rocksdb::{WriteBatch, WriteBatchIteratorCf, WriteOptions};
use vitrine_schemas::{Event, Item};

use super::{
    Store,
    codec::{self, corrupt},
    consents::{self, StoredConsent},
    keys::{self, SubjectHash},
    rocks::{MANIFEST_KEY, Rocks, storage},
    tuning::FAMILIES,
};
use crate::{Error, Result};

/// Bytes before each batch of a slice: number of its first operation, and its length.
const HEAD_BYTES: usize = 12;

/// Bytes of an empty batch, a sequence number and a count. RocksDB reads the count without a check.
const MIN_BATCH_BYTES: usize = 12;

/// Write operations in their order, to be repeated in a copy of the store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogSlice {
    /// Batches, each after its head.
    pub bytes: Vec<u8>,
    /// Number of the last operation.
    pub last: u64,
    /// True if something changed that a copy sees only when it is opened, such as a model.
    pub is_partial: bool,
}

/// Changes of a batch that concern memory.
#[derive(Default)]
pub(crate) struct Changes {
    /// By collection, in the order of the batch.
    pub items: BTreeMap<u32, ItemChanges>,
    /// Events with the time of their keys, by collection.
    pub events: Vec<(u32, i64, Event)>,
    /// Consents as changed, by collection; None for one that was removed.
    pub consents: Vec<(u32, SubjectHash, Option<StoredConsent>)>,
    /// Collections with other settings.
    pub settings: BTreeSet<u32>,
    /// True if something changed that only an opening reads, and that can wait.
    pub is_partial: bool,
    /// True if a copy must be opened: collections or aliases changed, or events were deleted.
    pub needs_opening: bool,
}

/// Changes of the items of a collection.
#[derive(Default)]
pub(crate) struct ItemChanges {
    /// Records by item id; None for a deleted one.
    pub records: BTreeMap<String, Option<(u32, Item)>>,
    /// Vectors by stored name and internal id.
    pub vectors: BTreeMap<String, Vec<(u32, Vec<f32>)>>,
    /// Keys of marks: item id, and the record if there is one.
    pub marks: Vec<(String, Option<Vec<u8>>)>,
}

impl Store {
    /// Returns the write operations after a number; None if the log has no longer all of them, or a
    /// copy cannot repeat one, as one that cannot be decoded.
    pub fn log_since(&self, since: u64) -> Result<Option<LogSlice>> {
        let rocks = self.rocks()?;
        let mut slice = LogSlice {
            last: rocks.sequence(),
            ..LogSlice::default()
        };
        if slice.last <= since {
            slice.last = since;
            return Ok(Some(slice));
        }
        let families = families(&rocks)?;
        // The log of earlier operations is deleted once their tables are written.
        let Ok(updates) = rocks.db.get_updates_since(since) else {
            return Ok(None);
        };
        let mut next = since + 1;
        for update in updates {
            let Ok((first, batch)) = update else {
                return Ok(None);
            };
            if first > slice.last {
                break;
            }
            if first != next {
                return Ok(None);
            }
            let changes = read(&batch, &families).unwrap_or_else(|e| {
                tracing::error!("write operation {first} cannot be repeated in copies: {e}");
                None
            });
            let Some(changes) = changes.filter(|c| !c.needs_opening) else {
                return Ok(None);
            };
            slice.is_partial |= changes.is_partial;
            let data = batch.data();
            let length = u32::try_from(data.len());
            let length = length.map_err(|e| Error::Storage(e.to_string()))?;
            slice.bytes.extend_from_slice(&first.to_le_bytes());
            slice.bytes.extend_from_slice(&length.to_le_bytes());
            slice.bytes.extend_from_slice(data);
            next = first + batch.len() as u64;
        }
        Ok((next == slice.last + 1).then_some(slice))
    }

    /// Calls `each` with every batch of a slice and what it changes.
    ///
    /// # Errors
    /// The slice is damaged, or a batch cannot be repeated.
    pub fn each_batch(
        &self,
        slice: &[u8],
        mut each: impl FnMut(&[u8], Changes) -> Result<()>,
    ) -> Result<()> {
        let families = families(&*self.rocks()?)?;
        let mut rest = slice;
        while !rest.is_empty() {
            let (data, after) =
                split(rest).ok_or_else(|| corrupt("log", "a slice is truncated"))?;
            let batch = WriteBatch::from_data(data);
            let changes = read(&batch, &families)?.filter(|c| !c.needs_opening);
            let changes = changes.ok_or_else(|| corrupt("log", "a batch cannot be repeated"))?;
            each(data, changes)?;
            rest = after;
        }
        Ok(())
    }

    /// Writes a batch of a slice.
    pub fn write_raw(&self, data: &[u8]) -> Result<()> {
        let rocks = self.rocks()?;
        let batch = WriteBatch::from_data(data);
        let written = rocks.db.write_opt(batch, &WriteOptions::default());
        written.map_err(storage)?;
        self.sequence.advance(&rocks)
    }
}

/// Returns the first batch of a slice, and the rest; None if it is truncated.
fn split(slice: &[u8]) -> Option<(&[u8], &[u8])> {
    let (head, rest) = slice.split_first_chunk::<HEAD_BYTES>()?;
    let length = u32::from_le_bytes(head.last_chunk::<4>().copied()?);
    let batch = rest.split_at_checked(length as usize);
    batch.filter(|(data, _)| data.len() >= MIN_BATCH_BYTES)
}

/// Returns the names of the column families by the ids that batches have.
fn families(rocks: &Rocks) -> Result<BTreeMap<u32, &'static str>> {
    struct First(u32);
    impl WriteBatchIteratorCf for First {
        fn put_cf(&mut self, family: u32, _: &[u8], _: &[u8]) {
            self.0 = family;
        }
        fn delete_cf(&mut self, _: u32, _: &[u8]) {}
        fn merge_cf(&mut self, _: u32, _: &[u8], _: &[u8]) {}
    }
    let id = |name| {
        let mut batch = WriteBatch::default();
        batch.put_cf(rocks.family(name)?, b"", b"");
        let mut first = First(0);
        batch.iterate_cf(&mut first);
        Ok((first.0, name))
    };
    FAMILIES.into_iter().map(id).collect()
}

/// Returns what a batch changes; None if it has operations of other kinds, as a deleted range.
fn read(batch: &WriteBatch, families: &BTreeMap<u32, &'static str>) -> Result<Option<Changes>> {
    let mut reader = Reader {
        families,
        changes: Changes::default(),
        operations: 0,
        error: None,
    };
    batch.iterate_cf(&mut reader);
    match reader.error {
        Some(e) => Err(e),
        None => Ok((reader.operations == batch.len()).then_some(reader.changes)),
    }
}

struct Reader<'a> {
    families: &'a BTreeMap<u32, &'static str>,
    changes: Changes,
    operations: usize,
    error: Option<Error>,
}

impl WriteBatchIteratorCf for Reader<'_> {
    fn put_cf(&mut self, family: u32, key: &[u8], value: &[u8]) {
        self.note(family, key, Some(value));
    }

    fn delete_cf(&mut self, family: u32, key: &[u8]) {
        self.note(family, key, None);
    }

    fn merge_cf(&mut self, _: u32, _: &[u8], _: &[u8]) {
        self.changes.needs_opening = true;
    }
}

impl Reader<'_> {
    fn note(&mut self, family: u32, key: &[u8], value: Option<&[u8]>) {
        self.operations += 1;
        let changes = &mut self.changes;
        let noted = match self.families.get(&family).copied() {
            Some("items") => changes.note_item(key, value),
            Some("vectors") => changes.note_vector(key, value),
            Some("events") => changes.note_event(key, value),
            Some("manifest") => changes.note_manifest(key, value),
            _ => {
                changes.is_partial = true;
                Ok(())
            }
        };
        if let Err(e) = noted {
            self.error.get_or_insert(e);
        }
    }
}

impl Changes {
    fn note_item(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<()> {
        let (collection, id) = keys::collection_and_text(key)
            .ok_or_else(|| corrupt("items", "a key is too short or not UTF-8"))?;
        let record = value.map(codec::decode_item).transpose()?;
        let items = self.items.entry(collection).or_default();
        items.records.insert(id.to_owned(), record);
        Ok(())
    }

    fn note_vector(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<()> {
        // Vectors of internal ids that are no longer live are not found.
        let Some(value) = value else { return Ok(()) };
        let (collection, internal_id, space) = keys::of_vector(key)
            .ok_or_else(|| corrupt("vectors", "a key is too short or not UTF-8"))?;
        // The mark of an item that a re-embedding leaves out.
        if space.starts_with('@') {
            self.is_partial = true;
            return Ok(());
        }
        let items = self.items.entry(collection).or_default();
        let rows = items.vectors.entry(space.to_owned()).or_default();
        rows.push((internal_id, codec::decode_vector(value)?));
        Ok(())
    }

    fn note_event(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<()> {
        if let Some((collection, subject)) = keys::of_consent(key) {
            let consent = value.map(consents::decode).transpose()?;
            self.consents.push((collection, subject, consent));
            return Ok(());
        }
        let Some((collection, micros)) = keys::of_event(key) else {
            return Ok(());
        };
        match value {
            Some(value) => {
                let event = codec::decode_event(value)?;
                self.events.push((collection, micros, event));
            }
            None => self.needs_opening = true,
        }
        Ok(())
    }

    fn note_manifest(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<()> {
        if key == MANIFEST_KEY {
            self.needs_opening = true;
        } else if let Some((collection, kind, id)) = keys::of_setting(key) {
            if kind == MARK {
                let items = self.items.entry(collection).or_default();
                let value = value.map(<[u8]>::to_vec);
                items.marks.push((id.to_owned(), value));
            } else {
                self.settings.insert(collection);
            }
        } else if keys::is_segments(key) {
            // The vectors of a new segment are in memory already.
            self.is_partial = true;
        }
        Ok(())
    }
}

/// Kind of the settings that are marks of items.
const MARK: u8 = b'e';

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Durability,
        storage::{Batch, batch::Op},
    };

    #[test]
    fn a_record_that_cannot_be_decoded_is_in_no_slice() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), Durability::default(), true).unwrap();
        let put = |key: &str| {
            let key = [&keys::prefix(1)[..], key.as_bytes()].concat();
            let damaged = Op::Put("items", key, b"damaged".to_vec());
            store.write(Batch(vec![damaged])).unwrap();
        };
        let before = store.operations().unwrap();
        put("a");
        assert_eq!(store.log_since(before).unwrap(), None);
        let after = store.operations().unwrap();
        let mut batch = Batch::default();
        batch.put_writes(1, 1);
        store.write(batch).unwrap();
        let later = store.log_since(after).unwrap().expect("later ones are");
        assert!(!later.bytes.is_empty());
    }
}
