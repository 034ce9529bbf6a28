//! Words that stand for each other in searches by words, and words that are passed over.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Words that find each other, or, with `to`, words that find others besides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Synonym {
    /// Name within the collection; made from the words where it is left out.
    #[serde(default)]
    pub id: String,
    /// Words or phrases. Without `to`, each finds the others.
    pub words: Vec<String>,
    /// Words or phrases that each of `words` finds too, but which do not find them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<String>,
}

/// Synonyms of a collection.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Synonyms {
    /// In the order of their ids.
    pub synonyms: Vec<Synonym>,
}

/// Words of a query that are passed over, unless there are no others.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StopWords {
    /// Words or phrases of the shop's own.
    #[serde(default)]
    pub words: Vec<String>,
    /// Do not pass over the common ones of English and Chinese, such as `the` and `的`.
    #[serde(default)]
    pub keep_common: bool,
}
