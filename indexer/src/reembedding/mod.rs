//! Re-embedding of a collection of a running server: items that lack vectors of some encoders are
//! read from it, embedded like those of a catalog, and their vectors are sent back. Progress is
//! stored by the server alone, so an interrupted run resumes, and one more run embeds items written
//! since.

mod comparison;
mod pending;
mod sink;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use vitrine::Embedder;
use vitrine_schemas::{
    EmbeddedItem, FillRequest, Metric, ReembeddingInfo, ReembeddingRequest, SpaceSetInfo,
    VectorSpace,
};

pub use comparison::{Comparison, QueryGroup, known_item_queries};

use self::{pending::Pending, sink::FillSink};
use crate::pipeline::{IndexError, Options, Pipeline, Progress, Rejects};
use crate::sink::{HttpSink, SinkError};

/// Number of items requested at once.
const PAGE: usize = 200;

/// Items in flight by id.
type InFlight = Arc<Mutex<BTreeMap<String, ItemState>>>;

/// State of an item in flight.
struct ItemState {
    /// Version that is embedded.
    version: u32,
    /// Spaces in which it has vectors.
    spaces: Vec<String>,
}

/// Summary of a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct FillSummary {
    /// Items embedded by this run.
    pub embedded: u64,
    /// Items that were changed or deleted while they were embedded. Their new versions are embedded
    /// later in the run, or in the next one.
    pub stale: u64,
    /// Items that could not be embedded. They stay pending.
    pub failed: u64,
    /// Images that could not be used; their items are embedded without them.
    pub image_errors: u64,
    /// Items whose image was uploaded when they were indexed, and is not stored: embedded by their
    /// text alone.
    pub images_gone: u64,
    /// Time taken in seconds.
    pub seconds: f64,
    /// Items per second.
    pub items_per_s: f64,
}

/// Starts or resumes the re-embedding of a collection into `spaces` of the encoders.
///
/// # Errors
/// Another re-embedding is in progress, the server does not have the encoders, or it cannot be
/// reached.
pub fn begin(
    server: &HttpSink,
    embedder: &dyn Embedder,
    spaces: &BTreeSet<String>,
) -> Result<ReembeddingInfo, SinkError> {
    let info = server.info()?;
    let fingerprint = embedder.fingerprint();
    if let Some(active) = info.reembedding
        && set_of(&active, fingerprint).is_some()
    {
        return Ok(active);
    }
    let wanted = embedder.dims().iter();
    let wanted = wanted.filter(|(name, _)| spaces.contains(*name));
    let space = |(name, &dim): (&String, &usize)| {
        let before = info.config.vectors.get(name);
        let space = VectorSpace {
            dim,
            metric: Metric::Cosine,
            quantization: before.map(|s| s.quantization).unwrap_or_default(),
        };
        (name.clone(), space)
    };
    server.begin(&ReembeddingRequest {
        fingerprint: fingerprint.to_owned(),
        from: None,
        vectors: wanted.map(space).collect(),
    })
}

/// Returns the spaces that encoders with this fingerprint fill.
pub fn set_of<'a>(info: &'a ReembeddingInfo, fingerprint: &str) -> Option<&'a SpaceSetInfo> {
    let mut sets = [&info.current, &info.other].into_iter();
    sets.find(|set| set.fingerprint.as_deref() == Some(fingerprint))
}

/// Embeds items that lack vectors of the encoders. Items written meanwhile may be left for the next
/// run.
///
/// # Errors
/// The server cannot be reached or rejects a request; vectors sent before stay.
pub fn fill(
    server: &HttpSink,
    embedder: &dyn Embedder,
    info: &ReembeddingInfo,
    rejects: &mut Rejects,
    progress: &mut Progress,
    options: Options,
) -> Result<FillSummary, IndexError> {
    let fingerprint = embedder.fingerprint();
    let set = set_of(info, fingerprint);
    let spaces = set.map(|set| set.vectors.keys().cloned().collect());
    let in_flight = InFlight::default();
    let pending = Pending::new(server.clone(), fingerprint, in_flight.clone());
    let mut sink = FillSink::new(
        server.clone(),
        fingerprint,
        spaces.unwrap_or_default(),
        in_flight,
    );
    let run = Pipeline::new(embedder, &mut sink, rejects, progress, options);
    let summary = run.run(Box::new(pending))?;
    Ok(FillSummary {
        embedded: sink.filled,
        stale: sink.stale,
        failed: summary.rejected,
        image_errors: summary.image_errors,
        images_gone: sink.images_gone,
        seconds: summary.seconds,
        items_per_s: summary.items_per_s,
    })
}

/// Marks pending items as not embeddable, so that they do not block a switch; returns their number.
///
/// # Errors
/// As [`fill`].
pub fn leave_out(server: &HttpSink, fingerprint: &str) -> Result<u64, SinkError> {
    let mut count = 0;
    loop {
        // Marked items are not pending any more.
        let page = server.pending(fingerprint, None, PAGE)?;
        if page.items.is_empty() {
            return Ok(count);
        }
        let items = page.items.into_iter().map(|pending| EmbeddedItem {
            id: pending.item.id,
            version: pending.version,
            vectors: BTreeMap::new(),
        });
        let answer = server.fill(&FillRequest {
            fingerprint: fingerprint.to_owned(),
            items: items.collect(),
        })?;
        count += answer.left_out;
    }
}

fn lock(in_flight: &InFlight) -> std::sync::MutexGuard<'_, BTreeMap<String, ItemState>> {
    in_flight.lock().unwrap_or_else(PoisonError::into_inner)
}
