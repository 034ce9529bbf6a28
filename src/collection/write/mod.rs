//! Writes: validate, index the vectors (not visible yet), write one batch, publish. Searches do not
//! wait for the store.

mod commit;
mod embedding;
mod lexical;
mod pending;
mod reembedding;
mod replay;

use std::collections::HashMap;

use serde_json::{Map, Value};
use vitrine_schemas::{FilterSpec, Item, ItemPatch, WriteStatus};

pub use embedding::{EmbedPolicy, Policy, Written};
pub use pending::{Completed, Embedded, ItemVectors};

use embedding::Plan;

use crate::{
    Error, Result,
    collection::{Collection, Writer, schema, state::item_texts::texts},
    error::json_pointer,
    precondition::{Precondition, item_tag},
};

impl Collection {
    /// Writes items; each replaces the item of the same id as a whole. Returns one result per item,
    /// in order.
    ///
    /// # Errors
    /// No room, or the store failed; nothing was stored then. An invalid item is an error in its
    /// result.
    ///
    /// # Examples
    ///
    /// ```
    /// use serde_json::json;
    /// # use vitrine::{Database, Options};
    /// use vitrine::schemas::WriteStatus;
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let database = Database::open(folder.path(), Options::default())?;
    /// # let config = json!({"vectors": {"shared": {"dim": 2}}});
    /// # let shop = database.create_collection("shop", serde_json::from_value(config)?)?;
    /// let items = json!([
    ///     {"id": "a", "title": "Red shoes", "category": "Clothing > Shoes"},
    ///     {"id": "b", "attributes": {"color": "red"}},
    /// ]);
    /// let outcomes = shop.upsert(serde_json::from_value(items)?)?;
    /// assert_eq!(outcomes[0].as_ref().ok(), Some(&WriteStatus::Created));
    /// // `color` is not declared: this item alone is refused.
    /// assert!(outcomes[1].is_err());
    /// assert_eq!(shop.count(None)?, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn upsert(&self, items: Vec<Item>) -> Result<Vec<Result<WriteStatus>>> {
        let results = self.upsert_with(items, None)?.into_iter();
        Ok(results.map(|r| r.map(|written| written.status)).collect())
    }

    /// As [`Self::upsert`]; the policy says what becomes of items without vectors.
    ///
    /// # Errors
    /// As [`Self::upsert`].
    pub fn upsert_with(
        &self,
        items: Vec<Item>,
        policy: Option<&EmbedPolicy<'_>>,
    ) -> Result<Vec<Result<Written>>> {
        let mut writer = self.lock()?;
        let configs = self.state.read().configs();
        let mut results = Vec::with_capacity(items.len());
        let is_known = |id: &str| self.state.read().internal_ids.contains_key(id);
        // In the order sent, so that the same input builds the same index; the last duplicate wins.
        let mut accepted: Vec<Item> = Vec::with_capacity(items.len());
        let mut places: HashMap<String, usize> = HashMap::new();
        let ids: Vec<_> = items.iter().map(|item| item.id.clone()).collect();
        for mut item in items {
            results.push(schema::check_item(&configs, &mut item).map(|()| {
                if let Some(place) = places.get(&item.id) {
                    accepted[*place] = item;
                    return WriteStatus::Updated;
                }
                let status = if is_known(&item.id) {
                    WriteStatus::Updated
                } else {
                    WriteStatus::Created
                };
                places.insert(item.id.clone(), accepted.len());
                accepted.push(item);
                status
            }));
        }
        let planned = self.plan_upserts(policy, &mut accepted)?;
        self.commit(&mut writer, accepted)?;
        let written = |(result, id): (Result<WriteStatus>, String)| {
            result.map(|status| Written {
                status,
                embedding: places
                    .get(&id)
                    .and_then(|place| planned.get(*place)?.clone()),
            })
        };
        Ok(results.into_iter().zip(ids).map(written).collect())
    }

    /// Changes some fields of an item: absent fields stay, `null` removes, `attributes` and
    /// `vectors` are merged by key.
    pub fn patch(&self, id: &str, patch: &ItemPatch) -> Result<Item> {
        self.patch_with(id, patch, None, &Precondition::Any)
    }

    /// As [`Self::patch`]; the policy says what becomes of an item whose embedded content changes,
    /// and the stored version must meet a condition.
    ///
    /// # Errors
    /// As [`Self::patch`], and [`Error::PreconditionFailed`].
    pub fn patch_with(
        &self,
        id: &str,
        patch: &ItemPatch,
        policy: Option<&EmbedPolicy<'_>>,
        condition: &Precondition,
    ) -> Result<Item> {
        let mut writer = self.lock()?;
        let old = self.patched_item(id, patch)?;
        condition.check(|| Some(item_tag(&old)))?;
        let mut value = serde_json::to_value(&old).map_err(|e| Error::Storage(e.to_string()))?;
        if let Some(fields) = value.as_object_mut() {
            merge(fields, patch);
        }
        let mut item: Item = serde_path_to_error::deserialize(value)
            .map_err(|e| Error::invalid(json_pointer(e.path()), e.inner().to_string()))?;
        if item.id != id {
            return Err(Error::invalid("/id", "cannot be changed; write a new item"));
        }
        let configs = self.state.read().configs();
        schema::check_item(&configs, &mut item)?;
        let brings_vectors = patch.contains_key("vectors") || patch.contains_key("other_vectors");
        if !brings_vectors {
            // Not normalized again: the stored vectors must stay bit-identical.
            item.vectors = old.vectors.clone();
        }
        let plan = match policy {
            Some(policy) if !brings_vectors => self.plan_patch(policy, &old, &mut item),
            _ => Plan::default(),
        };
        let config = self.config();
        if !brings_vectors && !plan.is_new_version && texts(&config, &old) == texts(&config, &item)
        {
            self.rewrite(&mut writer, old, &item)?;
        } else {
            if !brings_vectors && !plan.drops_vectors {
                let state = self.state.read();
                let internal_id = state.internal_ids.get(id);
                item.other_vectors =
                    internal_id.and_then(|n| state.beside(item.fingerprint.as_deref(), *n));
            }
            self.commit(&mut writer, vec![item.clone()])?;
            item.other_vectors = None;
        }
        item.embedding = plan.state;
        Ok(item)
    }

    /// Returns the item that a patch applies to, with the vectors of the set of its fingerprint.
    fn patched_item(&self, id: &str, patch: &ItemPatch) -> Result<Item> {
        let state = self.state.read();
        let mut item = self.load(&state, id, true)?;
        if let (Some(Value::String(fingerprint)), Some(internal_id)) =
            (patch.get("fingerprint"), state.internal_ids.get(id))
            && item.fingerprint.as_ref() != Some(fingerprint)
            && let Ok(set) = state.set_of(Some(fingerprint))
        {
            item.vectors = set.vectors_of(*internal_id);
        }
        Ok(item)
    }

    /// Deletes by id; returns the number of deleted items.
    pub fn delete(&self, ids: &[String]) -> Result<u64> {
        let mut writer = self.lock()?;
        self.remove(&mut writer, ids)
    }

    /// Deletes an item whose stored version meets a condition.
    ///
    /// # Errors
    /// [`Error::ItemNotFound`], [`Error::PreconditionFailed`], or the store failed.
    pub fn delete_if(&self, id: &str, condition: &Precondition) -> Result<()> {
        let mut writer = self.lock()?;
        let item = self.get(id, false)?;
        condition.check(|| Some(item_tag(&item)))?;
        self.remove(&mut writer, &[id.to_owned()]).map(|_| ())
    }

    /// Deletes the matching items; returns their number. An empty filter is refused.
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
        let mut writer = self.lock()?;
        let ids = {
            let state = self.state.read();
            let found = state.matching(Some(filter))?;
            found
                .iter()
                .filter_map(|n| state.ids.get(&n).cloned())
                .collect::<Vec<_>>()
        };
        self.remove(&mut writer, &ids)
    }

    pub(in crate::collection) fn lock(&self) -> Result<parking_lot::MutexGuard<'_, Writer>> {
        let writer = self.writer.lock();
        if writer.dropped {
            return Err(Error::CollectionNotFound(self.name.clone()));
        }
        Ok(writer)
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
