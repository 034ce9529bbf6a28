//! API keys, stored as hashes, scoped by action and collection.
//!
//! A key is 32 random bytes, so it cannot be guessed: a fast hash (blake3) protects it as well as a
//! slow password hash would. Hashes are compared in constant time (`blake3::Hash` equality).

mod change_error;
mod changes;
mod file;
mod ring;
mod user_token;

use std::io::Read;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use vitrine_schemas::KeyAction;

pub use self::{
    change_error::KeyChangeError,
    changes::{MAX_LIFETIME_DAYS, MAX_OVERLAP_HOURS},
    file::{append, revoke, rotate},
    ring::{Grant, KeyRing},
    user_token::UserToken,
};

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
    /// List, create, rotate and revoke keys.
    Keys,
}

impl From<KeyAction> for Action {
    fn from(action: KeyAction) -> Self {
        match action {
            KeyAction::Read => Self::Read,
            KeyAction::Write => Self::Write,
            KeyAction::Admin => Self::Admin,
            KeyAction::Keys => Self::Keys,
        }
    }
}

impl From<Action> for KeyAction {
    fn from(action: Action) -> Self {
        match action {
            Action::Read => Self::Read,
            Action::Write => Self::Write,
            Action::Admin => Self::Admin,
            Action::Keys => Self::Keys,
        }
    }
}

impl Action {
    /// Returns the name in the keys file.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
            Self::Keys => "keys",
        }
    }
}

/// A stored key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
    /// Time from which it is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Time>,
    /// Requests per second, in place of `limits.key_requests_per_second`; 0 for no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests_per_second: Option<u32>,
    /// Secret that user tokens are signed with; without it, the key signs none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token_secret: Option<String>,
    /// Secrets before rotations, which are accepted for some time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    previous: Vec<Previous>,
}

/// Secrets of a key before its rotation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Previous {
    hash: Hash,
    /// Time from which they are refused.
    expires_at: Time,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token_secret: Option<String>,
}

impl Previous {
    fn is_valid(&self) -> bool {
        Utc::now() < self.expires_at.0
    }
}

impl Key {
    /// Creates a key; returns it with its secret, which is not stored.
    pub fn create(
        name: String,
        actions: Vec<Action>,
        collections: Vec<String>,
    ) -> std::io::Result<(Self, String)> {
        let (secret, hash) = new_secret()?;
        let key = Self {
            name,
            hash,
            actions,
            collections,
            expires_at: None,
            requests_per_second: None,
            token_secret: None,
            previous: Vec::new(),
        };
        Ok((key, secret))
    }

    /// Lets the key sign user tokens; returns the secret to sign with, which is stored: the server
    /// verifies with the same.
    pub fn sign_tokens(&mut self) -> std::io::Result<&str> {
        Ok(self.token_secret.insert(random_text()?))
    }

    /// Replaces the secret, and that of user tokens if the key signs any; returns the new ones. The
    /// old ones are accepted for the time of `overlap`, those of earlier rotations until theirs
    /// ends; without an overlap, all are refused at once.
    pub fn rotate(&mut self, overlap: TimeDelta) -> std::io::Result<(String, Option<String>)> {
        let (secret, hash) = new_secret()?;
        let previous = Previous {
            hash: std::mem::replace(&mut self.hash, hash),
            expires_at: Time(Utc::now() + overlap),
            token_secret: self.token_secret.take(),
        };
        let token_secret = match previous.token_secret {
            Some(_) => Some(self.sign_tokens()?.to_owned()),
            None => None,
        };
        self.previous.push(previous);
        let has_overlap = overlap > TimeDelta::zero();
        self.previous
            .retain(|previous| has_overlap && previous.is_valid());
        Ok((secret, token_secret))
    }

    /// Returns the time until which a secret before a rotation is accepted, if one still is.
    pub fn rotates_until(&self) -> Option<Time> {
        let valid = self.previous.iter().filter(|previous| previous.is_valid());
        let latest = valid.max_by_key(|previous| previous.expires_at.0);
        latest.map(|previous| previous.expires_at)
    }

    /// Returns the secrets that sign user tokens now.
    fn token_secrets(&self) -> impl Iterator<Item = &String> {
        let previous = self.previous.iter().filter(|previous| previous.is_valid());
        let previous = previous.filter_map(|previous| previous.token_secret.as_ref());
        self.token_secret.iter().chain(previous)
    }

    fn has_hash(&self, hash: Hash) -> bool {
        let mut previous = self.previous.iter().filter(|previous| previous.is_valid());
        self.hash == hash || previous.any(|previous| previous.hash == hash)
    }

    /// Returns true unless the key has expired.
    fn is_valid(&self) -> bool {
        self.expires_at.is_none_or(|at| Utc::now() < at.0)
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

/// Returns a new secret of a key, and its hash.
fn new_secret() -> std::io::Result<(String, Hash)> {
    let secret = format!("vitrine_{}", random_text()?);
    let hash = Hash(blake3::hash(secret.as_bytes()));
    Ok((secret, hash))
}

/// Returns 32 random bytes in hexadecimal.
fn random_text() -> std::io::Result<String> {
    let mut bytes = [0u8; 32];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(blake3::Hash::from_bytes(bytes).to_hex().to_string())
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

/// A time, RFC 3339 in the file.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Time(pub DateTime<Utc>);

impl TryFrom<String> for Time {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let time = DateTime::parse_from_rfc3339(&text);
        time.map(|time| Self(time.to_utc())).map_err(|e| {
            format!("invalid time `{text}`: expected RFC 3339, such as 2027-01-31T12:00:00Z: {e}")
        })
    }
}

impl From<Time> for String {
    fn from(time: Time) -> Self {
        time.0.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
    }
}

/// Keys of a file.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keys {
    /// Keys, in order of creation.
    #[serde(default)]
    pub keys: Vec<Key>,
}

impl Keys {
    /// Returns true if there are no keys.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Returns the key that a secret belongs to, unless it has expired.
    pub fn find(&self, secret: &str) -> Option<&Key> {
        let hash = Hash(blake3::hash(secret.as_bytes()));
        let key = self.keys.iter().find(|key| key.has_hash(hash))?;
        key.is_valid().then_some(key)
    }
}
