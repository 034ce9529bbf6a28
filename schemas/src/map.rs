//! A flat picture of a vector space.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Query string of `GET /v1/collections/{c}/map`.
#[derive(Debug, Clone, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct MapParams {
    /// Vector space; `shared` unless told.
    #[serde(default = "shared")]
    pub space: String,
    /// Most items shown, 1 to 10000.
    #[serde(default = "two_thousand")]
    #[param(minimum = 1, maximum = 10000)]
    pub sample: usize,
    /// Filter in string form.
    pub filter: Option<String>,
}

fn shared() -> String {
    "shared".into()
}

fn two_thousand() -> usize {
    2000
}

/// An item of a map.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MapPoint {
    /// Item id.
    pub id: String,
    /// Its title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Its category.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// Along the direction that the vectors spread most, 0 at their mean.
    pub x: f32,
    /// Along the direction that they spread most beside that.
    pub y: f32,
}

/// Answer of `GET /v1/collections/{c}/map`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MapResponse {
    /// The space.
    pub space: String,
    /// In the order of their ids.
    pub points: Vec<MapPoint>,
    /// Items that match, are not hidden and have a vector in the space; those shown are a sample of them.
    pub matching: u64,
    /// Share of the spread of the sample's vectors that `x` and `y` show; the rest lies in the other directions.
    pub variance: [f32; 2],
    /// Time spent in the engine, milliseconds.
    pub took_ms: f64,
}
