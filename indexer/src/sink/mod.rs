//! Where items go: a data directory opened in this process, or a running server. Encoders are not known here.

mod engine;
mod http;

use std::collections::HashMap;

use vitrine_schemas::{CollectionConfig, CollectionPatch, Event, EventResult, Item};

pub use engine::EngineSink;
pub use http::HttpSink;

/// Why nothing more can be written.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// The collection's vectors come from other encoders.
    #[error(
        "collection `{collection}` holds vectors of other encoders (fingerprint {found}, these give {expected}); \
         take it over to these (vitrine-indexer reembed run), or index into a new collection and move an alias to it"
    )]
    OtherSpace {
        /// The collection.
        collection: String,
        /// Its fingerprint.
        found: String,
        /// That of the encoders at hand.
        expected: String,
    },
    /// The data directory is taken.
    #[error("{0}; where that is a server, write to it with --server URL instead of --data")]
    Locked(vitrine::Error),
    /// The engine failed.
    #[error(transparent)]
    Engine(vitrine::Error),
    /// The server refused.
    #[error("{method} {url} was refused with {status}: {detail}")]
    Refused {
        /// HTTP method.
        method: &'static str,
        /// Address.
        url: String,
        /// HTTP status.
        status: u16,
        /// Field at fault, as a JSON pointer into the body.
        pointer: Option<String>,
        /// What the server said.
        detail: String,
    },
    /// The request cannot be made, or its answer is none of this API.
    #[error("{method} {url}: {detail}")]
    Protocol {
        /// HTTP method.
        method: &'static str,
        /// Address.
        url: String,
        /// What is wrong.
        detail: String,
    },
    /// The server could not be reached, tried again and again.
    #[error(
        "{url} does not answer: {detail}; run the same command again to go on where it stopped"
    )]
    Unreachable {
        /// Address.
        url: String,
        /// The last fault.
        detail: String,
    },
}

impl SinkError {
    /// Whether what was asked for was refused, as opposed to a sink that fails.
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::OtherSpace { .. } => true,
            Self::Engine(error) => error.is_user(),
            Self::Refused { status, .. } => (400..500).contains(status),
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

/// What became of an item that was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// It is new.
    Created,
    /// It replaced another.
    Updated,
}

/// One outcome an item: what became of it, or why it was refused.
pub type Outcomes = Vec<Result<Written, String>>;

/// A collection that can be filled.
pub trait Sink {
    /// Makes the collection where it is missing, adds the attributes and spaces it lacks, returns what it has then.
    ///
    /// # Errors
    /// It holds vectors of other encoders, or declares something otherwise.
    fn prepare(&mut self, wanted: &CollectionConfig) -> Result<CollectionConfig, SinkError>;

    /// Content hashes of those of `ids` that are stored with one.
    ///
    /// # Errors
    /// The sink failed.
    fn hashes(&self, ids: &[String]) -> Result<HashMap<String, String>, SinkError>;

    /// Writes items; they are stored when this returns.
    ///
    /// # Errors
    /// The sink failed as a whole; faults of single items are outcomes.
    fn write(&mut self, items: Vec<Item>) -> Result<Outcomes, SinkError>;
}

/// A database that takes events.
pub trait EventSink {
    /// Checks that the collection is there, so that its absence is told once and not by every event.
    ///
    /// # Errors
    /// It is not, or the sink failed.
    fn check(&self) -> Result<(), SinkError>;

    /// Stores events; one result each, in their order. What is accepted is stored when this returns.
    ///
    /// # Errors
    /// The sink failed as a whole; faults of single events are results.
    fn append(&mut self, events: &[Event]) -> Result<Vec<EventResult>, SinkError>;
}

/// What `have` lacks of `wanted`; `None` where nothing is missing.
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
    // One that is declared otherwise stays in the patch, so that the engine refuses it with its reason.
    patch
        .attributes
        .retain(|name, kind| have.attributes.get(name) != Some(kind));
    patch
        .vectors
        .retain(|name, space| have.vectors.get(name) != Some(space));
    Ok((patch != CollectionPatch::default()).then_some(patch))
}
