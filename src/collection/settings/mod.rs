//! Settings of a collection: rules, synonyms, stop words, presets and experiments. They are stored
//! with the records and read through a snapshot, so that searches never wait for a change.

mod check;
mod check_experiment;
mod check_preset;

use std::{collections::BTreeMap, sync::Arc};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use serde::{Serialize, de::DeserializeOwned};
use vitrine_schemas::{Experiment, Preset, Rule, StopWords, Synonym, limits::MAX_SETTINGS_BYTES};

use crate::{
    Error, Result,
    collection::{Collection, State, check_name},
    lexical::{self, QueryRewrite, Synonyms},
    precondition::{Precondition, version_tag},
    rules::RuleSet,
    storage::{Batch, Store},
};

/// A kind of setting, stored by id.
pub trait Setting: Serialize + DeserializeOwned + Clone {
    /// First byte of its keys in the store.
    const KEY_PREFIX: u8;
    /// Name of the kind.
    const NAME: &'static str;
    /// Name of a list of them in JSON.
    const LIST: &'static str;
    /// Maximum number in a collection.
    const MAX_COUNT: usize;

    /// Returns its id.
    fn id(&self) -> &str;

    /// Assigns an id if it has none and the kind allows it.
    fn name(&mut self) {}

    /// Checks it.
    ///
    /// # Errors
    /// [`Error::Invalid`] with pointers into it.
    fn check(&self, collection: &Collection) -> Result<()>;

    /// Returns all settings of the kind.
    fn all(stored: &Stored) -> &BTreeMap<String, Self>;

    /// Returns all settings of the kind, to change them.
    fn all_mut(stored: &mut Stored) -> &mut BTreeMap<String, Self>;
}

impl Setting for Rule {
    const KEY_PREFIX: u8 = b'r';
    const NAME: &'static str = "rule";
    const LIST: &'static str = "rules";
    const MAX_COUNT: usize = 1_000;

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
    const KEY_PREFIX: u8 = b'y';
    const NAME: &'static str = "synonym";
    const LIST: &'static str = "synonyms";
    const MAX_COUNT: usize = 20_000;

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
    const KEY_PREFIX: u8 = b'p';
    const NAME: &'static str = "preset";
    const LIST: &'static str = "presets";
    const MAX_COUNT: usize = 100;

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

impl Setting for Experiment {
    const KEY_PREFIX: u8 = b'x';
    const NAME: &'static str = "experiment";
    const LIST: &'static str = "experiments";
    const MAX_COUNT: usize = 100;

    fn id(&self) -> &str {
        &self.id
    }

    fn check(&self, collection: &Collection) -> Result<()> {
        check_experiment::experiment(self, collection)
    }

    fn all(stored: &Stored) -> &BTreeMap<String, Self> {
        &stored.experiments
    }

    fn all_mut(stored: &mut Stored) -> &mut BTreeMap<String, Self> {
        &mut stored.experiments
    }
}

/// Bytes of memory of the settings and what is prepared of them, as a multiple of their JSON.
const MEMORY_FACTOR: u64 = 4;

/// Key prefix of the stop words; they are one record, with an empty id.
const STOP_WORDS: u8 = b'w';

/// All settings of a collection.
#[derive(Clone, Debug, Default)]
pub struct Stored {
    rules: BTreeMap<String, Rule>,
    synonyms: BTreeMap<String, Synonym>,
    stop_words: StopWords,
    presets: BTreeMap<String, Preset>,
    experiments: BTreeMap<String, Experiment>,
}

/// Prepared settings that searches read.
#[derive(Default)]
pub(in crate::collection) struct Snapshot {
    stored: Stored,
    pub rules: RuleSet,
    pub query_rewrite: QueryRewrite,
    /// Groups of synonyms, those of one direction included.
    pub synonym_groups: Arc<Vec<Vec<String>>>,
    /// Bytes of all settings as JSON.
    json_bytes: u64,
}

impl Snapshot {
    fn of(stored: Stored) -> Self {
        let json_bytes = stored.json_bytes();
        let words = stored.stop_words.words.iter().map(String::as_str);
        let stop_words = lexical::StopWords::new(words, stored.stop_words.keep_common);
        let mut synonyms = Synonyms::default();
        for synonym in stored.synonyms.values() {
            match synonym.to.as_slice() {
                [] => synonyms.add_equal(&synonym.words),
                to => synonyms.add_one_way(&synonym.words, to),
            }
        }
        let groups = stored.synonyms.values();
        let groups = groups.map(|s| [&s.words[..], &s.to[..]].concat());
        Self {
            synonym_groups: Arc::new(groups.collect()),
            rules: RuleSet::new(stored.rules.values(), stop_words.clone()),
            query_rewrite: QueryRewrite {
                synonyms,
                stop_words,
            },
            json_bytes,
            stored,
        }
    }

    /// Returns the approximate bytes of memory.
    pub fn bytes(&self) -> u64 {
        MEMORY_FACTOR * self.json_bytes
    }
}

/// Counts what is written to it.
struct Count(u64);

impl std::io::Write for Count {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Stored {
    /// Returns the bytes of all settings as JSON.
    fn json_bytes(&self) -> u64 {
        fn of(settings: &impl Serialize) -> u64 {
            let mut count = Count(0);
            // Settings have been JSON, and a counter takes all bytes.
            serde_json::to_writer(&mut count, settings).map_or(0, |()| count.0)
        }
        let lists = of(&self.rules) + of(&self.synonyms) + of(&self.stop_words);
        lists + of(&self.presets) + of(&self.experiments)
    }
}

/// The settings of a collection.
pub(in crate::collection) struct Settings {
    now: ArcSwap<Snapshot>,
    /// Held during a change; true once the collection is dropped.
    change: Mutex<bool>,
}

impl Settings {
    /// Reads the settings from the store.
    pub fn open(store: &Store, collection: u32) -> Result<Self> {
        Ok(Self {
            now: ArcSwap::from_pointee(Snapshot::read(store, collection)?),
            change: Mutex::default(),
        })
    }

    /// Returns the current snapshot.
    pub fn now(&self) -> Arc<Snapshot> {
        self.now.load_full()
    }

    /// Refuses later changes; none is under way when it returns.
    pub fn close(&self) {
        *self.change.lock() = true;
    }
}

impl Snapshot {
    fn read(store: &Store, collection: u32) -> Result<Self> {
        let stored = Stored {
            rules: read(store, collection)?,
            synonyms: read(store, collection)?,
            presets: read(store, collection)?,
            experiments: read(store, collection)?,
            stop_words: store
                .settings(collection, STOP_WORDS)?
                .pop()
                .unwrap_or_default(),
        };
        Ok(Self::of(stored))
    }
}

fn read<S: Setting>(store: &Store, collection: u32) -> Result<BTreeMap<String, S>> {
    let stored = store.settings::<S>(collection, S::KEY_PREFIX)?;
    let named = stored.into_iter().map(|s| (s.id().to_owned(), s));
    Ok(named.collect())
}

impl Collection {
    /// Reads the settings again, after they were changed in the store alone.
    pub(crate) fn reload_settings(&self) -> Result<()> {
        let _change = self.settings.change.lock();
        let read = Snapshot::read(&self.store, self.id)?;
        self.settings.now.store(Arc::new(read));
        Ok(())
    }

    /// Returns all settings of a kind, in the order of their ids.
    pub fn settings<S: Setting>(&self) -> Vec<S> {
        let now = self.settings.now();
        S::all(&now.stored).values().cloned().collect()
    }

    /// Returns a setting by id.
    ///
    /// # Errors
    /// [`Error::SettingNotFound`].
    pub fn setting<S: Setting>(&self, id: &str) -> Result<S> {
        let now = self.settings.now();
        let all = S::all(&now.stored);
        all.get(id).cloned().ok_or_else(|| missing(all, id))
    }

    /// Adds a setting, or replaces the one with its id.
    ///
    /// # Errors
    /// [`Error::Invalid`] with pointers into it, too many settings, or the store failed.
    pub fn put_setting<S: Setting>(&self, setting: S) -> Result<S> {
        self.put_setting_if(setting, &Precondition::Any)
    }

    /// As [`Collection::put_setting`], if the stored version meets a condition.
    ///
    /// # Errors
    /// Also [`Error::PreconditionFailed`].
    pub fn put_setting_if<S: Setting>(
        &self,
        mut setting: S,
        condition: &Precondition,
    ) -> Result<S> {
        setting.name();
        setting.check(self)?;
        self.change(|stored, batch| {
            let all = S::all_mut(stored);
            condition.check(|| all.get(setting.id()).map(version_tag))?;
            if all.len() >= S::MAX_COUNT && !all.contains_key(setting.id()) {
                return Err(too_many::<S>(""));
            }
            batch.put_setting(self.id, S::KEY_PREFIX, setting.id(), &setting)?;
            all.insert(setting.id().to_owned(), setting.clone());
            Ok(setting)
        })
    }

    /// Replaces all settings of a kind atomically.
    ///
    /// # Errors
    /// As [`Collection::put_setting`], with pointers such as `/rules/3/then`; a duplicate id.
    pub fn replace_settings<S: Setting>(&self, settings: Vec<S>) -> Result<()> {
        self.replace_settings_if(settings, &Precondition::Any)
    }

    /// As [`Collection::replace_settings`], if the stored ones meet a condition: their tag is that
    /// of [`Collection::settings`].
    ///
    /// # Errors
    /// Also [`Error::PreconditionFailed`].
    pub fn replace_settings_if<S: Setting>(
        &self,
        settings: Vec<S>,
        condition: &Precondition,
    ) -> Result<()> {
        let list = S::LIST;
        if settings.len() > S::MAX_COUNT {
            return Err(too_many::<S>(&format!("/{list}")));
        }
        let mut named = BTreeMap::new();
        for (at, mut setting) in settings.into_iter().enumerate() {
            setting.name();
            let at = format!("/{list}/{at}");
            setting.check(self).map_err(|e| e.under(&at))?;
            let id = setting.id().to_owned();
            if named.insert(id.clone(), setting).is_some() {
                let detail = format!("duplicate id `{id}`: each {} needs its own", S::NAME);
                return Err(Error::invalid(format!("{at}/id"), detail));
            }
        }
        self.change(|stored, batch| {
            let all = S::all(stored).values();
            condition.check(|| Some(version_tag(&all.collect::<Vec<_>>())))?;
            // One by one: an open copy cannot repeat the deletion of a range.
            for id in S::all_mut(stored).keys() {
                batch.delete_setting(self.id, S::KEY_PREFIX, id);
            }
            for (id, setting) in &named {
                batch.put_setting(self.id, S::KEY_PREFIX, id, setting)?;
            }
            *S::all_mut(stored) = named;
            Ok(())
        })
    }

    /// Removes a setting by id.
    ///
    /// # Errors
    /// [`Error::SettingNotFound`], or the store failed.
    pub fn delete_setting<S: Setting>(&self, id: &str) -> Result<()> {
        self.delete_setting_if::<S>(id, &Precondition::Any)
    }

    /// As [`Collection::delete_setting`], if the stored version meets a condition.
    ///
    /// # Errors
    /// Also [`Error::PreconditionFailed`].
    pub fn delete_setting_if<S: Setting>(&self, id: &str, condition: &Precondition) -> Result<()> {
        self.change(|stored, batch| {
            let all = S::all_mut(stored);
            let Some(setting) = all.remove(id) else {
                return Err(missing(all, id));
            };
            condition.check(|| Some(version_tag(&setting)))?;
            batch.delete_setting(self.id, S::KEY_PREFIX, id);
            Ok(())
        })
    }

    /// Returns the stop words.
    pub fn stop_words(&self) -> StopWords {
        self.settings.now().stored.stop_words.clone()
    }

    /// Sets the stop words.
    ///
    /// # Errors
    /// [`Error::Invalid`] with pointers into them, or the store failed.
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
        let (before, after) = (self.settings.now().json_bytes, stored.json_bytes());
        if after > MAX_SETTINGS_BYTES.max(before) {
            return Err(Error::invalid(
                "",
                format!(
                    "expected settings of the collection of at most {MAX_SETTINGS_BYTES} bytes \
                     together, got {after}; remove rules or synonyms, or shorten their lists"
                ),
            ));
        }
        if after > before {
            self.admit(&batch, MEMORY_FACTOR * (after - before))?;
        } else {
            self.limiter.admit_disk(batch.bytes())?;
        }
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
    Error::invalid(at, format!("expected at most {} {}", S::MAX_COUNT, S::LIST))
}
