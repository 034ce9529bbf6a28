//! Sealing and merging, concurrent with searches and writes.
//!
//! A *seal* makes a sealed segment of the growing segments. A *merge* makes one of sealed segments
//! of about the same size, so the number of builds that a vector takes part in grows with the
//! logarithm of the number of vectors (size-tiered merging, as of log-structured merge trees:
//! O'Neil et al. 1996). The two use disjoint inputs and run at the same time: a long merge does not
//! let the growing segments become large.

use std::{path::Path, sync::Arc, time::Duration};

use roaring::RoaringBitmap;
use vitrine_schemas::Metric;

use super::{
    GrowingGraph, Progress, SealedSegment, SpaceIndex,
    space::{GRAPH_FROM, GrowingSegment, GrowingSegmentGraph, Segments},
    unsealed::UnsealedRows,
};
use crate::Result;

/// Number of unsealed vectors that are sealed at once.
const SEAL_FROM: u64 = 10_000;

/// Number of unsealed vectors that are sealed once no write has come for [`QUIET`].
const SEAL_QUIET_FROM: u64 = GRAPH_FROM;
const QUIET: Duration = Duration::from_secs(2);

/// Number of vectors added to the graph of a growing segment at a time.
const GRAPH_BATCH: usize = 1_000;

/// Maximum ratio of the size of a sealed segment to that of the smaller ones together at which it
/// is merged with them.
const MERGE_FACTOR: u64 = 2;

/// Divisor of the number of vectors of a sealed segment: it is rebuilt if more than the quotient
/// are dead.
const DEAD_DIVISOR: u64 = 5;

/// Minimum number of dead vectors of a segment that is rebuilt without them.
const MIN_DEAD: u64 = 1_000;

/// [`DEAD_DIVISOR`] where memory is short.
const DEAD_DIVISOR_SHORT: u64 = 50;

/// Kinds of jobs. At most one of a kind runs in a space at a time; [`JobKind::All`] runs alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobKind {
    /// Makes a sealed segment of the growing segments.
    Seal,
    /// Makes one segment of sealed segments of similar sizes, or of one with many dead vectors.
    Merge,
    /// Seals and merges until everything is one segment without dead vectors.
    All,
}

/// Memory available to maintenance.
#[derive(Clone, Copy, Debug)]
pub struct MemoryBudget {
    /// Maximum number of vectors of a merge.
    pub max_merge_vectors: u64,
    /// True if memory is short: small growing segments are sealed too, and segments with few dead
    /// vectors are rebuilt.
    pub is_short: bool,
}

impl MemoryBudget {
    /// No limit.
    pub const UNLIMITED: Self = Self {
        max_merge_vectors: u64::MAX,
        is_short: false,
    };
}

/// Segments to seal or merge.
pub struct Job {
    sealed: Vec<Arc<SealedSegment>>,
    /// Members of the growing segments that are sealed.
    growing: RoaringBitmap,
    growing_count: usize,
    live: RoaringBitmap,
    rows: UnsealedRows,
}

impl Job {
    /// Returns the files of the segments that will be replaced.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.sealed.iter().filter_map(|s| s.file())
    }

    /// Number of vectors of the segment to be built.
    pub fn vectors(&self) -> u64 {
        self.live.len()
    }
}

impl SpaceIndex {
    /// Returns true if [`SpaceIndex::plan`] might return a job. It is cheap, to be called often.
    pub fn has_work(
        &self,
        kind: JobKind,
        budget: MemoryBudget,
        dead: impl FnOnce() -> RoaringBitmap,
    ) -> bool {
        let segments = self.segments.read().clone();
        // Without the lock: `dead` may need it too.
        match kind {
            JobKind::All => true,
            JobKind::Seal => is_due(&segments, budget),
            JobKind::Merge => {
                !segments.sealed.is_empty() && {
                    let dead = dead();
                    !mergeable(&segments, &dead, budget).is_empty()
                }
            }
        }
    }

    /// Returns the next job of a kind. `dead` are the internal ids that are not, and never again
    /// will be, in any result. Nothing may be inserted meanwhile; later inserts go to a new growing
    /// segment.
    pub fn plan(&self, dead: &RoaringBitmap, kind: JobKind, budget: MemoryBudget) -> Option<Job> {
        let mut segments = self.segments.write();
        let (sealed, takes_growing) = match kind {
            JobKind::Seal => (Vec::new(), is_due(&segments, budget)),
            JobKind::Merge => (mergeable(&segments, dead, budget), false),
            JobKind::All => {
                let unsealed = unsealed(&segments) > 0;
                let done = match segments.sealed.as_slice() {
                    [] => true,
                    [one] => {
                        !unsealed && one.members().is_disjoint(dead) && is_fully_reachable(one)
                    }
                    _ => false,
                };
                let sealed = if done {
                    Vec::new()
                } else {
                    segments.sealed.clone()
                };
                (sealed, unsealed)
            }
        };
        if sealed.is_empty() && !takes_growing {
            return None;
        }
        // An empty segment, which a plan that failed left behind, goes on taking inserts.
        let is_fresh = |s: &GrowingSegment| s.members.is_empty();
        let fresh = segments.growing.last().is_some_and(is_fresh);
        let growing_count = match takes_growing {
            true => segments.growing.len() - usize::from(fresh),
            false => 0,
        };
        let growing = segments.growing.iter().take(growing_count);
        let growing = union(growing.map(|s| &s.members));
        if takes_growing && !fresh {
            segments.growing.push(GrowingSegment::default());
        }
        Some(Job {
            live: (union(sealed.iter().map(|s| s.members())) | &growing) - dead,
            sealed,
            growing,
            growing_count,
            rows: self.unsealed.rows(),
        })
    }

    /// Estimated number of bytes in memory once everything is sealed and segments of at most
    /// `max_merge_vectors` vectors are rebuilt without their `dead` ones where that pays. Dead
    /// vectors of larger segments stay.
    pub fn settled_bytes(&self, dead: &RoaringBitmap, max_merge_vectors: u64) -> u64 {
        let budget = MemoryBudget {
            max_merge_vectors,
            is_short: true,
        };
        let segments = self.segments.read();
        let is_rebuilt = |s: &&Arc<SealedSegment>| {
            s.members().len() <= max_merge_vectors && has_too_many_deletes(s, dead, budget)
        };
        let removed = segments.sealed.iter().filter(is_rebuilt);
        let removed: u64 = removed.map(|s| s.members().intersection_len(dead)).sum();
        let growing = segments.growing.iter();
        let added: u64 = growing
            .map(|s| s.members.len() - s.members.intersection_len(dead))
            .sum();
        let sealed: u64 = segments.sealed.iter().map(|s| s.bytes() as u64).sum();
        (sealed + added * self.sealed_vector_bytes())
            .saturating_sub(removed * self.sealed_vector_bytes())
    }

    /// Estimated number of bytes of memory that a vector takes while a segment with it is built.
    pub fn build_vector_bytes(&self) -> u64 {
        SealedSegment::build_bytes(self.dim, self.codes)
    }

    /// Builds the segment of a job. With a `file` it is saved there and its vectors are mapped from
    /// it. Returns None if no vector of the job is live.
    ///
    /// # Errors
    /// [`crate::Error::OutOfMemory`]; [`crate::Error::Cancelled`]; [`crate::Error::Io`].
    pub fn build(
        &self,
        job: &Job,
        file: Option<&Path>,
        progress: &Progress,
    ) -> Result<Option<SealedSegment>> {
        let vector = |id| {
            let sealed = job.sealed.iter().rev().find_map(|s| s.vector(id));
            sealed.or_else(|| job.rows.get(id))
        };
        let vectors: Vec<_> = job
            .live
            .iter()
            .filter_map(|id| Some((id, vector(id)?)))
            .collect();
        if vectors.is_empty() {
            return Ok(None);
        }
        let built = SealedSegment::build(self.metric, self.dim, &vectors, self.codes, progress)?;
        let Some(file) = file else {
            return Ok(Some(built));
        };
        built.save(file)?;
        drop(built);
        let opened = SealedSegment::open(file);
        if opened.is_err() {
            // Otherwise each try would leave a file with all vectors.
            std::fs::remove_file(file).ok();
        }
        opened.map(Some)
    }

    /// Replaces the segments of a job by the one that was built of them.
    pub fn finish(&self, job: Job, built: Option<SealedSegment>) {
        let _writer = self.writer.lock();
        let removed = {
            let sealed = union(job.sealed.iter().map(|s| s.members()));
            (sealed | &job.growing) - &job.live
        };
        let mut segments = self.segments.write();
        segments
            .sealed
            .retain(|s| !job.sealed.iter().any(|old| Arc::ptr_eq(s, old)));
        segments.sealed.extend(built.map(Arc::new));
        segments.growing.drain(..job.growing_count);
        if segments.growing.is_empty() {
            segments.growing.push(GrowingSegment::default());
        }
        segments.members -= removed;
        let unsealed = union(segments.growing.iter().map(|s| &s.members));
        self.unsealed.retain(&unsealed);
    }

    /// Estimated number of bytes of memory that [`SpaceIndex::extend_growing_graph`] may add.
    pub fn graph_step_bytes(&self) -> u64 {
        (GRAPH_BATCH * GrowingGraph::vector_bytes(self.dim)) as u64
    }

    /// Adds a batch of vectors of the growing segment to its graph. Returns false if there was none
    /// to add, or a graph does not pay. Called by one thread at a time.
    pub fn extend_growing_graph(&self, threads: usize) -> bool {
        let (graph, fresh, rows) = {
            let segments = self.segments.read();
            let Some(segment) = segments.growing.last() else {
                return false;
            };
            // A graph cannot be searched by inner product.
            if self.metric == Metric::Dot || segment.members.len() < GRAPH_FROM {
                return false;
            }
            let graph = segment
                .graph
                .clone()
                .unwrap_or_else(|| GrowingSegmentGraph {
                    graph: Arc::new(GrowingGraph::new(self.metric)),
                    members: RoaringBitmap::new(),
                });
            let missing = &segment.members - &graph.members;
            let fresh: RoaringBitmap = missing.iter().take(GRAPH_BATCH).collect();
            (graph, fresh, self.unsealed.rows())
        };
        let Some(first) = fresh.min() else {
            return false;
        };
        let vectors: Vec<_> = fresh
            .iter()
            .filter_map(|id| Some((id, rows.get(id)?)))
            .collect();
        graph.graph.insert(&vectors, threads);
        let mut segments = self.segments.write();
        // Meanwhile a seal of the segment may have been planned, or be done.
        let mut growing = segments.growing.iter_mut();
        if let Some(segment) = growing.find(|s| s.members.contains(first)) {
            segment.graph = Some(GrowingSegmentGraph {
                members: graph.members | fresh,
                graph: graph.graph,
            });
        }
        true
    }
}

/// Returns true if the growing segments should be sealed.
fn is_due(segments: &Segments, budget: MemoryBudget) -> bool {
    let unsealed = unsealed(segments);
    let is_quiet = || segments.written.elapsed() >= QUIET;
    unsealed >= SEAL_FROM
        || unsealed >= SEAL_QUIET_FROM && is_quiet()
        || unsealed > 0 && budget.is_short
}

/// Returns the segments to merge: the smallest ones, as long as the next is not much larger than
/// those before it together. Otherwise one that needs a rebuild.
fn mergeable(
    segments: &Segments,
    dead: &RoaringBitmap,
    budget: MemoryBudget,
) -> Vec<Arc<SealedSegment>> {
    let mut chosen = segments.sealed.clone();
    chosen.sort_by_key(|s| s.members().len());
    let mut total = 0;
    let similar = chosen.iter().take_while(|s| {
        let len = s.members().len();
        let is_similar = total == 0 || len <= MERGE_FACTOR * total;
        total += len;
        is_similar && total <= budget.max_merge_vectors
    });
    let similar = similar.count();
    if similar >= 2 {
        chosen.truncate(similar);
    } else {
        chosen.retain(|s| {
            s.members().len() <= budget.max_merge_vectors && needs_rebuild(s, dead, budget)
        });
        chosen.truncate(1);
    }
    chosen
}

/// Returns true if a segment has many dead vectors, or some that no graph search can reach.
fn needs_rebuild(segment: &SealedSegment, dead: &RoaringBitmap, budget: MemoryBudget) -> bool {
    has_too_many_deletes(segment, dead, budget) || !is_fully_reachable(segment)
}

fn has_too_many_deletes(
    segment: &SealedSegment,
    dead: &RoaringBitmap,
    budget: MemoryBudget,
) -> bool {
    let dead = segment.members().intersection_len(dead);
    let (divisor, min) = if budget.is_short {
        (DEAD_DIVISOR_SHORT, 1)
    } else {
        (DEAD_DIVISOR, MIN_DEAD)
    };
    dead >= min && dead > segment.members().len() / divisor
}

/// Returns true if graph searches reach all vectors, or that has not been checked.
fn is_fully_reachable(segment: &SealedSegment) -> bool {
    segment.unreachable_count().unwrap_or_default() == 0
}

fn unsealed(segments: &Segments) -> u64 {
    segments.growing.iter().map(|s| s.members.len()).sum()
}

fn union<'a>(sets: impl Iterator<Item = &'a RoaringBitmap>) -> RoaringBitmap {
    sets.fold(RoaringBitmap::new(), |all, set| all | set)
}
