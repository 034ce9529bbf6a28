//! Server lifecycle: open the database, listen, serve until a signal, close the database.

use std::{
    path::{Path, PathBuf},
    pin::pin,
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use actix_web::{
    App, HttpServer,
    dev::ServerHandle,
    middleware::from_fn,
    rt::{
        self,
        signal::unix::{SignalKind, signal},
    },
    web::Data,
};
use futures_util::future::select;
use vitrine::{Database, EmbedError, Embedder, StoreHealth};
use vitrine_indexer::space::{Encoders, ModelError, Precision};

use crate::{
    app,
    auth::Keys,
    config::Config,
    embedders::Embedders,
    http::middleware,
    ops::stopping::Stopping,
    replication::{self, Claim, Follower, Publisher, Replication, StateStore},
    served::Served,
    state::AppState,
    tls,
};

/// Seconds that running requests get to finish at shutdown.
const SHUTDOWN_GRACE_S: u64 = 15;

/// Exit status of a server that must be started again: the store holds other writes than were
/// acknowledged, after a failed write.
pub const RESTART_STATUS: u8 = 75;

/// Interval of checks of the store.
const HEALTH_INTERVAL: Duration = Duration::from_secs(1);

/// Flags of a start.
#[derive(Debug, Clone, Copy, Default)]
pub struct Start<'a> {
    /// File for the address.
    pub address_file: Option<&'a Path>,
    /// Take over from another writer of the replication store.
    pub take_over: bool,
}

/// Serves until SIGTERM or SIGINT. The address file is written when the server accepts connections.
///
/// # Errors
/// Something could not be opened; the message gives the cause and a hint.
pub async fn serve(config: Config, keys: Keys, start: Start<'_>) -> Result<ExitCode, String> {
    let embedders = match &config.models_dir {
        Some(dir) => embedders(dir, config.precision).map_err(|e| e.to_string())?,
        None => Embedders::default(),
    };
    let options = vitrine::Options {
        durability: config.durability,
        create: true,
        index_threads: config.index_threads,
        bounds: config.limits.bounds(),
        canary: config.canary,
        ..vitrine::Options::default()
    };
    let data_dir = config.data_dir.clone();
    let replication = Arc::new(Replication::new(config.replication.clone()));
    let (database, source) = open(&config, options, &replication, start.take_over).await?;
    let listen = config.listen;
    let tls = tls::server_config(&config.tls)?;
    let is_encrypted = tls.is_some();
    let state = AppState::with_replication(database, replication, embedders, config, keys);
    let state = Data::new(state?);
    let shared = state.clone();
    source.begin(&state, data_dir);
    rt::spawn(state.backups.clone().follow_schedule());
    let watched = state.keys.watch();
    watched.map_err(|e| format!("cannot watch the keys file: {e}"))?;
    let server = HttpServer::new(move || {
        App::new()
            .app_data(state.clone())
            .wrap(from_fn(middleware::layer))
            .configure(app::routes)
    })
    .disable_signals()
    .shutdown_timeout(SHUTDOWN_GRACE_S);
    let bound = match tls {
        Some(tls) => server.bind_rustls_0_23(listen, tls),
        None => server.bind(listen),
    };
    let server = bound.map_err(|e| format!("cannot listen on {listen}: {e}"))?;
    let address = server.addrs().first().copied().unwrap_or(listen);
    let server = server.run();
    stop_on_signal(server.handle(), shared.stopping.clone())?;
    stop_if_restart_is_needed(shared.served.clone(), server.handle());
    tracing::info!(%address, tls = is_encrypted, "listening");
    if let Some(path) = start.address_file {
        write_atomic(path, &address.to_string())
            .map_err(|e| format!("address file {}: {e}", path.display()))?;
    }
    server.await.map_err(|e| e.to_string())?;
    shared.embedding.stop();
    let database = shared.database();
    let closed = database.close().map_err(|e| e.to_string());
    if needs_restart(&database) {
        tracing::error!(status = RESTART_STATUS, "stopped, to be started again");
        return Ok(ExitCode::from(RESTART_STATUS));
    }
    closed?;
    tracing::info!("stopped");
    Ok(ExitCode::SUCCESS)
}

/// Source of the database of a server.
enum Source {
    Folder,
    Writer(StateStore, Claim),
    Replica(Follower),
}

/// Opens the database: that of the data directory, after taking the next epoch if it is published,
/// or a published state.
async fn open(
    config: &Config,
    options: vitrine::Options,
    replication: &Arc<Replication>,
    take_over: bool,
) -> Result<(Arc<Database>, Source), String> {
    let folder = &config.data_dir;
    let source = match &config.replication.store {
        None if take_over => {
            return Err("--take-over: expected replication.store too (--store)".into());
        }
        None => Source::Folder,
        Some(store) => {
            let store = StateStore::open(store)?;
            if config.replication.replica {
                let options = vitrine::Options {
                    create: false,
                    canary: false,
                    replica: true,
                    ..options
                };
                let replication = replication.clone();
                let (follower, database) =
                    Follower::start(store, folder, options, replication).await?;
                return Ok((Arc::new(database), Source::Replica(follower)));
            }
            let claim = replication::claim(&store, folder, take_over).await?;
            Source::Writer(store, claim)
        }
    };
    let database = Database::open(folder, options).map_err(|e| e.to_string())?;
    if let Source::Writer(_, claim) = &source {
        claim.mark(folder)?;
    }
    Ok((Arc::new(database), source))
}

impl Source {
    /// Begins to publish or to follow.
    fn begin(self, state: &AppState, folder: PathBuf) {
        let (served, replication) = (state.served.clone(), state.replication.clone());
        match self {
            Self::Folder => {}
            Self::Writer(store, claim) => {
                let publisher = Publisher::new(store, claim, served, folder, replication);
                rt::spawn(publisher.run());
            }
            Self::Replica(follower) => {
                rt::spawn(follower.run(served));
            }
        }
    }
}

fn needs_restart(database: &Database) -> bool {
    matches!(database.health().store, StoreHealth::RestartNeeded { .. })
}

/// Stops the server once its memory and its store disagree.
fn stop_if_restart_is_needed(served: Arc<Served>, server: ServerHandle) {
    rt::spawn(async move {
        while !needs_restart(&served.load()) {
            rt::time::sleep(HEALTH_INTERVAL).await;
        }
        server.stop(true).await;
    });
}

/// Loads the encoders in use; others are found in the same folder on demand.
fn embedders(dir: &Path, precision: Precision) -> Result<Embedders, ModelError> {
    let encoders = Arc::new(Encoders::load(dir, precision)?);
    let (dir, like) = (dir.to_owned(), encoders.clone());
    let find = move |fingerprint: &str| {
        let found = like.find(&dir, fingerprint);
        let found = found.map_err(|e| EmbedError::Model(e.to_string()))?;
        Ok(found.map(|encoders| Arc::new(encoders) as Arc<dyn Embedder>))
    };
    Ok(Embedders::new(Some(encoders), Some(Box::new(find))))
}

/// The first signal lets running requests finish; a second one aborts them.
fn stop_on_signal(server: ServerHandle, stopping: Arc<Stopping>) -> Result<(), String> {
    let error = |e: std::io::Error| format!("cannot handle signals: {e}");
    let mut terminate = signal(SignalKind::terminate()).map_err(error)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(error)?;
    rt::spawn(async move {
        for graceful in [true, false] {
            select(pin!(terminate.recv()), pin!(interrupt.recv())).await;
            tracing::info!(graceful, "stopping");
            stopping.tell();
            rt::spawn(server.stop(graceful));
        }
    });
    Ok(())
}

/// Replaces a file atomically.
fn write_atomic(path: &Path, text: &str) -> std::io::Result<()> {
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    std::fs::write(&partial, text)?;
    std::fs::rename(&partial, path)
}
