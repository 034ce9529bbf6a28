//! The kinds of settings, with the maximum number of each.

use std::collections::BTreeMap;

use serde::{Serialize, de::DeserializeOwned};
use vitrine_schemas::{Experiment, Preset, Rule, StopWords, Synonym};

use super::{check, check_experiment, check_preset};
use crate::{Result, collection::Collection};

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
    fn assign_id(&mut self) {}

    /// Checks it.
    ///
    /// # Errors
    /// [`Error::Invalid`](crate::Error::Invalid) with pointers into it.
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

    fn assign_id(&mut self) {
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

/// All settings of a collection.
#[derive(Clone, Debug, Default)]
pub struct Stored {
    pub(super) rules: BTreeMap<String, Rule>,
    pub(super) synonyms: BTreeMap<String, Synonym>,
    pub(super) stop_words: StopWords,
    pub(super) presets: BTreeMap<String, Preset>,
    pub(super) experiments: BTreeMap<String, Experiment>,
}
