//! Sink of embedded items: only their vectors are sent, to the spaces that their encoders fill.

use std::collections::{BTreeSet, HashMap};

use vitrine_schemas::{CollectionConfig, EmbeddedItem, FillRequest, Item};

use super::{InFlight, ItemState, lock};
use crate::sink::{HttpSink, Outcomes, Sink, SinkError, Written};

/// Number of items sent at once: at most about 20 MB of vectors.
const BATCH: usize = 500;

/// Space of images alone.
const IMAGES: &str = "image";

pub(super) struct FillSink {
    server: HttpSink,
    fingerprint: String,
    spaces: BTreeSet<String>,
    in_flight: InFlight,
    pub filled: u64,
    pub stale: u64,
    pub images_gone: u64,
}

impl FillSink {
    /// Creates a sink that fills `spaces`; the versions of the items are in `in_flight`.
    pub fn new(
        server: HttpSink,
        fingerprint: &str,
        spaces: BTreeSet<String>,
        in_flight: InFlight,
    ) -> Self {
        Self {
            server,
            fingerprint: fingerprint.to_owned(),
            spaces,
            in_flight,
            filled: 0,
            stale: 0,
            images_gone: 0,
        }
    }

    fn vectors_of(&mut self, item: Item) -> Result<EmbeddedItem, String> {
        let in_flight = lock(&self.in_flight).remove(&item.id);
        let ItemState { version, spaces } = in_flight.ok_or("was returned twice")?;
        let mut vectors = item.vectors;
        vectors.retain(|space, _| self.spaces.contains(space));
        if vectors.is_empty() {
            let names: Vec<_> = self.spaces.iter().map(String::as_str).collect();
            return Err(format!("has no vector in {}", names.join(", ")));
        }
        self.images_gone +=
            u64::from(item.images.is_empty() && spaces.iter().any(|space| space == IMAGES));
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
        let mut embedded_items = Vec::with_capacity(items.len());
        for item in items {
            let embedded = self.vectors_of(item);
            outcomes.push(embedded.map(|item| {
                embedded_items.push(item);
                Written::Updated
            }));
        }
        while !embedded_items.is_empty() {
            let rest = embedded_items.split_off(embedded_items.len().min(BATCH));
            let answer = self.server.fill(&FillRequest {
                fingerprint: self.fingerprint.clone(),
                items: std::mem::replace(&mut embedded_items, rest),
            })?;
            self.filled += answer.filled;
            self.stale += answer.stale;
        }
        Ok(outcomes)
    }

    fn ids(&self, _after: Option<&str>, _limit: usize) -> Result<Vec<String>, SinkError> {
        // A re-embedding neither adds nor removes items.
        Ok(Vec::new())
    }

    fn delete(&mut self, _ids: &[String]) -> Result<u64, SinkError> {
        Ok(0)
    }
}
