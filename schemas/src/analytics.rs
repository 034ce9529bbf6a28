//! Search analytics.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Figures of some searches. A search counts once for each kind of event, however many follow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SearchFigures {
    /// Number of searches.
    pub searches: u64,
    /// Number of users, and sessions without a user.
    pub users: u64,
    /// Number of searches without a hit.
    pub without_results: u64,
    /// Number of searches with a click.
    pub clicked: u64,
    /// Number of searches with an item added to the cart.
    pub added_to_cart: u64,
    /// Number of searches with a purchase.
    pub purchased: u64,
    /// Sum of the values of the purchases.
    pub revenue: f64,
    /// `clicked / searches`.
    pub click_through: f64,
    /// `purchased / searches`.
    pub conversion: f64,
    /// Mean position of the first click, from 1; absent without a click at a known position.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub click_position: Option<f64>,
}

/// Figures of a query.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct QueryFigures {
    /// The text, in lower case.
    pub query: String,
    /// The figures.
    #[serde(flatten)]
    pub figures: SearchFigures,
}

/// Queries that are listed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum QuerySelection {
    /// All queries.
    #[default]
    All,
    /// Queries with a search without a hit.
    WithoutResults,
    /// Queries that have hits, but no click.
    WithoutClicks,
}

/// Figure by which queries are sorted, largest first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum QueryOrder {
    #[default]
    Searches,
    WithoutResults,
    ClickThrough,
    Conversion,
    Revenue,
}

/// Query parameters of the figures of queries.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct QueryFiguresParams {
    /// First time, RFC 3339 or a day; default: 30 days before `to`.
    pub from: Option<String>,
    /// End of the range, exclusive, RFC 3339 or a day; default: now.
    pub to: Option<String>,
    /// Queries that are listed.
    #[serde(default)]
    pub only: QuerySelection,
    /// Figure by which they are sorted, largest first; ties by the number of searches.
    #[serde(default)]
    pub order: QueryOrder,
    /// Minimum number of searches of a query.
    #[serde(default)]
    pub min_searches: u64,
    /// Maximum number of queries, 1 to 1000.
    #[serde(default = "default_limit")]
    #[param(minimum = 1, maximum = 1000)]
    pub limit: usize,
    /// Number of queries to skip.
    #[serde(default)]
    pub offset: usize,
}

fn default_limit() -> usize {
    20
}

/// Figures of queries.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct QueryFiguresResponse {
    /// Number of queries that match.
    pub total: u64,
    /// Queries of this page.
    pub queries: Vec<QueryFigures>,
    /// Number of queries that are not listed, since fewer people searched for them than
    /// `anonymity.min_users` of the collection.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub withheld: u64,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Figures of a day.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DayFigures {
    /// Day in UTC, such as `2026-01-31`.
    pub day: String,
    /// The figures.
    #[serde(flatten)]
    pub figures: SearchFigures,
}

/// Figures of all searches.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AnalyticsSummary {
    /// First time of the range, RFC 3339.
    pub from: String,
    /// End of the range, RFC 3339.
    pub to: String,
    /// Figures of the range.
    pub total: SearchFigures,
    /// Figures of the days with searches, in order; without those with fewer people than
    /// `anonymity.min_users` of the collection.
    pub days: Vec<DayFigures>,
    /// State of the search log.
    pub log: crate::SearchLogInfo,
}

/// Figures of a position.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PositionFigures {
    /// Position among the hits, from 1.
    pub position: u32,
    /// Number of searches that showed an item there.
    pub shown: u64,
    /// Number of searches with a click there.
    pub clicked: u64,
    /// `clicked / shown`.
    pub click_through: f64,
}

/// Figures of the positions of the first page.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PositionFiguresResponse {
    /// Positions, in order.
    pub positions: Vec<PositionFigures>,
}
