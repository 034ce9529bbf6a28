//! The product record. Field names follow the Google Retail `Product` where it has an equivalent.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::Problem;

/// Reserved names that attributes cannot have: the fields of an item.
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

/// A product (or news article, post, ...), as written by clients and stored by the engine.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// Identifier in the shop, 1 to 512 bytes, unique within the collection.
    pub id: String,
    /// Name shown to shoppers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Description.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Category path, levels joined by ` > `: `Clothing > Shoes`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// Brand or manufacturer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub brand: Option<String>,
    /// Current price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Price>,
    /// Images; the first is the main image.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<ImageRef>,
    /// Availability.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub availability: Option<Availability>,
    /// Time when the product was added to the catalog, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<String>,
    /// Time from which it must not be recommended, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// Attributes as declared in the schema of the collection; each a scalar or an array of
    /// scalars.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[schema(value_type = Object)]
    pub attributes: Map<String, Value>,
    /// Hidden items are stored but never returned by a search.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hidden: bool,
    /// Vectors by space (`shared`, `text`, `image`, ...), with the dimension of the space.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub vectors: BTreeMap<String, Vec<f32>>,
    /// Fingerprint of the encoders of the vectors; rejected if the collection has no such spaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// During a re-embedding: vectors of the same content by the other encoders. Write-only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other_vectors: Option<OtherVectors>,
    /// Hash of the embedded content; lets the indexer skip unchanged items.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_hash: Option<String>,
}

/// Vectors of an item by encoders other than those of its `vectors`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OtherVectors {
    /// Fingerprint of the encoders; the vectors are dropped if the collection has no such spaces.
    pub fingerprint: String,
    /// Vectors by space.
    pub vectors: BTreeMap<String, Vec<f32>>,
}

/// Changes to an item: absent fields stay, `null` removes a field, `attributes` and `vectors` merge
/// by key.
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

/// Location of an image: exactly one of `uri`, `path` and `bytes`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ImageRef {
    /// URI; fetched by the indexer only if enabled.
    Uri(String),
    /// File path relative to the catalog file.
    Path(String),
    /// Base64 of the file's bytes.
    Bytes(String),
}

/// Availability of an item.
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

/// Outcome of a written item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WriteStatus {
    /// New item.
    Created,
    /// Existing item replaced or changed.
    Updated,
    /// Rejected, see `error`.
    Rejected,
}

/// Result of a written item.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct WriteResult {
    /// Index in the request from 0 (array), or line number from 1 (import).
    pub index: u64,
    /// Item id, if it could be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Outcome.
    pub status: WriteStatus,
    /// Stable error code of a rejection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Cause of a rejection, and how to fix it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Totals of a write request.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WriteSummary {
    /// Number of new items.
    pub created: u64,
    /// Number of replaced items.
    pub updated: u64,
    /// Number of rejected items.
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

/// Response of `PUT /v1/collections/{c}/items`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct WriteResponse {
    /// One result per item, in the order of the request.
    pub results: Vec<WriteResult>,
    /// Totals.
    pub summary: WriteSummary,
}

/// A line of the response of an import: the result of one input line, or the last line.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum ImportLine {
    /// Result of one input line; an acknowledged item is stored.
    Result(WriteResult),
    /// Last line of a complete import.
    Summary {
        /// Totals.
        summary: WriteSummary,
    },
    /// Last line of an aborted import; lines without a result may or may not be stored.
    Error {
        /// Cause.
        error: Problem,
    },
}
