//! Minimum relevance of the matches of a text.

use serde::{Deserialize, Deserializer, Serialize, de::Error};
use serde_json::Value;
use utoipa::ToSchema;

/// Minimum relevance of the matches of a text, compared with the best match.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
#[serde(untagged)]
pub enum Relevance {
    /// `all` or `strict`
    Level(RelevanceLevel),
    /// Share of the full-text score of the best match, 0 to 1: an item with a lower score is not a
    /// match.
    Share(f32),
}

/// A common minimum of relevance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RelevanceLevel {
    /// Every item with any of the words matches; if no item has any, every item does.
    All,
    /// Half of the score of the best match.
    Strict,
}

impl Relevance {
    /// Returns the share of the best score that a match needs.
    pub fn share(self) -> f32 {
        match self {
            Self::Level(RelevanceLevel::All) => 0.0,
            Self::Level(RelevanceLevel::Strict) => 0.5,
            Self::Share(share) => share,
        }
    }
}

impl<'de> Deserialize<'de> for Relevance {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let share = value.as_f64().filter(|share| (0.0..=1.0).contains(share));
        match value.as_str() {
            Some("all") => Ok(Self::Level(RelevanceLevel::All)),
            Some("strict") => Ok(Self::Level(RelevanceLevel::Strict)),
            _ => share.map(|share| Self::Share(share as f32)).ok_or_else(|| {
                D::Error::custom(format!(
                    "expected \"all\", \"strict\" or a number from 0 to 1, got {value}"
                ))
            }),
        }
    }
}
