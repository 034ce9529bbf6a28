//! The product record. Field names follow the Google Retail `Product` where it has one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::Problem;

/// Names an attribute cannot have: those of an item's own fields.
pub const RESERVED_NAMES: [&str; 13] = [
    "id",
    "title",
    "description",
    "category",
    "brand",
    "price",
    "images",
    "availability",
    "created_at",
    "expires_at",
    "attributes",
    "hidden",
    "vectors",
];

/// One product (or news article, post, ...), as written by clients and stored by the engine.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// The shop's own identifier, 1 to 512 bytes, unique within the collection.
    pub id: String,
    /// Name shown to shoppers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Longer text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Category path, levels joined by ` > `: `Clothing > Shoes`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// Maker or label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub brand: Option<String>,
    /// Current price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Price>,
    /// Photos, the first one is the main one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<ImageRef>,
    /// Whether it can be bought now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub availability: Option<Availability>,
    /// When the product came into the catalog, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<String>,
    /// From when on it must not be recommended any more, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// Typed attributes as declared in the collection's schema: a scalar or an array of scalars each.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[schema(value_type = Object)]
    pub attributes: Map<String, Value>,
    /// Hidden items are kept but never returned by a search.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hidden: bool,
    /// Vectors by space name (`shared`, `text`, `image`, ...), each of the space's dimension.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub vectors: BTreeMap<String, Vec<f32>>,
    /// Fingerprint of the space the vectors were made in; refused where the collection has none of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// While the collection is re-embedded: vectors of the same content by the other encoders. Written, never returned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other_vectors: Option<OtherVectors>,
    /// Hash of the content the vectors were made from; lets the indexer skip unchanged items.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_hash: Option<String>,
}

/// Vectors of an item by encoders other than those of its `vectors`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OtherVectors {
    /// Fingerprint of the encoders; where the collection has no spaces of theirs (any more), the vectors are dropped.
    pub fingerprint: String,
    /// By space name.
    pub vectors: BTreeMap<String, Vec<f32>>,
}

/// Changes to an item: a field that is absent stays, `null` removes it, `attributes` and `vectors` merge by key.
pub type ItemPatch = Map<String, Value>;

/// An amount of money.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// Amount in the currency's main unit.
    pub amount: f64,
    /// ISO 4217 code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
}

/// Where a photo is: exactly one of `uri`, `path` and `bytes`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ImageRef {
    /// Web address; fetched by the indexer only where it is told to.
    Uri(String),
    /// File, relative to the catalog file.
    Path(String),
    /// Base64 of the file's bytes.
    Bytes(String),
}

/// Stock state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Availability {
    /// Can be bought now.
    InStock,
    /// Cannot be bought.
    OutOfStock,
    /// Can be ordered before it is released.
    Preorder,
    /// Can be ordered, delivered later.
    Backorder,
}

/// What became of one written item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WriteStatus {
    /// Was not there before.
    Created,
    /// Replaced or changed.
    Updated,
    /// Refused, see `error`.
    Rejected,
}

/// Result line of one written item.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct WriteResult {
    /// Position in the request, from 0 (array) or line number from 1 (import).
    pub index: u64,
    /// The item's id where it could be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What happened.
    pub status: WriteStatus,
    /// Stable error code of a refusal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Why it was refused and how to mend it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Totals of a write request.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WriteSummary {
    /// Items that were new.
    pub created: u64,
    /// Items that were replaced.
    pub updated: u64,
    /// Items refused.
    pub rejected: u64,
}

impl WriteSummary {
    /// Counts one outcome.
    pub fn count(&mut self, status: WriteStatus) {
        *match status {
            WriteStatus::Created => &mut self.created,
            WriteStatus::Updated => &mut self.updated,
            WriteStatus::Rejected => &mut self.rejected,
        } += 1;
    }
}

impl std::ops::AddAssign for WriteSummary {
    fn add_assign(&mut self, other: Self) {
        self.created += other.created;
        self.updated += other.updated;
        self.rejected += other.rejected;
    }
}

/// Answer of `PUT /v1/collections/{c}/items`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct WriteResponse {
    /// One an item, in the order sent.
    pub results: Vec<WriteResult>,
    /// Totals.
    pub summary: WriteSummary,
}

/// One line of the answer to an import: the result of one input line, or the last line.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum ImportLine {
    /// What became of one input line; an acknowledged item is stored.
    Result(WriteResult),
    /// Last line of an import that was read to its end.
    Summary {
        /// Totals.
        summary: WriteSummary,
    },
    /// Last line of an import that was given up; lines without a result may or may not be stored.
    Error {
        /// Why.
        error: Problem,
    },
}
