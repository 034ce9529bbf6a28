//! Vitrine's engine: collections of products with vectors, filters and exact answers about what was acknowledged.
//!
//! RocksDB is the truth; indexes are held in memory and rebuilt when a [`Database`] opens. No HTTP and no
//! machine-learning types belong here.

mod behaviour;
pub mod cf;
pub mod collection;
pub mod database;
pub mod distance;
pub mod embedder;
pub mod error;
mod events;
pub mod index;
pub mod payload;
mod quantize;
pub mod query;
mod storage;

pub use collection::Collection;
pub use database::{Database, Options};
pub use embedder::{EmbedError, Embedder, Embedding, ImageBytes};
pub use error::Error;
pub use query::{Target, VectorSearch};
pub use storage::Durability;
pub use vitrine_schemas as schemas;

/// What programs log unless told otherwise; hnsw_rs reports every graph it makes.
pub const LOG_FILTER: &str = "info,hnsw_rs=warn";

/// Result of the engine.
pub type Result<T, E = Error> = std::result::Result<T, E>;
