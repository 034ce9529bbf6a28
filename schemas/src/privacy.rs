//! Differential privacy of a collection: settings, releases and the ledger of what they cost.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Unit that the guarantee of a private collection protects.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PrivacyUnit {
    /// All events of a user in a period; a session without a user counts as a user.
    #[default]
    User,
}

/// Settings of a private collection, fixed when it is created.
///
/// Answers to anyone contain of the behavior of others only what was released with noise, so that
/// all releases about a period are (`epsilon`, `delta`)-differentially private for the events of
/// one user in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PrivacyConfig {
    /// Unit that the guarantee protects.
    #[serde(default)]
    pub unit: PrivacyUnit,
    /// Privacy loss of all releases about a period, 0.01 to 10; 1 is strong, 8 is weak.
    #[schema(minimum = 0.01, maximum = 10)]
    pub epsilon: f64,
    /// Probability that the loss is larger, 1e-12 to 0.001; below 1 / number of users.
    #[serde(default = "default_delta")]
    #[schema(minimum = 1e-12, maximum = 0.001, default = 1e-6)]
    pub delta: f64,
    /// Length of a period in days, 1 to 366. Periods are counted from 1970-01-01 (UTC).
    #[serde(default = "default_period_days")]
    #[schema(minimum = 1, maximum = 366, default = 30)]
    pub period_days: u32,
    /// Maximum number of items of a user that count in a period, 1 to 1000; of more, a random
    /// choice counts. The noise grows with its square root.
    #[serde(default = "default_max_items_per_user")]
    #[schema(minimum = 1, maximum = 1000, default = 10)]
    pub max_items_per_user: u32,
    /// Number of releases that the budget of a period is divided among, 1 to 31. The last is made
    /// when the period ends, with all that is left.
    #[serde(default = "default_releases_per_period")]
    #[schema(minimum = 1, maximum = 31, default = 2)]
    pub releases_per_period: u32,
}

fn default_delta() -> f64 {
    1e-6
}

fn default_period_days() -> u32 {
    30
}

fn default_max_items_per_user() -> u32 {
    10
}

fn default_releases_per_period() -> u32 {
    2
}

/// Table of counts that is released with noise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReleasedTable {
    /// Number of users by item.
    Popularity,
    /// Number of users by pair of categories.
    CategoryPairs,
}

/// Mechanism that adds the noise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PrivacyMechanism {
    /// Discrete Gaussian noise (Canonne, Kamath and Steinke 2020).
    DiscreteGaussian,
}

/// A release of a table about a period.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LedgerEntry {
    /// Number of the entry, counted from 1 without gaps.
    pub number: u64,
    /// Time of the release, RFC 3339.
    pub released_at: String,
    /// Begin of the period, RFC 3339.
    pub period_from: String,
    /// End of the period, RFC 3339.
    pub period_to: String,
    /// The table.
    pub table: ReleasedTable,
    /// Mechanism of the noise.
    pub mechanism: PrivacyMechanism,
    /// L2 sensitivity: the most that one user changes the counts by.
    pub sensitivity: f64,
    /// Scale of the noise.
    pub sigma: f64,
    /// Cost in zero-concentrated differential privacy (Bun and Steinke 2016).
    pub rho: f64,
    /// Number of counts that got noise.
    pub cells: u64,
    /// Number of counts above the threshold, which were released.
    pub released: u64,
}

/// Budget of a period.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PeriodBudget {
    /// Begin of the period, RFC 3339.
    pub period_from: String,
    /// End of the period, RFC 3339.
    pub period_to: String,
    /// Cost of all releases about it, in zCDP.
    pub rho_spent: f64,
    /// The same as epsilon at the `delta` of the collection.
    pub epsilon_spent: f64,
    /// Rest for later releases, in zCDP.
    pub rho_left: f64,
}

/// Query parameters of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct LedgerParams {
    /// Maximum number of entries.
    #[serde(default = "default_limit")]
    #[param(minimum = 1, maximum = 1000, default = 100)]
    pub limit: usize,
    /// Only entries below this number: that of the last entry of the page before.
    #[serde(default)]
    pub before: Option<u64>,
}

impl Default for LedgerParams {
    fn default() -> Self {
        Self {
            limit: default_limit(),
            before: None,
        }
    }
}

fn default_limit() -> usize {
    100
}

/// Privacy ledger of a collection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PrivacyLedger {
    /// Settings of the collection.
    pub privacy: PrivacyConfig,
    /// Budget of each period in zCDP, which `epsilon` and `delta` correspond to.
    pub rho_per_period: f64,
    /// Budgets of the periods that something was released about, the latest first.
    pub periods: Vec<PeriodBudget>,
    /// Releases, the latest first.
    pub entries: Vec<LedgerEntry>,
}
