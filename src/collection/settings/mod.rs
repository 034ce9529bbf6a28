//! Settings of a collection: rules, synonyms, stop words, presets and experiments. They are stored
//! with the records and read through a snapshot, so that searches never wait for a change.

mod check;
mod check_experiment;
mod check_preset;
mod kinds;
mod snapshot;

use std::{collections::BTreeMap, sync::Arc};

use vitrine_schemas::{StopWords, limits::MAX_SETTINGS_BYTES};

pub use kinds::{Setting, Stored};
pub(in crate::collection) use snapshot::Settings;

use snapshot::{MEMORY_FACTOR, STOP_WORDS, Snapshot};

use crate::{
    Error, Result,
    collection::Collection,
    precondition::{Precondition, version_tag},
    storage::Batch,
};

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
        setting.assign_id();
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
            setting.assign_id();
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
