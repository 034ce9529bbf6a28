//! A collection: records on disk, indexes in memory, one writer at a time.
//!
//! Every version of an item has a number of its own. Vectors enter the index under a number nobody can see yet;
//! a write becomes visible in one step, under the state's lock, after the store returned `Ok`; until then, answers have the records
//! as they were. Old numbers just stop being live. Validation is in `schema`, changes in `writer`, plain reads in `reader`, nearest neighbours in `search`.

mod acting;
mod canary;
mod centred;
mod cross;
mod dialogue;
mod diversify;
mod filters;
mod find;
mod footprint;
mod kinds;
mod lexical;
mod maintain;
mod map;
mod open;
mod page;
mod reader;
mod recommend;
mod reembedding;
mod schema;
mod search;
mod settings;
mod similar;
mod space_set;
mod state_file;
mod stats;
mod understand;
mod widen;
mod words;
mod writer;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, atomic::AtomicBool},
    time::Instant,
};

use parking_lot::{Mutex, RwLock};
use roaring::RoaringBitmap;
use vitrine_schemas::{BehaviorInfo, CollectionConfig, Event, Item, ModelInfo, ModelsResponse};

use crate::{
    Clock, Result,
    behaviour::Behaviour,
    bounds::Gauge,
    events::Who,
    index::{Progress, SpaceIndex},
    lexical::LexicalIndex,
    payload::PayloadIndex,
    query::blend::BlendModel,
    storage::{Placement, SegmentList, Store},
};

use self::{canary::Canary, settings::Settings};
pub(crate) use schema::{check_config, check_name, rfc3339_micros};
pub use settings::Setting;
pub use stats::Stats;

/// A collection of items.
pub struct Collection {
    name: String,
    id: u32,
    store: Arc<Store>,
    gauge: Arc<Gauge>,
    state: RwLock<State>,
    writer: Mutex<Writer>,
    segments: Mutex<SegmentList>,
    /// Held while indexes are sealed, and while they are merged.
    sealing: Mutex<()>,
    merging: Mutex<()>,
    /// Parts of indexes being made.
    builds: RwLock<Vec<Arc<Build>>>,
    closing: AtomicBool,
    behaviour: Behaviour,
    canary: Canary,
    lexical: LexicalIndex,
    kinds: kinds::Kinds,
    /// What its shop wants.
    settings: Settings,
    clock: Clock,
    /// What was learned about how sources are joined.
    blend: RwLock<Option<Arc<BlendModel>>>,
}

/// A part of an index being made.
struct Build {
    space: String,
    progress: Progress,
    vectors: u64,
    /// Bytes of memory it takes, about.
    bytes: u64,
}

/// What only the writer touches.
struct Writer {
    next: u32,
    /// Writes so far, and when the last one was.
    writes: u64,
    written: Instant,
    /// Writes that the file of the state knows of.
    saved: Option<u64>,
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
    /// Where their vectors are stored.
    placement: Placement,
    /// While a re-embedding is under way: numbers of items that cannot be embedded for them; some may be dead.
    left_out: RoaringBitmap,
    /// The set of spaces that is not in use, while a re-embedding is under way.
    other: Option<space_set::Other>,
    filters: filters::Filters,
    words: understand::Words,
    /// Records whose next version is being stored, or that are being deleted, as they are until it is done.
    outgoing: HashMap<String, (u32, Item)>,
    /// Bytes of all ids.
    id_bytes: u64,
}

impl State {
    fn add(&mut self, number: u32, item: &Item) {
        self.filters.clear();
        self.words.clear();
        self.id_bytes += item.id.len() as u64;
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
        self.words.clear();
        self.numbers.remove(&item.id);
        if let Some(id) = self.ids.remove(&number) {
            self.id_bytes -= id.len() as u64;
        }
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
        self.view().space(space)
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
        if self.behaviour.learn_of(event, micros) {
            self.report();
        }
    }

    /// Removes events that are too old, and trains where enough is new; whether it did anything.
    pub(crate) fn maintain_behaviour(&self) -> Result<bool> {
        let changed = self.behaviour.maintain()?;
        if changed {
            self.report();
        }
        Ok(changed)
    }

    /// The time before which events are not kept, microseconds since 1970.
    pub(crate) fn events_from(&self) -> Option<i64> {
        self.behaviour.horizon()
    }

    /// Erases a user or a visit, how many events there were. No event may be stored meanwhile.
    pub(crate) fn erase(&self, who: &Who) -> Result<u64> {
        self.behaviour.erase(who)
    }

    /// Whether there is an item.
    pub(crate) fn has_item(&self, id: &str) -> bool {
        self.state.read().numbers.contains_key(id)
    }

    /// The trained models, the newest first.
    pub fn models(&self) -> ModelsResponse {
        self.behaviour.models()
    }

    /// Answers by another stored model from now on, until the next training.
    ///
    /// # Errors
    /// There is none of this version.
    pub fn activate_model(&self, version: u64) -> Result<ModelInfo> {
        self.behaviour.activate(version)
    }

    /// What of the events is in memory.
    pub(crate) fn behaviour_info(&self) -> BehaviorInfo {
        self.behaviour.info()
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    pub(crate) fn id(&self) -> u32 {
        self.id
    }
}
