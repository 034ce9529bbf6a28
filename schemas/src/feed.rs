//! Feeds: recommendations of collections of news or posts.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{AttributeType, CollectionConfig, DiversifySpec};

/// Kind of a new collection: its default settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FeedPreset {
    /// Articles: their value decays within hours, a story is shown once, and no publisher fills a
    /// page.
    News,
    /// Posts of authors that users follow.
    Social,
}

/// Decay of scores with the age of an item.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Freshness {
    /// Age in hours at which a score counts half, 0.01 to 876,000.
    #[schema(minimum = 0.01, maximum = 876000)]
    pub half_life_hours: f64,
    /// Age in hours from which items are not recommended; absent: none is too old. Items without a
    /// date count as this old, or as 10 half-lives, but stay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0.01, maximum = 876000)]
    pub max_age_hours: Option<f64>,
    /// Field with the time that the age is counted from: `created_at` or a `datetime` attribute.
    #[serde(default = "default_field")]
    pub field: String,
}

fn default_field() -> String {
    "created_at".to_owned()
}

/// Settings of recommendations as a feed. They are defaults: a request can set its own, or `feed:
/// false`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct FeedConfig {
    /// Decay with age.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub freshness: Option<Freshness>,
    /// Field whose values users can follow, with events of the kind `follow`: `brand` or a
    /// `keyword` attribute, such as `author`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub followed_field: Option<String>,
    /// Number of impressions from which an item is not recommended to the same user or session
    /// again; absent: any number.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    pub max_impressions: Option<u32>,
    /// Diversification.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub diversify: Option<DiversifySpec>,
}

impl CollectionConfig {
    /// Replaces the preset by its settings, where the configuration has none of its own.
    pub fn expand_preset(&mut self) {
        let Some(preset) = self.preset.take() else {
            return;
        };
        let (attributes, half_life_days, feed) = match preset {
            FeedPreset::News => (
                vec!["author", "source", "story", "topics"],
                0.25,
                feed(12.0, 7.0, "source", None, ("source", 3)),
            ),
            FeedPreset::Social => (
                vec!["author", "topics"],
                1.0,
                feed(24.0, 14.0, "author", Some(3), ("author", 2)),
            ),
        };
        for name in attributes {
            let attribute = self.attributes.entry(name.to_owned());
            attribute.or_insert(AttributeType::Keyword);
        }
        if self.behavior.half_life_days == crate::BehaviorConfig::default().half_life_days {
            self.behavior.half_life_days = half_life_days;
        }
        self.feed.get_or_insert(feed);
    }
}

/// Greatest similarity of two hits of a page in the presets: above it, two articles tell the same
/// story.
const PRESET_MAX_SIMILARITY: f32 = 0.95;

fn feed(
    half_life_hours: f64,
    max_age_days: f64,
    followed_field: &str,
    max_impressions: Option<u32>,
    (quota_field, quota): (&str, usize),
) -> FeedConfig {
    FeedConfig {
        freshness: Some(Freshness {
            half_life_hours,
            max_age_hours: Some(max_age_days * 24.0),
            field: default_field(),
        }),
        followed_field: Some(followed_field.to_owned()),
        max_impressions,
        diversify: Some(DiversifySpec {
            max_per: [(quota_field.to_owned(), quota)].into(),
            max_similarity: Some(PRESET_MAX_SIMILARITY),
            ..DiversifySpec::default()
        }),
    }
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
