//! Filters that were evaluated lately, so that searches with the same one share what it matches.

use std::sync::Arc;

use parking_lot::Mutex;
use vitrine_schemas::FilterSpec;

use super::State;
use crate::{Result, index::Allowed};

/// Filters remembered. One costs a bit for each number given out, an eighth of a megabyte for a million.
const REMEMBERED: usize = 32;

/// What filters match, the ones used last at the end. Holds for one state: whatever changes it forgets them all.
#[derive(Default)]
pub(super) struct Filters(Mutex<Vec<(Option<FilterSpec>, Arc<Allowed>)>>);

impl Filters {
    /// Forgets all.
    pub fn clear(&mut self) {
        self.0.get_mut().clear();
    }

    fn get(&self, filter: Option<&FilterSpec>) -> Option<Arc<Allowed>> {
        let mut known = self.0.lock();
        let place = known.iter().position(|(f, _)| f.as_ref() == filter)?;
        known[place..].rotate_left(1);
        known.last().map(|(_, allowed)| allowed.clone())
    }

    fn put(&self, filter: Option<&FilterSpec>, allowed: Arc<Allowed>) {
        let mut known = self.0.lock();
        if known.len() == REMEMBERED {
            known.remove(0);
        }
        known.push((filter.cloned(), allowed));
    }
}

impl State {
    /// Live numbers that match and are not hidden.
    pub(super) fn allowed(&self, filter: Option<&FilterSpec>) -> Result<Arc<Allowed>> {
        if let Some(known) = self.filters.get(filter) {
            return Ok(known);
        }
        let allowed = Arc::new(Allowed::from(self.matching(filter)? - &self.hidden));
        self.filters.put(filter, allowed.clone());
        Ok(allowed)
    }
}
