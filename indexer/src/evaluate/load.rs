//! Loading of a data set: from an event file, or from the events and items of a collection.

use std::path::Path;

use vitrine::{Collection, Database, event_weight};
use vitrine_schemas::{Event, FilterSpec};

use super::{Dataset, EvaluateError};
use crate::{
    events::{micros, user_of},
    source::{
        SourceError,
        events::{EventRecord, FieldError},
    },
};

/// Number of items read at a time.
const PAGE: usize = 1000;

impl Dataset {
    /// Reads the interactions of an event file; records that cannot be read are passed to `refuse`
    /// with their line.
    ///
    /// # Errors
    /// The file is truncated.
    pub fn from_records(
        source: &Path,
        records: impl Iterator<Item = Result<EventRecord, SourceError>>,
        refuse: &mut dyn FnMut(u64, &FieldError),
    ) -> Result<Self, SourceError> {
        let mut data = Self::new(source.display().to_string());
        for record in records {
            let EventRecord { line, event, .. } = record?;
            let timed = event.and_then(|event| Ok((micros(&event)?, event)));
            match timed {
                Ok((at, event)) => data.take(&event, at),
                Err(error) => {
                    refuse(line, &error);
                    data.refused += 1;
                }
            }
        }
        Ok(data)
    }

    /// Reads the interactions stored for a collection.
    ///
    /// # Errors
    /// The storage fails.
    pub fn from_collection(collection: &Collection) -> Result<Self, EvaluateError> {
        let mut data = Self::new(format!("collection {}", collection.name()));
        collection.for_each_event(|at, event| data.take(&event, Some(at)))?;
        Ok(data)
    }

    /// Adds the items of a collection: category, and vector in `space` or, without one, in `shared`
    /// or the only space.
    ///
    /// # Errors
    /// The space does not exist; the storage fails.
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

    /// Adds an event of a user, or of a session without one.
    fn take(&mut self, event: &Event, at: Option<i64>) {
        let Some(user) = user_of(event) else {
            return;
        };
        let weight = event_weight(event);
        self.untimed += usize::from(at.is_none());
        for item in &event.items {
            self.add(&user, item, weight, at.unwrap_or(0));
        }
    }
}
