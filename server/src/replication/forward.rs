//! Forwarding of changes from a replica to the writer. Bodies and responses are streams.

use std::{
    io::{self, Read},
    thread,
    time::Duration,
};

use actix_web::{
    HttpRequest, HttpResponse,
    dev::Payload,
    http::{
        Method, StatusCode,
        header::{HeaderMap, HeaderName},
    },
    rt,
    web::Bytes,
};
use futures_util::{StreamExt, stream};
use tokio::{
    sync::{Semaphore, mpsc, oneshot},
    time::timeout,
};
use ureq::{Agent, SendBody, http};

use crate::error::{ApiError, ApiResult, current_request_id};

/// Header of forwarded requests, so that none is forwarded twice.
pub const FORWARDED: HeaderName = HeaderName::from_static("x-vitrine-forwarded");

/// Headers of a request that the writer sees.
const REQUEST_HEADERS: [&str; 9] = [
    "authorization",
    "content-type",
    "content-encoding",
    "content-length",
    "accept",
    "if-match",
    "if-none-match",
    "x-timeout-ms",
    "user-agent",
];

/// Headers of a response that the client sees.
const RESPONSE_HEADERS: [&str; 7] = [
    "content-type",
    "content-disposition",
    "etag",
    "retry-after",
    "www-authenticate",
    "x-request-id",
    "x-vitrine-version",
];

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Time until the head of a response; an import answers while it runs.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(660);

/// Time of a body, sent or received.
const BODY_TIMEOUT: Duration = Duration::from_secs(3_600);

/// Time between two parts of a request.
const PART_TIMEOUT: Duration = Duration::from_secs(600);

/// Requests that are forwarded at once; each has a thread. More than these are refused, so that a
/// writer that hangs costs no more.
const MAX_FORWARDS: usize = 64;

static FORWARDS: Semaphore = Semaphore::const_new(MAX_FORWARDS);

/// Parts of a body in memory, and their size.
const PARTS: usize = 8;
const PART_BYTES: usize = 64 << 10;

/// Status, headers and the parts that follow.
type Head = (StatusCode, Vec<(String, Vec<u8>)>);

/// Sends a request to the writer and returns its response.
///
/// # Errors
/// 503 `writer_unavailable`: the writer cannot be reached. 429: too many requests are forwarded.
pub async fn forward(
    writer: &str,
    request: &HttpRequest,
    mut payload: Payload,
) -> ApiResult<HttpResponse> {
    let path = request.uri().path_and_query();
    let path = path.map_or("/", |path| path.as_str());
    let url = format!("{}{path}", writer.trim_end_matches('/'));
    // A deletion has no body.
    let first = match *request.method() {
        Method::DELETE => None,
        _ => payload.next().await,
    };
    let first = first
        .transpose()
        .map_err(|e| ApiError::invalid("", format!("the body ended: {e}")))?;
    let permit = FORWARDS.try_acquire().map_err(|_| ApiError::overloaded())?;
    let body = first.map(|first| {
        let (send, parts) = mpsc::channel(PARTS);
        rt::spawn(async move {
            loop {
                let part = match timeout(PART_TIMEOUT, payload.next()).await {
                    Ok(None) => return,
                    Ok(Some(part)) => part.map_err(io::Error::other),
                    Err(_) => Err(io::ErrorKind::TimedOut.into()),
                };
                let is_last = part.is_err();
                if send.send(part).await.is_err() || is_last {
                    return;
                }
            }
        });
        Body { part: first, parts }
    });
    let mut outgoing = outgoing(request.method().as_str(), &url, request.headers())?;
    if body.is_none() {
        outgoing.headers_mut().remove("content-length");
    }
    let (head_sender, head) = oneshot::channel();
    let (parts_sender, parts) = mpsc::channel(PARTS);
    // A thread of its own: those for blocking work serve reads.
    let thread = thread::Builder::new().name("forward".into());
    let started = thread.spawn(move || {
        run(outgoing, body, head_sender, &parts_sender);
        drop(permit);
    });
    started.map_err(ApiError::internal)?;
    let (status, headers) = head
        .await
        .unwrap_or_else(|_| Err("the request was not sent".into()))
        .map_err(|e| unavailable(&url, &e))?;
    let mut response = HttpResponse::build(status);
    for (name, value) in headers {
        response.insert_header((name, value));
    }
    let parts = stream::unfold(parts, |mut parts| async move {
        let part = parts.recv().await?;
        Some((part, parts))
    });
    Ok(response.streaming(parts))
}

fn outgoing(method: &str, url: &str, headers: &HeaderMap) -> ApiResult<http::Request<()>> {
    let mut outgoing = http::Request::builder().method(method).uri(url);
    for name in REQUEST_HEADERS {
        if let Some(value) = headers.get(name) {
            outgoing = outgoing.header(name, value.as_bytes());
        }
    }
    outgoing = outgoing
        .header("x-request-id", current_request_id())
        .header(FORWARDED.as_str(), "1");
    outgoing.body(()).map_err(ApiError::internal)
}

/// Sends a request and passes the response on, on a thread that may block.
fn run(
    outgoing: http::Request<()>,
    body: Option<Body>,
    head: oneshot::Sender<Result<Head, String>>,
    parts: &mpsc::Sender<io::Result<Bytes>>,
) {
    let agent: Agent = Agent::config_builder()
        .http_status_as_error(false)
        .allow_non_standard_methods(true)
        .max_redirects(0)
        .timeout_connect(Some(CONNECT_TIMEOUT))
        .timeout_send_body(Some(BODY_TIMEOUT))
        .timeout_recv_response(Some(RESPONSE_TIMEOUT))
        .timeout_recv_body(Some(BODY_TIMEOUT))
        .build()
        .into();
    let body = body.map_or_else(SendBody::none, SendBody::from_owned_reader);
    let response = match agent.run(outgoing.map(|()| body)) {
        Ok(response) => response,
        Err(e) => {
            // The client has gone if nobody receives it.
            let _ = head.send(Err(e.to_string()));
            return;
        }
    };
    let status = StatusCode::from_u16(response.status().as_u16());
    let status = status.unwrap_or(StatusCode::BAD_GATEWAY);
    let headers = RESPONSE_HEADERS.iter().filter_map(|name| {
        let value = response.headers().get(*name)?;
        Some(((*name).to_owned(), value.as_bytes().to_owned()))
    });
    if head.send(Ok((status, headers.collect()))).is_err() {
        return;
    }
    let mut reader = response.into_body().into_reader();
    let mut buffer = vec![0; PART_BYTES];
    loop {
        let part = match reader.read(&mut buffer) {
            Ok(0) => return,
            Ok(n) => Ok(Bytes::copy_from_slice(&buffer[..n])),
            Err(e) => Err(e),
        };
        let is_last = part.is_err();
        if parts.blocking_send(part).is_err() || is_last {
            return;
        }
    }
}

fn unavailable(url: &str, cause: &str) -> ApiError {
    tracing::warn!(url, "the writer does not answer: {cause}");
    ApiError::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "writer_unavailable",
        "the writer of this replica does not answer; reads go on, retry the change later",
    )
}

/// A body that is received while it is sent on.
struct Body {
    part: Bytes,
    parts: mpsc::Receiver<io::Result<Bytes>>,
}

impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.part.is_empty() {
            match self.parts.blocking_recv() {
                None => return Ok(0),
                Some(part) => self.part = part?,
            }
        }
        let n = self.part.len().min(buffer.len());
        buffer[..n].copy_from_slice(&self.part.split_to(n));
        Ok(n)
    }
}

/// 421: a replica without a writer to forward to.
pub fn refuse() -> ApiError {
    ApiError::new(
        StatusCode::MISDIRECTED_REQUEST,
        "read_only_replica",
        "this server is a replica, which takes no changes; send them to the writer, or set replication.writer_url here so that they are forwarded",
    )
}
