//! Vitrine's engine: collections of products with vectors, filters and exact answers about what was acknowledged.
//!
//! RocksDB is the truth; what the files of indexes and states hold can be made again from it. No HTTP and no machine-learning types
//! belong here.

mod behaviour;
pub mod bounds;
pub mod cf;
pub mod clock;
pub mod collection;
pub mod cross;
pub mod database;
pub mod dialogue;
pub mod distance;
pub mod embedder;
pub mod error;
mod events;
pub mod index;
pub mod lexical;
pub mod payload;
mod quantize;
pub mod query;
mod rules;
mod storage;
pub mod understanding;

pub use behaviour::{Training, event_weight};
pub use bounds::Bounds;
pub use clock::Clock;
pub use collection::{Collection, Setting};
pub use database::{Database, Options};
pub use embedder::{EmbedError, Embedder, Embedding, ImageBytes};
pub use error::Error;
pub use events::{StoredEvents, Who};
pub use lexical::LexicalQuery;
pub use query::{Search, Shopper, Target, VectorSearch};
pub use storage::Durability;
pub use vitrine_schemas as schemas;

/// What programs log unless told otherwise; hnsw_rs reports every graph it makes.
pub const LOG_FILTER: &str = "info,hnsw_rs=warn";

/// Result of the engine.
pub type Result<T, E = Error> = std::result::Result<T, E>;
