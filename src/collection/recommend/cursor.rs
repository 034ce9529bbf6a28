//! Where a page ended: what was shown so far, and the size of the pool it was taken from.
//!
//! The ranking is made anew for each page, so an item that is bought or hidden between two pages is not in the second;
//! it is made from as many candidates, so without new events the order stays; and what was shown does not come again,
//! whatever happens in between. Shown items are known by 8 bytes of the hash of their ids.

use std::collections::HashSet;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::{Error, Result};

/// Items on all pages together; so a cursor stays below 55 KB.
pub(super) const MOST_SHOWN: usize = 5_000;

/// Candidates of each source, at most.
pub(in super::super) const MOST_COUNT: usize = 10_000;

const FORMAT: u8 = 1;

/// Hash of an id, or of a request.
type Key = [u8; 8];

/// What pages before have to say to the next one.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in super::super) struct Cursor {
    /// Candidates of each source.
    pub count: usize,
    shown: HashSet<Key>,
    /// In the order shown.
    order: Vec<Key>,
}

impl Cursor {
    /// At the start of a request, or where its page before ended. `asked` is what the request asks for, but for the size and
    /// the place of the page.
    ///
    /// # Errors
    /// A cursor that is none, or of another request.
    pub fn of(cursor: Option<&str>, asked: &str, count: usize) -> Result<Self> {
        let Some(text) = cursor else {
            return Ok(Self {
                count,
                ..Self::default()
            });
        };
        let invalid = |detail: &str| Error::invalid("/cursor", detail);
        let none = || invalid("is no cursor: send the `next_cursor` of the page before");
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| none())?;
        let (head, shown) = bytes.split_at_checked(13).ok_or_else(none)?;
        let (format, of, count) = (head[0], &head[1..9], &head[9..13]);
        let count = count
            .try_into()
            .map(u32::from_be_bytes)
            .map_err(|_| none())?;
        let keys = shown.chunks_exact(8);
        if format != FORMAT || !keys.remainder().is_empty() || shown.len() / 8 > MOST_SHOWN {
            return Err(none());
        }
        if of != key(asked.as_bytes()) {
            return Err(invalid(
                "belongs to another request: only `limit` and `cursor` may change from page to page",
            ));
        }
        let order: Vec<Key> = keys.filter_map(|k| k.try_into().ok()).collect();
        Ok(Self {
            count: (count as usize).clamp(1, MOST_COUNT),
            shown: order.iter().copied().collect(),
            order,
        })
    }

    /// Whether an item was on a page before.
    pub fn has_shown(&self, id: &str) -> bool {
        !self.shown.is_empty() && self.shown.contains(&key(id.as_bytes()))
    }

    /// Items shown so far.
    pub fn len(&self) -> u64 {
        self.order.len() as u64
    }

    /// The same after a page with these ids.
    pub fn and<'a>(mut self, ids: impl Iterator<Item = &'a str>) -> Self {
        for id in ids {
            let key = key(id.as_bytes());
            self.shown.insert(key);
            self.order.push(key);
        }
        self
    }

    /// As it is sent; None where too much was shown.
    pub fn encode(&self, asked: &str) -> Option<String> {
        if self.order.len() > MOST_SHOWN {
            return None;
        }
        let mut bytes = vec![FORMAT];
        bytes.extend(key(asked.as_bytes()));
        bytes.extend((self.count as u32).to_be_bytes());
        bytes.extend(self.order.iter().flatten());
        Some(URL_SAFE_NO_PAD.encode(bytes))
    }
}

fn key(bytes: &[u8]) -> Key {
    let hash = blake3::hash(bytes);
    std::array::from_fn(|i| hash.as_bytes()[i])
}
