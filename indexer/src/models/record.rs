//! The record stored with the files of a model: where they are from, and their checksums.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::FetchError;
use super::fetch::{self, sha256_file};

/// Name of the record stored with a model's files.
pub const RECORD: &str = "vitrine-model.json";

/// Record that `get` stores with a model.
#[derive(Debug, Serialize, Deserialize)]
pub struct Record {
    pub name: String,
    pub license: String,
    /// Repository and commit of a model that is not in the table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// sha256 by file.
    pub files: BTreeMap<String, String>,
}

impl Record {
    /// Loads the record of the model in `folder`; `None` if it has none.
    pub fn load(folder: &Path) -> Option<Self> {
        let bytes = std::fs::read(folder.join(RECORD)).ok()?;
        serde_json::from_slice(&bytes).ok()
    }

    /// Saves the record of the model in `folder`.
    pub fn save(&self, folder: &Path) -> Result<(), FetchError> {
        let json = serde_json::to_vec_pretty(self).map_err(|e| FetchError::Archive {
            archive: RECORD.into(),
            reason: e.to_string(),
        })?;
        fetch::write(&folder.join(RECORD), &json)
    }

    /// Returns the problem with a file of the model in `folder`, if there is one.
    pub fn problem(&self, folder: &Path, file: &str) -> Option<String> {
        match sha256_file(&folder.join(file)) {
            Ok(found) if self.files.get(file) == Some(&found) => None,
            Ok(found) => Some(format!("changed: sha256 is now {found}")),
            Err(error) => Some(error.to_string()),
        }
    }

    /// Returns the problems of the model in `folder` by file.
    pub fn problems(&self, folder: &Path) -> BTreeMap<&str, String> {
        let files = self.files.keys();
        files
            .filter_map(|file| Some((file.as_str(), self.problem(folder, file)?)))
            .collect()
    }
}
