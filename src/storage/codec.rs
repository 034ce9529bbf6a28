//! Values: a format byte, then the content. An unknown format is an error, never a guess.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use vitrine_schemas::{CollectionConfig, Event, EventKind, Item, SearchEvent};

use crate::{Error, Result};

const ITEM_FORMAT: u8 = 1;
const EVENT_FORMAT: u8 = 1;
const SEARCH_FORMAT: u8 = 1;

/// Collections and aliases: one record, so that a change of several takes effect in one step.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Manifest {
    /// Number of the next collection; never reused.
    pub next_id: u32,
    /// Collections by name.
    pub collections: BTreeMap<String, ManifestEntry>,
    /// Collection by alias.
    pub aliases: BTreeMap<String, String>,
}

/// Segment files of a collection.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct SegmentList {
    /// Number of the next file; never reused.
    pub next: u64,
    /// Names of the files by vector space.
    pub files: BTreeMap<String, Vec<String>>,
}

/// One collection.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ManifestEntry {
    /// Prefix of its keys.
    pub id: u32,
    /// Its schema.
    pub config: CollectionConfig,
    /// Names under which its vectors are stored.
    #[serde(default)]
    pub placement: Placement,
    /// The re-embedding under way, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reembedding: Option<StoredReembedding>,
    /// Number of the last re-embedding; never reused.
    #[serde(default)]
    pub generation: u32,
    /// Names of stored vectors that are being deleted.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub garbage: BTreeSet<String>,
}

/// Names under which the vectors of a set of spaces are stored.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Placement {
    /// Number of the re-embedding that created the set; 0 for the first set.
    pub generation: u32,
    /// Stored name by space, where it differs from the space's name.
    pub names: BTreeMap<String, String>,
}

/// A re-embedding under way, with the inactive set of spaces.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct StoredReembedding {
    /// Start time, RFC 3339.
    pub started: String,
    /// True once the new set is active.
    pub is_switched: bool,
    /// Time of the last switch or rollback, RFC 3339.
    pub switched: Option<String>,
    /// Schema of the collection with the inactive set.
    pub config: CollectionConfig,
    /// Names under which the vectors of the inactive set are stored.
    pub placement: Placement,
}

impl ManifestEntry {
    /// Returns the entry of an empty collection.
    pub fn new(id: u32, config: CollectionConfig) -> Self {
        Self {
            id,
            config,
            placement: Placement::default(),
            reembedding: None,
            generation: 0,
            garbage: BTreeSet::new(),
        }
    }
}

impl Placement {
    /// Returns the name under which the vectors of a space are stored.
    pub fn name<'a>(&'a self, space: &'a str) -> &'a str {
        self.names.get(space).map_or(space, String::as_str)
    }

    /// Returns the name of the marker of items that cannot be embedded. No space has such a name.
    pub fn left_out(&self) -> String {
        format!("@{}", self.generation)
    }
}

/// Encodes a record as JSON.
pub(super) fn to_json(record: &(impl Serialize + ?Sized)) -> Result<Vec<u8>> {
    serde_json::to_vec(record).map_err(|e| Error::Storage(e.to_string()))
}

pub(super) fn corrupt(column: &'static str, detail: impl ToString) -> Error {
    Error::Corrupt {
        column,
        detail: detail.to_string(),
    }
}

/// Writes the record of an item; `item.vectors` must be empty: vectors have their own
/// column family.
pub(super) fn encode_item(internal_id: u32, item: &Item) -> Result<Vec<u8>> {
    let mut bytes = vec![ITEM_FORMAT];
    bytes.extend_from_slice(&internal_id.to_be_bytes());
    serde_json::to_writer(&mut bytes, item).map_err(|e| Error::Storage(e.to_string()))?;
    Ok(bytes)
}

/// Reads the record of an item.
pub(super) fn decode_item(bytes: &[u8]) -> Result<(u32, Item)> {
    let Some((&format, rest)) = bytes.split_first() else {
        return Err(corrupt("items", "empty record"));
    };
    if format != ITEM_FORMAT {
        return Err(corrupt("items", format!("unknown record format {format}")));
    }
    let Some((internal_id, json)) = rest.split_first_chunk::<4>() else {
        return Err(corrupt("items", "record is truncated"));
    };
    let item = serde_json::from_slice(json).map_err(|e| corrupt("items", e))?;
    Ok((u32::from_be_bytes(*internal_id), item))
}

pub(super) fn encode_vector(vector: &[f32]) -> Vec<u8> {
    vector.iter().flat_map(|x| x.to_le_bytes()).collect()
}

pub(super) fn decode_vector(bytes: &[u8]) -> Result<Vec<f32>> {
    let (chunks, rest) = (bytes.chunks_exact(4), bytes.len() % 4);
    if rest != 0 {
        return Err(corrupt("vectors", "length is not a multiple of 4"));
    }
    Ok(chunks
        .map(|c| f32::from_le_bytes([c[0], c[1], c[2], c[3]]))
        .collect())
}

/// Writes an event.
pub(super) fn encode_event(event: &Event) -> Result<Vec<u8>> {
    let mut bytes = vec![EVENT_FORMAT];
    serde_json::to_writer(&mut bytes, event).map_err(|e| Error::Storage(e.to_string()))?;
    Ok(bytes)
}

/// Reads an event.
pub(super) fn decode_event(bytes: &[u8]) -> Result<Event> {
    match bytes.split_first() {
        Some((&EVENT_FORMAT, json)) => {
            serde_json::from_slice(json).map_err(|e| corrupt("events", e))
        }
        Some((format, _)) => Err(corrupt("events", format!("unknown record format {format}"))),
        None => Err(corrupt("events", "empty record")),
    }
}

/// Writes a recorded search.
pub(super) fn encode_search(search: &SearchEvent) -> Result<Vec<u8>> {
    let mut bytes = vec![SEARCH_FORMAT];
    serde_json::to_writer(&mut bytes, search).map_err(|e| Error::Storage(e.to_string()))?;
    Ok(bytes)
}

/// Reads a recorded search.
pub(super) fn decode_search(bytes: &[u8]) -> Result<SearchEvent> {
    match bytes.split_first() {
        Some((&SEARCH_FORMAT, json)) => {
            serde_json::from_slice(json).map_err(|e| corrupt("events", e))
        }
        Some((format, _)) => Err(corrupt("events", format!("unknown search format {format}"))),
        None => Err(corrupt("events", "empty search")),
    }
}

/// Kinds of events, in the order of their bytes.
const KINDS: [EventKind; 11] = [
    EventKind::View,
    EventKind::Click,
    EventKind::AddToCart,
    EventKind::Purchase,
    EventKind::Rating,
    EventKind::Like,
    EventKind::Hide,
    EventKind::Return,
    EventKind::Impression,
    EventKind::Follow,
    EventKind::Unfollow,
];

pub(super) fn kind_of(byte: u8) -> Option<EventKind> {
    KINDS.get(usize::from(byte)).copied()
}

pub(super) fn kind_byte(kind: EventKind) -> u8 {
    KINDS
        .iter()
        .position(|k| *k == kind)
        .map_or(0, |at| at as u8)
}
