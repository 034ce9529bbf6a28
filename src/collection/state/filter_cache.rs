//! Cache of evaluated filters, shared by searches with the same filter.

use std::sync::Arc;

use parking_lot::Mutex;
use vitrine_schemas::FilterSpec;

use crate::{Result, collection::State, index::CandidateFilter};

/// Capacity of the cache. An entry costs a bit per internal id, 125 kB for a million.
const CACHED_FILTERS: usize = 32;

/// Matches by filter, the most recently used last. Valid for one state: every write clears it.
#[derive(Default)]
pub(in crate::collection) struct FilterCache(
    Mutex<Vec<(Option<FilterSpec>, Arc<CandidateFilter>)>>,
);

impl FilterCache {
    /// Removes all entries.
    pub fn clear(&mut self) {
        self.0.get_mut().clear();
    }

    fn get(&self, filter: Option<&FilterSpec>) -> Option<Arc<CandidateFilter>> {
        let mut cached = self.0.lock();
        let place = cached.iter().position(|(f, _)| f.as_ref() == filter)?;
        cached[place..].rotate_left(1);
        cached.last().map(|(_, allowed)| allowed.clone())
    }

    fn put(&self, filter: Option<&FilterSpec>, allowed: Arc<CandidateFilter>) {
        let mut cached = self.0.lock();
        if cached.len() == CACHED_FILTERS {
            cached.remove(0);
        }
        cached.push((filter.cloned(), allowed));
    }
}

impl State {
    /// Returns the live internal ids that match and are not hidden.
    pub(in crate::collection) fn allowed(
        &self,
        filter: Option<&FilterSpec>,
    ) -> Result<Arc<CandidateFilter>> {
        if let Some(cached) = self.filters.get(filter) {
            return Ok(cached);
        }
        let allowed = Arc::new(CandidateFilter::from(self.matching(filter)? - &self.hidden));
        self.filters.put(filter, allowed.clone());
        Ok(allowed)
    }
}
