//! Handlers, one file per noun: translate the request, call the engine under a permit, translate
//! the result.

pub mod analytics;
pub mod collections;
pub mod consent;
pub mod console;
pub mod dialogues;
pub mod docs;
pub mod embeddings;
pub mod erasures;
pub mod events;
pub mod experiments;
pub mod health;
pub mod images;
pub mod import;
pub mod item_embedding;
pub mod items;
pub mod keys;
pub mod map;
pub mod models;
pub mod multi_search;
pub mod presets;
pub mod privacy;
pub mod privacy_report;
pub mod rankers;
pub mod recommend;
pub mod reembedding;
pub mod replication;
pub mod reports;
pub mod rules;
pub mod search;
mod setting;
pub mod snapshots;
pub mod suggest;
pub mod synonyms;
pub mod transcriptions;
pub mod understand;
pub mod users;

use serde::Deserialize;
use utoipa::IntoParams;

use crate::error::{ApiError, ApiResult};

/// Path parameters of collection routes.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct CollectionPath {
    /// Collection or alias.
    #[param(example = "shop")]
    pub c: String,
}

/// Path parameters of item routes.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct ItemPath {
    /// Collection or alias.
    #[param(example = "shop")]
    pub c: String,
    /// Item id.
    #[param(example = "SKU1")]
    pub id: String,
}

/// Path parameters of setting routes.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct SettingPath {
    /// Collection or alias.
    #[param(example = "shop")]
    pub c: String,
    /// Id of the setting.
    #[param(example = "black-friday")]
    pub id: String,
}

/// Sets the id of a body to that of its path.
///
/// # Errors
/// The body has another id.
pub fn set_id(id: &mut String, path: &str) -> ApiResult<()> {
    if id.is_empty() {
        path.clone_into(id);
    }
    if id == path {
        return Ok(());
    }
    let detail = format!("expected `{path}` as in the path, got `{id}`; omit the field");
    Err(ApiError::invalid("/id", detail))
}
