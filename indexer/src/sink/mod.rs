//! Destination of items: a data directory opened in this process, or a running server. Encoders are
//! unknown here.

mod engine;
mod http;

use std::collections::HashMap;

use vitrine_schemas::{CollectionConfig, CollectionPatch, Event, EventResult, Item};

pub use engine::EngineSink;
pub use http::HttpSink;

/// Errors that end writing.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// The collection's vectors come from other encoders.
    #[error(
        "collection `{collection}` holds vectors of other encoders (fingerprint {found}, these give {expected}); \
         take it over to these (vitrine-indexer reembed run), or index into a new collection and move an alias to it"
    )]
    OtherSpace {
        /// Name of the collection.
        collection: String,
        /// Fingerprint of the collection.
        found: String,
        /// Fingerprint of the loaded encoders.
        expected: String,
    },
    /// The data directory is in use.
    #[error("{0}; if a server uses it, write to it with --server URL instead of --data")]
    Locked(vitrine::Error),
    /// The engine failed.
    #[error(transparent)]
    Engine(vitrine::Error),
    /// The server rejected the request.
    #[error("{method} {url} was rejected with {status}: {detail}")]
    Rejected {
        /// HTTP method.
        method: &'static str,
        /// Address.
        url: String,
        /// HTTP status.
        status: u16,
        /// Field with the error, as a JSON pointer into the body.
        pointer: Option<String>,
        /// Message of the server.
        detail: String,
    },
    /// The request is invalid, or the response is not of this API.
    #[error("{method} {url}: {detail}")]
    Protocol {
        /// HTTP method.
        method: &'static str,
        /// Address.
        url: String,
        /// Problem.
        detail: String,
    },
    /// The server could not be reached after repeated attempts.
    #[error("{url} does not answer: {detail}; run the same command again to resume")]
    Unreachable {
        /// Address.
        url: String,
        /// Last error.
        detail: String,
    },
}

impl SinkError {
    /// Returns true if the request was rejected, as opposed to a failure of the sink.
    pub fn is_rejection(&self) -> bool {
        match self {
            Self::OtherSpace { .. } => true,
            Self::Engine(error) => error.is_user(),
            Self::Rejected { status, .. } => (400..500).contains(status),
            Self::Locked(_) | Self::Protocol { .. } | Self::Unreachable { .. } => false,
        }
    }
}

impl From<vitrine::Error> for SinkError {
    fn from(error: vitrine::Error) -> Self {
        match error {
            vitrine::Error::Locked(_) => Self::Locked(error),
            other => Self::Engine(other),
        }
    }
}

/// Outcome of an accepted item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// The item is new.
    Created,
    /// The item replaced another version.
    Updated,
}

/// One outcome per item: created, updated, or the reason of the rejection.
pub type Outcomes = Vec<Result<Written, String>>;

/// Collection that can be filled.
pub trait Sink {
    /// Creates the collection if missing, adds the attributes and spaces it lacks, and returns its
    /// configuration.
    ///
    /// # Errors
    /// The collection holds vectors of other encoders, or declares something differently.
    fn prepare(&mut self, wanted: &CollectionConfig) -> Result<CollectionConfig, SinkError>;

    /// Returns the content hashes of those of `ids` that are stored with one.
    ///
    /// # Errors
    /// The sink failed.
    fn hashes(&self, ids: &[String]) -> Result<HashMap<String, String>, SinkError>;

    /// Writes items; they are stored when this returns.
    ///
    /// # Errors
    /// The sink failed as a whole; errors of single items are outcomes.
    fn write(&mut self, items: Vec<Item>) -> Result<Outcomes, SinkError>;

    /// Returns the ids of the collection after `after`, at most `limit`, in their order.
    ///
    /// # Errors
    /// The sink failed.
    fn ids(&self, after: Option<&str>, limit: usize) -> Result<Vec<String>, SinkError>;

    /// Deletes items by id; returns the number of those that existed.
    ///
    /// # Errors
    /// The sink failed; items deleted before stay deleted.
    fn delete(&mut self, ids: &[String]) -> Result<u64, SinkError>;
}

/// Database that accepts events.
pub trait EventSink {
    /// Checks that the collection exists, so that its absence is reported once and not for every
    /// event.
    ///
    /// # Errors
    /// The collection does not exist, or the sink failed.
    fn check(&self) -> Result<(), SinkError>;

    /// Stores events; returns one result each, in their order. Accepted events are stored when this
    /// returns.
    ///
    /// # Errors
    /// The sink failed as a whole; errors of single events are results.
    fn append(&mut self, events: &[Event]) -> Result<Vec<EventResult>, SinkError>;
}

/// Returns the parts of `wanted` that `have` lacks; `None` if nothing is missing.
fn missing(
    collection: &str,
    have: &CollectionConfig,
    wanted: &CollectionConfig,
) -> Result<Option<CollectionPatch>, SinkError> {
    if let (Some(found), Some(expected)) = (&have.fingerprint, &wanted.fingerprint)
        && found != expected
    {
        return Err(SinkError::OtherSpace {
            collection: collection.to_owned(),
            found: found.clone(),
            expected: expected.clone(),
        });
    }
    let mut patch = CollectionPatch {
        attributes: wanted.attributes.clone(),
        vectors: wanted.vectors.clone(),
        ..CollectionPatch::default()
    };
    // Conflicting declarations stay in the patch, so that the engine rejects them with its reason.
    patch
        .attributes
        .retain(|name, kind| have.attributes.get(name) != Some(kind));
    patch
        .vectors
        .retain(|name, space| have.vectors.get(name) != Some(space));
    Ok((patch != CollectionPatch::default()).then_some(patch))
}
