//! The database that requests are served from. A replica exchanges it under running requests.

use std::sync::Arc;

use arc_swap::ArcSwap;
use vitrine::Database;

/// The database in use.
pub struct Served(ArcSwap<Database>);

impl Served {
    /// Serves a database.
    pub fn new(database: Arc<Database>) -> Self {
        Self(ArcSwap::new(database))
    }

    /// Returns the database; it stays open for as long as the caller has it.
    pub fn load(&self) -> Arc<Database> {
        self.0.load_full()
    }

    /// Serves another database to new requests; returns the one before.
    pub fn swap(&self, database: Arc<Database>) -> Arc<Database> {
        self.0.swap(database)
    }
}

/// Returns true if something else than the caller uses a database, or one of its collections.
pub fn is_in_use(database: &Arc<Database>) -> bool {
    // A collection is held by the database and by this list.
    let is_shared = |collection| Arc::strong_count(collection) > 2;
    Arc::strong_count(database) > 1 || database.open_collections().iter().any(is_shared)
}
