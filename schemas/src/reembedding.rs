//! Re-embedding: a second set of vector spaces is filled by other encoders while the first one
//! serves.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{Item, VectorSpace};

/// Body of `POST /v1/collections/{c}/reembedding`: the new encoders and their spaces.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReembeddingRequest {
    /// Fingerprint of the new encoders.
    pub fingerprint: String,
    /// Fingerprint of the encoders that filled the collection so far. Required only if the
    /// collection has no fingerprint and the server has no encoders.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Spaces that the new encoders fill; other spaces of the collection stay as they are.
    pub vectors: BTreeMap<String, VectorSpace>,
}

/// Stage of a re-embedding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReembeddingStage {
    /// The new spaces are being filled; searches use the old ones.
    Filling,
    /// Searches use the new spaces; the old ones are kept up to date for a rollback.
    Switched,
}

/// State of a re-embedding.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReembeddingInfo {
    /// Stage.
    pub stage: ReembeddingStage,
    /// Start time, RFC 3339.
    pub started: String,
    /// Time of the last switch or rollback, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub switched: Option<String>,
    /// Spaces that searches use.
    pub current: SpaceSetInfo,
    /// Spaces that searches use after a switch or, once switched, after a rollback.
    pub other: SpaceSetInfo,
}

/// Set of spaces that one set of encoders fills.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SpaceSetInfo {
    /// Fingerprint of the encoders.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// Re-embedded spaces.
    pub vectors: BTreeMap<String, VectorSpace>,
    /// Number of live items with vectors in this set.
    pub items: u64,
    /// Number of live items with vectors in the other set only: still to be embedded.
    pub pending: u64,
    /// Number of items that cannot be embedded because only their vectors are known.
    pub left_out: u64,
    /// Ids of the first 100 items that cannot be embedded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out_ids: Vec<String>,
}

/// Query parameters of `GET /v1/collections/{c}/reembedding/pending`.
#[derive(Debug, Clone, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PendingParams {
    /// Fingerprint of the encoders whose vectors are missing: one of the two of the re-embedding.
    pub fingerprint: String,
    /// `next` of the previous page.
    pub after: Option<u32>,
    /// Maximum number of items, 1 to 1000.
    #[serde(default = "default_limit")]
    #[param(minimum = 1, maximum = 1000)]
    pub limit: usize,
}

fn default_limit() -> usize {
    100
}

/// An item without vectors of one of the encoders.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PendingItem {
    /// Version of the item; must be sent back with its vectors.
    pub version: u32,
    /// Spaces that the item has vectors in, re-embedded or not.
    pub spaces: Vec<String>,
    /// The item, without vectors.
    pub item: Item,
}

/// A page of pending items.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PendingResponse {
    /// Pending items, sorted by version.
    pub items: Vec<PendingItem>,
    /// Cursor of the next page; absent on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u32>,
}

/// Vectors of an item by one of the encoders.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EmbeddedItem {
    /// Item id.
    pub id: String,
    /// Version that was embedded; vectors of a replaced version are not stored.
    pub version: u32,
    /// Vectors by space; empty if the item cannot be embedded.
    #[serde(default)]
    pub vectors: BTreeMap<String, Vec<f32>>,
}

/// Body of `PUT /v1/collections/{c}/reembedding/vectors`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FillRequest {
    /// Fingerprint of the encoders of the vectors: one of the two of the re-embedding.
    pub fingerprint: String,
    /// Items, at most 1000.
    pub items: Vec<EmbeddedItem>,
}

/// Outcome of a fill.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FillResponse {
    /// Number of items that have vectors now.
    pub filled: u64,
    /// Number of items recorded as impossible to embed.
    pub left_out: u64,
    /// Number of items skipped because they were changed, deleted or filled concurrently.
    pub stale: u64,
}

/// Query parameters of a switch or rollback.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SwitchParams {
    /// Switch even if items have no vectors: searches do not find those until they are embedded.
    #[serde(default)]
    pub force: bool,
}
