//! Re-embedding a collection of a running server: items that lack vectors of some encoders are read from it, embedded as
//! those of a catalog are, and their vectors sent back. What is done is known by the server alone, so a run that was killed goes on where
//! it was, and one more run embeds what was written since.

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

pub use comparison::{Comparison, Group, questions_of_items};

use self::{pending::Pending, sink::FillSink};
use crate::pipeline::{IndexError, Options, Pipeline, Progress, Rejects};
use crate::sink::{HttpSink, SinkError};

/// Items asked for at once.
const PAGE: usize = 200;

/// What is known of items on their way, by id.
type OnTheWay = Arc<Mutex<BTreeMap<String, Known>>>;

/// What is known of an item on its way.
struct Known {
    /// The version that is embedded.
    version: u32,
    /// Spaces that it has vectors in.
    spaces: Vec<String>,
}

/// Account of a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Filled {
    /// Items that have vectors now.
    pub embedded: u64,
    /// Items that were changed or deleted while they were embedded. What they have become comes later in the run, or in the next.
    pub stale: u64,
    /// Items that could not be embedded. They stay pending.
    pub failed: u64,
    /// Photos that could not be used; their items are embedded without them.
    pub photo_faults: u64,
    /// Items whose photo was sent along when they were indexed, so that it is not kept: embedded by their text alone.
    pub photos_gone: u64,
    /// Time taken.
    pub seconds: f64,
    /// Items a second.
    pub items_per_s: f64,
}

/// Begins to re-embed a collection into `spaces` of the encoders, or goes on.
///
/// # Errors
/// Another re-embedding is under way, the server does not have the encoders, or it cannot be reached.
pub fn begin(
    server: &HttpSink,
    embedder: &dyn Embedder,
    spaces: &BTreeSet<String>,
) -> Result<ReembeddingInfo, SinkError> {
    let info = server.info()?;
    let fingerprint = embedder.fingerprint();
    if let Some(under_way) = info.reembedding
        && set_of(&under_way, fingerprint).is_some()
    {
        return Ok(under_way);
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

/// The spaces that encoders with this fingerprint fill.
pub fn set_of<'a>(info: &'a ReembeddingInfo, fingerprint: &str) -> Option<&'a SpaceSetInfo> {
    let mut sets = [&info.current, &info.other].into_iter();
    sets.find(|set| set.fingerprint.as_deref() == Some(fingerprint))
}

/// Embeds what lacks vectors of the encoders. What is written meanwhile may be left for the next run.
///
/// # Errors
/// The server cannot be reached or refuses; what was sent until then stays.
pub fn fill(
    server: &HttpSink,
    embedder: &dyn Embedder,
    info: &ReembeddingInfo,
    rejects: &mut Rejects,
    progress: &mut Progress,
    options: Options,
) -> Result<Filled, IndexError> {
    let fingerprint = embedder.fingerprint();
    let set = set_of(info, fingerprint);
    let spaces = set.map(|set| set.vectors.keys().cloned().collect());
    let known = OnTheWay::default();
    let pending = Pending::new(server.clone(), fingerprint, known.clone());
    let mut sink = FillSink::new(
        server.clone(),
        fingerprint,
        spaces.unwrap_or_default(),
        known,
    );
    let run = Pipeline::new(embedder, &mut sink, rejects, progress, options);
    let summary = run.run(Box::new(pending))?;
    Ok(Filled {
        embedded: sink.filled,
        stale: sink.stale,
        failed: summary.rejected,
        photo_faults: summary.photo_faults,
        photos_gone: sink.photos_gone,
        seconds: summary.seconds,
        items_per_s: summary.items_per_s,
    })
}

/// Notes what is pending as what cannot be embedded, so that it does not stand in the way of a switch; how many.
///
/// # Errors
/// As [`fill`].
pub fn leave_out(server: &HttpSink, fingerprint: &str) -> Result<u64, SinkError> {
    let mut count = 0;
    loop {
        // What was noted is not pending any more.
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

fn lock(known: &OnTheWay) -> std::sync::MutexGuard<'_, BTreeMap<String, Known>> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}
