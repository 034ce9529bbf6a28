//! Vitrine's engine: collections of products with vectors, filters, full-text search and behavior.
//!
//! RocksDB is the system of record; index and state files can be rebuilt from it. HTTP and
//! machine-learning types do not belong here.
//!
//! # Examples
//!
//! ```
//! use serde_json::json;
//! use vitrine::{Database, LexicalQuery, Options, Search, Shopper};
//!
//! let folder = tempfile::tempdir()?;
//! let database = Database::open(folder.path(), Options::default())?;
//! let config = json!({"vectors": {"shared": {"dim": 2}}});
//! let shop = database.create_collection("shop", serde_json::from_value(config)?)?;
//! let items = json!([
//!     {"id": "a", "title": "Red running shoes"},
//!     {"id": "b", "title": "Blue hat"},
//! ]);
//! for outcome in shop.upsert(serde_json::from_value(items)?)? {
//!     outcome?;
//! }
//! let request = Search {
//!     lexical: Some(LexicalQuery { text: "running shoes".into(), ..Default::default() }),
//!     limit: 10,
//!     ..Default::default()
//! };
//! let response = shop.search(&request, &Shopper::default())?;
//! assert_eq!(response.hits[0].id, "a");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! `examples/` has longer programs: search by vectors and words, and recommendations from events.

mod behavior;
pub mod bounds;
pub mod cf;
pub mod clock;
pub mod collection;
pub mod cross;
pub mod database;
pub mod deadline;
pub mod distance;
pub mod embedder;
pub mod error;
mod events;
pub mod experiments;
pub mod index;
pub mod lexical;
pub mod nlu;
pub mod payload;
mod precondition;
pub mod privacy;
mod quantize;
pub mod query;
pub mod rerank;
mod rules;
mod search_log;
mod storage;
mod suggest;

pub use behavior::{Sequences, Training, event_weight};
pub use bounds::Bounds;
pub use clock::Clock;
pub use collection::{
    Collection, Completed, EmbedPolicy, Embedded, ItemVectors, Policy, Setting, Written,
};
pub use database::{
    Database, Health, Options, RecordedSearches, StoreHealth, StoredEvents, TaskHealth,
    Verification,
};
pub use embedder::{EmbedError, Embedder, Embedding, ImageBytes, spaces_of};
pub use error::Error;
pub use events::Subject;
pub use lexical::LexicalQuery;
pub use precondition::{Precondition, item_tag, version_tag};
pub use query::{Search, Shopper, Target, Understood, VectorSearch};
pub use storage::{Durability, LogSlice};
pub use vitrine_schemas as schemas;

/// Runs the examples of the book's page on the library.
#[cfg(doctest)]
#[allow(rustdoc::invalid_codeblock_attributes)]
#[doc = include_str!("../docs/rust-library.md")]
struct RustLibraryPage;

/// Returns the version of the programs, with the commit that they were built from.
pub fn version(commit: Option<&str>) -> &'static str {
    let version = env!("CARGO_PKG_VERSION");
    commit.map_or(version, |commit| {
        format!("{version} (commit {commit})").leak()
    })
}

/// Default log filter of the programs; hnsw_rs logs every graph it builds.
pub const LOG_FILTER: &str = "info,hnsw_rs=warn";

/// Result of the engine.
pub type Result<T, E = Error> = std::result::Result<T, E>;
