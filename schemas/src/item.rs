//! The product record. Field names follow the Google Retail `Product` where it has an equivalent.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::{EmbeddingCounts, EmbeddingState, EmbeddingStatus, Problem};

/// Reserved names that attributes cannot have: the fields of an item.
pub const RESERVED_NAMES: [&str; 17] = [
    "id",
    "title",
    "description",
    "category",
    "brand",
    "price",
    "original_price",
    "sale_price",
    "on_sale",
    "images",
    "availability",
    "variants",
    "created_at",
    "expires_at",
    "attributes",
    "hidden",
    "vectors",
];

/// Maximum number of variants of an item; Shopify's limit.
pub const MAX_VARIANTS: usize = 2048;

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
    /// Price outside of the time of `sale_price`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Price>,
    /// Former or recommended price, shown struck out beside `price`; never asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub original_price: Option<Price>,
    /// Price of a sale, asked instead of `price` during its time. Filters, facets and sorting by
    /// `price` use the price that is asked now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sale_price: Option<SalePrice>,
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
    /// Variants (sizes, colors, ...), in the order shown; at most [`MAX_VARIANTS`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub variants: Vec<Variant>,
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
    /// State of its vectors, if the server embeds it. Read-only; ignored in writes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub embedding: Option<EmbeddingState>,
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

/// The price of a sale.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SalePrice {
    /// Amount in the currency's main unit.
    pub amount: f64,
    /// ISO 4217 code; default: that of `price`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// Time from which it is asked, RFC 3339; default: at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts_at: Option<String>,
    /// Time from which it is no longer asked, RFC 3339; default: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<String>,
}

/// A variant of an item: what is put into the cart. A field that is absent is that of the item.
///
/// For filters, an item with variants is a set of rows, one per variant, and it matches if one of
/// its variants meets the whole filter: `size = M AND availability = in_stock` is a size M that is
/// in stock.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Variant {
    /// Identifier, 1 to 512 bytes, unique within the item: the SKU if there is one.
    pub id: String,
    /// Name, if it differs from that of the item.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Price outside of the time of `sale_price`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Price>,
    /// Former or recommended price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub original_price: Option<Price>,
    /// Price of a sale.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sale_price: Option<SalePrice>,
    /// Availability.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub availability: Option<Availability>,
    /// Images.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<ImageRef>,
    /// Attributes as declared in the schema of the collection: options such as `size`, and `sku`
    /// and `gtin`. They replace those of the item by name.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[schema(value_type = Object)]
    pub attributes: Map<String, Value>,
}

/// Offer of a hit: the variant that matched, and its price.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Offer {
    /// Price that is asked now, for the variant if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Price>,
    /// Variant that matches the filter and most words of the query; of several such, the first one
    /// that is not out of stock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<Variant>,
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
    /// State of the vectors; absent for an item that brings its own, and in a collection without a
    /// fingerprint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub embedding: Option<EmbeddingStatus>,
    /// Cause of the embedding status `failed` or `partial`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub embedding_error: Option<String>,
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
    /// Number of items by the state of their vectors; absent if all bring their own.
    #[serde(default, skip_serializing_if = "is_default")]
    pub embedding: EmbeddingCounts,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
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
        self.embedding += other.embedding;
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
        /// Version of the database with all of the import, as `x-vitrine-version` of other
        /// changes; absent without replication.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        version: Option<String>,
    },
    /// Last line of an aborted import; lines without a result may or may not be stored.
    Error {
        /// Cause.
        error: Problem,
    },
}
