//! Random operations against a plain model with exact search: writes, events, restarts, seals,
//! merges, re-embeddings, erasures, snapshots and restores.
//!
//! The seed is printed and taken from `VITRINE_SEED`, the number of operations from
//! `VITRINE_OPERATIONS`.

mod checks;
mod random;

use std::{collections::BTreeMap, env, fs, str::FromStr, sync::Arc};

use chrono::{DateTime, TimeDelta};
use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::json;
use tempfile::TempDir;
use vitrine::{
    Collection, Database, Options, Subject,
    schemas::{EmbeddedItem, Event, EventStatus, FillRequest, Item, ReembeddingRequest},
};

use self::random::{random_filter, random_item};
use crate::support::{config, filter, item};

const IDS: u32 = 300;
const USERS: u32 = 20;

/// Items by id.
type Items = BTreeMap<String, Item>;

/// Number of events of each user.
type Users = BTreeMap<String, u64>;

/// Content of the database as it should be.
#[derive(Clone, Default)]
struct Model {
    items: Items,
    users: Users,
}

/// A database and its model.
struct Run {
    rng: StdRng,
    folder: TempDir,
    database: Option<Database>,
    model: Model,
    /// The latest snapshot that is not restored yet, with its content.
    snapshot: Option<(TempDir, Model)>,
    fingerprints: u32,
    events: i64,
}

impl Run {
    fn new(seed: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(folder.path(), Options::default()).unwrap();
        database.create_collection("shop", config()).unwrap();
        Self {
            rng: StdRng::seed_from_u64(seed),
            folder,
            database: Some(database),
            model: Model::default(),
            snapshot: None,
            fingerprints: 0,
            events: 0,
        }
    }

    fn database(&self) -> &Database {
        self.database.as_ref().unwrap()
    }

    fn shop(&self) -> Arc<Collection> {
        self.database().collection("shop").unwrap()
    }

    fn step(&mut self) {
        match self.rng.random_range(0..1000) {
            0..350 => self.write(),
            350..500 => self.delete(),
            500..530 => self.delete_matching(),
            530..600 => self.patch(),
            600..610 => self.restart(),
            // Seals and merges: the answers stay what they are.
            610..618 => drop(self.database().optimize("shop").unwrap()),
            618..620 => self.reembed(),
            620..650 => self.append_events(),
            650..655 => self.erase(),
            655..660 => self.take_snapshot(),
            660..663 => self.restore(),
            663..720 => self.count(),
            720..760 => checks::check_words(&self.shop(), &self.model.items, &mut self.rng),
            760..800 => checks::check_order(&self.shop(), &self.model.items, &mut self.rng),
            _ => checks::check_vectors(&self.shop(), &self.model.items, &mut self.rng),
        }
    }

    fn write(&mut self) {
        let count = self.rng.random_range(1..20);
        let items: Vec<_> = (0..count)
            .map(|_| item(random_item(&mut self.rng)))
            .collect();
        for outcome in self.shop().upsert(items.clone()).unwrap() {
            outcome.unwrap();
        }
        let items = items.into_iter().map(|i| (i.id.clone(), i));
        self.model.items.extend(items);
    }

    fn delete(&mut self) {
        let count = self.rng.random_range(1..10);
        let ids: Vec<_> = (0..count)
            .map(|_| self.rng.random_range(0..IDS).to_string())
            .collect();
        let items = &mut self.model.items;
        let there = ids.iter().filter(|id| items.remove(*id).is_some()).count();
        assert_eq!(self.shop().delete(&ids).unwrap(), there as u64);
    }

    fn delete_matching(&mut self) {
        let (tree, passes) = random_filter(&mut self.rng, 1);
        let before = self.model.items.len();
        self.model.items.retain(|_, i| !passes(i));
        let matching = filter(json!({"must": [tree]}));
        let deleted = self.shop().delete_matching(&matching).unwrap();
        assert_eq!(deleted as usize, before - self.model.items.len());
    }

    fn patch(&mut self) {
        let at = self.rng.random_range(0..IDS as usize);
        let Some(id) = self.model.items.keys().nth(at).cloned() else {
            return;
        };
        let changed = item(random_item(&mut self.rng));
        let mut patch = json!({"price": changed.price, "category": changed.category});
        if self.rng.random_bool(0.5) {
            patch["vectors"] = json!({"shared": [self.rng.random_range(0..12), 3]});
        }
        let after = self.shop().patch(&id, patch.as_object().unwrap()).unwrap();
        assert_eq!(after.price, changed.price);
        self.model.items.insert(id, after);
    }

    fn restart(&mut self) {
        self.database = None;
        self.database = Some(Database::open(self.folder.path(), Options::default()).unwrap());
        self.check_all();
    }

    /// Gives all items vectors of other encoders, which exchange the two numbers of a vector.
    fn reembed(&mut self) {
        self.fingerprints += 1;
        let fingerprint = format!("other-{}", self.fingerprints);
        let spaces = json!({"shared": {"dim": 2, "metric": "l2"}});
        let request = json!({"fingerprint": fingerprint, "vectors": spaces});
        let request: ReembeddingRequest = serde_json::from_value(request).unwrap();
        let shop = self.shop();
        let database = self.database();
        database.begin_reembedding("shop", &request).unwrap();
        let pending = shop.pending(&fingerprint, None, 1000).unwrap().items;
        let embed = |id: String, version| {
            let vector = self.model.items[&id].vectors.get("shared");
            let vector = vector.map(|v| ("shared".to_owned(), vec![v[1], v[0]]));
            EmbeddedItem {
                id,
                version,
                vectors: vector.into_iter().collect(),
            }
        };
        let items = pending.into_iter().map(|p| embed(p.item.id, p.version));
        let items = items.collect();
        shop.fill(FillRequest { fingerprint, items }).unwrap();
        database.switch_reembedding("shop", true).unwrap();
        database.end_reembedding("shop").unwrap();
        for item in self.model.items.values_mut() {
            if let Some(vector) = item.vectors.get_mut("shared") {
                vector.reverse();
            }
        }
        self.check_all();
    }

    fn append_events(&mut self) {
        let count = self.rng.random_range(1..5);
        let events: Vec<Event> = (0..count).map(|_| self.random_event()).collect();
        for result in self.database().append_events(&events).unwrap() {
            let is_stored = [EventStatus::Accepted, EventStatus::UnknownItems];
            assert!(is_stored.contains(&result.status), "{result:?}");
        }
        for user in events.into_iter().filter_map(|event| event.user) {
            *self.model.users.entry(user).or_default() += 1;
        }
    }

    fn random_event(&mut self) -> Event {
        self.events += 1;
        // Each at a second of its own.
        let at = DateTime::UNIX_EPOCH + TimeDelta::seconds(1_700_000_000 + self.events);
        let event = json!({
            "kind": "click", "collection": "shop", "ts": at.to_rfc3339(),
            "user": format!("u{}", self.rng.random_range(0..USERS)),
            "items": [self.rng.random_range(0..IDS).to_string()],
        });
        serde_json::from_value(event).unwrap()
    }

    fn erase(&mut self) {
        let user = format!("u{}", self.rng.random_range(0..USERS));
        let count = self.model.users.remove(&user).unwrap_or(0);
        let erased = self.database().erase(&Subject::User(user), &[self.shop()]);
        let erased = erased.unwrap().events;
        assert_eq!(erased.get("shop").copied().unwrap_or(0), count);
    }

    fn take_snapshot(&mut self) {
        let (path, _) = self.database().checkpoint("snapshot").unwrap();
        // The next start removes what it finds of checkpoints.
        let folder = tempfile::tempdir().unwrap();
        fs::remove_dir(folder.path()).unwrap();
        fs::rename(path, folder.path()).unwrap();
        self.snapshot = Some((folder, self.model.clone()));
    }

    /// Goes on with the content of the latest snapshot.
    fn restore(&mut self) {
        let Some((folder, model)) = self.snapshot.take() else {
            return;
        };
        self.database = None;
        self.folder = folder;
        self.database = Some(Database::open(self.folder.path(), Options::default()).unwrap());
        self.model = model;
        self.check_all();
    }

    fn count(&mut self) {
        let (tree, passes) = random_filter(&mut self.rng, 2);
        let matching = filter(json!({"must": [tree]}));
        let counted = self.shop().count(Some(&matching)).unwrap();
        let expected = self.model.items.values().filter(|i| passes(i)).count();
        assert_eq!(counted as usize, expected);
    }

    fn check_all(&self) {
        checks::check_all(&self.shop(), &self.model.items);
        checks::check_events(&self.shop(), &self.model.users);
    }
}

fn variable<T: FromStr>(name: &str) -> Option<T> {
    env::var(name).ok().and_then(|value| value.parse().ok())
}

#[test]
fn random_operations_match_a_plain_map() {
    let seed = variable("VITRINE_SEED").unwrap_or_else(rand::random::<u64>);
    println!("VITRINE_SEED={seed}");
    let operations = variable("VITRINE_OPERATIONS").unwrap_or(20_000);
    let mut run = Run::new(seed);
    for at in 0..operations {
        if at % 10_000 == 0 {
            println!("operation {at} of {operations}");
        }
        run.step();
    }
    run.check_all();
    let items = run.database().info("shop").unwrap().items;
    assert_eq!(items as usize, run.model.items.len());
    println!("{operations} operations, 0 differences");
}
