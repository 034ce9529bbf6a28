//! Requests of a shop to the coordinator.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use serde::{Serialize, de::DeserializeOwned};
use ureq::{
    Agent,
    tls::{Certificate, RootCerts, TlsConfig},
};

use super::{BYTES, MEMBER};
use crate::federate::{
    FederateError,
    messages::{Join, Joined, Refusal, Step},
    secagg::{PublicKeys, Revealed, SealedShares},
};

const TIMEOUT: Duration = Duration::from_secs(120);

/// Limit on a sign of life: the next one comes soon.
const BRIEFLY: Duration = Duration::from_secs(5);

/// Time between attempts at a request.
const RETRY: Duration = Duration::from_millis(500);

/// Maximum size of a response.
const MAX_RESPONSE: u64 = 1 << 30;

/// A coordinator, as seen by a shop.
pub struct Api {
    agent: Agent,
    base: String,
    key: String,
    /// Time for which a coordinator that cannot be reached is tried again.
    patience: Duration,
}

/// An answer: a body, or the request to join again.
pub enum Answer<T> {
    Body(T),
    Unknown,
}

impl Api {
    /// Returns the coordinator at `url`; `ca` is a PEM file with the certificates that its own is
    /// checked against, instead of those of public authorities.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn new(
        url: &str,
        key: &str,
        ca: Option<&Path>,
        patience: Duration,
    ) -> Result<Self, FederateError> {
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(TIMEOUT));
        if let Some(path) = ca {
            let pem = std::fs::read(path).map_err(|source| FederateError::File {
                path: path.to_owned(),
                source,
            })?;
            let invalid = |e| FederateError::Coordinator(format!("{}: {e}", path.display()));
            let certificate = Certificate::from_pem(&pem).map_err(invalid)?;
            let roots = RootCerts::Specific(Arc::new(vec![certificate]));
            config = config.tls_config(TlsConfig::builder().root_certs(roots).build());
        }
        Ok(Self {
            agent: config.build().into(),
            base: format!("{}/federation", url.trim_end_matches('/')),
            key: key.to_owned(),
            patience,
        })
    }

    /// Joins the training.
    ///
    /// # Errors
    /// The coordinator cannot be reached, or refuses.
    pub fn join(&self, join: &Join) -> Result<Joined, FederateError> {
        match self.json("POST", "join", "", Some(join))? {
            Answer::Body(joined) => Ok(joined),
            Answer::Unknown => Err(FederateError::Coordinator("refused to join".to_owned())),
        }
    }

    /// Asks what is to be done.
    pub(super) fn step(&self, member: &str) -> Result<Answer<Step>, FederateError> {
        self.json("GET", "step", member, Option::<&()>::None)
    }

    /// Tells the coordinator that a shop lives; what comes of it does not matter.
    pub(super) fn sign_of_life(&self, member: &str) {
        let request = self.request("GET", "step", member, BYTES, &[]);
        let sent = request.map(|request| {
            let request = self.agent.configure_request(request);
            let request = request.timeout_global(Some(BRIEFLY)).build();
            self.agent.run(request)
        });
        drop(sent);
    }

    pub(super) fn keys(&self, member: &str, keys: PublicKeys) -> Result<(), FederateError> {
        self.post("keys", member, &keys)
    }

    pub(super) fn shares(&self, member: &str, shares: &SealedShares) -> Result<(), FederateError> {
        self.post("shares", member, shares)
    }

    pub(super) fn reveal(&self, member: &str, shares: &Revealed) -> Result<(), FederateError> {
        self.post("reveal", member, shares)
    }

    pub(super) fn leave(&self, member: &str, reason: &str) -> Result<(), FederateError> {
        let error = reason.to_owned();
        self.post("leave", member, &Refusal { error })
    }

    pub(super) fn vector(&self, member: &str, values: &[u32]) -> Result<(), FederateError> {
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.call("POST", "vector", member, BYTES, &bytes).map(drop)
    }

    pub(super) fn model(&self, member: &str) -> Result<Vec<u8>, FederateError> {
        match self.call("GET", "model", member, BYTES, &[])? {
            Answer::Body(bytes) => Ok(bytes),
            Answer::Unknown => Ok(Vec::new()),
        }
    }

    fn post(&self, path: &str, member: &str, body: &impl Serialize) -> Result<(), FederateError> {
        let text = serde_json::to_vec(body).map_err(unreadable)?;
        let json = "application/json";
        self.call("POST", path, member, json, &text).map(drop)
    }

    fn json<T: DeserializeOwned>(
        &self,
        method: &str,
        path: &str,
        member: &str,
        body: Option<&impl Serialize>,
    ) -> Result<Answer<T>, FederateError> {
        let text = body
            .map(serde_json::to_vec)
            .transpose()
            .map_err(unreadable)?;
        let text = text.unwrap_or_default();
        Ok(
            match self.call(method, path, member, "application/json", &text)? {
                Answer::Unknown => Answer::Unknown,
                Answer::Body(bytes) => {
                    Answer::Body(serde_json::from_slice(&bytes).map_err(unreadable)?)
                }
            },
        )
    }

    fn request<'a>(
        &self,
        method: &str,
        path: &str,
        member: &str,
        kind: &str,
        body: &'a [u8],
    ) -> Result<ureq::http::Request<&'a [u8]>, FederateError> {
        ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}/{path}", self.base))
            .header("authorization", format!("Bearer {}", self.key))
            .header(MEMBER, member)
            .header("content-type", kind)
            .body(body)
            .map_err(unreadable)
    }

    /// Sends a request, again while the coordinator cannot be reached.
    fn call(
        &self,
        method: &str,
        path: &str,
        member: &str,
        kind: &str,
        body: &[u8],
    ) -> Result<Answer<Vec<u8>>, FederateError> {
        let began = Instant::now();
        loop {
            let request = self.request(method, path, member, kind, body)?;
            let answer = self.agent.run(request).and_then(|mut answer| {
                let status = answer.status().as_u16();
                let content = answer.body_mut().with_config().limit(MAX_RESPONSE);
                Ok((status, content.read_to_vec()?))
            });
            let problem = match answer {
                Ok((200..300, bytes)) => return Ok(Answer::Body(bytes)),
                Ok((410, _)) => return Ok(Answer::Unknown),
                Ok((status, bytes)) if !(502..=504).contains(&status) => {
                    let refusal = serde_json::from_slice(&bytes);
                    let reason = refusal.map_or_else(
                        |_| format!("status {status}; is this a coordinator?"),
                        |Refusal { error }| error,
                    );
                    return Err(FederateError::Coordinator(reason));
                }
                Ok((status, _)) => format!("status {status}"),
                Err(error) => error.to_string(),
            };
            if began.elapsed() >= self.patience {
                let reason = format!("{} cannot be reached: {problem}", self.base);
                return Err(FederateError::Coordinator(reason));
            }
            std::thread::sleep(RETRY);
        }
    }
}

fn unreadable(error: impl std::fmt::Display) -> FederateError {
    FederateError::Coordinator(format!("unexpected message: {error}"))
}
