//! Offline sink: the engine in this process.

use std::{collections::HashMap, path::Path, sync::Arc};

use vitrine::{Collection, Database, Error, Options};
use vitrine_schemas::{CollectionConfig, Event, EventResult, Item, WriteStatus};

use super::{EventSink, Outcomes, Sink, SinkError, Written, missing};

/// Collection of a data directory.
pub struct EngineSink {
    database: Database,
    name: String,
    collection: Option<Arc<Collection>>,
}

impl EngineSink {
    /// Opens or creates the data directory.
    ///
    /// # Errors
    /// The directory is in use, or not a data directory of this version.
    pub fn open(data: &Path, collection: &str, options: Options) -> Result<Self, SinkError> {
        Ok(Self {
            database: Database::open(data, options)?,
            name: collection.to_owned(),
            collection: None,
        })
    }

    fn collection(&self) -> Result<&Collection, SinkError> {
        let missing = || SinkError::Engine(Error::CollectionNotFound(self.name.clone()));
        self.collection.as_deref().ok_or_else(missing)
    }
}

impl Sink for EngineSink {
    fn prepare(&mut self, wanted: &CollectionConfig) -> Result<CollectionConfig, SinkError> {
        let collection = match self.database.collection(&self.name) {
            Ok(there) => match missing(&self.name, &there.config(), wanted)? {
                Some(patch) => self.database.patch_collection(&self.name, patch)?,
                None => there,
            },
            Err(Error::CollectionNotFound(_)) => self
                .database
                .create_collection(&self.name, wanted.clone())?,
            Err(other) => return Err(other.into()),
        };
        let config = (*collection.config()).clone();
        self.collection = Some(collection);
        Ok(config)
    }

    fn hashes(&self, ids: &[String]) -> Result<HashMap<String, String>, SinkError> {
        let mut hashes = HashMap::new();
        for id in ids {
            match self.collection()?.content_hash(id) {
                Ok(Some(hash)) => hashes.insert(id.clone(), hash),
                Ok(None) | Err(Error::ItemNotFound(_)) => None,
                Err(other) => return Err(other.into()),
            };
        }
        Ok(hashes)
    }

    fn write(&mut self, items: Vec<Item>) -> Result<Outcomes, SinkError> {
        let outcomes = self.collection()?.upsert(items)?.into_iter();
        Ok(outcomes
            .map(|outcome| match outcome {
                Ok(WriteStatus::Created) => Ok(Written::Created),
                Ok(WriteStatus::Updated) => Ok(Written::Updated),
                Ok(WriteStatus::Rejected) => Err("rejected".to_owned()),
                Err(error) => Err(error.to_string()),
            })
            .collect())
    }

    fn ids(&self, after: Option<&str>, limit: usize) -> Result<Vec<String>, SinkError> {
        let (page, _) = self.collection()?.scroll(None, limit, after, false)?;
        Ok(page.into_iter().map(|item| item.id).collect())
    }

    fn delete(&mut self, ids: &[String]) -> Result<u64, SinkError> {
        Ok(self.collection()?.delete(ids)?)
    }
}

impl EventSink for EngineSink {
    fn check(&self) -> Result<(), SinkError> {
        self.database.collection(&self.name)?;
        Ok(())
    }

    fn append(&mut self, events: &[Event]) -> Result<Vec<EventResult>, SinkError> {
        Ok(self.database.append_events(events)?)
    }
}
