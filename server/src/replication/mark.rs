//! Mark in the data directory of a writer: the states that were published from it. With it, a start
//! knows whether the newest state of the store came from this directory.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::state::State;

const FILE: &str = "VITRINE_PUBLISHED";

/// States published last, and the one under way.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Mark {
    /// Number and hash of each state.
    states: Vec<(u64, String)>,
}

impl Mark {
    /// Reads the mark of a data directory; an empty one if there is none.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn read(folder: &Path) -> Result<Self, String> {
        let path = path(folder);
        match fs::read(&path) {
            Ok(bytes) => {
                serde_json::from_slice(&bytes).map_err(|e| format!("{}: {e}", path.display()))
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(e) => Err(format!("{}: {e}", path.display())),
        }
    }

    /// Returns true if a state was published from this directory, or copied into it, and nothing
    /// after it.
    pub fn has(&self, state: &State) -> Result<bool, String> {
        let hash = hash(state)?;
        let mut states = self.states.iter();
        Ok(states.any(|(number, known)| *number == state.number && *known == hash))
    }

    /// Durably replaces the mark of a data directory: `last` is published, `next` may be.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(folder: &Path, last: &State, next: Option<&State>) -> Result<(), String> {
        let states = [Some(last), next].into_iter().flatten();
        let states = states.map(|state| Ok((state.number, hash(state)?)));
        let states = states.collect::<Result<_, String>>()?;
        Self { states }.store(folder)
    }

    /// As [`Self::write`]; attempts of the mark to add states after `last` are kept, since one of
    /// them may be in the store.
    ///
    /// # Errors
    /// The file cannot be read or written.
    pub fn extend(folder: &Path, last: &State, next: &State) -> Result<(), String> {
        let mut mark = Self::read(folder)?;
        mark.states.retain(|(number, _)| *number > last.number);
        for state in [last, next] {
            mark.states.push((state.number, hash(state)?));
        }
        mark.store(folder)
    }

    fn store(&self, folder: &Path) -> Result<(), String> {
        let path = path(folder);
        let bytes = serde_json::to_vec(self).map_err(|e| e.to_string())?;
        let unfinished = path.with_extension("new");
        let write = || {
            let mut file = File::create(&unfinished)?;
            file.write_all(&bytes)?;
            file.sync_all()?;
            fs::rename(&unfinished, &path)?;
            File::open(folder)?.sync_all()
        };
        write().map_err(|e: io::Error| format!("{}: {e}", path.display()))
    }
}

fn path(folder: &Path) -> PathBuf {
    folder.join(FILE)
}

fn hash(state: &State) -> Result<String, String> {
    let hash = blake3::hash(&state.encode()?);
    Ok(hash.to_hex().to_string())
}
