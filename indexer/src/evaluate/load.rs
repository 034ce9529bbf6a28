//! Where a data set comes from: an event file, or the events and items of a collection.

use std::path::Path;

use vitrine::{Collection, Database, event_weight};
use vitrine_schemas::{Event, FilterSpec};

use super::{Dataset, EvaluateError};
use crate::{
    events::{micros, person},
    source::{
        SourceError,
        events::{EventRecord, Fault},
    },
};

/// Items read at a time.
const PAGE: usize = 1000;

impl Dataset {
    /// Behaviour in an event file; what cannot be read goes to `refuse` with its line.
    ///
    /// # Errors
    /// The file breaks off.
    pub fn from_records(
        source: &Path,
        records: impl Iterator<Item = Result<EventRecord, SourceError>>,
        refuse: &mut dyn FnMut(u64, &Fault),
    ) -> Result<Self, SourceError> {
        let mut data = Self::new(source.display().to_string());
        for record in records {
            let EventRecord { line, event, .. } = record?;
            let timed = event.and_then(|event| Ok((micros(&event)?, event)));
            match timed {
                Ok((at, event)) => data.take(&event, at),
                Err(fault) => {
                    refuse(line, &fault);
                    data.refused += 1;
                }
            }
        }
        Ok(data)
    }

    /// Behaviour stored for a collection.
    ///
    /// # Errors
    /// The storage fails.
    pub fn from_collection(collection: &Collection) -> Result<Self, EvaluateError> {
        let mut data = Self::new(format!("collection {}", collection.name()));
        collection.visit_events(|at, event| data.take(&event, Some(at)))?;
        Ok(data)
    }

    /// Takes in the items of a collection: category, and vector in `space` or, without one, in `shared` or the only
    /// space there is.
    ///
    /// # Errors
    /// There is no such space; the storage fails.
    pub fn describe_from(
        &mut self,
        database: &Database,
        collection: &str,
        space: Option<&str>,
    ) -> Result<(), EvaluateError> {
        let spaces = database.info(collection)?.config.vectors;
        let collection = database.collection(collection)?;
        let space = match space {
            Some(space) if !spaces.contains_key(space) => {
                return Err(EvaluateError::UnknownSpace {
                    space: space.to_owned(),
                    known: spaces.into_keys().collect::<Vec<_>>().join(", "),
                });
            }
            Some(space) => Some(space.to_owned()),
            None if spaces.contains_key("shared") => Some("shared".to_owned()),
            None if spaces.len() == 1 => spaces.into_keys().next(),
            None => None,
        };
        let mut cursor = None;
        loop {
            let (page, next) = collection.scroll(
                None::<&FilterSpec>,
                PAGE,
                cursor.as_deref(),
                space.is_some(),
            )?;
            self.describe(page.into_iter().map(|mut item| {
                let vector = space.as_ref().and_then(|space| item.vectors.remove(space));
                (item.id, item.category, vector)
            }));
            match next {
                Some(next) => cursor = Some(next),
                None => return Ok(()),
            }
        }
    }

    /// An event of a user, or of a visit without one.
    fn take(&mut self, event: &Event, at: Option<i64>) {
        let Some(person) = person(event) else {
            return;
        };
        let weight = event_weight(event);
        self.untimed += usize::from(at.is_none());
        for item in &event.items {
            self.add(&person, item, weight, at.unwrap_or(0));
        }
    }
}
