//! Parameters of requests for similar items.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Categories that items may come from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// The category of the item.
    Same,
    /// All other categories.
    Cross,
    /// All categories.
    #[default]
    Any,
}

/// Query parameters of `GET /v1/collections/{c}/items/{id}/similar`.
#[derive(Debug, Clone, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SimilarParams {
    /// Categories to search.
    #[serde(default)]
    pub scope: Scope,
    /// Only items of these categories or below, at most 20: `Clothing > Shoes,Home`. With scope
    /// `cross`, each category gets an equal share of the hits if it has enough items. Escape a
    /// comma within a name as `\,`.
    #[serde(default, with = "crate::list")]
    #[param(style = Form, explode = false)]
    pub categories: Vec<String>,
    /// Vector space; defaults to `shared`.
    #[serde(default = "default_space")]
    pub space: String,
    /// Maximum number of hits, 1 to 1000.
    #[serde(default = "default_limit")]
    #[param(minimum = 1, maximum = 1000)]
    pub limit: usize,
    /// Filter in string form.
    pub filter: Option<String>,
    /// Do not return items that are out of stock.
    #[serde(default = "default_true")]
    pub exclude_out_of_stock: bool,
    /// Return an explanation of the search.
    #[serde(default)]
    pub explain: bool,
    /// Maximal marginal relevance: weight of the score, 0 to 1, against similarity to hits selected
    /// before.
    #[param(minimum = 0, maximum = 1)]
    pub mmr: Option<f32>,
    /// Maximum number of hits per category.
    #[param(minimum = 1, maximum = 1000)]
    pub max_per_category: Option<usize>,
    /// Maximum number of hits per brand.
    #[param(minimum = 1, maximum = 1000)]
    pub max_per_brand: Option<usize>,
    /// Field to group by: only the best hit of each value is returned.
    pub group_by: Option<String>,
    /// Apply the merchandising rules of the collection.
    #[serde(default = "default_true")]
    pub rules: bool,
}

fn default_true() -> bool {
    true
}

fn default_space() -> String {
    "shared".into()
}

fn default_limit() -> usize {
    10
}
