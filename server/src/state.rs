//! State shared by all requests.

use std::sync::Arc;

use tokio::sync::Semaphore;
use vitrine::Database;
use vitrine_schemas::ReplicationInfo;

use crate::{
    auth::{KeyRing, Keys},
    backup::Backups,
    config::{Config, Limits},
    dialogue_store::DialogueStore,
    embedders::Embedders,
    embedding::{ItemEmbedding, Resources},
    evaluations::Reports,
    images::ImageFolders,
    ops::{
        body_budget::BodyBudget, limits::Gate, metrics::Metrics, rate_limits::RateLimits,
        request_log::RequestLog, slow_searches::SlowSearches, stopping::Stopping, tasks::Tasks,
    },
    replication::{Replication, Version},
    served::Served,
    speech::Speech,
};

/// State shared by all requests.
pub struct AppState {
    /// The engine.
    pub served: Arc<Served>,
    /// Role in replication.
    pub replication: Arc<Replication>,
    /// The encoders.
    pub embedders: Arc<Embedders>,
    /// Embedding of written items.
    pub embedding: ItemEmbedding,
    /// Limits on sizes, time and concurrency.
    pub limits: Limits,
    /// API keys; without any at the start, all routes are open.
    pub keys: Arc<KeyRing>,
    /// Names of hosts that the server answers for without keys, besides this machine's.
    pub allowed_hosts: Vec<String>,
    /// Memory of request bodies.
    pub bodies: BodyBudget,
    /// Told when the server stops.
    pub stopping: Arc<Stopping>,
    /// Requests per second of each key.
    pub rates: RateLimits,
    /// Access and audit logs.
    pub request_log: RequestLog,
    /// Log of slow searches.
    pub slow_searches: SlowSearches,
    /// Metrics.
    pub metrics: Metrics,
    /// Background tasks.
    pub tasks: Tasks,
    /// Dialogues in memory.
    pub dialogues: DialogueStore,
    /// Limits concurrent searches and reads.
    pub searches: Gate,
    /// Limits concurrent writes.
    pub writes: Gate,
    /// Trainings: one at a time, since each uses all cores.
    pub trainings: Gate,
    /// Limits Parquet files that are received or read at a time.
    pub parquet_imports: Arc<Semaphore>,
    /// Limits concurrent embedding calls.
    pub embeds: Arc<Gate>,
    /// The speech model.
    pub speech: Speech,
    /// Limits concurrent transcriptions.
    pub transcriptions: Gate,
    /// Limits concurrent thumbnail computations.
    pub thumbnails: Gate,
    /// Folders of item images.
    pub images: Arc<ImageFolders>,
    /// Evaluation reports.
    pub reports: Reports,
    /// Backups.
    pub backups: Arc<Backups>,
}

impl AppState {
    /// Builds the state; an error names the setting that is wrong.
    pub fn new(
        database: Arc<Database>,
        embedders: Embedders,
        config: Config,
        keys: Keys,
    ) -> Result<Self, String> {
        let replication = Arc::new(Replication::new(config.replication.clone()));
        Self::with_replication(database, replication, embedders, config, keys)
    }

    /// Builds the state of a server that publishes its database or follows another one.
    ///
    /// # Errors
    /// The message names the setting that is wrong.
    pub fn with_replication(
        database: Arc<Database>,
        replication: Arc<Replication>,
        embedders: Embedders,
        mut config: Config,
        keys: Keys,
    ) -> Result<Self, String> {
        let served = Arc::new(Served::new(database));
        // The writer embeds what it stores.
        config.embedding.writes &= !replication.is_replica();
        let limits = config.limits;
        let metrics = Metrics::new().map_err(|e| e.to_string())?;
        let embedders = Arc::new(embedders);
        let images = Arc::new(ImageFolders::open(&config.images)?);
        let embeds = Arc::new(Gate::new(limits.embed_permits, limits.queue));
        let embedding = ItemEmbedding::start(Resources {
            settings: config.embedding,
            database: served.clone(),
            embedders: embedders.clone(),
            images: images.clone(),
            queries: embeds.clone(),
            embedded: metrics.items_embedded.clone(),
        })?;
        let backups = Backups::open(served.clone(), config.backup, config.replication.history())?;
        Ok(Self {
            backups: Arc::new(backups),
            searches: Gate::new(limits.search_permits, limits.queue),
            writes: Gate::new(limits.write_permits, limits.queue),
            parquet_imports: Arc::new(Semaphore::new(limits.parquet_imports)),
            trainings: Gate::new(1, limits.queue),
            embeds,
            speech: Speech::new(config.models_dir),
            transcriptions: Gate::new(limits.speech_permits, limits.queue),
            thumbnails: Gate::new(limits.image_permits, limits.queue),
            images,
            reports: Reports::open(config.reports_dir.as_deref())?,
            dialogues: DialogueStore::new(&limits),
            tasks: Tasks::default(),
            allowed_hosts: config.allowed_hosts,
            bodies: BodyBudget::new(limits.bodies_bytes),
            stopping: Arc::default(),
            rates: RateLimits::new(limits.key_requests_per_second),
            request_log: RequestLog::open(
                config.log.access_file.as_deref(),
                config.log.audit_file.as_deref(),
                &metrics.log_lines_dropped,
            )?,
            slow_searches: SlowSearches::new(
                config.log.slow_search(),
                metrics.slow_searches.clone(),
            ),
            metrics,
            embedding,
            served,
            replication,
            embedders,
            limits,
            keys: Arc::new(KeyRing::new(keys, config.keys_file)),
        })
    }

    /// Returns the database in use.
    pub fn database(&self) -> Arc<Database> {
        self.served.load()
    }

    /// Returns the version that requests are answered from at least; None without replication.
    pub fn version(&self) -> Option<Version> {
        self.replication.version(&self.served)
    }

    /// Returns role and progress of replication.
    pub fn replication_info(&self) -> ReplicationInfo {
        self.replication.info(&self.served)
    }
}
