//! Cache of evaluated filters, shared by searches with the same filter.

use std::sync::Arc;

use parking_lot::Mutex;
use roaring::RoaringBitmap;
use vitrine_schemas::FilterSpec;

use crate::{Error, Result, collection::State, index::CandidateFilter};

/// Capacity of the cache. An entry costs a bit per internal id, 125 kB for a million, and a bit per
/// row if items have variants.
const CACHED_FILTERS: usize = 32;

/// Maximum bytes of the cache of a collection, unless one entry takes more.
const MAX_CACHED_BYTES: u64 = 128 << 20;

/// Matches of a filter.
#[derive(Clone)]
pub(in crate::collection) struct FilterMatches {
    /// Items that match and are not hidden.
    pub items: Arc<CandidateFilter>,
    /// Rows that match; None without a filter, and if no item has variants, so that the rows are
    /// the items.
    pub rows: Option<Arc<RoaringBitmap>>,
}

/// Hash of a filter.
type FilterHash = [u8; 16];

/// Matches by the hash of the filter, the most recently used last. Valid for one state: every write
/// clears it. Filters themselves may be large, and are not kept.
#[derive(Default)]
pub(in crate::collection) struct FilterCache(Mutex<Vec<(FilterHash, FilterMatches)>>);

impl FilterCache {
    /// Removes all entries.
    pub fn clear(&mut self) {
        self.0.get_mut().clear();
    }

    /// Returns the bytes of memory.
    pub fn bytes(&self) -> u64 {
        self.0
            .lock()
            .iter()
            .map(|(_, matches)| matches.bytes())
            .sum()
    }

    fn get(&self, hash: &FilterHash) -> Option<FilterMatches> {
        let mut cached = self.0.lock();
        let place = cached.iter().position(|(h, _)| h == hash)?;
        cached[place..].rotate_left(1);
        cached.last().map(|(_, matches)| matches.clone())
    }

    fn put(&self, hash: FilterHash, matches: FilterMatches) {
        let mut cached = self.0.lock();
        cached.push((hash, matches));
        let mut bytes: u64 = cached.iter().map(|(_, matches)| matches.bytes()).sum();
        while cached.len() > 1 && (cached.len() > CACHED_FILTERS || bytes > MAX_CACHED_BYTES) {
            bytes -= cached.remove(0).1.bytes();
        }
    }
}

impl FilterMatches {
    fn bytes(&self) -> u64 {
        let rows = self.rows.as_ref().map_or(0, |rows| rows.serialized_size());
        self.items.bytes() + rows as u64
    }
}

/// Returns the hash of a filter as JSON.
fn hash_of(filter: Option<&FilterSpec>) -> Result<FilterHash> {
    let mut hasher = blake3::Hasher::new();
    serde_json::to_writer(&mut hasher, &filter).map_err(|e| Error::Storage(e.to_string()))?;
    let mut hash = FilterHash::default();
    hasher.finalize_xof().fill(&mut hash);
    Ok(hash)
}

impl State {
    /// Returns the live internal ids that match and are not hidden.
    pub(in crate::collection) fn visible_matches(
        &self,
        filter: Option<&FilterSpec>,
    ) -> Result<Arc<CandidateFilter>> {
        Ok(self.filtered(filter)?.items)
    }

    /// Returns the matches of a filter.
    pub(in crate::collection) fn filtered(
        &self,
        filter: Option<&FilterSpec>,
    ) -> Result<FilterMatches> {
        let hash = hash_of(filter)?;
        if let Some(cached) = self.filters.get(&hash) {
            return Ok(cached);
        }
        let rows = match filter {
            Some(filter) if self.payload.has_variants() => Some(self.matching_rows(filter)?),
            _ => None,
        };
        let items = match &rows {
            Some(rows) => self.payload.items_of(rows.clone()),
            None => self.matching(filter)?,
        };
        let matches = FilterMatches {
            items: Arc::new(CandidateFilter::from(items - &self.hidden)),
            rows: rows.map(Arc::new),
        };
        self.filters.put(hash, matches.clone());
        Ok(matches)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(items: std::ops::Range<u32>) -> FilterMatches {
        // Every second id, so that a container is a bitmap of 8 KiB.
        let items: RoaringBitmap = items.step_by(2).collect();
        FilterMatches {
            items: Arc::new(CandidateFilter::from(items)),
            rows: None,
        }
    }

    #[test]
    fn the_cache_is_bounded_by_number_and_by_bytes() {
        let hash = |n: u32| hash_of(Some(&FilterSpec::Text(n.to_string()))).expect("a hash");
        let cache = FilterCache::default();
        for n in 0..100 {
            cache.put(hash(n), matches(0..10));
        }
        assert!(cache.get(&hash(99)).is_some() && cache.get(&hash(99 - 32)).is_none());
        assert!(cache.bytes() < 32 * 100);
        // 2^26 ids are 8 MiB.
        let large = matches(0..1 << 26);
        for n in 100..120 {
            cache.put(hash(n), large.clone());
        }
        assert!(cache.bytes() <= MAX_CACHED_BYTES, "{}", cache.bytes());
        assert!(cache.get(&hash(119)).is_some() && cache.get(&hash(100)).is_none());
    }
}
