//! Suggestions: completions of a query that is being typed.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::Fragment;

/// Settings of suggestions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SuggestConfig {
    /// Number of users, or sessions without a user, that must have searched for a query before it
    /// is suggested; at least 1, at most 100.
    pub min_users: u32,
    /// Words and phrases that no suggestion has.
    pub blocked: Vec<String>,
}

impl Default for SuggestConfig {
    fn default() -> Self {
        Self {
            min_users: 3,
            blocked: Vec::new(),
        }
    }
}

/// Kind of a suggestion.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum SuggestionKind {
    /// A query that several users searched for.
    Query,
    /// A category; `category` is its path.
    Category,
    /// A brand.
    Brand,
    /// A phrase of titles.
    Phrase,
}

/// Query parameters of suggestions.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SuggestParams {
    /// Text typed so far; without one, the most popular suggestions.
    #[serde(default)]
    #[param(example = "running sh")]
    pub q: String,
    /// Maximum number of suggestions, 1 to 50.
    #[serde(default = "default_limit")]
    #[param(minimum = 1, maximum = 50)]
    pub limit: usize,
    /// Kinds to suggest, comma-separated; default: all.
    #[serde(default, with = "crate::list")]
    #[param(style = Form, explode = false, example = "query,phrase")]
    pub kinds: Vec<String>,
}

fn default_limit() -> usize {
    8
}

/// A suggestion.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Suggestion {
    /// The text.
    pub text: String,
    /// Its kind.
    pub kind: SuggestionKind,
    /// Number of items: of the category or brand, with the phrase in the title, or of hits when the
    /// query was last searched for.
    pub items: u64,
    /// Path of the category.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// The text in fragments; `is_match` marks what was typed.
    pub fragments: Vec<Fragment>,
    /// Number of typos in what was typed: letters inserted, deleted, replaced or swapped.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub typos: u8,
}

fn is_zero(number: &u8) -> bool {
    *number == 0
}

/// Suggestions.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SuggestResponse {
    /// Suggestions, best first.
    pub suggestions: Vec<Suggestion>,
    /// Time of the last build of the suggestions, RFC 3339; absent before the first one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub built_at: Option<String>,
    /// Time in the engine in milliseconds.
    pub took_ms: f64,
}
