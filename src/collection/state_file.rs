//! The state of a collection in a file: ids, filters and what else the records would have to be read for. It is written at a
//! clean stop, and when nothing was written for a while, so that the next start need not read them.
//!
//! A file is a cache: it counts only if the store has exactly as many writes as when it was made. docs/storage-format.md draws it.

use std::{
    collections::HashMap,
    fs, io,
    path::PathBuf,
    time::{Duration, Instant},
};

use roaring::RoaringBitmap;
use serde::{Deserialize, Serialize};
use vitrine_schemas::CollectionConfig;

use super::{Collection, State, Writer};
use crate::{
    Error, Result,
    payload::PayloadIndex,
    storage::{Store, replace_file},
};

/// The first bytes of a file, with the version of the format.
const MAGIC: &[u8; 8] = b"VITSTA\x00\x01";

/// Bytes before the body: magic, checksum, length.
const HEAD: usize = 8 + 4 + 8;

/// A state is kept when nothing was written for so long.
const QUIET: Duration = Duration::from_secs(60);

/// What is stored: a state without its indexes, and where the writer stood.
#[derive(Serialize, Deserialize)]
pub(super) struct Stored {
    writes: u64,
    pub next: u32,
    /// As JSON: a state of another schema has other columns.
    config: String,
    /// Sorted.
    pub numbers: Vec<(String, u32)>,
    pub hidden: RoaringBitmap,
    pub categories: HashMap<String, RoaringBitmap>,
    pub payload: PayloadIndex,
}

/// The same of a state that goes on being used.
#[derive(Serialize)]
struct Borrowed<'a> {
    writes: u64,
    next: u32,
    config: String,
    numbers: Vec<(&'a str, u32)>,
    hidden: &'a RoaringBitmap,
    categories: &'a HashMap<String, RoaringBitmap>,
    payload: &'a PayloadIndex,
}

impl Stored {
    /// The state of a collection as it was after so many writes; None where it has to be made from the records.
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
        let fault = match parse(&bytes) {
            Ok(stored) if stored.writes != writes => "is older than the records".to_owned(),
            Ok(stored) if json(config).ok().as_ref() != Some(&stored.config) => {
                "is of another schema".to_owned()
            }
            Ok(stored) => return Some(stored),
            Err(fault) => fault,
        };
        tracing::warn!(file = %path.display(), "{fault}: reading all records");
        None
    }
}

fn parse(bytes: &[u8]) -> Result<Stored, String> {
    let cut = || "is cut short".to_owned();
    let (head, body) = bytes.split_at_checked(HEAD).ok_or_else(cut)?;
    let (magic, head) = head.split_first_chunk::<8>().ok_or_else(cut)?;
    let (checksum, length) = head.split_first_chunk::<4>().ok_or_else(cut)?;
    if magic != MAGIC {
        return Err("is no state of this version".into());
    }
    if length != (body.len() as u64).to_le_bytes() {
        return Err(cut());
    }
    if crc32fast::hash(body) != u32::from_le_bytes(*checksum) {
        return Err("has another checksum".into());
    }
    postcard::from_bytes(body).map_err(|e| format!("cannot be understood ({e})"))
}

fn json(config: &CollectionConfig) -> Result<String> {
    serde_json::to_string(config).map_err(|e| Error::Storage(e.to_string()))
}

fn path(store: &Store, collection: u32) -> PathBuf {
    store.states().join(format!("{collection:08x}.state"))
}

/// Removes the file of a collection that is gone.
pub(super) fn remove(store: &Store, collection: u32) {
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
        let numbers = self.numbers.iter();
        let stored = Borrowed {
            writes: writer.writes,
            next: writer.next,
            config: json(&self.config)?,
            numbers: numbers.map(|(id, n)| (id.as_str(), *n)).collect(),
            hidden: &self.hidden,
            categories: &self.categories,
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
    /// Keeps the state for the next start, unless it is kept already.
    pub(crate) fn save_state(&self) -> Result<()> {
        self.save_under(&mut self.writer.lock())
    }

    /// The same where nothing was written for a while.
    pub(crate) fn save_if_quiet(&self) -> Result<()> {
        match self.writer.try_lock() {
            Some(mut writer) if writer.written.elapsed() >= QUIET => self.save_under(&mut writer),
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
            tracing::warn!(collection = self.name, "lexical index: {e}");
        }
        // First, so that no power cut takes writes back that the file knows of.
        self.store.flush()?;
        replace_file(&path(&self.store, self.id), &bytes)?;
        writer.saved = Some(writer.writes);
        tracing::debug!(
            collection = self.name,
            bytes = bytes.len(),
            seconds = started.elapsed().as_secs_f64(),
            "state kept"
        );
        Ok(())
    }
}
