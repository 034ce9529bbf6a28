//! A collection: records on disk, indexes in memory, one writer at a time.
//!
//! Every version of an item has a number of its own. Vectors enter the index under a number nobody can see yet;
//! a write becomes visible in one step, under the state's lock, after the store returned `Ok`. Old numbers just stop
//! being live. Validation is in `schema`, changes in `writer`, plain reads in `reader`, nearest neighbours in `search`.

mod filters;
mod maintain;
mod open;
mod reader;
mod recommend;
mod schema;
mod search;
mod stats;
mod writer;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, atomic::AtomicBool},
};

use parking_lot::{Mutex, RwLock};
use roaring::RoaringBitmap;
use vitrine_schemas::{CollectionConfig, Event, Item};

use crate::{
    Error, Result,
    behaviour::Behaviour,
    index::{Progress, SpaceIndex},
    payload::PayloadIndex,
    storage::{SegmentList, Store},
};

pub(crate) use schema::{check_config, check_name, rfc3339_micros};
pub use stats::Stats;

/// A collection of items.
pub struct Collection {
    name: String,
    id: u32,
    store: Arc<Store>,
    state: RwLock<State>,
    writer: Mutex<Writer>,
    /// Held while the indexes are sealed or merged.
    segments: Mutex<SegmentList>,
    /// Parts of indexes being made, by space, with the number of their vectors.
    building: RwLock<BTreeMap<String, (Arc<Progress>, u64)>>,
    closing: AtomicBool,
    behaviour: Behaviour,
}

/// What only the writer touches.
struct Writer {
    next: u32,
    dropped: bool,
}

/// What readers see.
struct State {
    config: Arc<CollectionConfig>,
    numbers: BTreeMap<String, u32>,
    ids: HashMap<u32, String>,
    live: RoaringBitmap,
    hidden: RoaringBitmap,
    categories: HashMap<String, RoaringBitmap>,
    payload: PayloadIndex,
    spaces: BTreeMap<String, Arc<SpaceIndex>>,
    filters: filters::Filters,
}

impl State {
    fn add(&mut self, number: u32, item: &Item) {
        self.filters.clear();
        self.numbers.insert(item.id.clone(), number);
        self.ids.insert(number, item.id.clone());
        self.live.insert(number);
        if item.hidden {
            self.hidden.insert(number);
        }
        if let Some(category) = &item.category {
            let numbers = self.categories.entry(category.clone()).or_default();
            numbers.insert(number);
        }
        self.payload.insert(number, item);
    }

    fn remove(&mut self, number: u32, item: &Item) {
        self.filters.clear();
        self.numbers.remove(&item.id);
        self.ids.remove(&number);
        self.live.remove(number);
        self.hidden.remove(number);
        if let Some(category) = &item.category
            && let Some(numbers) = self.categories.get_mut(category)
        {
            numbers.remove(number);
            if numbers.is_empty() {
                self.categories.remove(category);
            }
        }
        self.payload.remove(number, item);
    }

    fn space(&self, space: &str) -> Result<&Arc<SpaceIndex>> {
        self.spaces.get(space).ok_or_else(|| {
            let known: Vec<_> = self.spaces.keys().map(String::as_str).collect();
            Error::invalid(
                "/space",
                format!("no vector space `{space}`; there are: {}", known.join(", ")),
            )
        })
    }
}

impl Collection {
    /// Its real name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its schema.
    pub fn config(&self) -> Arc<CollectionConfig> {
        self.state.read().config.clone()
    }

    /// Takes a stored event in.
    pub(crate) fn learn_of(&self, event: &Event, micros: i64) {
        self.behaviour.log.write().add(event, micros);
    }

    /// Trains the models of behaviour where enough is new; whether it did.
    pub(crate) fn train_if_due(&self) -> Result<bool> {
        self.behaviour.train_if_due()
    }

    pub(crate) fn id(&self) -> u32 {
        self.id
    }
}
