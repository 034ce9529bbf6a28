//! Items with few events, mapped to items with similar vectors and enough events.

use std::sync::Arc;

use roaring::RoaringBitmap;
use vitrine_schemas::Metric;

use crate::{
    Result,
    behavior::{Log, Model},
    cf::{ContentMap, ContentMapOptions, ENOUGH_EVENTS, Scored},
    collection::{ItemIds, State, shopper::content::space_of},
    distance,
    index::{CandidateFilter, SearchParams, SpaceIndex},
};

/// Maximum number of mapped items, the newest: bounds the time of a request and the memory, about
/// 8 MiB.
const MAX_ITEMS: usize = 20_000;

/// Number of items that are mapped at first, so that later ones find room.
const MAX_FIRST_ITEMS: usize = MAX_ITEMS / 2;

/// Items that are examined for each one that may be mapped.
const EXAMINED_PER_ITEM: usize = 16;

/// Number of written items after which all are mapped anew: a share of all, and at least this.
const MAX_WRITTEN_SHARE: f64 = 0.1;
const MIN_WRITTEN: u32 = 1_000;

/// Cold items by internal id, mapped to items of the event log, for one training and one index.
pub(super) struct MappedItems {
    version: u64,
    index: Arc<SpaceIndex>,
    metric: Metric,
    /// Items with enough events when the map was begun.
    enough: CandidateFilter,
    pub map: ContentMap,
    /// Internal id from which on items are not examined yet.
    next: u32,
    /// Internal id from which on so much is written that the map is outdated.
    end: u32,
}

/// Similar items of some cold items, each with its cosine.
pub(super) struct Found {
    version: u64,
    items: Vec<(u32, Vec<Scored>)>,
    /// Internal ids that were examined: from the first up to the second.
    from: u32,
    next: u32,
    /// True if there are more items to examine.
    pub has_more: bool,
}

impl MappedItems {
    /// Begins to map the cold items of a collection; None without vectors or without items that
    /// have enough events.
    pub fn new(ids: ItemIds<'_>, model: &Model) -> Result<Option<Self>> {
        let state = ids.state;
        let Some(space) = space_of(state, None)? else {
            return Ok(None);
        };
        let metric = state.config.vectors.get(space).map(|space| space.metric);
        let enough = items_with_enough_events(ids);
        let (Some(metric), false) = (metric, enough.is_empty()) else {
            return Ok(None);
        };
        let newest = state.live.iter().rev();
        let mut newest = newest.filter(|item| is_cold(*item, ids));
        let written = state.live.max().map_or(0, |max| max + 1);
        let room = (state.live.len() as f64 * MAX_WRITTEN_SHARE) as u32;
        Ok(Some(Self {
            version: model.info().version,
            index: state.space(space)?.clone(),
            metric,
            enough: enough.into(),
            map: ContentMap::new(ContentMapOptions::default()),
            next: newest.nth(MAX_FIRST_ITEMS - 1).unwrap_or(0),
            end: written.saturating_add(room.max(MIN_WRITTEN)),
        }))
    }

    /// Returns true if the map is of this model and of the present index, and most items are those
    /// that it was begun with.
    pub fn is_current(&self, state: &State, model: &Model) -> bool {
        let index = space_of(state, None).ok().flatten();
        let index = index.and_then(|space| state.spaces.get(space));
        self.version == model.info().version
            && index.is_some_and(|index| Arc::ptr_eq(index, &self.index))
            && !self.is_full()
            && state.live.max().is_none_or(|max| max < self.end)
    }

    /// Returns true if no more items are mapped.
    pub fn is_full(&self) -> bool {
        self.map.len() >= MAX_ITEMS
    }

    /// Searches the similar items of at most `limit` cold items that are not mapped yet.
    pub fn find(&self, ids: ItemIds<'_>, limit: usize) -> Result<Found> {
        let mut found = Found {
            version: self.version,
            items: Vec::new(),
            from: self.next,
            next: self.next,
            has_more: false,
        };
        let examined = EXAMINED_PER_ITEM * limit;
        for (item, count) in ids.state.live.range(self.next..).zip(0..) {
            if found.items.len() == limit || count == examined {
                found.has_more = true;
                break;
            }
            found.next = item + 1;
            if !is_cold(item, ids) {
                continue;
            }
            if let Some(vector) = self.index.vector(item) {
                found.items.push((item, self.similar(&vector, ids)?));
            }
        }
        Ok(found)
    }

    /// Returns the nearest items with enough events by their ids in the log.
    fn similar(&self, vector: &[f32], ids: ItemIds<'_>) -> Result<Vec<Scored>> {
        let params = SearchParams {
            k: ContentMapOptions::default().neighbors,
            filter: Some(&self.enough),
            ..SearchParams::default()
        };
        let (near, _) = self.index.search(vector, &params)?;
        let scored = near.iter().filter_map(|near| {
            Some(Scored {
                item: ids.log_id(near.id)?,
                score: similarity(self.metric, near.distance),
            })
        });
        Ok(scored.collect())
    }

    /// Adds what was found, unless it was found for another map or would leave out items.
    pub fn insert(&mut self, found: &Found) {
        if found.version != self.version || found.from > self.next {
            return;
        }
        for (item, similar) in &found.items {
            self.map.insert(*item, similar);
        }
        self.next = self.next.max(found.next);
    }

    /// Returns the approximate bytes of memory.
    pub fn bytes(&self) -> u64 {
        self.map.memory() as u64 + self.enough.bytes()
    }
}

impl Found {
    /// Returns true if nothing was examined.
    pub fn is_empty(&self) -> bool {
        self.next == self.from
    }
}

/// Returns the number of events with an item of the log.
pub(super) fn events(item: u32, log: &Log) -> f32 {
    log.daily.count(item) as f32
}

fn is_cold(item: u32, ids: ItemIds<'_>) -> bool {
    let logged = ids.log_id(item);
    logged.is_none_or(|logged| u64::from(ids.log.daily.count(logged)) < ENOUGH_EVENTS)
}

fn items_with_enough_events(ids: ItemIds<'_>) -> RoaringBitmap {
    let logged = 0..ids.log.names().len() as u32;
    let enough = logged.filter(|item| u64::from(ids.log.daily.count(*item)) >= ENOUGH_EVENTS);
    enough.filter_map(|item| ids.internal_id(item)).collect()
}

/// Returns the similarity at a distance, at most 1.
fn similarity(metric: Metric, distance: f32) -> f32 {
    let score = distance::score(metric, distance);
    match metric {
        Metric::Cosine | Metric::L2 => score,
        Metric::Dot => 1.0 / (1.0 + (-score).exp()),
    }
}
