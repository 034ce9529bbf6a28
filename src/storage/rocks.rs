//! The store: column families, batches and scans.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use rocksdb::{
    ColumnFamily, ColumnFamilyDescriptor, DB, DBCompressionType, Direction, IteratorMode, Options,
    WriteBatch, WriteOptions,
};
use vitrine_schemas::Item;

use super::{
    Durability,
    codec::{self, Manifest, SegmentList, corrupt},
    keys,
};
use crate::{Error, Result};

/// A key and its value.
type Entry = (Box<[u8]>, Box<[u8]>);

/// Version of the data directory.
const FORMAT: u32 = 1;
const FORMAT_FILE: &str = "VITRINE_FORMAT";
const FAMILIES: [&str; 5] = ["items", "vectors", "events", "models", "manifest"];
const MANIFEST_KEY: &[u8] = b"manifest";

/// Writes that take effect atomically.
#[derive(Default)]
pub(crate) struct Batch(pub(super) Vec<Op>);

pub(super) enum Op {
    Put(&'static str, Vec<u8>, Vec<u8>),
    Delete(&'static str, Vec<u8>),
    DeleteRange(&'static str, Vec<u8>, Vec<u8>),
}

impl Batch {
    pub fn put_item(&mut self, collection: u32, internal_id: u32, item: &Item) -> Result<()> {
        let value = codec::encode_item(internal_id, item)?;
        let key = keys::item(collection, &item.id);
        self.0.push(Op::Put("items", key, value));
        Ok(())
    }

    pub fn delete_item(&mut self, collection: u32, id: &str) {
        self.0.push(Op::Delete("items", keys::item(collection, id)));
    }

    pub fn put_vector(&mut self, collection: u32, internal_id: u32, space: &str, vector: &[f32]) {
        let key = keys::vector(collection, internal_id, space);
        let value = codec::encode_vector(vector);
        self.0.push(Op::Put("vectors", key, value));
    }

    pub fn delete_vector(&mut self, collection: u32, internal_id: u32, space: &str) {
        let key = keys::vector(collection, internal_id, space);
        self.0.push(Op::Delete("vectors", key));
    }

    pub fn put_manifest(&mut self, manifest: &Manifest) -> Result<()> {
        let value = serde_json::to_vec(manifest).map_err(|e| Error::Storage(e.to_string()))?;
        self.0
            .push(Op::Put("manifest", MANIFEST_KEY.to_vec(), value));
        Ok(())
    }

    pub fn put_segments(&mut self, collection: u32, list: &SegmentList) -> Result<()> {
        let value = serde_json::to_vec(list).map_err(|e| Error::Storage(e.to_string()))?;
        self.0
            .push(Op::Put("manifest", keys::segments(collection), value));
        Ok(())
    }

    /// Puts the number of writes to the collection's items, this one included.
    pub fn put_writes(&mut self, collection: u32, writes: u64) {
        let value = writes.to_be_bytes().to_vec();
        self.0
            .push(Op::Put("manifest", keys::writes(collection), value));
    }

    /// Returns the bytes of keys and values.
    pub fn bytes(&self) -> u64 {
        let bytes = self.0.iter().map(|op| match op {
            Op::Put(_, key, value) => key.len() + value.len(),
            Op::Delete(_, key) => key.len(),
            Op::DeleteRange(_, from, to) => from.len() + to.len(),
        });
        bytes.sum::<usize>() as u64
    }

    pub fn put_blend(&mut self, collection: u32, value: Vec<u8>) {
        self.0
            .push(Op::Put("models", keys::blend(collection), value));
    }

    /// Deletes everything of a collection except its manifest entry.
    pub fn delete_collection(&mut self, collection: u32) {
        self.delete_events(collection);
        self.delete_models(collection);
        for family in ["items", "vectors"] {
            let from = keys::prefix(collection).to_vec();
            let to = keys::prefix(collection.saturating_add(1)).to_vec();
            self.0.push(Op::DeleteRange(family, from, to));
        }
        let from = keys::settings(collection);
        let to = keys::settings(collection.saturating_add(1));
        self.0.push(Op::DeleteRange("manifest", from, to));
        for key in [keys::segments(collection), keys::writes(collection)] {
            self.0.push(Op::Delete("manifest", key));
        }
    }
}

/// Memory and disk that RocksDB uses.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct StoreSizes {
    /// Bytes of memtables, block cache and table readers.
    pub memory_bytes: u64,
    /// Bytes of its tables, without the write-ahead log.
    pub disk_bytes: u64,
}

/// An open data directory.
pub(crate) struct Store {
    pub(super) db: DB,
    path: PathBuf,
    write: WriteOptions,
}

impl Store {
    /// Opens the directory; its format is checked before RocksDB touches it.
    pub fn open(path: &Path, durability: Durability, create: bool) -> Result<Self> {
        check_format(path, create)?;
        let mut options = Options::default();
        options.create_if_missing(true);
        options.create_missing_column_families(true);
        let families = FAMILIES.map(|name| {
            let mut options = Options::default();
            options.set_compression_type(DBCompressionType::Lz4);
            ColumnFamilyDescriptor::new(name, options)
        });
        let db = DB::open_cf_descriptors(&options, path, families).map_err(|e| {
            if e.to_string().to_lowercase().contains("lock") {
                Error::Locked(path.to_path_buf())
            } else {
                storage(e)
            }
        })?;
        let mut write = WriteOptions::default();
        write.set_sync(durability == Durability::Fsync);
        let path = path.to_path_buf();
        let store = Self { db, path, write };
        for path in [store.segments(), store.states()] {
            fs::create_dir_all(&path).map_err(|source| Error::Io { path, source })?;
        }
        Ok(store)
    }

    /// Returns the folder of the segment files.
    pub fn segments(&self) -> PathBuf {
        self.path.join("segments")
    }

    /// Returns the folder of the state files of collections.
    pub fn states(&self) -> PathBuf {
        self.path.join("states")
    }

    /// Returns the folder of a collection's full-text index.
    pub fn lexical(&self, collection: u32) -> PathBuf {
        self.path.join("lexical").join(format!("{collection:08x}"))
    }

    pub(super) fn family(&self, name: &'static str) -> Result<&ColumnFamily> {
        self.db
            .cf_handle(name)
            .ok_or_else(|| corrupt(name, "the column family is missing"))
    }

    /// Returns the entries whose keys begin with `prefix`, from `start` on in a direction.
    pub(super) fn entries<'a>(
        &'a self,
        family: &'static str,
        prefix: &'a [u8],
        start: &[u8],
        direction: Direction,
    ) -> Result<impl Iterator<Item = Result<Entry>> + 'a> {
        let mode = IteratorMode::From(start, direction);
        let all = self.db.iterator_cf(self.family(family)?, mode);
        let all = all.map(|entry| entry.map_err(storage));
        let has_prefix = move |entry: &Result<Entry>| match entry {
            Ok((key, _)) => key.starts_with(prefix),
            Err(_) => true,
        };
        Ok(all.take_while(has_prefix))
    }

    /// Writes the batch; once this returns `Ok` it may be acknowledged.
    pub fn write(&self, batch: Batch) -> Result<()> {
        let mut out = WriteBatch::default();
        for op in batch.0 {
            match op {
                Op::Put(f, k, v) => out.put_cf(self.family(f)?, k, v),
                Op::Delete(f, k) => out.delete_cf(self.family(f)?, k),
                Op::DeleteRange(f, a, b) => out.delete_range_cf(self.family(f)?, a, b),
            }
        }
        self.db.write_opt(out, &self.write).map_err(storage)
    }

    pub(super) fn get(&self, family: &'static str, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.db.get_cf(self.family(family)?, key).map_err(storage)
    }

    /// Reads an item's record, without vectors.
    pub fn item(&self, collection: u32, id: &str) -> Result<Option<(u32, Item)>> {
        let bytes = self.get("items", &keys::item(collection, id))?;
        bytes.map(|b| codec::decode_item(&b)).transpose()
    }

    /// Reads the records of several items at once, in the order of the ids.
    pub fn items(&self, collection: u32, ids: &[&str]) -> Result<Vec<Option<(u32, Item)>>> {
        let family = self.family("items")?;
        let keys: Vec<_> = ids.iter().map(|id| keys::item(collection, id)).collect();
        let found = self.db.batched_multi_get_cf(family, &keys, false);
        let decode = |bytes: std::result::Result<Option<rocksdb::DBPinnableSlice<'_>>, _>| {
            let bytes = bytes.map_err(storage)?;
            bytes.map(|b| codec::decode_item(&b)).transpose()
        };
        found.into_iter().map(decode).collect()
    }

    /// Reads the learned blend of a collection.
    pub fn blend(&self, collection: u32) -> Result<Option<Vec<u8>>> {
        self.get("models", &keys::blend(collection))
    }

    /// Calls `each` for every item of a collection in the order of ids.
    pub fn scan_items(
        &self,
        collection: u32,
        mut each: impl FnMut(u32, Item) -> Result<()>,
    ) -> Result<()> {
        let prefix = keys::prefix(collection);
        for entry in self.entries("items", &prefix, &prefix, Direction::Forward)? {
            let (_, value) = entry?;
            let (internal_id, item) = codec::decode_item(&value)?;
            each(internal_id, item)?;
        }
        Ok(())
    }

    /// Reads the list of a collection's segment files.
    pub fn segment_list(&self, collection: u32) -> Result<SegmentList> {
        match self.get("manifest", &keys::segments(collection))? {
            None => Ok(SegmentList::default()),
            Some(bytes) => serde_json::from_slice(&bytes).map_err(|e| corrupt("manifest", e)),
        }
    }

    /// Returns the number of writes to a collection's items.
    pub fn writes(&self, collection: u32) -> Result<u64> {
        match self.get("manifest", &keys::writes(collection))? {
            None => Ok(0),
            Some(bytes) => match bytes.try_into() {
                Ok(bytes) => Ok(u64::from_be_bytes(bytes)),
                Err(_) => Err(corrupt("manifest", "the write count is truncated")),
            },
        }
    }

    /// Reads vectors of a space by internal id, in order; missing ones are skipped.
    pub fn vectors(
        &self,
        collection: u32,
        internal_ids: &[u32],
        space: &str,
    ) -> Result<Vec<(u32, Vec<f32>)>> {
        let family = self.family("vectors")?;
        let keys = internal_ids
            .iter()
            .map(|n| keys::vector(collection, *n, space));
        let keys: Vec<_> = keys.collect();
        let sorted = true;
        let found = self.db.batched_multi_get_cf(family, &keys, sorted);
        let mut vectors = Vec::with_capacity(internal_ids.len());
        for (internal_id, value) in internal_ids.iter().zip(found) {
            if let Some(bytes) = value.map_err(storage)? {
                vectors.push((*internal_id, codec::decode_vector(&bytes)?));
            }
        }
        Ok(vectors)
    }

    /// Returns the memory and disk that RocksDB uses.
    pub fn sizes(&self) -> Result<StoreSizes> {
        let sum = |property: &str| -> Result<u64> {
            let of = |name| {
                let value = self.db.property_int_value_cf(self.family(name)?, property);
                Ok::<_, Error>(value.map_err(storage)?.unwrap_or_default())
            };
            FAMILIES.into_iter().map(of).sum()
        };
        Ok(StoreSizes {
            memory_bytes: sum("rocksdb.cur-size-all-mem-tables")?
                + sum("rocksdb.block-cache-usage")?
                + sum("rocksdb.estimate-table-readers-mem")?,
            disk_bytes: sum("rocksdb.total-sst-files-size")?,
        })
    }

    /// Reads the manifest; a new directory has an empty one.
    pub fn manifest(&self) -> Result<Manifest> {
        match self.get("manifest", MANIFEST_KEY)? {
            None => Ok(Manifest::default()),
            Some(bytes) => serde_json::from_slice(&bytes).map_err(|e| corrupt("manifest", e)),
        }
    }

    /// Counts keys and values of all column families in which a text occurs.
    #[cfg(test)]
    pub fn mentions(&self, text: &str) -> Result<usize> {
        let has = |bytes: &[u8]| bytes.windows(text.len()).any(|w| w == text.as_bytes());
        let mut found = 0;
        for family in FAMILIES {
            for entry in self
                .db
                .iterator_cf(self.family(family)?, IteratorMode::Start)
            {
                let (key, value) = entry.map_err(storage)?;
                found += usize::from(has(&key)) + usize::from(has(&value));
            }
        }
        Ok(found)
    }

    /// Syncs the write-ahead log to disk.
    pub fn flush(&self) -> Result<()> {
        self.db.flush_wal(true).map_err(storage)
    }
}

/// Writes a file atomically: under a temporary name, synced, then renamed.
pub(crate) fn write_atomic(path: &Path, bytes: &[u8]) -> Result<()> {
    let unfinished = path.with_extension("new");
    let write = || -> io::Result<()> {
        let mut file = fs::File::create(&unfinished)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&unfinished, path)?;
        path.parent()
            .map_or(Ok(()), |folder| fs::File::open(folder)?.sync_all())
    };
    write().map_err(|source| Error::Io {
        path: path.to_path_buf(),
        source,
    })
}

pub(super) fn storage(error: rocksdb::Error) -> Error {
    Error::Storage(error.to_string())
}

fn check_format(path: &Path, create: bool) -> Result<()> {
    let io = |source| Error::Io {
        path: path.to_path_buf(),
        source,
    };
    let file = path.join(FORMAT_FILE);
    match fs::read_to_string(&file) {
        Ok(found) if found.trim() == FORMAT.to_string() => return Ok(()),
        Ok(found) => {
            return Err(Error::UnsupportedFormat {
                path: path.to_path_buf(),
                found: found.trim().to_string(),
                supported: FORMAT,
            });
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
        Err(e) => return Err(io(e)),
    }
    if path.exists() {
        let half_made = format!("{FORMAT_FILE}.new");
        let foreign = |entry: &fs::DirEntry| entry.file_name() != half_made.as_str();
        if fs::read_dir(path)
            .map_err(io)?
            .flatten()
            .any(|entry| foreign(&entry))
        {
            return Err(Error::Storage(format!(
                "expected an empty folder or a Vitrine data directory, got {}, which is not empty and has no {FORMAT_FILE}; choose another folder",
                path.display()
            )));
        }
    } else if !create {
        return Err(io(std::io::ErrorKind::NotFound.into()));
    }
    fs::create_dir_all(path).map_err(io)?;
    write_atomic(&file, format!("{FORMAT}\n").as_bytes())
}
