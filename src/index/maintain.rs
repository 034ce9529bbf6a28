//! Sealing and merging, beside searches and writes.
//!
//! A job takes tails and sealed parts and makes one sealed part of what lives in them. Parts are merged with those of
//! about their size, so a vector takes part in a number of builds that grows with the logarithm of the whole
//! (size-tiered merging, as of log-structured merge trees: O'Neil et al. 1996).

use std::{path::Path, sync::Arc};

use roaring::RoaringBitmap;

use super::{
    Progress, SealedIndex, SpaceIndex,
    flat::Rows,
    space::{Parts, Tail},
};
use crate::Result;

/// Vectors in tails that are worth a seal.
const SEAL_FROM: u64 = 10_000;

/// A sealed part that is not larger than so many times what is sealed already is merged into it.
const MERGE_FACTOR: u64 = 2;

/// A sealed part with more than one in so many dead vectors is made anew without them...
const DEAD_SHARE: u64 = 5;

/// ...unless there are fewer than so many.
const DEAD_FROM: u64 = 1_000;

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
    pub fn wants_maintenance(&self, dead: impl FnOnce() -> RoaringBitmap) -> bool {
        let (unsealed, sealed) = {
            let parts = self.parts.read();
            (unsealed(&parts), parts.sealed.clone())
        };
        // Without the lock: whoever tells what is dead may want it too.
        unsealed >= SEAL_FROM
            || !sealed.is_empty() && {
                let dead = dead();
                sealed.iter().any(|s| is_rotten(s, &dead))
            }
    }

    /// What there is to do; `all` seals and merges whatever is not one part without dead vectors. `dead` are the numbers that
    /// are not, and never again will be, in any answer. Nobody may insert meanwhile; later inserts go to a new tail.
    pub fn plan(&self, dead: &RoaringBitmap, all: bool) -> Option<Job> {
        let mut parts = self.parts.write();
        let chosen = choose(&parts, dead, all)?;
        let tail_count = if chosen.tails { parts.tails.len() } else { 0 };
        let tails = union(parts.tails.iter().take(tail_count).map(|t| &t.numbers));
        if chosen.tails {
            parts.tails.push(Tail::default());
        }
        let sealed = union(chosen.sealed.iter().map(|s| s.members()));
        Some(Job {
            live: (sealed | &tails) - dead,
            sealed: chosen.sealed,
            tails,
            tail_count,
            rows: self.flat.rows(),
        })
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
}

struct Chosen {
    sealed: Vec<Arc<SealedIndex>>,
    tails: bool,
}

fn choose(parts: &Parts, dead: &RoaringBitmap, all: bool) -> Option<Chosen> {
    let rotten = |s: &Arc<SealedIndex>| all && s.members().intersection_len(dead) > 0;
    let tails = unsealed(parts) >= if all { 1 } else { SEAL_FROM };
    if all {
        let merged = parts.sealed.len() == 1 && !parts.sealed.iter().any(rotten);
        return (tails || !merged && !parts.sealed.is_empty()).then(|| Chosen {
            sealed: parts.sealed.clone(),
            tails,
        });
    }
    if !tails {
        let rotten = parts.sealed.iter().find(|s| is_rotten(s, dead))?;
        return Some(Chosen {
            sealed: vec![rotten.clone()],
            tails,
        });
    }
    let mut total = unsealed(parts);
    let mut by_size = parts.sealed.clone();
    by_size.sort_by_key(|s| s.members().len());
    let sealed = by_size
        .into_iter()
        .take_while(|s| {
            let merged = s.members().len() <= MERGE_FACTOR * total;
            total += s.members().len();
            merged
        })
        .collect();
    Some(Chosen { sealed, tails })
}

fn is_rotten(sealed: &SealedIndex, dead: &RoaringBitmap) -> bool {
    let dead = sealed.members().intersection_len(dead);
    dead >= DEAD_FROM && dead > sealed.members().len() / DEAD_SHARE
}

fn unsealed(parts: &Parts) -> u64 {
    parts.tails.iter().map(|t| t.numbers.len()).sum()
}

fn union<'a>(sets: impl Iterator<Item = &'a RoaringBitmap>) -> RoaringBitmap {
    sets.fold(RoaringBitmap::new(), |all, set| all | set)
}
