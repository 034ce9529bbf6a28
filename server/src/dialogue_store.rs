//! Dialogues in memory: limited in number and bytes, expired after an idle time. They do not
//! survive a restart; every response has the whole dialogue, which can be sent back.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Mutex,
    time::{Duration, Instant},
};

use vitrine_schemas::Dialogue;

use crate::config::Limits;

/// Dialogues by id, with LRU eviction.
pub struct DialogueStore {
    entries: Mutex<Entries>,
    max_dialogues: usize,
    max_bytes: usize,
    idle: Duration,
}

#[derive(Default)]
struct Entries {
    by_id: HashMap<String, Entry>,
    /// Ids by last use; each use has its own number.
    by_use: BTreeMap<u64, String>,
    /// Dialogues of each key, by its name.
    by_owner: HashMap<String, Share>,
    uses: u64,
    bytes: usize,
}

/// Dialogues of one key.
#[derive(Default)]
struct Share {
    by_use: BTreeMap<u64, String>,
    bytes: usize,
}

struct Entry {
    dialogue: Dialogue,
    owner: String,
    bytes: usize,
    last_use: u64,
    used_at: Instant,
}

/// A dialogue as it was read, with the version that it had.
pub struct VersionedDialogue {
    /// The dialogue.
    pub dialogue: Dialogue,
    /// Number of the last use: an update fails if there was another one since.
    last_use: u64,
}

impl DialogueStore {
    /// Creates an empty store.
    pub fn new(limits: &Limits) -> Self {
        Self {
            entries: Mutex::default(),
            max_dialogues: limits.dialogues,
            max_bytes: limits.dialogue_bytes,
            idle: Duration::from_secs(limits.dialogue_idle_s),
        }
    }

    /// Returns the time after which an idle dialogue expires.
    pub fn idle(&self) -> Duration {
        self.idle
    }

    /// Returns the number of dialogues.
    pub fn len(&self) -> usize {
        let mut entries = self.lock();
        entries.expire(self.idle);
        entries.by_id.len()
    }

    /// Returns true if there are no dialogues.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds a dialogue of a key, by its name. If the store is full, the key with the largest share
    /// loses its least recently used ones, so that one cannot push out those of all others.
    pub fn add(&self, id: String, owner: &str, dialogue: Dialogue) {
        let mut entries = self.lock();
        entries.expire(self.idle);
        entries.put(id, owner.to_owned(), dialogue);
        self.evict(&mut entries);
    }

    /// Returns a dialogue.
    pub fn get(&self, id: &str) -> Option<VersionedDialogue> {
        let mut entries = self.lock();
        entries.expire(self.idle);
        let entry = entries.by_id.get(id)?;
        Some(VersionedDialogue {
            dialogue: entry.dialogue.clone(),
            last_use: entry.last_use,
        })
    }

    /// Replaces a dialogue; returns false if it changed since it was read, or is gone.
    pub fn replace(&self, id: &str, since: &VersionedDialogue, dialogue: Dialogue) -> bool {
        let mut entries = self.lock();
        let entry = entries.by_id.get(id);
        let Some(entry) = entry.filter(|entry| entry.last_use == since.last_use) else {
            return false;
        };
        let owner = entry.owner.clone();
        entries.remove(id);
        entries.put(id.to_owned(), owner, dialogue);
        self.evict(&mut entries);
        true
    }

    /// Removes a dialogue; returns false if there is none.
    pub fn remove(&self, id: &str) -> bool {
        let mut entries = self.lock();
        entries.expire(self.idle);
        entries.remove(id)
    }

    /// Returns the number of dialogues that match.
    pub fn count_where(&self, matches: impl Fn(&Dialogue) -> bool) -> usize {
        let mut entries = self.lock();
        entries.expire(self.idle);
        let dialogues = entries.by_id.values();
        dialogues.filter(|entry| matches(&entry.dialogue)).count()
    }

    /// Removes all dialogues that match.
    pub fn remove_where(&self, matches: impl Fn(&Dialogue) -> bool) {
        let mut entries = self.lock();
        let ids: Vec<_> = entries
            .by_id
            .iter()
            .filter(|(_, entry)| matches(&entry.dialogue))
            .map(|(id, _)| id.clone())
            .collect();
        for id in ids {
            entries.remove(&id);
        }
    }

    fn evict(&self, entries: &mut Entries) {
        while entries.by_id.len() > self.max_dialogues || entries.bytes > self.max_bytes {
            let has_many = entries.by_id.len() > self.max_dialogues;
            let size = |share: &Share| match has_many {
                true => share.by_use.len(),
                false => share.bytes,
            };
            let largest = entries.by_owner.values().max_by_key(|share| size(share));
            let Some((_, id)) = largest.and_then(|share| share.by_use.first_key_value()) else {
                return;
            };
            let id = id.clone();
            entries.remove(&id);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Entries> {
        // No code under the lock panics.
        self.entries
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Entries {
    fn put(&mut self, id: String, owner: String, dialogue: Dialogue) {
        self.uses += 1;
        let entry = Entry {
            // A dialogue takes about twice as much memory as JSON text.
            bytes: 2 * serde_json::to_vec(&dialogue).map_or(0, |text| text.len()) + id.len(),
            dialogue,
            owner,
            last_use: self.uses,
            used_at: Instant::now(),
        };
        self.bytes += entry.bytes;
        self.by_use.insert(self.uses, id.clone());
        let share = self.by_owner.entry(entry.owner.clone()).or_default();
        share.bytes += entry.bytes;
        share.by_use.insert(self.uses, id.clone());
        self.by_id.insert(id, entry);
    }

    fn remove(&mut self, id: &str) -> bool {
        let Some(entry) = self.by_id.remove(id) else {
            return false;
        };
        self.bytes -= entry.bytes;
        self.by_use.remove(&entry.last_use);
        if let Some(share) = self.by_owner.get_mut(&entry.owner) {
            share.bytes -= entry.bytes;
            share.by_use.remove(&entry.last_use);
            if share.by_use.is_empty() {
                self.by_owner.remove(&entry.owner);
            }
        }
        true
    }

    fn expire(&mut self, idle: Duration) {
        while let Some((_, id)) = self.by_use.first_key_value() {
            if self
                .by_id
                .get(id)
                .is_some_and(|e| e.used_at.elapsed() < idle)
            {
                return;
            }
            let id = id.clone();
            self.remove(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn store(max_dialogues: usize, bytes: usize, idle_s: u64) -> DialogueStore {
        DialogueStore::new(&Limits {
            dialogues: max_dialogues,
            dialogue_bytes: bytes,
            dialogue_idle_s: idle_s,
            ..Config::default().limits
        })
    }

    fn about(text: &str) -> Dialogue {
        let mut dialogue: Dialogue =
            serde_json::from_str(r#"{"collection": "shop"}"#).expect("a dialogue");
        dialogue.state.text = text.into();
        dialogue
    }

    #[test]
    fn the_least_recently_used_one_is_evicted() {
        let store = store(2, 1 << 20, 60);
        store.add("a".into(), "", about("a"));
        store.add("b".into(), "", about("b"));
        let a = store.get("a").expect("kept");
        assert!(store.replace("a", &a, about("again")));
        store.add("c".into(), "", about("c"));
        assert!(store.get("b").is_none());
        assert_eq!(store.get("a").expect("kept").dialogue.state.text, "again");
        assert_eq!(store.len(), 2);
    }

    #[test]
    fn a_key_pushes_out_its_own_dialogues_only() {
        for (dialogues, bytes) in [(20, 1 << 20), (1_000, 20_000)] {
            let store = store(dialogues, bytes, 60);
            store.add("a".into(), "shop", about("red"));
            for n in 0..100 {
                store.add(n.to_string(), "flood", about(&"x".repeat(500)));
            }
            assert!(store.get("a").is_some() && store.get("0").is_none());
            assert!(store.get("99").is_some() && store.len() <= 20);
        }
    }

    #[test]
    fn bytes_are_limited_and_released() {
        let store = store(1000, 10_000, 60);
        for n in 0..100 {
            store.add(n.to_string(), "", about(&"x".repeat(500)));
        }
        assert!((5..10).contains(&store.len()), "{}", store.len());
        store.remove_where(|_| true);
        assert!(store.is_empty());
        assert_eq!(store.lock().bytes, 0);
        assert!(store.lock().by_use.is_empty());
    }

    #[test]
    fn a_concurrent_change_is_detected() {
        let store = store(2, 1 << 20, 60);
        store.add("a".into(), "", about("a"));
        let (first, second) = (store.get("a").expect("kept"), store.get("a").expect("kept"));
        assert!(store.replace("a", &first, about("first")));
        assert!(!store.replace("a", &second, about("second")));
        assert!(store.remove("a"));
        assert!(!store.remove("a"));
        assert!(!store.replace("a", &second, about("second")));
    }

    #[test]
    fn idle_dialogues_expire() {
        let store = store(2, 1 << 20, 0);
        store.add("a".into(), "", about("a"));
        assert!(store.get("a").is_none());
        assert_eq!(store.len(), 0);
    }
}
