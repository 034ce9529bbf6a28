//! Feeds: recommendations of collections of news or posts.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{DiversifySpec, ExploreSpec};

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
    /// Exploration of items with little evidence; not in a private collection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub explore: Option<ExploreSpec>,
}

impl FeedPreset {
    /// Returns the names of the attributes, which have the type `keyword`.
    pub(crate) fn attributes(self) -> &'static [&'static str] {
        match self {
            Self::News => &["author", "source", "story", "topics"],
            Self::Social => &["author", "topics"],
        }
    }

    /// Returns the half-life of popularity in days.
    pub(crate) fn half_life_days(self) -> f64 {
        match self {
            Self::News => 0.25,
            Self::Social => 1.0,
        }
    }

    /// Returns the settings of recommendations.
    pub(crate) fn feed(self) -> FeedConfig {
        match self {
            Self::News => feed(12.0, 7.0, "source", None, ("source", 3)),
            Self::Social => feed(24.0, 14.0, "author", Some(3), ("author", 2)),
        }
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
        explore: None,
    }
}
