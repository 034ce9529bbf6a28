//! API keys of a server.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Action that a key may grant; no action includes another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeyAction {
    /// Search, read, embed.
    Read,
    /// Write items and events.
    Write,
    /// Manage collections, aliases, models and re-embeddings; export and erase users.
    Admin,
    /// Manage keys.
    Keys,
}

/// An API key, without its secret.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct KeyInfo {
    /// Name for people; unique.
    pub name: String,
    /// Granted actions.
    pub actions: Vec<KeyAction>,
    /// Collections or aliases that it covers; `*` covers all.
    pub collections: Vec<String>,
    /// Time from which it is refused, RFC 3339; absent if it does not expire.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// Requests per second, in place of `limits.key_requests_per_second`; 0 for no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests_per_second: Option<u32>,
    /// True if the key signs user tokens.
    pub signs_tokens: bool,
    /// Time until which the secret before a rotation is accepted, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old_secret_until: Option<String>,
    /// Time of the last request with the key or a token that it signed, RFC 3339, since this
    /// server started; absent without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<String>,
}

/// Response of `GET /v1/keys`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct KeysResponse {
    /// Keys, in the order of the file.
    pub keys: Vec<KeyInfo>,
}

/// A key to create.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewKey {
    /// Name for people; unique, 1 to 128 bytes.
    #[schema(example = "backend")]
    pub name: String,
    /// Actions to grant, at least one.
    pub actions: Vec<KeyAction>,
    /// Collections or aliases that it covers, at least one; `*` covers all.
    pub collections: Vec<String>,
    /// Days until it expires; without it, it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in_days: Option<u32>,
    /// Requests per second, in place of `limits.key_requests_per_second`; 0 for no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests_per_second: Option<u32>,
    /// True to let the key sign user tokens.
    #[serde(default)]
    pub sign_tokens: bool,
}

/// A rotation of a key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct KeyRotation {
    /// Hours for which the old secret is accepted too, 0 to 8,760; 0 refuses it at once.
    pub overlap_hours: u32,
}

impl Default for KeyRotation {
    fn default() -> Self {
        Self { overlap_hours: 24 }
    }
}

/// Secrets of a key, which are told once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct KeySecrets {
    /// Name of the key.
    pub name: String,
    /// Secret to send as `Authorization: Bearer SECRET`.
    pub secret: String,
    /// Secret to sign user tokens with, if the key signs any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_secret: Option<String>,
}
