//! API keys, stored as hashes, scoped by action and collection.
//!
//! A key is 32 random bytes, so it cannot be guessed: a fast hash (blake3) protects it as well as a
//! slow password hash would. Hashes are compared in constant time (`blake3::Hash` equality).

use std::{
    io::{Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use serde::{Deserialize, Serialize};

/// An action that a key may grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Search, read, embed.
    Read,
    /// Write items and events.
    Write,
    /// Manage collections, aliases, models and re-embeddings; export and erase users.
    Admin,
}

/// A stored key.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// Name for people; unique within a file.
    pub name: String,
    /// Hash of the secret.
    hash: Hash,
    /// Granted actions; no action includes another.
    pub actions: Vec<Action>,
    /// Collections or aliases that it covers; `*` covers all.
    pub collections: Vec<String>,
}

impl Key {
    /// Creates a key; returns it with its secret, which is not stored.
    pub fn create(
        name: String,
        actions: Vec<Action>,
        collections: Vec<String>,
    ) -> std::io::Result<(Self, String)> {
        let mut bytes = [0u8; 32];
        std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
        let secret = format!("vitrine_{}", blake3::Hash::from_bytes(bytes).to_hex());
        let key = Self {
            name,
            hash: Hash(blake3::hash(secret.as_bytes())),
            actions,
            collections,
        };
        Ok((key, secret))
    }

    /// Returns true if the key covers the collection or alias.
    pub fn covers(&self, collection: &str) -> bool {
        self.covers_all() || self.collections.iter().any(|c| c == collection)
    }

    /// Returns true if the key covers all collections.
    pub fn covers_all(&self) -> bool {
        self.collections.iter().any(|c| c == "*")
    }
}

/// blake3 hash of a secret, hexadecimal in the file.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
struct Hash(blake3::Hash);

impl TryFrom<String> for Hash {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        blake3::Hash::from_hex(&text)
            .map(Self)
            .map_err(|_| format!("invalid key hash `{text}`: expected 64 hexadecimal digits"))
    }
}

impl From<Hash> for String {
    fn from(hash: Hash) -> Self {
        hash.0.to_hex().to_string()
    }
}

/// Keys of a file.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keys {
    /// Keys, in order of creation.
    #[serde(default)]
    pub keys: Vec<Key>,
}

impl Keys {
    /// Reads a keys file.
    pub fn load(path: &Path) -> Result<Self, String> {
        let error = |e: &dyn std::fmt::Display| format!("keys file {}: {e}", path.display());
        let text = std::fs::read_to_string(path).map_err(|e| error(&e))?;
        toml::from_str(&text).map_err(|e| error(&e))
    }

    /// Returns true if there are no keys.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Returns the key that a secret belongs to.
    pub fn find(&self, secret: &str) -> Option<&Key> {
        let hash = Hash(blake3::hash(secret.as_bytes()));
        self.keys.iter().find(|key| key.hash == hash)
    }
}

/// Appends a key to the file; creates the file, readable by its owner only, if it is missing.
pub fn append(path: &Path, key: Key) -> Result<(), String> {
    if path.exists() {
        let existing = Keys::load(path)?;
        if existing.keys.iter().any(|k| k.name == key.name) {
            return Err(format!(
                "keys file {}: a key named `{}` already exists; choose another name",
                path.display(),
                key.name
            ));
        }
    }
    let text = toml::to_string(&Keys { keys: vec![key] }).map_err(|e| e.to_string())?;
    std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| {
            file.write_all(format!("\n{text}").as_bytes())?;
            file.sync_all()
        })
        .map_err(|e| format!("keys file {}: {e}", path.display()))
}
