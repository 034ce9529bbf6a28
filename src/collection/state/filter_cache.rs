//! Cache of evaluated filters, shared by searches with the same filter.

use std::sync::Arc;

use parking_lot::Mutex;
use roaring::RoaringBitmap;
use vitrine_schemas::FilterSpec;

use crate::{Result, collection::State, index::CandidateFilter};

/// Capacity of the cache. An entry costs a bit per internal id, 125 kB for a million, and a bit per
/// row if items have variants.
const CACHED_FILTERS: usize = 32;

/// Matches of a filter.
#[derive(Clone)]
pub(in crate::collection) struct FilterMatches {
    /// Items that match and are not hidden.
    pub items: Arc<CandidateFilter>,
    /// Rows that match; None without a filter, and if no item has variants, so that the rows are
    /// the items.
    pub rows: Option<Arc<RoaringBitmap>>,
}

/// Matches by filter, the most recently used last. Valid for one state: every write clears it.
#[derive(Default)]
pub(in crate::collection) struct FilterCache(Mutex<Vec<(Option<FilterSpec>, FilterMatches)>>);

impl FilterCache {
    /// Removes all entries.
    pub fn clear(&mut self) {
        self.0.get_mut().clear();
    }

    fn get(&self, filter: Option<&FilterSpec>) -> Option<FilterMatches> {
        let mut cached = self.0.lock();
        let place = cached.iter().position(|(f, _)| f.as_ref() == filter)?;
        cached[place..].rotate_left(1);
        cached.last().map(|(_, matches)| matches.clone())
    }

    fn put(&self, filter: Option<&FilterSpec>, matches: FilterMatches) {
        let mut cached = self.0.lock();
        if cached.len() == CACHED_FILTERS {
            cached.remove(0);
        }
        cached.push((filter.cloned(), matches));
    }
}

impl State {
    /// Returns the live internal ids that match and are not hidden.
    pub(in crate::collection) fn allowed(
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
        if let Some(cached) = self.filters.get(filter) {
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
        self.filters.put(filter, matches.clone());
        Ok(matches)
    }
}
