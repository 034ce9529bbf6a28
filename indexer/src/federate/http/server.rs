//! The coordinator's server: thin handlers over a [`Session`].

use std::{
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer,
    dev::ServerHandle,
    http::{StatusCode, header},
    rt::{System, time::sleep},
    web,
};
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use serde::Serialize;

use super::{BYTES, MEMBER};
use crate::federate::{
    FederateError,
    messages::{Join, Refusal},
    secagg::{PublicKeys, Revealed, SealedShares},
    session::{Denied, Session},
};

/// Interval at which the session looks at the clock.
const TICK: Duration = Duration::from_millis(200);

/// Time for the shops to fetch the heads, once the training is over.
const MAX_LINGER: Duration = Duration::from_secs(60);

/// Threads that answer requests.
const WORKERS: usize = 2;

/// Seconds for requests in progress when the server stops.
const STOP_SECONDS: u64 = 5;

/// Maximum size of a JSON message: sealed shares of 255 shops are below 100 KiB.
const MAX_JSON_BYTES: usize = 1 << 20;

/// Address and key of a coordinator.
pub struct Listen {
    /// Address.
    pub address: SocketAddr,
    /// Shared key of the shops.
    pub key: String,
    /// PEM files of certificate and private key; plain HTTP without them.
    pub tls: Option<[PathBuf; 2]>,
}

/// A coordinator that listens.
pub struct Serving {
    listener: TcpListener,
    tls: Option<ServerConfig>,
    state: web::Data<State>,
}

struct State {
    session: Mutex<Session>,
    /// Hash of the shared key, whose comparison takes the same time for all keys.
    key: blake3::Hash,
}

/// Binds the address for a session.
///
/// # Errors
/// The address is in use, or the certificate is invalid.
pub fn serve(listen: &Listen, session: Session) -> Result<Serving, FederateError> {
    let failed =
        |e: std::io::Error| FederateError::Coordinator(format!("--listen {}: {e}", listen.address));
    let listener = TcpListener::bind(listen.address).map_err(failed)?;
    let tls = listen.tls.as_ref().map(tls).transpose()?;
    let state = web::Data::new(State {
        session: Mutex::new(session),
        key: blake3::hash(listen.key.as_bytes()),
    });
    Ok(Serving {
        listener,
        tls,
        state,
    })
}

impl Serving {
    /// Address that the coordinator listens on, with the port that the system chose for port 0.
    ///
    /// # Errors
    /// The socket is broken.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until the training is over and the shops have left.
    ///
    /// # Errors
    /// The server cannot start, or the training failed.
    pub fn run(self) -> Result<Summary, FederateError> {
        let Self {
            listener,
            tls,
            state,
        } = self;
        let failed = |e: std::io::Error| FederateError::Coordinator(e.to_string());
        let shared = state.clone();
        let server = HttpServer::new(move || App::new().app_data(shared.clone()).configure(routes));
        let server = server.workers(WORKERS).shutdown_timeout(STOP_SECONDS);
        let server = match tls {
            Some(tls) => server.listen_rustls_0_23(listener, tls),
            None => server.listen(listener),
        };
        let server = server.map_err(failed)?;
        System::new().block_on(async {
            let server = server.run();
            actix_web::rt::spawn(watch(state.clone(), server.handle()));
            server.await.map_err(failed)
        })?;
        let session = lock(&state);
        match session.finished() {
            Some(Ok(())) => Ok(Summary {
                rounds: session.progress().0.saturating_sub(1),
                heads: session.digest()?,
            }),
            Some(Err(reason)) => Err(FederateError::Coordinator(reason)),
            None => Err(FederateError::Coordinator(
                "stopped before the end".to_owned(),
            )),
        }
    }
}

/// Result of a training.
#[derive(Debug, Serialize)]
pub struct Summary {
    /// Number of rounds.
    pub rounds: u32,
    /// Digest of the heads.
    pub heads: String,
}

fn routes(config: &mut web::ServiceConfig) {
    config
        .app_data(web::JsonConfig::default().limit(MAX_JSON_BYTES))
        .route("/federation/join", web::post().to(join))
        .route("/federation/step", web::get().to(step))
        .route("/federation/keys", web::post().to(keys))
        .route("/federation/shares", web::post().to(shares))
        .route("/federation/vector", web::post().to(vector))
        .route("/federation/reveal", web::post().to(reveal))
        .route("/federation/leave", web::post().to(leave))
        .route("/federation/model", web::get().to(model));
}

/// Looks at the clock, and stops the server once the training is over and the shops have left, or
/// had time to.
async fn watch(state: web::Data<State>, server: ServerHandle) {
    let mut over: Option<Instant> = None;
    loop {
        sleep(TICK).await;
        let now = Instant::now();
        let (is_over, members) = {
            let mut session = lock(&state);
            session.advance(now);
            (session.finished().is_some(), session.progress().1)
        };
        if is_over {
            let since = *over.get_or_insert(now);
            let waited = now.saturating_duration_since(since);
            if members == 0 && waited > TICK || waited > MAX_LINGER {
                server.stop(true).await;
                return;
            }
        }
    }
}

/// Locks the session; a panic of another request left it as valid as before.
fn lock(state: &State) -> MutexGuard<'_, Session> {
    state.session.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns the response of a request with the shared key.
fn admitted(
    state: &State,
    request: &HttpRequest,
    answer: impl FnOnce(&mut Session) -> Result<HttpResponse, Denied>,
) -> HttpResponse {
    if let Some(refused) = without_key(state, request) {
        return refused;
    }
    match answer(&mut lock(state)) {
        Ok(response) => response,
        Err(Denied::Unknown) => refusal(StatusCode::GONE, &Denied::Unknown.to_string()),
        Err(Denied::Invalid(error)) => refusal(StatusCode::CONFLICT, &error.to_string()),
    }
}

/// Returns the refusal of a request without the shared key.
fn without_key(state: &State, request: &HttpRequest) -> Option<HttpResponse> {
    let header = request.headers().get(header::AUTHORIZATION);
    let key = header.and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let is_known = key.is_some_and(|key| blake3::hash(key.as_bytes()) == state.key);
    let reason = "expected the key of the federation; see --key";
    (!is_known).then(|| refusal(StatusCode::UNAUTHORIZED, reason))
}

fn refusal(status: StatusCode, reason: &str) -> HttpResponse {
    let error = reason.to_owned();
    HttpResponse::build(status).json(Refusal { error })
}

fn member(request: &HttpRequest) -> String {
    let header = request.headers().get(MEMBER);
    let text = header.and_then(|value| value.to_str().ok());
    text.unwrap_or_default().to_owned()
}

fn done() -> HttpResponse {
    HttpResponse::NoContent().finish()
}

async fn join(
    state: web::Data<State>,
    request: HttpRequest,
    body: web::Json<Join>,
) -> HttpResponse {
    admitted(&state, &request, |session| {
        Ok(HttpResponse::Ok().json(session.join(&body, Instant::now())?))
    })
}

async fn step(state: web::Data<State>, request: HttpRequest) -> HttpResponse {
    admitted(&state, &request, |session| {
        Ok(HttpResponse::Ok().json(session.step(&member(&request), Instant::now())?))
    })
}

async fn keys(
    state: web::Data<State>,
    request: HttpRequest,
    body: web::Json<PublicKeys>,
) -> HttpResponse {
    admitted(&state, &request, |session| {
        session.keys(&member(&request), *body, Instant::now())?;
        Ok(done())
    })
}

async fn shares(
    state: web::Data<State>,
    request: HttpRequest,
    body: web::Json<SealedShares>,
) -> HttpResponse {
    admitted(&state, &request, |session| {
        session.shares(&member(&request), body.into_inner(), Instant::now())?;
        Ok(done())
    })
}

/// Takes a vector. The body is read only with the shared key, and no further than a vector goes. An
/// unknown shop is refused after that: before, it might not see the answer while it sends.
async fn vector(state: web::Data<State>, request: HttpRequest, body: web::Payload) -> HttpResponse {
    if let Some(refused) = without_key(&state, &request) {
        return refused;
    }
    let most = lock(&state).vector_bytes();
    let body = match body.to_bytes_limited(most).await {
        Ok(Ok(body)) => body,
        Ok(Err(error)) => return refusal(StatusCode::BAD_REQUEST, &error.to_string()),
        Err(_) => {
            let reason = format!("expected a vector of {most} bytes, got more; join again");
            return refusal(StatusCode::PAYLOAD_TOO_LARGE, &reason);
        }
    };
    let number = |b: &[u8]| u32::from_le_bytes(std::array::from_fn(|i| b[i]));
    let values: Vec<u32> = body.chunks_exact(4).map(number).collect();
    admitted(&state, &request, |session| {
        session.vector(&member(&request), &values, Instant::now())?;
        Ok(done())
    })
}

async fn reveal(
    state: web::Data<State>,
    request: HttpRequest,
    body: web::Json<Revealed>,
) -> HttpResponse {
    admitted(&state, &request, |session| {
        session.reveal(&member(&request), &body, Instant::now())?;
        Ok(done())
    })
}

async fn leave(
    state: web::Data<State>,
    request: HttpRequest,
    body: web::Json<Refusal>,
) -> HttpResponse {
    admitted(&state, &request, |session| {
        session.leave(&member(&request), &body.error, Instant::now());
        Ok(done())
    })
}

async fn model(state: web::Data<State>, request: HttpRequest) -> HttpResponse {
    admitted(&state, &request, |session| {
        Ok(HttpResponse::Ok()
            .content_type(BYTES)
            .body(session.model()?))
    })
}

/// Reads certificate and key.
fn tls([certificate, key]: &[PathBuf; 2]) -> Result<ServerConfig, FederateError> {
    let failed = |file: &Path, e: &dyn std::fmt::Display| {
        FederateError::Coordinator(format!("{}: {e}", file.display()))
    };
    let chain: Vec<CertificateDer> = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect)
        .map_err(|e| failed(certificate, &e))?;
    let private = PrivateKeyDer::from_pem_file(key).map_err(|e| failed(key, &e))?;
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = builder
        .with_safe_default_protocol_versions()
        .map_err(|e| failed(certificate, &e))?
        .with_no_client_auth()
        .with_single_cert(chain, private);
    config.map_err(|e| failed(certificate, &e))
}
