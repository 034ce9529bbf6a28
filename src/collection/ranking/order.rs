//! Explicit order of items by field values, popularity, relevance or time of writing.
//!
//! Keys are applied one after the other: the first one divides the items into groups of the same
//! value, the next one orders each group, and ids order what is still tied. Only as many groups are
//! looked at as the page needs. A position in the order consists of the values of an item and its
//! id, so that a cursor stays valid while other items are written.

mod keys;

use std::{collections::HashMap, ops::Bound, sync::Arc};

use parking_lot::RwLockReadGuard;
use roaring::RoaringBitmap;
use vitrine_schemas::SortSpec;

use self::keys::{Key, Property, resolve};
pub(in crate::collection) use self::keys::{KeysetPosition, check, uses_relevance};
use crate::{
    Result,
    behavior::{Log, Popular},
    collection::{Collection, State},
    payload::{Group, SortValue, ValueOrder, float_key},
};

/// An order of the items of a collection.
pub(in crate::collection) struct ItemOrder<'a> {
    state: &'a State,
    keys: Vec<Key>,
    log: RwLockReadGuard<'a, Log>,
    /// Popular items of the trained model.
    popular: Option<Arc<Popular>>,
    /// Rows of variants that items are sorted by; None for all.
    rows: Option<&'a RoaringBitmap>,
    /// Scores of the query by internal id.
    scores: HashMap<u32, f32>,
}

impl Collection {
    /// Returns the order that a request asks for; without keys, popularity if there are events,
    /// then `created_at`, then the time of writing, the greatest first. `scores` are those of the
    /// query, `rows` the variants that match (None: all).
    pub(in crate::collection) fn item_order<'a>(
        &'a self,
        state: &'a State,
        sort: &[SortSpec],
        scores: Option<HashMap<u32, f32>>,
        rows: Option<&'a RoaringBitmap>,
    ) -> Result<ItemOrder<'a>> {
        let mut keys = resolve(sort, state, scores.is_some())?;
        // Recursive: the profile of a search holds the log already, and a writer that waits for
        // both would wait forever.
        let log = self.behavior.log.read_recursive();
        if keys.is_empty() {
            let popularity = (!log.names().is_empty()).then_some(Property::Popularity);
            let created = Property::Field("created_at".to_owned());
            let properties = popularity
                .into_iter()
                .chain([created, Property::WriteOrder]);
            keys.extend(properties.map(|property| Key {
                property,
                order: ValueOrder::Descending,
            }));
        }
        Ok(ItemOrder {
            state,
            keys,
            log,
            popular: self.behavior.model().map(|model| model.popular()),
            rows,
            scores: scores.unwrap_or_default(),
        })
    }
}

impl ItemOrder<'_> {
    /// Returns the first `count` of some items after a position.
    pub fn first(
        &self,
        items: &RoaringBitmap,
        after: Option<&KeysetPosition>,
        count: usize,
    ) -> Vec<u32> {
        let after = after.filter(|position| position.values.len() == self.keys.len());
        let after = after.map(|position| (position.values.as_slice(), position.id.as_str()));
        let mut first = Vec::with_capacity(count.min(items.len() as usize));
        self.extend(&mut first, &self.keys, items, after, count);
        first
    }

    /// Returns the position of an item.
    pub fn position(&self, item: u32) -> Option<KeysetPosition> {
        let value = |key: &Key| match &key.property {
            Property::Field(field) => {
                let payload = &self.state.payload;
                payload.sort_value(field, key.order, item, self.rows)
            }
            Property::Popularity => self.popularity(item).map(number),
            Property::Relevance => self.relevance(item).map(number),
            Property::WriteOrder => Some(SortValue::Number(i128::from(item))),
        };
        Some(KeysetPosition {
            values: self.keys.iter().map(value).collect(),
            id: self.state.ids.get(&item)?.clone(),
        })
    }

    /// Returns the score of an item for the query.
    pub fn relevance(&self, item: u32) -> Option<f32> {
        self.scores.get(&item).copied()
    }

    /// Returns the popularity of an item that has events, the score of its popularity source.
    pub fn popularity(&self, item: u32) -> Option<f32> {
        let log_id = self.state.item_ids(&self.log).log_id(item)?;
        match &self.popular {
            Some(popular) => popular.score(log_id),
            None => Some(self.log.daily.count(log_id) as f32).filter(|count| *count > 0.0),
        }
    }

    /// Appends items in the order of `keys` until there are `count`.
    fn extend(
        &self,
        found: &mut Vec<u32>,
        keys: &[Key],
        items: &RoaringBitmap,
        after: Option<(&[Option<SortValue>], &str)>,
        count: usize,
    ) {
        if found.len() >= count || items.is_empty() {
            return;
        }
        let Some((key, others)) = keys.split_first() else {
            self.extend_by_id(found, items, after.map(|(_, id)| id), count);
            return;
        };
        let Some((values, id)) = after else {
            for group in self.groups(key, items, None, count - found.len()) {
                self.extend(found, others, &group.items, None, count);
            }
            return;
        };
        let Some((from, values)) = values.split_first() else {
            return;
        };
        // Only a part of the items with the value of the position come after it.
        let mut rest = items.clone();
        let tied = self.groups(key, items, Some(from), 1).into_iter().next();
        if let Some(tied) = tied.filter(|group| group.value == *from) {
            self.extend(found, others, &tied.items, Some((values, id)), count);
            rest -= tied.items;
        }
        let need = count.saturating_sub(found.len());
        for group in self.groups(key, &rest, Some(from), need) {
            self.extend(found, others, &group.items, None, count);
        }
    }

    /// Returns the first groups by a key that have at least `need` items, from a value on.
    fn groups(
        &self,
        key: &Key,
        items: &RoaringBitmap,
        from: Option<&Option<SortValue>>,
        need: usize,
    ) -> Vec<Group> {
        if need == 0 {
            return Vec::new();
        }
        match &key.property {
            Property::Field(field) => self
                .state
                .payload
                .groups(field, key.order, items, self.rows, from, need),
            Property::Popularity => {
                let walked = match from {
                    None if key.order == ValueOrder::Descending => self.most_popular(items, need),
                    _ => None,
                };
                let score = |item| self.popularity(item);
                walked.unwrap_or_else(|| by_score(score, key.order, items, from, need))
            }
            Property::Relevance => {
                let score = |item| self.relevance(item);
                by_score(score, key.order, items, from, need)
            }
            Property::WriteOrder => {
                let from = match from {
                    Some(Some(SortValue::Number(key))) => u32::try_from(*key).unwrap_or(u32::MAX),
                    _ => u32::MAX,
                };
                let mut latest = items.iter().rev().skip_while(|item| *item > from);
                let latest = latest.by_ref().take(need).map(|item| Group {
                    value: Some(SortValue::Number(i128::from(item))),
                    items: RoaringBitmap::from([item]),
                });
                latest.collect()
            }
        }
    }

    /// Walks the items of the trained model by popularity; None if too many of them are not among
    /// `items`, or if there is no model.
    fn most_popular(&self, items: &RoaringBitmap, need: usize) -> Option<Vec<Group>> {
        let mut steps = items.len() as usize / 2;
        let (mut groups, mut count): (Vec<Group>, usize) = (Vec::new(), 0);
        let mut seen = RoaringBitmap::new();
        let ids = self.state.item_ids(&self.log);
        for scored in self.popular.as_ref()?.order() {
            steps = steps.checked_sub(1)?;
            let item = ids.internal_id(scored.item);
            let Some(item) = item.filter(|item| items.contains(*item)) else {
                continue;
            };
            let value = Some(number(scored.score));
            match groups.last_mut() {
                Some(last) if last.value == value => {
                    last.items.insert(item);
                }
                _ if count >= need => return Some(groups),
                _ => groups.push(Group {
                    value,
                    items: RoaringBitmap::from([item]),
                }),
            }
            seen.insert(item);
            count += 1;
        }
        let rest = items - seen;
        if count < need && !rest.is_empty() {
            groups.push(Group {
                value: None,
                items: rest,
            });
        }
        Some(groups)
    }

    /// Appends items in the order of ids until there are `count`. Scans the id map if that reads
    /// fewer entries than sorting the tied ids.
    fn extend_by_id(
        &self,
        found: &mut Vec<u32>,
        items: &RoaringBitmap,
        after: Option<&str>,
        count: usize,
    ) {
        let need = count - found.len();
        let live = self.state.internal_ids.len();
        let tied = items.len() as usize;
        if need < tied && need.saturating_mul(live) < tied.saturating_mul(tied) {
            let from = after.map_or(Bound::Unbounded, Bound::Excluded);
            let ids = self
                .state
                .internal_ids
                .range::<str, _>((from, Bound::Unbounded));
            let mut next = Vec::with_capacity(need);
            let mut walked = 0;
            for (_, item) in ids.take(tied) {
                walked += 1;
                if items.contains(*item) {
                    next.push(*item);
                    if next.len() == need {
                        break;
                    }
                }
            }
            if next.len() == need || walked < tied {
                found.extend(next);
                return;
            }
        }
        let ids = items.iter().filter_map(|item| {
            let id = self.state.ids.get(&item)?.as_str();
            Some((id, item)).filter(|(id, _)| after.is_none_or(|after| *id > after))
        });
        let first = ValueOrder::Ascending.select(ids, need);
        found.extend(first.into_iter().flat_map(|(_, items)| items).take(need));
    }
}

/// Returns the first groups by a score, then the items without one.
fn by_score(
    score: impl Fn(u32) -> Option<f32>,
    order: ValueOrder,
    items: &RoaringBitmap,
    from: Option<&Option<SortValue>>,
    need: usize,
) -> Vec<Group> {
    let mut groups = Vec::new();
    let mut missing = RoaringBitmap::new();
    if from != Some(&None) {
        let from = match from {
            Some(Some(SortValue::Number(key))) => Some(*key),
            _ => None,
        };
        let scored = items.iter().filter_map(|item| {
            let Some(score) = score(item) else {
                missing.insert(item);
                return None;
            };
            let key = float_key(f64::from(score));
            let is_due = from.is_none_or(|from| order.compare(&key, &from).is_ge());
            is_due.then_some((key, item))
        });
        groups.extend(order.select(scored, need));
    } else {
        missing.extend(items.iter().filter(|item| score(*item).is_none()));
    }
    let found: u64 = groups.iter().map(|(_, items)| items.len()).sum();
    let mut groups: Vec<Group> = groups
        .into_iter()
        .map(|(key, items)| Group {
            value: Some(SortValue::Number(key)),
            items,
        })
        .collect();
    if found < need as u64 && !missing.is_empty() {
        groups.push(Group {
            value: None,
            items: missing,
        });
    }
    groups
}

fn number(score: f32) -> SortValue {
    SortValue::Number(float_key(f64::from(score)))
}
