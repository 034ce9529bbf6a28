//! Serving: open everything, listen, answer until told to stop, leave everything on disk.

use std::{path::Path, pin::pin, sync::Arc};

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
use vitrine::{Database, EmbedError, Embedder};
use vitrine_indexer::space::{Encoders, ModelError, Precision};

use crate::{
    app,
    config::{Config, Durability},
    embedders::Embedders,
    keys::Keys,
    middleware::request_id,
    state::AppState,
};

/// Seconds that requests under way are given at a stop.
const GRACE: u64 = 30;

/// Serves until SIGTERM or SIGINT. The address file is written once connections are taken.
///
/// # Errors
/// Something could not be opened; the message says why and how to mend it.
pub async fn serve(config: Config, keys: Keys, address_file: Option<&Path>) -> Result<(), String> {
    let embedders = match &config.models_dir {
        Some(dir) => embedders(dir, config.precision).map_err(|e| e.to_string())?,
        None => Embedders::default(),
    };
    let options = vitrine::Options {
        durability: match config.durability {
            Durability::Os => vitrine::Durability::Os,
            Durability::Fsync => vitrine::Durability::Fsync,
        },
        create: true,
        index_threads: config.index_threads,
        bounds: config.limits.bounds(),
        canary: config.canary,
        ..vitrine::Options::default()
    };
    let database = Database::open(&config.data_dir, options).map_err(|e| e.to_string())?;
    let database = Arc::new(database);
    let listen = config.listen;
    let state = Data::new(AppState::new(database.clone(), embedders, config, keys)?);
    let server = HttpServer::new(move || {
        App::new()
            .app_data(state.clone())
            .wrap(from_fn(request_id::layer))
            .configure(app::routes)
    })
    .disable_signals()
    .shutdown_timeout(GRACE)
    .bind(listen)
    .map_err(|e| format!("cannot listen on {listen}: {e}"))?;
    let address = server.addrs().first().copied().unwrap_or(listen);
    let server = server.run();
    stop_on_signal(server.handle())?;
    tracing::info!(%address, "listening");
    if let Some(path) = address_file {
        write_whole(path, &address.to_string())
            .map_err(|e| format!("address file {}: {e}", path.display()))?;
    }
    server.await.map_err(|e| e.to_string())?;
    database.close().map_err(|e| e.to_string())?;
    tracing::info!("stopped");
    Ok(())
}

/// The encoders in use, and those that can be found beside them.
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

/// The first signal lets requests end, a second one does not.
fn stop_on_signal(server: ServerHandle) -> Result<(), String> {
    let fault = |e: std::io::Error| format!("signals: {e}");
    let mut terminate = signal(SignalKind::terminate()).map_err(fault)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(fault)?;
    rt::spawn(async move {
        for graceful in [true, false] {
            select(pin!(terminate.recv()), pin!(interrupt.recv())).await;
            tracing::info!(graceful, "stopping");
            rt::spawn(server.stop(graceful));
        }
    });
    Ok(())
}

/// Readers see the old file or the whole new one.
fn write_whole(path: &Path, text: &str) -> std::io::Result<()> {
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    std::fs::write(&partial, text)?;
    std::fs::rename(&partial, path)
}
