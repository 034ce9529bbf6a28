//! Collections: schema and state.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    AnonymityConfig, BehaviorConfig, BehaviorInfo, BehaviorPatch, ConsentConfig, EmbedMode,
    EmbeddingInfo, FeedConfig, FeedPreset, PrivacyConfig, ReembeddingInfo, SearchLogConfig,
    SearchLogInfo, SuggestConfig, VectorSpace, vector_space::is_default,
};

/// Type of an attribute. Each type accepts one value or an array.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AttributeType {
    /// Exact string.
    Keyword,
    /// Category path, levels joined by ` > `; a filter on a prefix of levels matches everything
    /// below it.
    Category,
    /// 64-bit integer.
    Integer,
    /// 64-bit float.
    Float,
    /// true or false.
    Bool,
    /// RFC 3339 time.
    Datetime,
    /// Text for full-text search; not filterable.
    Text,
}

impl AttributeType {
    /// Returns true if values of the type are indexed for full-text search.
    pub fn is_words(self) -> bool {
        matches!(self, Self::Keyword | Self::Category | Self::Text)
    }
}

/// Configuration of a new collection.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CollectionConfig {
    /// Default settings for news or posts. It is replaced by the settings that it stands for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preset: Option<FeedPreset>,
    /// Attribute types by name. The built-in fields `category`, `brand`, `price`, `availability`,
    /// `created_at` and `expires_at` are always filterable.
    #[serde(default)]
    pub attributes: BTreeMap<String, AttributeType>,
    /// Vector spaces by name, at least one: `shared`, `text`, `image` or a custom name. Without
    /// this and `fingerprint`, those of the encoders of the server.
    #[serde(default)]
    pub vectors: BTreeMap<String, VectorSpace>,
    /// Fingerprint of the encoders that fill the spaces; vectors with another fingerprint are
    /// rejected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// Settings for learning from events.
    #[serde(default, skip_serializing_if = "is_default")]
    pub behavior: BehaviorConfig,
    /// `off`: the server embeds no items of the collection; clients bring the vectors.
    #[serde(default, skip_serializing_if = "is_default")]
    pub embed: EmbedMode,
    /// Settings of the search log.
    #[serde(default, skip_serializing_if = "is_default")]
    pub search_log: SearchLogConfig,
    /// Settings of suggestions.
    #[serde(default, skip_serializing_if = "is_default")]
    pub suggest: SuggestConfig,
    /// Settings of recommendations as a feed of news or posts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feed: Option<FeedConfig>,
    /// Consent of users and sessions to the use of their data.
    #[serde(default, skip_serializing_if = "is_default")]
    pub consent: ConsentConfig,
    /// Minimum number of people behind what figures and reasons tell.
    #[serde(default, skip_serializing_if = "is_default")]
    pub anonymity: AnonymityConfig,
    /// Differential privacy of what answers tell of the behavior of others; absent: none. It cannot
    /// be changed later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub privacy: Option<PrivacyConfig>,
}

impl CollectionConfig {
    /// Replaces the preset by its settings, where the configuration has none of its own.
    pub fn expand_preset(&mut self) {
        let Some(preset) = self.preset.take() else {
            return;
        };
        for name in preset.attributes() {
            let attribute = self.attributes.entry((*name).to_owned());
            attribute.or_insert(AttributeType::Keyword);
        }
        if self.behavior.half_life_days == BehaviorConfig::default().half_life_days {
            self.behavior.half_life_days = preset.half_life_days();
        }
        self.feed.get_or_insert_with(|| preset.feed());
    }
}

/// Changes to a collection: attributes and vector spaces can be added, but not changed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CollectionPatch {
    /// Default settings for news or posts, where the collection has none of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preset: Option<FeedPreset>,
    /// Attributes to add.
    #[serde(default)]
    pub attributes: BTreeMap<String, AttributeType>,
    /// Vector spaces to add.
    #[serde(default)]
    pub vectors: BTreeMap<String, VectorSpace>,
    /// Changes to the settings for learning from events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behavior: Option<BehaviorPatch>,
    /// `on` or `off`: embedding of written items by the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub embed: Option<EmbedMode>,
    /// New settings of the search log, as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search_log: Option<SearchLogConfig>,
    /// New settings of suggestions, as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suggest: Option<SuggestConfig>,
    /// New settings of recommendations as a feed, as a whole; `{}` removes them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feed: Option<FeedConfig>,
    /// New consent settings, as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consent: Option<ConsentConfig>,
    /// New settings of what may be told about few people, as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anonymity: Option<AnonymityConfig>,
}

/// Memory of an index by component.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct IndexMemory {
    /// Bytes of codes, links and internal ids of sealed segments.
    pub sealed_bytes: u64,
    /// Bytes of vectors in the growing segment.
    pub unsealed_bytes: u64,
    /// Approximate bytes of the graph of the growing segment.
    pub growing_bytes: u64,
    /// Approximate bytes of running seals and merges; not counted against the memory limit.
    pub building_bytes: u64,
}

/// Recall of a vector space, measured by repeating sampled searches exactly in the background.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RecallInfo {
    /// Mean share of the 10 nearest neighbors that were found; ties count as found.
    pub mean: f64,
    /// Number of searches measured, the latest 1000 at most.
    pub samples: u64,
    /// Time of the first measured search, RFC 3339.
    pub since: String,
    /// Recall by the share of the space's vectors that matched the filter of the search:
    /// `from_50_percent` (also without a filter), `from_10_percent`, `from_1_percent`,
    /// `below_1_percent`. Without those that no search was measured of.
    #[serde(default)]
    pub by_selectivity: BTreeMap<String, SelectivityRecall>,
}

/// Recall of the measured searches whose filters match about the same share of the vectors.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SelectivityRecall {
    /// Mean share of the 10 nearest neighbors that were found.
    pub mean: f64,
    /// Lowest of a search.
    pub worst: f64,
    /// Number of searches measured.
    pub samples: u64,
}

/// State of the index of a vector space.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct IndexInfo {
    /// Vectors in sealed segments, including those of items deleted or replaced since.
    pub sealed: u64,
    /// Vectors in the growing segment.
    pub unsealed: u64,
    /// Number of sealed segments.
    pub segments: u64,
    /// Bytes in memory, without vectors mapped from files.
    pub memory_bytes: u64,
    /// Bytes in memory by component.
    pub memory: IndexMemory,
    /// Bytes of vectors mapped from files.
    pub mapped_bytes: u64,
    /// Bytes of the index files.
    pub file_bytes: u64,
    /// Vectors that no graph search of a sealed segment can reach: 0 in a healthy index; absent
    /// until it was checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unreachable: Option<u64>,
    /// Recall of recent searches, measured in the background; absent before the first measurement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recall: Option<RecallInfo>,
    /// The segment being built, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub building: Option<BuildInfo>,
}

/// Progress of a segment being built.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BuildInfo {
    /// Number of vectors of the segment.
    pub vectors: u64,
    /// Number of vectors done.
    pub done: u64,
}

/// Configuration and state of a collection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CollectionInfo {
    /// Name of the collection.
    pub name: String,
    /// Configuration of the collection.
    #[serde(flatten)]
    pub config: CollectionConfig,
    /// Live items, including hidden items.
    pub items: u64,
    /// Stored items that cannot be indexed; searches do not find them. The log names the causes.
    #[serde(default)]
    pub quarantined: u64,
    /// Ids of the first 100 of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quarantined_ids: Vec<String>,
    /// Live vectors by space.
    pub vector_counts: BTreeMap<String, u64>,
    /// Approximate bytes in memory of ids, filters and other record data.
    #[serde(default)]
    pub records_bytes: u64,
    /// State of the index by space.
    #[serde(default)]
    pub indexes: BTreeMap<String, IndexInfo>,
    /// Event log and models in memory.
    #[serde(default)]
    pub events: BehaviorInfo,
    /// State of the search log.
    #[serde(default)]
    pub searches: SearchLogInfo,
    /// Items that the server has still to embed, or could not embed.
    #[serde(default)]
    pub embedding: EmbeddingInfo,
    /// The current re-embedding, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reembedding: Option<ReembeddingInfo>,
    /// Aliases of the collection.
    pub aliases: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preset_fills_what_is_absent() {
        let mut config: CollectionConfig = serde_json::from_value(serde_json::json!({
            "preset": "news",
            "vectors": {"text": {"dim": 2}},
            "attributes": {"source": "text"},
        }))
        .expect("a configuration");
        config.expand_preset();
        assert_eq!(config.preset, None);
        assert_eq!(config.attributes["source"], AttributeType::Text);
        assert_eq!(config.attributes["story"], AttributeType::Keyword);
        assert_eq!(config.behavior.half_life_days, 0.25);
        let feed = config.feed.clone().expect("settings of a feed");
        assert_eq!(feed.followed_field.as_deref(), Some("source"));
        let before = config.clone();
        config.expand_preset();
        assert_eq!(config, before);
    }
}
