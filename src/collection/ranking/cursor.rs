//! Page cursor: the hits shown so far, and the size of the pool that they were taken from.
//!
//! Each page is ranked again, so an item that is bought or hidden between two pages is not on the
//! second. The pool has the same size, so without new events the order stays the same, and no hit
//! is shown twice. Shown items are identified by 8 bytes of the hash of their ids.

use std::collections::HashSet;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::{Error, Result};

/// Maximum number of hits on all pages together, so that a cursor stays below 55 KB.
const MAX_SHOWN: usize = 5_000;

/// Maximum number of candidates of each source.
pub(in crate::collection) const MAX_POOL_SIZE: usize = 10_000;

const FORMAT: u8 = 1;

/// Hash of an item id or of a request.
type Key = [u8; 8];

/// State that is passed from page to page.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::collection) struct Cursor {
    /// Number of candidates of each source.
    pub pool_size: usize,
    shown: HashSet<Key>,
    /// Shown items, in the order of the pages.
    order: Vec<Key>,
}

impl Cursor {
    /// Returns the cursor of the first page.
    pub fn start(pool_size: usize) -> Self {
        Self {
            pool_size,
            ..Self::default()
        }
    }

    /// Decodes the cursor of a request, or starts with `pool_size` if it has none. `key` is the
    /// request without limit and cursor.
    ///
    /// # Errors
    /// [`Error::Invalid`]: the cursor is malformed or belongs to another request.
    pub fn decode(cursor: Option<&str>, key: &str, pool_size: usize) -> Result<Self> {
        let Some(text) = cursor else {
            return Ok(Self::start(pool_size));
        };
        let invalid = |detail: &str| Error::invalid("/cursor", detail);
        let malformed = || invalid("invalid cursor; use `next_cursor` from the previous page");
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| malformed())?;
        let (head, shown) = bytes.split_at_checked(13).ok_or_else(malformed)?;
        let (format, request, pool_size) = (head[0], &head[1..9], &head[9..13]);
        let pool_size = pool_size
            .try_into()
            .map(u32::from_be_bytes)
            .map_err(|_| malformed())?;
        let keys = shown.chunks_exact(8);
        if format != FORMAT || !keys.remainder().is_empty() || shown.len() / 8 > MAX_SHOWN {
            return Err(malformed());
        }
        if request != hash(key.as_bytes()) {
            return Err(invalid(
                "belongs to another request; only `limit` and `cursor` may change from page to page",
            ));
        }
        let order: Vec<Key> = keys.filter_map(|k| k.try_into().ok()).collect();
        Ok(Self {
            pool_size: (pool_size as usize).clamp(1, MAX_POOL_SIZE),
            shown: order.iter().copied().collect(),
            order,
        })
    }

    /// Returns true if an item was on an earlier page.
    pub fn has_shown(&self, id: &str) -> bool {
        !self.shown.is_empty() && self.shown.contains(&hash(id.as_bytes()))
    }

    /// Returns the number of hits shown so far.
    pub fn len(&self) -> u64 {
        self.order.len() as u64
    }

    /// Adds the ids of a page.
    pub fn add_page<'a>(&mut self, ids: impl Iterator<Item = &'a str>) {
        for id in ids {
            let id = hash(id.as_bytes());
            self.shown.insert(id);
            self.order.push(id);
        }
    }

    /// Encodes the cursor for a response; None if too many hits were shown.
    pub fn encode(&self, key: &str) -> Option<String> {
        if self.order.len() > MAX_SHOWN {
            return None;
        }
        let mut bytes = vec![FORMAT];
        bytes.extend(hash(key.as_bytes()));
        bytes.extend((self.pool_size as u32).to_be_bytes());
        bytes.extend(self.order.iter().flatten());
        Some(URL_SAFE_NO_PAD.encode(bytes))
    }
}

fn hash(bytes: &[u8]) -> Key {
    let hash = blake3::hash(bytes);
    std::array::from_fn(|i| hash.as_bytes()[i])
}
