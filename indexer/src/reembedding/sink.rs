//! Where embedded items go: their vectors alone, to the spaces that their encoders fill.

use std::collections::{BTreeSet, HashMap};

use vitrine_schemas::{CollectionConfig, EmbeddedItem, FillRequest, Item};

use super::{Known, OnTheWay, lock};
use crate::sink::{HttpSink, Outcomes, Sink, SinkError, Written};

/// Items sent at once: some 20 MB of vectors at most.
const AT_ONCE: usize = 500;

/// The space of photos alone.
const PHOTOS: &str = "image";

pub(super) struct FillSink {
    server: HttpSink,
    fingerprint: String,
    spaces: BTreeSet<String>,
    known: OnTheWay,
    pub filled: u64,
    pub stale: u64,
    pub photos_gone: u64,
}

impl FillSink {
    /// Fills `spaces`; the versions of the items are in `known`.
    pub fn new(
        server: HttpSink,
        fingerprint: &str,
        spaces: BTreeSet<String>,
        known: OnTheWay,
    ) -> Self {
        Self {
            server,
            fingerprint: fingerprint.to_owned(),
            spaces,
            known,
            filled: 0,
            stale: 0,
            photos_gone: 0,
        }
    }

    fn vectors_of(&mut self, item: Item) -> Result<EmbeddedItem, String> {
        let known = lock(&self.known).remove(&item.id);
        let Known { version, spaces } = known.ok_or("came back twice")?;
        let mut vectors = item.vectors;
        vectors.retain(|space, _| self.spaces.contains(space));
        if vectors.is_empty() {
            let names: Vec<_> = self.spaces.iter().map(String::as_str).collect();
            return Err(format!("gets no vector in {}", names.join(", ")));
        }
        self.photos_gone +=
            u64::from(item.images.is_empty() && spaces.iter().any(|space| space == PHOTOS));
        Ok(EmbeddedItem {
            id: item.id,
            version,
            vectors,
        })
    }
}

impl Sink for FillSink {
    fn prepare(&mut self, wanted: &CollectionConfig) -> Result<CollectionConfig, SinkError> {
        // The items are stored already: nothing is declared for them.
        let mut config = self.server.info()?.config;
        config.attributes.extend(wanted.attributes.clone());
        Ok(config)
    }

    fn hashes(&self, _ids: &[String]) -> Result<HashMap<String, String>, SinkError> {
        Ok(HashMap::new())
    }

    fn write(&mut self, items: Vec<Item>) -> Result<Outcomes, SinkError> {
        let mut outcomes = Outcomes::with_capacity(items.len());
        let mut sound = Vec::with_capacity(items.len());
        for item in items {
            let embedded = self.vectors_of(item);
            outcomes.push(embedded.map(|item| {
                sound.push(item);
                Written::Updated
            }));
        }
        while !sound.is_empty() {
            let rest = sound.split_off(sound.len().min(AT_ONCE));
            let answer = self.server.fill(&FillRequest {
                fingerprint: self.fingerprint.clone(),
                items: std::mem::replace(&mut sound, rest),
            })?;
            self.filled += answer.filled;
            self.stale += answer.stale;
        }
        Ok(outcomes)
    }
}
