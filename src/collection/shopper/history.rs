//! Histories: the items that a recommendation starts from, by events or named in the request.

use std::collections::HashMap;

use roaring::RoaringBitmap;
use vitrine_schemas::RecommendRequest;

use crate::{
    behavior::{Activity, Log, Purposes},
    collection::State,
};

/// Number of the latest items of a history whose vectors and categories are used.
pub(in crate::collection) const MAX_RECENT_ITEMS: usize = 20;

/// An item of a history.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::collection) struct HistoryItem {
    /// Item id; the item may be deleted.
    pub id: String,
    /// Weight; below 0 for disliked items.
    pub weight: f32,
}

/// The items that a recommendation starts from.
#[derive(Default)]
pub(in crate::collection) struct History {
    /// Items, the oldest first.
    pub items: Vec<HistoryItem>,
    /// Log id and weight of the items that have events.
    pub logged: Vec<(u32, f32)>,
    /// Internal ids of the items that must not be recommended.
    pub excluded: RoaringBitmap,
}

impl History {
    /// Returns the history of a recommendation request. Items that were shown `max_impressions`
    /// times are excluded.
    pub fn of_request(
        request: &RecommendRequest,
        max_impressions: Option<u32>,
        state: &State,
        log: &Log,
    ) -> Self {
        let (user, session) = (request.user.as_deref(), request.session.as_deref());
        let (mut items, mut excluded) = (WeightedItems::default(), RoaringBitmap::new());
        let ids = state.item_ids(log);
        for activity in activities(user, session, log) {
            items.add_history(&activity, log);
            let shown = activity.shown_at_least(max_impressions.unwrap_or(u32::MAX));
            excluded.extend(shown.filter_map(|item| ids.internal_id(item)));
            let out = excluded_items(&activity, request.exclude_seen, request.exclude_bought);
            excluded.extend(out.filter_map(|item| ids.internal_id(item)));
        }
        let mut exclude = |id: &str| excluded.extend(state.internal_ids.get(id));
        for liked in &request.positives {
            items.add(&liked.id, liked.weight);
            exclude(&liked.id);
        }
        for disliked in &request.negatives {
            items.add(&disliked.id, -disliked.weight);
            exclude(&disliked.id);
        }
        request.exclude.iter().for_each(|id| exclude(id));
        Self {
            excluded,
            ..Self::of_items(items.items, log)
        }
    }

    /// Returns the history of a shopper who searches: only rejected items are excluded.
    pub fn of_shopper(user: Option<&str>, session: Option<&str>, state: &State, log: &Log) -> Self {
        let (mut items, mut excluded) = (WeightedItems::default(), RoaringBitmap::new());
        let ids = state.item_ids(log);
        for activity in activities(user, session, log) {
            items.add_history(&activity, log);
            let rejected = activity.rejected.iter();
            excluded.extend(rejected.filter_map(|item| ids.internal_id(item)));
        }
        Self {
            excluded,
            ..Self::of_items(items.items, log)
        }
    }

    /// Returns the history of weighted items; nothing is excluded.
    pub fn of_items(items: Vec<HistoryItem>, log: &Log) -> Self {
        let logged = |item: &HistoryItem| Some((log.number(&item.id)?, item.weight));
        Self {
            logged: items.iter().filter_map(logged).collect(),
            items,
            excluded: RoaringBitmap::new(),
        }
    }

    /// Returns the liked items, the latest first.
    pub fn liked(&self) -> impl Iterator<Item = &HistoryItem> {
        self.items.iter().rev().filter(|item| item.weight > 0.0)
    }

    /// Returns the evidence of the history: the number of its items that have events.
    pub fn evidence(&self) -> f32 {
        self.logged.len() as f32
    }
}

/// Items by id with summed weights, in the order of their first addition.
#[derive(Default)]
struct WeightedItems {
    offsets: HashMap<String, usize>,
    items: Vec<HistoryItem>,
}

impl WeightedItems {
    fn add(&mut self, id: &str, weight: f32) {
        if let Some(offset) = self.offsets.get(id) {
            self.items[*offset].weight += weight;
            return;
        }
        self.offsets.insert(id.to_owned(), self.items.len());
        self.items.push(HistoryItem {
            id: id.to_owned(),
            weight,
        });
    }

    fn add_history(&mut self, activity: &Activity, log: &Log) {
        for (item, weight) in activity.history() {
            self.add(log.name(item), weight);
        }
    }
}

/// Returns the activities of a user and of a session; none if the user refuses recommendations.
fn activities(
    user: Option<&str>,
    session: Option<&str>,
    log: &Log,
) -> impl Iterator<Item = Activity> {
    let purpose = Purposes::RECOMMENDATIONS;
    let session = session.filter(|_| log.permits(user, session, purpose));
    let user = user.and_then(|user| log.user(user, purpose));
    let session = session.and_then(|session| log.session(session, purpose));
    user.into_iter().chain(session)
}

/// Returns the log ids of the rejected items and, where requested, of the seen or bought ones.
fn excluded_items(activity: &Activity, seen: bool, bought: bool) -> impl Iterator<Item = u32> + '_ {
    let touches = activity.touches.iter();
    let out = touches.filter(move |t| seen || (bought && t.bought));
    out.map(|t| t.item).chain(&activity.rejected)
}
