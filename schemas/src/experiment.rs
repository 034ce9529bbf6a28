//! Experiments: search configurations compared on live searches.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::SearchFigures;

/// Kind of an experiment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExperimentKind {
    /// A/B test: each user has one variant.
    #[default]
    Split,
    /// Each search shows the hits of two variants, interleaved (team draft; Radlinski, Kurup and
    /// Joachims 2008). It needs far fewer searches than a split, but says nothing of revenue.
    Interleaving,
}

/// A search configuration in an experiment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExperimentVariant {
    /// Name within the experiment.
    pub name: String,
    /// Share of the users, relative to the other variants; not used by interleaving.
    #[serde(default = "default_share")]
    pub share: f64,
    /// Fields of a search request except `query`, `cursor`, `preset` and `experiment`.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub search: Map<String, Value>,
}

fn default_share() -> f64 {
    1.0
}

/// An experiment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Experiment {
    /// Id within the collection; taken from the path if the body has none. Users are assigned by a
    /// hash of it, so experiments with different ids are independent.
    #[serde(default)]
    pub id: String,
    /// Description for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Kind.
    #[serde(default)]
    pub kind: ExperimentKind,
    /// Variants, 2 to 10; the first one is the control. Interleaving has two.
    pub variants: Vec<ExperimentVariant>,
    /// `false`: all searches use the control and are not counted.
    #[serde(default = "default_true")]
    pub enabled: bool,
}

fn default_true() -> bool {
    true
}

/// Experiments of a collection.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Experiments {
    /// Experiments, sorted by id.
    pub experiments: Vec<Experiment>,
}

/// Part of a search in an experiment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ExperimentUse {
    /// Id of the experiment.
    pub id: String,
    /// Name of the variant; absent if the hits of two are interleaved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// Index of the variant that each interleaved hit comes from, in order; only in recorded
    /// searches.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub teams: Vec<u8>,
}

/// Difference of a figure to that of the control.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FigureDifference {
    /// Difference.
    pub difference: f64,
    /// Lower end of the 95 % confidence interval.
    pub low: f64,
    /// Upper end of the 95 % confidence interval.
    pub high: f64,
    /// Two-sided p-value.
    pub p_value: f64,
    /// True if the p-value is below 0.05, divided by the number of variants compared with the
    /// control.
    pub significant: bool,
}

/// Differences of a variant to the control. Searches of one user are not independent: the
/// intervals are those of ratios of sums by user (delta method; Deng, Knoblich and Lu 2018).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct VariantDifferences {
    /// Share of searches with a click.
    pub click_through: FigureDifference,
    /// Share of searches with a purchase.
    pub conversion: FigureDifference,
    /// Revenue per search.
    pub revenue_per_search: FigureDifference,
}

/// Figures of a variant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct VariantResults {
    /// Name of the variant.
    pub name: String,
    /// Figures of its searches.
    #[serde(flatten)]
    pub figures: SearchFigures,
    /// Revenue per search.
    pub revenue_per_search: f64,
    /// Differences to the control; absent for the control, and with fewer than two users.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub differences: Option<VariantDifferences>,
}

/// Preferences of users between two interleaved variants: that of the variant with more clicked
/// items over all searches of the user.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct InterleavingResults {
    /// Number of searches.
    pub searches: u64,
    /// Number of users who prefer the control.
    pub control_wins: u64,
    /// Number of users who prefer the other variant.
    pub variant_wins: u64,
    /// Number of users without a preference.
    pub ties: u64,
    /// `variant_wins` as a share of the users with a preference.
    pub preference: f64,
    /// Lower end of the 95 % confidence interval of the preference (Wilson).
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Two-sided p-value of a sign test.
    pub p_value: f64,
    /// True if the p-value is below 0.05.
    pub significant: bool,
}

/// Results of an experiment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ExperimentResults {
    /// Id of the experiment.
    pub id: String,
    /// Figures by variant, the control first; empty if hits are interleaved.
    pub variants: Vec<VariantResults>,
    /// Preferences between two interleaved variants.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interleaving: Option<InterleavingResults>,
}
