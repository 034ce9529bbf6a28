//! Re-embedding: a collection is filled by other encoders beside those in use, then switched over.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{Item, VectorSpace};

/// Body of `POST /v1/collections/{c}/reembedding`: what the other encoders give.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReembeddingRequest {
    /// Fingerprint of the other encoders.
    pub fingerprint: String,
    /// Fingerprint of the encoders that filled the collection so far. Needed where it was made without one and the server has
    /// no encoders of its own; else it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Spaces they fill; a space of the collection that is not named stays as it is.
    pub vectors: BTreeMap<String, VectorSpace>,
}

/// How far a re-embedding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReembeddingStage {
    /// The other spaces are being filled; searches see those from before.
    Filling,
    /// Searches see the new spaces; those from before are kept up for a rollback.
    Switched,
}

/// A re-embedding as reported.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReembeddingInfo {
    /// How far it is.
    pub stage: ReembeddingStage,
    /// When it began, RFC 3339.
    pub started: String,
    /// When it was last switched or rolled back, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub switched: Option<String>,
    /// What searches see.
    pub current: SpaceSetInfo,
    /// What they see after a switch or, once switched, after a rollback.
    pub other: SpaceSetInfo,
}

/// Spaces that one set of encoders fills.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SpaceSetInfo {
    /// Fingerprint of the encoders.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// The spaces that are re-embedded.
    pub vectors: BTreeMap<String, VectorSpace>,
    /// Live items with vectors here.
    pub items: u64,
    /// Live items with vectors in the other set only: to be embedded.
    pub pending: u64,
    /// Of those without, how many could not be embedded: nothing but ready-made vectors is known of them.
    pub left_out: u64,
    /// The first 100 of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out_ids: Vec<String>,
}

/// Query string of `GET /v1/collections/{c}/reembedding/pending`.
#[derive(Debug, Clone, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PendingParams {
    /// Encoders whose vectors are lacking: one of the two of the re-embedding.
    pub fingerprint: String,
    /// `next` of the page before.
    pub after: Option<u32>,
    /// How many, 1 to 1000.
    #[serde(default = "default_limit")]
    #[param(minimum = 1, maximum = 1000)]
    pub limit: usize,
}

fn default_limit() -> usize {
    100
}

/// An item that lacks vectors of one of the encoders.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PendingItem {
    /// Its version; goes back with its vectors.
    pub version: u32,
    /// Spaces it has vectors in, those that are re-embedded and others.
    pub spaces: Vec<String>,
    /// The item, without vectors.
    pub item: Item,
}

/// A page of items to be embedded.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PendingResponse {
    /// In the order of their versions.
    pub items: Vec<PendingItem>,
    /// For the next page; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u32>,
}

/// Vectors of an item by one of the encoders.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EmbeddedItem {
    /// The item.
    pub id: String,
    /// Its version that was embedded; vectors of one that is gone are not stored.
    pub version: u32,
    /// Vectors by space; none where it cannot be embedded.
    #[serde(default)]
    pub vectors: BTreeMap<String, Vec<f32>>,
}

/// Body of `PUT /v1/collections/{c}/reembedding/vectors`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FillRequest {
    /// Encoders that made the vectors: one of the two of the re-embedding.
    pub fingerprint: String,
    /// At most 1000 items.
    pub items: Vec<EmbeddedItem>,
}

/// What became of the vectors sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FillResponse {
    /// Items that have vectors now.
    pub filled: u64,
    /// Items noted as such that cannot be embedded.
    pub left_out: u64,
    /// Items that have changed, gone or been filled meanwhile; nothing was stored of them.
    pub stale: u64,
}

/// Query string of a switch and of a rollback.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SwitchParams {
    /// Also where items lack vectors: searches do not find those until they are embedded.
    #[serde(default)]
    pub force: bool,
}
