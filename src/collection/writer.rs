//! Changes: check, index the vectors unseen, write one batch, then show it.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Map, Value};
use vitrine_schemas::{FilterSpec, Item, ItemPatch, WriteStatus};

use super::{Collection, Writer, schema};
use crate::{Error, Result, storage::Batch};

type Vectors = BTreeMap<String, Vec<f32>>;

impl Collection {
    /// Writes items, replacing those with the same id as a whole. One outcome an item, in order.
    pub fn upsert(&self, items: Vec<Item>) -> Result<Vec<Result<WriteStatus>>> {
        let mut writer = self.lock()?;
        let config = self.config();
        let mut results = Vec::with_capacity(items.len());
        // In the order sent, so that the same input builds the same index; a later duplicate takes its forerunner's place.
        let mut accepted: Vec<Item> = Vec::with_capacity(items.len());
        let mut places: HashMap<String, usize> = HashMap::new();
        for mut item in items {
            results.push(schema::check_item(&config, &mut item).map(|()| {
                if let Some(place) = places.get(&item.id) {
                    accepted[*place] = item;
                    return WriteStatus::Updated;
                }
                let known = self.state.read().numbers.contains_key(&item.id);
                places.insert(item.id.clone(), accepted.len());
                accepted.push(item);
                if known {
                    WriteStatus::Updated
                } else {
                    WriteStatus::Created
                }
            }));
        }
        self.commit(&mut writer, accepted)?;
        Ok(results)
    }

    /// Changes some fields: absent stays, `null` removes, `attributes` and `vectors` merge by key.
    pub fn patch(&self, id: &str, patch: &ItemPatch) -> Result<Item> {
        let mut writer = self.lock()?;
        let old = self.get(id, true)?;
        let mut value = serde_json::to_value(&old).map_err(|e| Error::Storage(e.to_string()))?;
        if let Some(fields) = value.as_object_mut() {
            merge(fields, patch);
        }
        let mut item: Item =
            serde_json::from_value(value).map_err(|e| Error::invalid("", e.to_string()))?;
        if item.id != id {
            return Err(Error::invalid("/id", "cannot be changed; write a new item"));
        }
        schema::check_item(&self.config(), &mut item)?;
        if !patch.contains_key("vectors") {
            // Not normalised again: the stored vectors stay what they are.
            item.vectors = old.vectors.clone();
            self.rewrite(&old, &item)?;
        } else {
            self.commit(&mut writer, vec![item.clone()])?;
        }
        Ok(item)
    }

    /// Deletes by id; returns how many were there.
    pub fn delete(&self, ids: &[String]) -> Result<u64> {
        let _writer = self.lock()?;
        self.remove(ids)
    }

    /// Deletes what matches; returns how many there were. An empty filter is refused.
    pub fn delete_matching(&self, filter: &FilterSpec) -> Result<u64> {
        let empty = match filter {
            FilterSpec::Text(text) => text.trim().is_empty(),
            FilterSpec::Tree(f) => {
                f.must.is_empty() && f.should.is_empty() && f.must_not.is_empty()
            }
        };
        if empty {
            return Err(Error::invalid(
                "/filter",
                "is empty and would delete everything; drop the collection instead",
            ));
        }
        let _writer = self.lock()?;
        let ids = {
            let state = self.state.read();
            let found = state.matching(Some(filter))?;
            found
                .iter()
                .filter_map(|n| state.ids.get(&n).cloned())
                .collect::<Vec<_>>()
        };
        self.remove(&ids)
    }

    fn lock(&self) -> Result<parking_lot::MutexGuard<'_, Writer>> {
        let writer = self.writer.lock();
        if writer.dropped {
            return Err(Error::CollectionNotFound(self.name.clone()));
        }
        Ok(writer)
    }

    fn commit(&self, writer: &mut Writer, items: Vec<Item>) -> Result<()> {
        let mut batch = Batch::default();
        let mut fresh: Vec<(u32, Item, Vectors)> = Vec::with_capacity(items.len());
        let mut replaced = Vec::new();
        for mut item in items {
            let number = writer.next;
            writer.next = number.checked_add(1).ok_or_else(|| {
                Error::Storage(
                    "item numbers are used up; copy the items into a new collection".into(),
                )
            })?;
            let vectors = std::mem::take(&mut item.vectors);
            if let Some(old) = self.store.item(self.id, &item.id)? {
                self.forget_vectors(&mut batch, old.0);
                replaced.push(old);
            }
            batch.put_item(self.id, number, &item)?;
            for (space, vector) in &vectors {
                batch.put_vector(self.id, number, space, vector);
            }
            fresh.push((number, item, vectors));
        }
        let spaces = self.state.read().spaces.clone();
        for (space, index) in &spaces {
            let rows: Vec<_> = fresh
                .iter()
                .filter_map(|(n, _, v)| v.get(space).map(|v| (*n, v.as_slice())))
                .collect();
            if !rows.is_empty() {
                index.insert(&rows);
            }
        }
        let mut state = self.state.write();
        self.store.write(batch)?;
        for (number, item) in &replaced {
            state.remove(*number, item);
        }
        for (number, item, _) in &fresh {
            state.add(*number, item);
        }
        Ok(())
    }

    /// Rewrites a record whose vectors did not change; it keeps its number.
    fn rewrite(&self, old: &Item, item: &Item) -> Result<()> {
        let mut record = item.clone();
        record.vectors.clear();
        let mut state = self.state.write();
        let number = *state
            .numbers
            .get(&item.id)
            .ok_or_else(|| Error::ItemNotFound(item.id.clone()))?;
        let mut batch = Batch::default();
        batch.put_item(self.id, number, &record)?;
        self.store.write(batch)?;
        state.remove(number, old);
        state.add(number, &record);
        Ok(())
    }

    fn remove(&self, ids: &[String]) -> Result<u64> {
        let mut batch = Batch::default();
        let mut gone: HashMap<u32, Item> = HashMap::new();
        for id in ids {
            if let Some((number, item)) = self.store.item(self.id, id)? {
                batch.delete_item(self.id, id);
                self.forget_vectors(&mut batch, number);
                gone.insert(number, item);
            }
        }
        let mut state = self.state.write();
        self.store.write(batch)?;
        for (number, item) in &gone {
            state.remove(*number, item);
        }
        Ok(gone.len() as u64)
    }

    fn forget_vectors(&self, batch: &mut Batch, number: u32) {
        for space in self.state.read().spaces.keys() {
            batch.delete_vector(self.id, number, space);
        }
    }
}

fn merge(fields: &mut Map<String, Value>, patch: &Map<String, Value>) {
    for (key, value) in patch {
        match (fields.get_mut(key), value) {
            (_, Value::Null) => {
                fields.shift_remove(key);
            }
            (Some(Value::Object(inner)), Value::Object(changes)) => merge(inner, changes),
            (None, Value::Object(changes)) if key == "attributes" || key == "vectors" => {
                let mut inner = Map::new();
                merge(&mut inner, changes);
                fields.insert(key.clone(), Value::Object(inner));
            }
            _ => {
                fields.insert(key.clone(), value.clone());
            }
        }
    }
}
