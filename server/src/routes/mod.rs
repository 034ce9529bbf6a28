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
pub mod recommend;
pub mod reembedding;
pub mod reports;
pub mod search;
pub mod understand;
pub mod users;

use serde::Deserialize;
use utoipa::IntoParams;

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
