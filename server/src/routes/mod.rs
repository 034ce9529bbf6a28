//! Handlers, one file a noun: translate, call the engine under a permit, translate back.

pub mod collections;
pub mod console;
pub mod dialogues;
pub mod docs;
pub mod embeddings;
pub mod events;
pub mod health;
pub mod images;
pub mod import;
pub mod items;
pub mod map;
pub mod models;
pub mod multi_search;
pub mod presets;
pub mod recommend;
pub mod reembedding;
pub mod reports;
pub mod rules;
pub mod search;
mod setting;
pub mod synonyms;
pub mod understand;
pub mod users;

use serde::Deserialize;
use utoipa::IntoParams;

use crate::error::{ApiError, ApiResult};

/// Path of a collection's routes.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct CollectionPath {
    /// Collection or alias.
    #[param(example = "shop")]
    pub c: String,
}

/// Path of an item's routes.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct ItemPath {
    /// Collection or alias.
    #[param(example = "shop")]
    pub c: String,
    /// Item.
    #[param(example = "SKU1")]
    pub id: String,
}

/// Path of something that is set for a collection.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct SettingPath {
    /// Collection or alias.
    #[param(example = "shop")]
    pub c: String,
    /// Its id.
    #[param(example = "black-friday")]
    pub id: String,
}

/// The id of a body is that of its path; it may be left out.
pub fn named(id: &mut String, path: &str) -> ApiResult<()> {
    if id.is_empty() {
        path.clone_into(id);
    }
    if id == path {
        return Ok(());
    }
    let detail = format!("is `{id}`, the path says `{path}`; leave it out");
    Err(ApiError::invalid("/id", detail))
}
