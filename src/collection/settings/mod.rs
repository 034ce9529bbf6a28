//! What the people of a shop set for a collection: rules, synonyms, stop words, presets. Stored beside the records, read through a snapshot, so
//! that no search waits for a change.

mod check;
mod check_preset;

use std::{collections::BTreeMap, sync::Arc};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use serde::{Serialize, de::DeserializeOwned};
use vitrine_schemas::{Preset, Rule, StopWords, Synonym};

use super::{Collection, State, check_name};
use crate::{
    Error, Result,
    lexical::{self, Thesaurus, Wording},
    rules::RuleSet,
    storage::{Batch, Store},
};

/// Something that is set, by its id.
pub trait Setting: Serialize + DeserializeOwned + Clone {
    /// Its letter in the store.
    const LETTER: u8;
    /// What it is called.
    const NAME: &'static str;
    /// The field of a list of them.
    const LIST: &'static str;
    /// How many there may be.
    const MOST: usize;

    /// Its id.
    fn id(&self) -> &str;

    /// Gives it an id where it has none, if it can.
    fn name(&mut self) {}

    /// Refuses what cannot be, with pointers into it.
    fn check(&self, collection: &Collection) -> Result<()>;

    /// All of the kind.
    fn all(stored: &Stored) -> &BTreeMap<String, Self>;

    /// All of the kind.
    fn all_mut(stored: &mut Stored) -> &mut BTreeMap<String, Self>;
}

impl Setting for Rule {
    const LETTER: u8 = b'r';
    const NAME: &'static str = "rule";
    const LIST: &'static str = "rules";
    const MOST: usize = 1_000;

    fn id(&self) -> &str {
        &self.id
    }

    fn check(&self, collection: &Collection) -> Result<()> {
        check::rule(self, &collection.state.read())
    }

    fn all(stored: &Stored) -> &BTreeMap<String, Self> {
        &stored.rules
    }

    fn all_mut(stored: &mut Stored) -> &mut BTreeMap<String, Self> {
        &mut stored.rules
    }
}

impl Setting for Synonym {
    const LETTER: u8 = b'y';
    const NAME: &'static str = "synonym";
    const LIST: &'static str = "synonyms";
    const MOST: usize = 20_000;

    fn id(&self) -> &str {
        &self.id
    }

    fn name(&mut self) {
        if self.id.is_empty() {
            let text = self.words.join("\n") + "\n\n" + &self.to.join("\n");
            self.id = blake3::hash(text.as_bytes()).to_hex()[..16].to_owned();
        }
    }

    fn check(&self, _: &Collection) -> Result<()> {
        check::synonym(self)
    }

    fn all(stored: &Stored) -> &BTreeMap<String, Self> {
        &stored.synonyms
    }

    fn all_mut(stored: &mut Stored) -> &mut BTreeMap<String, Self> {
        &mut stored.synonyms
    }
}

impl Setting for Preset {
    const LETTER: u8 = b'p';
    const NAME: &'static str = "preset";
    const LIST: &'static str = "presets";
    const MOST: usize = 100;

    fn id(&self) -> &str {
        &self.id
    }

    fn check(&self, collection: &Collection) -> Result<()> {
        check_preset::preset(self, collection)
    }

    fn all(stored: &Stored) -> &BTreeMap<String, Self> {
        &stored.presets
    }

    fn all_mut(stored: &mut Stored) -> &mut BTreeMap<String, Self> {
        &mut stored.presets
    }
}

/// The letter of stop words in the store; there is one record of them, with an empty id.
const STOP_WORDS: u8 = b'w';

/// All that is set.
#[derive(Clone, Debug, Default)]
pub struct Stored {
    rules: BTreeMap<String, Rule>,
    synonyms: BTreeMap<String, Synonym>,
    stop_words: StopWords,
    presets: BTreeMap<String, Preset>,
}

/// What searches read.
#[derive(Default)]
pub(super) struct Snapshot {
    stored: Stored,
    pub rules: RuleSet,
    pub wording: Wording,
}

impl Snapshot {
    fn of(stored: Stored) -> Self {
        let words = stored.stop_words.words.iter().map(String::as_str);
        let stop_words = lexical::StopWords::new(words, stored.stop_words.keep_common);
        let mut thesaurus = Thesaurus::default();
        for synonym in stored.synonyms.values() {
            match synonym.to.as_slice() {
                [] => thesaurus.add_equal(&synonym.words),
                to => thesaurus.add_one_way(&synonym.words, to),
            }
        }
        Self {
            rules: RuleSet::new(stored.rules.values(), stop_words.clone()),
            wording: Wording {
                thesaurus,
                stop_words,
            },
            stored,
        }
    }
}

/// The settings of a collection.
pub(super) struct Settings {
    now: ArcSwap<Snapshot>,
    /// Held while they are changed; whether the collection was dropped.
    change: Mutex<bool>,
}

impl Settings {
    /// Reads them.
    pub fn open(store: &Store, collection: u32) -> Result<Self> {
        let stored = Stored {
            rules: read(store, collection)?,
            synonyms: read(store, collection)?,
            presets: read(store, collection)?,
            stop_words: store
                .settings(collection, STOP_WORDS)?
                .pop()
                .unwrap_or_default(),
        };
        Ok(Self {
            now: ArcSwap::from_pointee(Snapshot::of(stored)),
            change: Mutex::default(),
        })
    }

    /// As they are now.
    pub fn now(&self) -> Arc<Snapshot> {
        self.now.load_full()
    }

    /// Refuses later changes; none is under way when it returns.
    pub fn close(&self) {
        *self.change.lock() = true;
    }
}

fn read<S: Setting>(store: &Store, collection: u32) -> Result<BTreeMap<String, S>> {
    let stored = store.settings::<S>(collection, S::LETTER)?;
    let named = stored.into_iter().map(|s| (s.id().to_owned(), s));
    Ok(named.collect())
}

impl Collection {
    /// All settings of a kind, in the order of their ids.
    pub fn settings<S: Setting>(&self) -> Vec<S> {
        let now = self.settings.now();
        S::all(&now.stored).values().cloned().collect()
    }

    /// One of them.
    ///
    /// # Errors
    /// There is none of this id.
    pub fn setting<S: Setting>(&self, id: &str) -> Result<S> {
        let now = self.settings.now();
        let all = S::all(&now.stored);
        all.get(id).cloned().ok_or_else(|| missing(all, id))
    }

    /// Adds one, or replaces the one of its id.
    ///
    /// # Errors
    /// [`Error::Invalid`] with pointers into it; too many; the store.
    pub fn put_setting<S: Setting>(&self, mut setting: S) -> Result<S> {
        setting.name();
        setting.check(self)?;
        self.change(|stored, batch| {
            let all = S::all_mut(stored);
            if all.len() >= S::MOST && !all.contains_key(setting.id()) {
                return Err(too_many::<S>(""));
            }
            batch.put_setting(self.id, S::LETTER, setting.id(), &setting)?;
            all.insert(setting.id().to_owned(), setting.clone());
            Ok(setting)
        })
    }

    /// Puts these in the place of all there are, in one step.
    ///
    /// # Errors
    /// As for one of them, with pointers such as `/rules/3/then`; an id that comes twice.
    pub fn replace_settings<S: Setting>(&self, settings: Vec<S>) -> Result<()> {
        let list = S::LIST;
        if settings.len() > S::MOST {
            return Err(too_many::<S>(&format!("/{list}")));
        }
        let mut named = BTreeMap::new();
        for (at, mut setting) in settings.into_iter().enumerate() {
            setting.name();
            let at = format!("/{list}/{at}");
            setting.check(self).map_err(|e| e.under(&at))?;
            let id = setting.id().to_owned();
            if named.insert(id.clone(), setting).is_some() {
                let detail = format!("`{id}` comes twice: each {} has an id of its own", S::NAME);
                return Err(Error::invalid(format!("{at}/id"), detail));
            }
        }
        self.change(|stored, batch| {
            batch.delete_settings(self.id, S::LETTER);
            for (id, setting) in &named {
                batch.put_setting(self.id, S::LETTER, id, setting)?;
            }
            *S::all_mut(stored) = named;
            Ok(())
        })
    }

    /// Removes one.
    ///
    /// # Errors
    /// There is none of this id; the store.
    pub fn delete_setting<S: Setting>(&self, id: &str) -> Result<()> {
        self.change(|stored, batch| {
            let all = S::all_mut(stored);
            if all.remove(id).is_none() {
                return Err(missing(all, id));
            }
            batch.delete_setting(self.id, S::LETTER, id);
            Ok(())
        })
    }

    /// Words that queries are rid of.
    pub fn stop_words(&self) -> StopWords {
        self.settings.now().stored.stop_words.clone()
    }

    /// Sets them.
    ///
    /// # Errors
    /// [`Error::Invalid`] with pointers into them; the store.
    pub fn set_stop_words(&self, words: StopWords) -> Result<()> {
        check::stop_words(&words)?;
        self.change(|stored, batch| {
            batch.put_setting(self.id, STOP_WORDS, "", &words)?;
            stored.stop_words = words;
            Ok(())
        })
    }

    fn change<T>(&self, change: impl FnOnce(&mut Stored, &mut Batch) -> Result<T>) -> Result<T> {
        let dropped = self.settings.change.lock();
        if *dropped {
            return Err(Error::CollectionNotFound(self.name.clone()));
        }
        let mut stored = self.settings.now().stored.clone();
        let mut batch = Batch::default();
        let changed = change(&mut stored, &mut batch)?;
        self.gauge.admit_disk(batch.bytes())?;
        self.store.write(batch)?;
        self.settings.now.store(Arc::new(Snapshot::of(stored)));
        Ok(changed)
    }
}

fn missing<S: Setting>(all: &BTreeMap<String, S>, id: &str) -> Error {
    Error::SettingNotFound {
        kind: S::NAME,
        id: id.to_owned(),
        known: all.keys().take(20).cloned().collect(),
    }
}

fn too_many<S: Setting>(at: &str) -> Error {
    Error::invalid(at, format!("there may be {} {} at most", S::MOST, S::LIST))
}
