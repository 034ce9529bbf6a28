//! Limits on stored data, and those that the engine, the server and the indexer share. Other limits
//! of requests are next to their checks; those that depend on the machine are in the configuration
//! of the server. docs/limits.md explains all.
//!
//! Each is several times what catalogs of real shops need. Together they bound the memory that one
//! record can take, whatever it contains.

/// Maximum bytes of an item's or a variant's id.
pub const MAX_ID_BYTES: usize = 512;

/// Maximum bytes of a title.
pub const MAX_TITLE_BYTES: usize = 64 << 10;

/// Maximum bytes of a description.
pub const MAX_DESCRIPTION_BYTES: usize = 1 << 20;

/// Maximum bytes of an item as JSON, with its vectors.
pub const MAX_ITEM_BYTES: usize = 2 << 20;

/// Maximum bytes of a brand, a category path, or a value of a keyword or category attribute.
pub const MAX_VALUE_BYTES: usize = 1 << 10;

/// Maximum levels of a category path. A path is indexed under each path above it; the deepest
/// public taxonomies (Google, Shopify) have 7 and 8 levels.
pub const MAX_CATEGORY_LEVELS: usize = 16;

/// Maximum values of an attribute of an item or a variant. Shopify allows 250 tags per product.
pub const MAX_VALUES: usize = 256;

/// Maximum bytes of memory of the filterable values of an item with all its variants, by
/// estimate. An item in the store that needs more is kept, but not indexed.
pub const MAX_ITEM_INDEX_BYTES: u64 = 16 << 20;

/// Maximum number of components of a vector.
pub const MAX_DIM: usize = 8_192;

/// Maximum vector spaces of a collection.
pub const MAX_SPACES: usize = 64;

/// Maximum attributes of a collection.
pub const MAX_ATTRIBUTES: usize = 1_000;

/// Maximum hits of a page.
pub const MAX_PAGE_SIZE: usize = 1_000;

/// Maximum length of a list in a filter: `any`, `except`, `has_id`.
pub const MAX_FILTER_LIST: usize = 10_000;

/// Maximum bytes of a text in which words are highlighted; later words are not.
pub const MAX_HIGHLIGHTED_BYTES: usize = 64 << 10;

/// Maximum bytes of an event of a received Parquet file.
pub const MAX_EVENT_BYTES: usize = 64 << 10;

/// Maximum bytes of the pages of a received Parquet file that are in memory at once: one of each
/// column, as stored and decompressed. Writers make pages of 1 MiB.
pub const MAX_PARQUET_PAGES_BYTES: u64 = 128 << 20;

/// Maximum bytes of all settings of a collection as JSON: rules, synonyms, stop words, presets,
/// experiments.
pub const MAX_SETTINGS_BYTES: u64 = 16 << 20;

/// Maximum bytes of memory of the ids of items that a collection has events of, but that are not
/// in its catalog. Events of more such items are stored, but not learned from.
pub const MAX_UNKNOWN_ITEM_BYTES: u64 = 64 << 20;
