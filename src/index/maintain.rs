//! Sealing and merging, beside searches and writes.
//!
//! A *seal* makes a sealed part of the tails. A *merge* makes one of sealed parts of about the same size, so a vector takes part
//! in a number of builds that grows with the logarithm of the whole (size-tiered merging, as of log-structured merge trees: O'Neil
//! et al. 1996). The two take nothing from each other and run at the same time: a long merge leaves no long tail.

use std::{path::Path, sync::Arc, time::Duration};

use roaring::RoaringBitmap;
use vitrine_schemas::Metric;

use super::{
    GrowingIndex, Progress, SealedIndex, SpaceIndex,
    flat::Rows,
    space::{GRAPH_FROM, Parts, Tail, TailGraph},
};
use crate::Result;

/// Vectors in tails that are worth a seal.
const SEAL_FROM: u64 = 10_000;

/// So many are where nothing has come for a while.
const SEAL_QUIET_FROM: u64 = GRAPH_FROM;
const QUIET: Duration = Duration::from_secs(2);

/// Vectors that a tail's graph takes in at once.
const FOLLOW: usize = 1_000;

/// A sealed part that is not larger than so many times the smaller ones together is merged with them.
const MERGE_FACTOR: u64 = 2;

/// A sealed part with more than one in so many dead vectors is made anew without them...
const DEAD_SHARE: u64 = 5;

/// ...unless there are fewer than so many.
const DEAD_FROM: u64 = 1_000;

/// The share where memory is short.
const DEAD_SHARE_SHORT: u64 = 50;

/// Kinds of jobs. Only one of a kind may be under way in a space; [`Work::All`] goes with no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Makes a sealed part of the tails.
    Seal,
    /// Makes one part of sealed parts of like sizes, or of one with many dead vectors.
    Merge,
    /// Seals and merges whatever is not one part without dead vectors.
    All,
}

/// What memory there is to work with.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// Most vectors of a merge.
    pub merge: u64,
    /// Memory is short: small tails are worth a seal too, and fewer dead vectors are worth leaving out.
    pub short: bool,
}

impl Room {
    /// As much as it takes.
    pub const ENOUGH: Self = Self {
        merge: u64::MAX,
        short: false,
    };
}

/// Something to seal or merge.
pub struct Job {
    sealed: Vec<Arc<SealedIndex>>,
    tails: RoaringBitmap,
    tail_count: usize,
    live: RoaringBitmap,
    rows: Rows,
}

impl Job {
    /// Files of the parts that will be gone.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.sealed.iter().filter_map(|s| s.file())
    }

    /// Vectors of the part to be made.
    pub fn vectors(&self) -> u64 {
        self.live.len()
    }
}

impl SpaceIndex {
    /// Whether [`SpaceIndex::plan`] might find something: cheap, to be asked often.
    pub fn wants(&self, work: Work, room: Room, dead: impl FnOnce() -> RoaringBitmap) -> bool {
        let parts = self.parts.read().clone();
        // Without the lock: whoever tells what is dead may want it too.
        match work {
            Work::All => true,
            Work::Seal => is_due(&parts, room),
            Work::Merge => {
                !parts.sealed.is_empty() && {
                    let dead = dead();
                    !mergeable(&parts, &dead, room).is_empty()
                }
            }
        }
    }

    /// What there is to do. `dead` are the numbers that are not, and never again will be, in any answer. Nobody may insert
    /// meanwhile; later inserts go to a new tail.
    pub fn plan(&self, dead: &RoaringBitmap, work: Work, room: Room) -> Option<Job> {
        let mut parts = self.parts.write();
        let (sealed, takes_tails) = match work {
            Work::Seal => (Vec::new(), is_due(&parts, room)),
            Work::Merge => (mergeable(&parts, dead, room), false),
            Work::All => {
                let unsealed = unsealed(&parts) > 0;
                let done = match parts.sealed.as_slice() {
                    [] => true,
                    [one] => !unsealed && one.members().is_disjoint(dead) && is_whole(one),
                    _ => false,
                };
                let sealed = if done {
                    Vec::new()
                } else {
                    parts.sealed.clone()
                };
                (sealed, unsealed)
            }
        };
        if sealed.is_empty() && !takes_tails {
            return None;
        }
        let tail_count = if takes_tails { parts.tails.len() } else { 0 };
        let tails = union(parts.tails.iter().take(tail_count).map(|t| &t.numbers));
        if takes_tails {
            parts.tails.push(Tail::default());
        }
        Some(Job {
            live: (union(sealed.iter().map(|s| s.members())) | &tails) - dead,
            sealed,
            tails,
            tail_count,
            rows: self.flat.rows(),
        })
    }

    /// Bytes in memory, about, once everything is sealed and parts of at most `most` vectors are made anew without those of
    /// `dead` that are worth it. What larger parts have of them stays.
    pub fn settled_bytes(&self, dead: &RoaringBitmap, most: u64) -> u64 {
        let room = Room {
            merge: most,
            short: true,
        };
        let parts = self.parts.read();
        let goes = |s: &&Arc<SealedIndex>| s.members().len() <= most && is_rotten(s, dead, room);
        let gone = parts.sealed.iter().filter(goes);
        let gone: u64 = gone.map(|s| s.members().intersection_len(dead)).sum();
        let tails = parts.tails.iter();
        let comes: u64 = tails
            .map(|t| t.numbers.len() - t.numbers.intersection_len(dead))
            .sum();
        let sealed: u64 = parts.sealed.iter().map(|s| s.bytes() as u64).sum();
        (sealed + comes * self.sealed_vector_bytes())
            .saturating_sub(gone * self.sealed_vector_bytes())
    }

    /// Bytes of memory that a vector takes while a part with it is built, about.
    pub fn build_vector_bytes(&self) -> u64 {
        SealedIndex::build_bytes(self.dim, self.codes)
    }

    /// Carries out a job, into a file where one is named; its vectors are then mapped from there.
    /// None where nothing of it lives.
    pub fn build(
        &self,
        job: &Job,
        file: Option<&Path>,
        progress: &Progress,
    ) -> Result<Option<SealedIndex>> {
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
        let built = SealedIndex::build(self.metric, self.dim, &vectors, self.codes, progress)?;
        let Some(file) = file else {
            return Ok(Some(built));
        };
        built.save(file)?;
        drop(built);
        SealedIndex::open(file).map(Some)
    }

    /// Puts what was built in the place of what it was built from.
    pub fn finish(&self, job: Job, built: Option<SealedIndex>) {
        let _writer = self.writer.lock();
        let gone = {
            let sealed = union(job.sealed.iter().map(|s| s.members()));
            (sealed | &job.tails) - &job.live
        };
        let mut parts = self.parts.write();
        parts
            .sealed
            .retain(|s| !job.sealed.iter().any(|old| Arc::ptr_eq(s, old)));
        parts.sealed.extend(built.map(Arc::new));
        parts.tails.drain(..job.tail_count);
        if parts.tails.is_empty() {
            parts.tails.push(Tail::default());
        }
        parts.members -= gone;
        let unsealed = union(parts.tails.iter().map(|t| &t.numbers));
        self.flat.retain(&unsealed);
    }

    /// Bytes of memory that [`SpaceIndex::follow`] may add, about.
    pub fn follow_bytes(&self) -> u64 {
        (FOLLOW * GrowingIndex::vector_bytes(self.dim)) as u64
    }

    /// Takes some vectors of the tail into its graph, where that is behind and worth having; whether it did. Only one
    /// thread at a time.
    pub fn follow(&self, threads: usize) -> bool {
        let (graph, fresh, rows) = {
            let parts = self.parts.read();
            let Some(tail) = parts.tails.last() else {
                return false;
            };
            // A graph cannot be walked by inner product.
            if self.metric == Metric::Dot || tail.numbers.len() < GRAPH_FROM {
                return false;
            }
            let graph = tail.graph.clone().unwrap_or_else(|| TailGraph {
                index: Arc::new(GrowingIndex::new(self.metric)),
                numbers: RoaringBitmap::new(),
            });
            let behind = &tail.numbers - &graph.numbers;
            let fresh: RoaringBitmap = behind.iter().take(FOLLOW).collect();
            (graph, fresh, self.flat.rows())
        };
        let Some(first) = fresh.min() else {
            return false;
        };
        let vectors: Vec<_> = fresh
            .iter()
            .filter_map(|id| Some((id, rows.get(id)?)))
            .collect();
        graph.index.insert(&vectors, threads);
        let mut parts = self.parts.write();
        // It may have been planned to be sealed meanwhile, or be sealed.
        if let Some(tail) = parts.tails.iter_mut().find(|t| t.numbers.contains(first)) {
            tail.graph = Some(TailGraph {
                numbers: graph.numbers | fresh,
                index: graph.index,
            });
        }
        true
    }
}

/// Whether the tails are worth a seal.
fn is_due(parts: &Parts, room: Room) -> bool {
    let unsealed = unsealed(parts);
    let is_quiet = || parts.written.elapsed() >= QUIET;
    unsealed >= SEAL_FROM || unsealed >= SEAL_QUIET_FROM && is_quiet() || unsealed > 0 && room.short
}

/// Parts to make one of: the smallest ones, as long as the next is not much larger than those before it together. Else one that
/// has many dead vectors, or some that no walk reaches.
fn mergeable(parts: &Parts, dead: &RoaringBitmap, room: Room) -> Vec<Arc<SealedIndex>> {
    let mut chosen = parts.sealed.clone();
    chosen.sort_by_key(|s| s.members().len());
    let mut total = 0;
    let like = chosen.iter().take_while(|s| {
        let len = s.members().len();
        let is_like = total == 0 || len <= MERGE_FACTOR * total;
        total += len;
        is_like && total <= room.merge
    });
    let like = like.count();
    if like >= 2 {
        chosen.truncate(like);
    } else {
        let is_ill = |s: &Arc<SealedIndex>| is_rotten(s, dead, room) || !is_whole(s);
        chosen.retain(|s| s.members().len() <= room.merge && is_ill(s));
        chosen.truncate(1);
    }
    chosen
}

fn is_rotten(sealed: &SealedIndex, dead: &RoaringBitmap, room: Room) -> bool {
    let dead = sealed.members().intersection_len(dead);
    let (share, least) = if room.short {
        (DEAD_SHARE_SHORT, 1)
    } else {
        (DEAD_SHARE, DEAD_FROM)
    };
    dead >= least && dead > sealed.members().len() / share
}

/// Whether walks reach all of it, as far as is known.
fn is_whole(sealed: &SealedIndex) -> bool {
    sealed.known_unreachable().unwrap_or_default() == 0
}

fn unsealed(parts: &Parts) -> u64 {
    parts.tails.iter().map(|t| t.numbers.len()).sum()
}

fn union<'a>(sets: impl Iterator<Item = &'a RoaringBitmap>) -> RoaringBitmap {
    sets.fold(RoaringBitmap::new(), |all, set| all | set)
}
