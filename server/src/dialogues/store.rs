//! The dialogues under way: in memory, bounded in number and bytes, forgotten when nobody goes on with them. They do not outlive
//! the process; every answer has the whole dialogue, which can be sent back.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Mutex,
    time::{Duration, Instant},
};

use vitrine_schemas::Dialogue;

use crate::config::Limits;

/// Dialogues by id.
pub struct Store {
    kept: Mutex<Kept>,
    most: usize,
    most_bytes: usize,
    idle: Duration,
}

#[derive(Default)]
struct Kept {
    by_id: HashMap<String, Entry>,
    /// Ids by the time of their last use, which is a number of its own.
    by_use: BTreeMap<u64, String>,
    uses: u64,
    bytes: usize,
}

struct Entry {
    dialogue: Dialogue,
    bytes: usize,
    used: u64,
    at: Instant,
}

/// A dialogue as it was when it was read.
pub struct Read {
    /// The dialogue.
    pub dialogue: Dialogue,
    /// Of this use: what is put back must have none after it.
    used: u64,
}

impl Store {
    /// An empty one.
    pub fn new(limits: &Limits) -> Self {
        Self {
            kept: Mutex::default(),
            most: limits.dialogues,
            most_bytes: limits.dialogue_bytes,
            idle: Duration::from_secs(limits.dialogue_idle_s),
        }
    }

    /// How long a dialogue is kept that nobody goes on with.
    pub fn idle(&self) -> Duration {
        self.idle
    }

    /// Dialogues kept.
    pub fn len(&self) -> usize {
        let mut kept = self.kept();
        kept.forget_idle(self.idle);
        kept.by_id.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Keeps a new dialogue; those used longest ago make room.
    pub fn add(&self, id: String, dialogue: Dialogue) {
        let mut kept = self.kept();
        kept.forget_idle(self.idle);
        kept.put(id, dialogue);
        self.make_room(&mut kept);
    }

    /// A dialogue.
    pub fn get(&self, id: &str) -> Option<Read> {
        let mut kept = self.kept();
        kept.forget_idle(self.idle);
        let entry = kept.by_id.get(id)?;
        Some(Read {
            dialogue: entry.dialogue.clone(),
            used: entry.used,
        })
    }

    /// Keeps what became of a dialogue; false where it changed since it was read, or is gone.
    pub fn replace(&self, id: &str, since: &Read, dialogue: Dialogue) -> bool {
        let mut kept = self.kept();
        if kept
            .by_id
            .get(id)
            .is_none_or(|entry| entry.used != since.used)
        {
            return false;
        }
        kept.remove(id);
        kept.put(id.to_owned(), dialogue);
        self.make_room(&mut kept);
        true
    }

    /// Forgets a dialogue; false where it is not there.
    pub fn remove(&self, id: &str) -> bool {
        let mut kept = self.kept();
        kept.forget_idle(self.idle);
        kept.remove(id)
    }

    /// Forgets all dialogues that are meant.
    pub fn remove_where(&self, meant: impl Fn(&Dialogue) -> bool) {
        let mut kept = self.kept();
        let ids: Vec<_> = kept
            .by_id
            .iter()
            .filter(|(_, entry)| meant(&entry.dialogue))
            .map(|(id, _)| id.clone())
            .collect();
        for id in ids {
            kept.remove(&id);
        }
    }

    fn make_room(&self, kept: &mut Kept) {
        while kept.by_id.len() > self.most || kept.bytes > self.most_bytes {
            let Some((_, id)) = kept.by_use.first_key_value() else {
                return;
            };
            let id = id.clone();
            kept.remove(&id);
        }
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        // Nothing that is done under the lock panics.
        self.kept
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Kept {
    fn put(&mut self, id: String, dialogue: Dialogue) {
        self.uses += 1;
        let entry = Entry {
            // In memory it takes about twice what it takes as text.
            bytes: 2 * serde_json::to_vec(&dialogue).map_or(0, |text| text.len()) + id.len(),
            dialogue,
            used: self.uses,
            at: Instant::now(),
        };
        self.bytes += entry.bytes;
        self.by_use.insert(self.uses, id.clone());
        self.by_id.insert(id, entry);
    }

    fn remove(&mut self, id: &str) -> bool {
        let Some(entry) = self.by_id.remove(id) else {
            return false;
        };
        self.bytes -= entry.bytes;
        self.by_use.remove(&entry.used);
        true
    }

    fn forget_idle(&mut self, idle: Duration) {
        while let Some((_, id)) = self.by_use.first_key_value() {
            if self.by_id.get(id).is_some_and(|e| e.at.elapsed() < idle) {
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

    fn store(most: usize, bytes: usize, idle_s: u64) -> Store {
        Store::new(&Limits {
            dialogues: most,
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
    fn the_one_used_longest_ago_makes_room() {
        let store = store(2, 1 << 20, 60);
        store.add("a".into(), about("a"));
        store.add("b".into(), about("b"));
        let a = store.get("a").expect("kept");
        assert!(store.replace("a", &a, about("again")));
        store.add("c".into(), about("c"));
        assert!(store.get("b").is_none());
        assert_eq!(store.get("a").expect("kept").dialogue.state.text, "again");
        assert_eq!(store.len(), 2);
    }

    #[test]
    fn bytes_are_bounded_and_given_back() {
        let store = store(1000, 10_000, 60);
        for n in 0..100 {
            store.add(n.to_string(), about(&"x".repeat(500)));
        }
        assert!((5..10).contains(&store.len()), "{}", store.len());
        store.remove_where(|_| true);
        assert!(store.is_empty());
        assert_eq!(store.kept().bytes, 0);
        assert!(store.kept().by_use.is_empty());
    }

    #[test]
    fn a_change_between_is_noticed() {
        let store = store(2, 1 << 20, 60);
        store.add("a".into(), about("a"));
        let (first, second) = (store.get("a").expect("kept"), store.get("a").expect("kept"));
        assert!(store.replace("a", &first, about("first")));
        assert!(!store.replace("a", &second, about("second")));
        assert!(store.remove("a"));
        assert!(!store.remove("a"));
        assert!(!store.replace("a", &second, about("second")));
    }

    #[test]
    fn what_nobody_goes_on_with_is_forgotten() {
        let store = store(2, 1 << 20, 0);
        store.add("a".into(), about("a"));
        assert!(store.get("a").is_none());
        assert_eq!(store.len(), 0);
    }
}
