//! Synonyms and stop words of full-text search.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Equivalent terms or, with `to`, a one-way synonym.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Synonym {
    /// Id within the collection; derived from the words if absent.
    #[serde(default)]
    pub id: String,
    /// Words or phrases. Without `to`, each also matches the others.
    pub words: Vec<String>,
    /// Words or phrases that each of `words` also matches, but not vice versa.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<String>,
}

/// Synonyms of a collection.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Synonyms {
    /// Synonyms, sorted by id.
    pub synonyms: Vec<Synonym>,
}

/// Words that are ignored in queries, unless there are no others.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StopWords {
    /// Additional stop words or phrases.
    #[serde(default)]
    pub words: Vec<String>,
    /// Do not ignore the common stop words of English and Chinese, such as `the` and `的`.
    #[serde(default)]
    pub keep_common: bool,
}
