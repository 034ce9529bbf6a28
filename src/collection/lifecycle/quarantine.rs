//! Stored items that cannot be indexed: their filterable values would take more memory than any
//! item may. They were written before the limits were there.
//!
//! Such an item stays in the store, but neither reads by id nor searches find it, so one record
//! cannot keep the server from starting. A delete or a new version of the item ends it.

use std::collections::BTreeMap;

use vitrine_schemas::Item;

use crate::{
    collection::{Collection, State},
    payload,
};

/// Maximum number of quarantined items that are named in the log.
const MAX_WARNINGS: usize = 100;

impl State {
    /// Adds an item of the store.
    pub(in crate::collection) fn add_stored(&mut self, name: &str, internal_id: u32, item: Item) {
        let Err(cause) = payload::check_stored(&self.config, &item) else {
            self.add(internal_id, &item);
            return;
        };
        if self.quarantined.len() < MAX_WARNINGS {
            tracing::warn!(
                collection = name,
                item = item.id,
                "the stored item cannot be indexed, and searches do not find it: {cause}; write \
                 it again or delete it"
            );
        }
        self.quarantined.insert(item.id, internal_id);
    }
}

impl Collection {
    /// Returns the internal ids of quarantined items by id.
    pub(crate) fn quarantined(&self) -> BTreeMap<String, u32> {
        self.state.read().quarantined.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::json;

    use super::*;
    use crate::{Database, Options, Result, storage::Batch};

    fn item(id: &str, category: String) -> Item {
        Item {
            id: id.to_owned(),
            category: Some(category),
            vectors: [("shared".to_owned(), vec![1.0, 0.0])].into(),
            ..Item::default()
        }
    }

    /// Returns a path of many levels, which would be indexed under each of its prefixes.
    fn bomb() -> String {
        vec!["a"; 90_000].join(">")
    }

    /// Makes a data directory whose collection has an item of a version without limits.
    fn prepare(path: &Path) -> Result<()> {
        let database = Database::open(path, Options::default())?;
        let config = json!({"vectors": {"shared": {"dim": 2}}});
        let config = serde_json::from_value(config).expect("a config");
        let shop = database.create_collection("shop", config)?;
        shop.upsert(vec![item("good", "Shoes".into())])?;
        let mut batch = Batch::default();
        batch.put_item(shop.id(), 7, &item("bomb", bomb()))?;
        batch.put_vector(shop.id(), 7, "shared", &[1.0, 0.0]);
        batch.put_writes(shop.id(), 1_000);
        shop.store().write(batch)
    }

    #[test]
    fn a_stored_item_that_cannot_be_indexed_does_not_keep_the_database_closed() {
        let dir = tempfile::tempdir().expect("a folder");
        prepare(dir.path()).expect("a data directory");
        for is_from_state_file in [false, true] {
            let database = Database::open(dir.path(), Options::default()).expect("open");
            let info = database.info("shop").expect("the collection");
            assert_eq!((info.items, info.quarantined), (1, 1));
            assert_eq!(info.quarantined_ids, ["bomb"]);
            assert!(info.records_bytes < 10_000, "{is_from_state_file}");
            let shop = database.collection("shop").expect("the collection");
            assert!(shop.get("bomb", false).is_err());
            assert_eq!(shop.count(None).expect("counted"), 1);
            drop(shop);
            database.close().expect("closed");
        }
    }

    #[test]
    fn a_delete_or_a_new_version_ends_a_quarantine() {
        for is_deleted in [true, false] {
            let dir = tempfile::tempdir().expect("a folder");
            prepare(dir.path()).expect("a data directory");
            let database = Database::open(dir.path(), Options::default()).expect("open");
            let shop = database.collection("shop").expect("the collection");
            if is_deleted {
                assert_eq!(shop.delete(&["bomb".to_owned()]).expect("deleted"), 1);
            } else {
                let refused = shop.upsert(vec![item("bomb", bomb())]).expect("answered");
                let refused = refused[0].as_ref().expect_err("refused").to_string();
                assert!(refused.contains("/category: expected at most"), "{refused}");
                shop.upsert(vec![item("bomb", "Shoes".into())])
                    .expect("written");
            }
            drop(shop);
            database.close().expect("closed");
            drop(database);
            let database = Database::open(dir.path(), Options::default()).expect("open");
            let info = database.info("shop").expect("the collection");
            let items = if is_deleted { 1 } else { 2 };
            assert_eq!((info.items, info.quarantined), (items, 0));
        }
    }
}
