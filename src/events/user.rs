//! What is stored of one user: given out whole, or erased.

use std::sync::Arc;

use vitrine_schemas::Event;

use super::check_user;
use crate::{
    Collection, Result,
    storage::{EventRef, Listing},
};

/// Events read in one step.
const STEP: usize = 500;

/// The events of a user in some collections, read step by step.
pub struct UserEvents {
    user: String,
    /// Those to come, the next one last.
    collections: Vec<Arc<Collection>>,
    after: Option<EventRef>,
}

impl UserEvents {
    /// Of a user in these collections.
    ///
    /// # Errors
    /// The name of the user is empty or too long.
    pub fn new(user: &str, mut collections: Vec<Arc<Collection>>) -> Result<Self> {
        check_user(user)?;
        collections.reverse();
        Ok(Self {
            user: user.to_owned(),
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
                Listing::User,
                &self.user,
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
