//! State file of a collection: ids, filters and everything else that would need all records at the
//! next start. It is written at a clean shutdown and when a collection is idle.
//!
//! The file is a cache: it is valid only if the store's write count is the one of the file. Layout:
//! docs/storage-format.md.

use std::{
    collections::{BTreeMap, HashMap},
    fs, io,
    path::PathBuf,
    time::{Duration, Instant},
};

use roaring::RoaringBitmap;
use serde::{Deserialize, Serialize};
use vitrine_schemas::CollectionConfig;

use crate::{
    Error, Result,
    collection::{Collection, State, Writer},
    payload::PayloadIndex,
    storage::{Store, write_atomic},
};

/// First bytes of the file, with the version of the format.
const MAGIC: &[u8; 8] = b"VITSTA\x00\x03";

/// Bytes before the body: magic, checksum, length.
const HEAD: usize = 8 + 4 + 8;

/// Time without a write after which the state is saved.
const IDLE_TIME: Duration = Duration::from_secs(60);

/// Content of the file: a state without its indexes, and the position of the writer.
#[derive(Serialize, Deserialize)]
pub(in crate::collection) struct Stored {
    writes: u64,
    pub next: u32,
    /// Schema as JSON; a state of another schema has other columns.
    config: String,
    /// Internal id by item id, sorted.
    pub internal_ids: Vec<(String, u32)>,
    pub hidden: RoaringBitmap,
    pub categories: HashMap<String, RoaringBitmap>,
    pub quarantined: BTreeMap<String, u32>,
    pub payload: PayloadIndex,
}

/// The same, borrowed from a state in use.
#[derive(Serialize)]
struct Borrowed<'a> {
    writes: u64,
    next: u32,
    config: String,
    internal_ids: Vec<(&'a str, u32)>,
    hidden: &'a RoaringBitmap,
    categories: &'a HashMap<String, RoaringBitmap>,
    quarantined: &'a BTreeMap<String, u32>,
    payload: &'a PayloadIndex,
}

impl Stored {
    /// Reads the state after `writes` writes; None if it has to be rebuilt from the records.
    pub fn load(
        store: &Store,
        collection: u32,
        config: &CollectionConfig,
        writes: u64,
    ) -> Option<Self> {
        let path = path(store, collection);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return None,
            Err(e) => {
                tracing::warn!(file = %path.display(), "cannot be read, reading all records: {e}");
                return None;
            }
        };
        let problem = match parse(&bytes) {
            Ok(stored) if stored.writes != writes => "is older than the records".to_owned(),
            Ok(stored) if json(config).ok().as_ref() != Some(&stored.config) => {
                "has another schema".to_owned()
            }
            Ok(stored) => return Some(stored),
            Err(problem) => problem,
        };
        tracing::warn!(file = %path.display(), "{problem}: reading all records");
        None
    }
}

/// Checks that bytes are a whole state file, and returns the number of its items.
///
/// # Errors
/// The cause why a start would read all records instead.
pub fn check_state(bytes: &[u8]) -> Result<usize, String> {
    parse(bytes).map(|stored| stored.internal_ids.len())
}

fn parse(bytes: &[u8]) -> Result<Stored, String> {
    let truncated = || "is truncated".to_owned();
    let (head, body) = bytes.split_at_checked(HEAD).ok_or_else(truncated)?;
    let (magic, head) = head.split_first_chunk::<8>().ok_or_else(truncated)?;
    let (checksum, length) = head.split_first_chunk::<4>().ok_or_else(truncated)?;
    if magic != MAGIC {
        return Err("is not a state file of this version".into());
    }
    if length != (body.len() as u64).to_le_bytes() {
        return Err(truncated());
    }
    if crc32fast::hash(body) != u32::from_le_bytes(*checksum) {
        return Err("checksum mismatch".into());
    }
    let mut stored: Stored =
        postcard::from_bytes(body).map_err(|e| format!("cannot be decoded ({e})"))?;
    stored.payload.recount();
    Ok(stored)
}

fn json(config: &CollectionConfig) -> Result<String> {
    serde_json::to_string(config).map_err(|e| Error::Storage(e.to_string()))
}

fn path(store: &Store, collection: u32) -> PathBuf {
    store.states().join(format!("{collection:08x}.state"))
}

/// Removes the file of a dropped collection.
pub(in crate::collection) fn remove(store: &Store, collection: u32) {
    let path = path(store, collection);
    match fs::remove_file(&path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(file = %path.display(), "cannot be removed: {e}");
        }
        _ => {}
    }
}

impl State {
    fn to_bytes(&self, writer: &Writer) -> Result<Vec<u8>> {
        let entries = self.internal_ids.iter();
        let stored = Borrowed {
            writes: writer.writes,
            next: writer.next,
            config: json(&self.config)?,
            internal_ids: entries.map(|(id, n)| (id.as_str(), *n)).collect(),
            hidden: &self.hidden,
            categories: &self.categories,
            quarantined: &self.quarantined,
            payload: &self.payload,
        };
        let mut bytes = vec![0; HEAD];
        bytes = postcard::to_extend(&stored, bytes).map_err(|e| Error::Storage(e.to_string()))?;
        let (head, body) = bytes.split_at_mut(HEAD);
        head[..8].copy_from_slice(MAGIC);
        head[8..12].copy_from_slice(&crc32fast::hash(body).to_le_bytes());
        head[12..].copy_from_slice(&(body.len() as u64).to_le_bytes());
        Ok(bytes)
    }
}

impl Collection {
    /// Saves the state for the next start, unless the saved one is current.
    pub(crate) fn save_state(&self) -> Result<()> {
        self.save_under(&mut self.writer.lock())
    }

    /// Saves the state of an idle collection.
    pub(crate) fn save_if_idle(&self) -> Result<()> {
        match self.writer.try_lock() {
            Some(mut writer) if writer.written.elapsed() >= IDLE_TIME => {
                self.save_under(&mut writer)
            }
            _ => Ok(()),
        }
    }

    fn save_under(&self, writer: &mut Writer) -> Result<()> {
        if writer.dropped || writer.saved == Some(writer.writes) {
            return Ok(());
        }
        let started = Instant::now();
        let bytes = self.state.read().to_bytes(writer)?;
        if let Err(e) = self.lexical.refresh() {
            tracing::warn!(collection = self.name, "full-text index: {e}");
        }
        // First, so that a power cut cannot lose writes that the file includes.
        self.store.flush()?;
        write_atomic(&path(&self.store, self.id), &bytes)?;
        writer.saved = Some(writer.writes);
        tracing::debug!(
            collection = self.name,
            bytes = bytes.len(),
            seconds = started.elapsed().as_secs_f64(),
            "state saved"
        );
        Ok(())
    }
}
