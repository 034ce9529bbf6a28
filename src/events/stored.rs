//! What is stored of one user or one visit, given out whole.

use std::sync::Arc;

use vitrine_schemas::Event;

use super::Who;
use crate::{Collection, Result, storage::EventRef};

/// Events read in one step.
const STEP: usize = 500;

/// The events of a user or a visit in some collections, read step by step.
pub struct StoredEvents {
    who: Who,
    /// Those to come, the next one last.
    collections: Vec<Arc<Collection>>,
    after: Option<EventRef>,
}

impl StoredEvents {
    /// What these collections have of them.
    ///
    /// # Errors
    /// The name is empty or too long.
    pub fn new(who: Who, mut collections: Vec<Arc<Collection>>) -> Result<Self> {
        who.check()?;
        collections.reverse();
        Ok(Self {
            who,
            collections,
            after: None,
        })
    }

    /// The next events, by collection the oldest first; none at the end.
    ///
    /// # Errors
    /// The store failed.
    pub fn step(&mut self) -> Result<Option<Vec<Event>>> {
        while let Some(collection) = self.collections.last() {
            let found = collection.store().listed_events(
                collection.id(),
                self.who.listing(),
                self.who.name(),
                self.after,
                STEP,
            )?;
            self.after = found.last().map(|(at, _)| *at);
            if self.after.is_some() {
                return Ok(Some(found.into_iter().map(|(_, event)| event).collect()));
            }
            self.collections.pop();
        }
        Ok(None)
    }
}
