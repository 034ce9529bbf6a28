//! What every request shares.

use std::sync::Arc;

use vitrine::Database;

use crate::{
    config::{Config, Limits},
    dialogues,
    embedders::Embedders,
    keys::Keys,
    limits::Gate,
    photos::Photos,
    reports::Reports,
    tasks::Tasks,
    telemetry::Metrics,
};

/// Shared state.
pub struct AppState {
    /// The engine.
    pub database: Arc<Database>,
    /// The encoders.
    pub embedders: Embedders,
    /// Bounds.
    pub limits: Limits,
    /// API keys; none: open.
    pub keys: Keys,
    /// Metrics.
    pub metrics: Metrics,
    /// Work that goes on after its request.
    pub tasks: Tasks,
    /// Dialogues under way.
    pub dialogues: dialogues::Store,
    /// Bounds searches and reads.
    pub searches: Gate,
    /// Bounds writes.
    pub writes: Gate,
    /// Bounds embedding.
    pub embeds: Gate,
    /// Bounds the shrinking of photos.
    pub images: Gate,
    /// Photos of items.
    pub photos: Photos,
    /// Evaluation reports.
    pub reports: Reports,
}

impl AppState {
    /// Puts the parts together; an error names the setting that is at fault.
    pub fn new(
        database: Arc<Database>,
        embedders: Embedders,
        config: Config,
        keys: Keys,
    ) -> Result<Self, String> {
        let limits = config.limits;
        Ok(Self {
            searches: Gate::new(limits.search_permits, limits.queue),
            writes: Gate::new(limits.write_permits, limits.queue),
            embeds: Gate::new(limits.embed_permits, limits.queue),
            images: Gate::new(limits.image_permits, limits.queue),
            photos: Photos::open(&config.images)?,
            reports: Reports::open(config.reports_dir.as_deref())?,
            dialogues: dialogues::Store::new(&limits),
            tasks: Tasks::default(),
            metrics: Metrics::new().map_err(|e| e.to_string())?,
            database,
            embedders,
            limits,
            keys,
        })
    }
}
