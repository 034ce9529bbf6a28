//! A published state: the files of a database as of a moment, in one small object.
//!
//! States are numbered, and a number is taken by a put that succeeds only if the object does not
//! exist. So the states form one chain whoever writes them: a writer that was overtaken cannot add
//! to it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::backup::FileEntry;

/// Version of the form of a state.
const FORMAT: u32 = 1;

/// A state of a database.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Version of this form.
    pub format: u32,
    /// Place in the chain of states, from 1.
    pub number: u64,
    /// Number of the writer: that of the state which its start added.
    pub epoch: u64,
    /// Epoch of the writer that published the content; a start adds a state without other content.
    pub content_epoch: u64,
    /// Number of the last write operation.
    pub operations: u64,
    /// Time at which the state was all of the database; it may have later writes.
    pub as_of: DateTime<Utc>,
    /// Time after which the state has no writes; None in states of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_at: Option<DateTime<Utc>>,
    /// Id of the database.
    pub database: String,
    /// Version of the server that wrote it.
    pub server: String,
    /// Files, in the order of their names.
    pub files: Vec<FileEntry>,
    /// Slices of the write-ahead log: the writes since the files, in their order.
    pub log: Vec<FileEntry>,
}

/// A state as stored.
#[derive(Serialize, Deserialize)]
struct Stored {
    #[serde(flatten)]
    state: State,
    /// BLAKE3 hash of the state as JSON.
    checksum: String,
}

impl State {
    /// Returns what an empty chain begins with: no files.
    pub fn first() -> Self {
        Self {
            format: FORMAT,
            number: 0,
            epoch: 0,
            content_epoch: 0,
            operations: 0,
            as_of: Utc::now(),
            read_at: None,
            database: String::new(),
            server: env!("CARGO_PKG_VERSION").into(),
            files: Vec::new(),
            log: Vec::new(),
        }
    }

    /// Returns the state as it is stored.
    ///
    /// # Errors
    /// It is not serializable.
    pub fn encode(&self) -> Result<Vec<u8>, String> {
        let stored = Stored {
            checksum: self.checksum(),
            state: self.clone(),
        };
        serde_json::to_vec(&stored).map_err(|e| e.to_string())
    }

    /// Parses and checks a state.
    ///
    /// # Errors
    /// It is of another form, damaged, or names files outside of a data directory.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let stored: Stored = serde_json::from_slice(bytes).map_err(|e| format!("damaged: {e}"))?;
        let state = stored.state;
        if state.format != FORMAT {
            return Err(format!(
                "expected a state of format {FORMAT}, got {}; use the version of the writer ({})",
                state.format, state.server
            ));
        }
        if stored.checksum != state.checksum() {
            return Err("damaged: its checksum does not match".into());
        }
        let outside = state.objects().find(|file| !file.is_inside());
        if let Some(file) = outside {
            return Err(format!(
                "expected a path below the data directory, got {}",
                file.name
            ));
        }
        Ok(state)
    }

    /// Returns everything that the state is made of.
    pub fn objects(&self) -> impl Iterator<Item = &FileEntry> {
        self.files.iter().chain(&self.log)
    }

    /// Returns true if an open copy of an earlier state becomes this one by repeating writes.
    pub fn continues(&self, earlier: &Self) -> bool {
        self.files == earlier.files && self.log.starts_with(&earlier.log)
    }

    /// Returns the version of the database.
    pub fn version(&self) -> Version {
        Version {
            epoch: self.content_epoch,
            operations: self.operations,
        }
    }

    fn checksum(&self) -> String {
        let content = serde_json::to_vec(self).unwrap_or_default();
        blake3::hash(&content).to_hex().to_string()
    }
}

/// Version of a database: it grows with each write, and with each new writer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// Number of the writer.
    pub epoch: u64,
    /// Write operations.
    pub operations: u64,
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.epoch, self.operations)
    }
}

impl std::str::FromStr for Version {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text.split_once('.').and_then(|(epoch, operations)| {
            Some(Self {
                epoch: epoch.parse().ok()?,
                operations: operations.parse().ok()?,
            })
        });
        parsed.ok_or_else(|| {
            format!(
                "expected a version such as 3.18234 (x-vitrine-version of a response), got {text:?}"
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_read_as_written_and_damage_is_noticed() {
        let file = FileEntry {
            name: "segments/a.seg".into(),
            bytes: 3,
            ..FileEntry::default()
        };
        let state = State {
            files: vec![file],
            ..State::first()
        };
        let bytes = state.encode().unwrap();
        assert_eq!(State::parse(&bytes), Ok(state.clone()));
        assert!(State::parse(&bytes[..bytes.len() / 2]).is_err());
        let changed = String::from_utf8(bytes).unwrap();
        let changed = changed.replace("\"bytes\":3", "\"bytes\":4");
        assert!(State::parse(changed.as_bytes()).is_err());
        let mut outside = state;
        outside.files[0].name = "../a".into();
        assert!(State::parse(&outside.encode().unwrap()).is_err());
    }

    #[test]
    fn a_version_of_a_later_writer_is_later() {
        let version = |text: &str| text.parse::<Version>().unwrap();
        assert!(version("2.5") > version("1.900"));
        assert!(version("2.10") > version("2.9"));
        assert_eq!(version("2.10").to_string(), "2.10");
        for bad in ["", "7", "a.b", "1.-2", "1.2.3"] {
            assert!(bad.parse::<Version>().is_err(), "{bad}");
        }
    }
}
