//! Two-dimensional map of a vector space.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Query parameters of `GET /v1/collections/{c}/map`.
#[derive(Debug, Clone, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct MapParams {
    /// Vector space; defaults to `shared`.
    #[serde(default = "default_space")]
    pub space: String,
    /// Maximum number of items, 1 to 10000.
    #[serde(default = "default_sample")]
    #[param(minimum = 1, maximum = 10000)]
    pub sample: usize,
    /// Filter in string form.
    pub filter: Option<String>,
}

fn default_space() -> String {
    "shared".into()
}

fn default_sample() -> usize {
    2000
}

/// An item on a map.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MapPoint {
    /// Item id.
    pub id: String,
    /// Title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Category.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// Coordinate along the first principal component, 0 at the mean.
    pub x: f32,
    /// Coordinate along the second principal component, 0 at the mean.
    pub y: f32,
}

/// Response of `GET /v1/collections/{c}/map`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MapResponse {
    /// Vector space.
    pub space: String,
    /// Sampled items, sorted by id.
    pub points: Vec<MapPoint>,
    /// Number of items that match, are not hidden and have a vector in the space; `points` is a
    /// sample.
    pub matching: u64,
    /// Share of the variance of the sample along `x` and `y`.
    pub variance: [f32; 2],
    /// Time spent in the engine, milliseconds.
    pub took_ms: f64,
}
