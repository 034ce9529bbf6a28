//! The store of published states.
//!
//! ```text
//! replication/states/0000000000000042.json   a state, created once and never changed
//! replication/objects/4f/4f1c...             a file of states, by its BLAKE3 hash
//! replication/writer.json                    newest state and time of the writer, replaced
//! ```

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::state::State;
use crate::backup::Repository;

/// Folder in the store, which may also hold backups.
const FOLDER: &str = "replication";
const STATES: &str = "states";
const WRITER: &str = "writer.json";

/// States in an object store.
#[derive(Clone)]
pub struct StateStore {
    /// Files of states.
    pub repository: Repository,
}

/// Heartbeat of a writer. It is a hint: states alone are the truth.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// Number of the newest state.
    pub number: u64,
    /// Time at which that state was still all of the database.
    pub as_of: DateTime<Utc>,
}

impl StateStore {
    /// Opens a store: a folder, which is made, or a URL.
    ///
    /// # Errors
    /// See [`Repository::open`].
    pub fn open(target: &str) -> Result<Self, String> {
        let repository = Repository::open(target)?.below(FOLDER);
        Ok(Self { repository })
    }

    /// Reads a state; None if there is none of that number.
    ///
    /// # Errors
    /// The store cannot be read, or the state is damaged.
    pub async fn read(&self, number: u64) -> Result<Option<State>, String> {
        let name = name(number);
        let bytes = self.repository.read(&[STATES, &name]).await?;
        let state = bytes.map(|bytes| State::parse(&bytes)).transpose();
        state.map_err(|e| format!("{}: state {name}: {e}", self.repository.target()))
    }

    /// Adds a state to the chain; returns false if its number is taken.
    ///
    /// # Errors
    /// The store cannot be written; the state may be there all the same.
    pub async fn add(&self, state: &State) -> Result<bool, String> {
        let name = [STATES, &name(state.number)];
        self.repository.write_new(&name, state.encode()?).await
    }

    /// Returns the numbers of all states, the newest first, each with its time.
    ///
    /// # Errors
    /// The store cannot be listed.
    pub async fn numbers(&self) -> Result<Vec<(u64, DateTime<Utc>)>, String> {
        let names = self.repository.names(&[STATES]).await?.into_iter();
        let numbered = names.filter_map(|(name, at)| {
            let number = name.strip_suffix(".json")?.parse().ok()?;
            Some((number, at))
        });
        let mut numbers: Vec<_> = numbered.collect();
        numbers.sort_unstable_by(|a, b| b.cmp(a));
        Ok(numbers)
    }

    /// Deletes a state.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn remove(&self, number: u64) -> Result<(), String> {
        self.repository.remove(&[STATES, &name(number)]).await
    }

    /// Returns the size of each object, by hash.
    ///
    /// # Errors
    /// The store cannot be listed.
    pub async fn objects(&self) -> Result<HashMap<String, u64>, String> {
        self.repository.objects().await
    }

    /// Replaces the heartbeat.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn write_heartbeat(&self, heartbeat: &Heartbeat) -> Result<(), String> {
        let bytes = serde_json::to_vec(heartbeat).map_err(|e| e.to_string())?;
        self.repository.write(&[WRITER], bytes).await
    }

    /// Reads the heartbeat; None if there is none that can be read.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn read_heartbeat(&self) -> Result<Option<Heartbeat>, String> {
        let bytes = self.repository.read(&[WRITER]).await?;
        Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    }
}

/// Returns the name of a state; names sort as numbers.
fn name(number: u64) -> String {
    format!("{number:016}.json")
}
