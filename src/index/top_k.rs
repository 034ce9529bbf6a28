//! Exact selection of the k nearest of many candidates, with several threads where that pays.

use std::{cmp::Ordering, collections::BinaryHeap, time::Instant};

use rayon::prelude::*;

use super::{Neighbor, check_deadline, order};
use crate::Result;

/// Number of candidates compared between two checks of the deadline, and the unit of parallel work.
const STRIDE: usize = 2048;

/// Bytes to compare below which waking other threads costs more than it saves.
const PARALLEL_FROM: usize = 1 << 24;

/// Returns the `k` nearest of `ids`, sorted. `compare` pushes the distances of a slice of them;
/// reading one candidate takes `bytes` bytes.
pub(super) fn top_k(
    ids: &[u32],
    k: usize,
    bytes: usize,
    deadline: Option<Instant>,
    compare: impl Fn(&[u32], &mut TopK) + Sync,
) -> Result<Vec<Neighbor>> {
    check_deadline(deadline)?;
    let k = k.min(ids.len());
    if k == 0 {
        return Ok(Vec::new());
    }
    // The heap is passed on from slice to slice: its farthest entry rejects most candidates early.
    let more = |mut best: TopK, ids: &[u32]| -> Result<TopK> {
        check_deadline(deadline)?;
        compare(ids, &mut best);
        Ok(best)
    };
    let best = if ids.len().saturating_mul(bytes) < PARALLEL_FROM {
        ids.chunks(STRIDE).try_fold(TopK::new(k), more)?
    } else {
        ids.par_chunks(STRIDE)
            .try_fold(|| TopK::new(k), more)
            .try_reduce(|| TopK::new(k), |a, b| Ok(a.merge(b)))?
    };
    Ok(best.into_sorted())
}

/// The `k` nearest so far, the farthest on top.
pub(super) struct TopK {
    k: usize,
    heap: BinaryHeap<HeapEntry>,
    /// Candidates farther than this are rejected.
    farthest: f32,
}

impl TopK {
    fn new(k: usize) -> Self {
        Self {
            k,
            heap: BinaryHeap::new(),
            farthest: f32::INFINITY,
        }
    }

    /// Adds a candidate if it is among the `k` nearest.
    #[inline]
    pub fn push(&mut self, candidate: Neighbor) {
        if candidate.distance > self.farthest {
            return;
        }
        if self.heap.len() < self.k {
            self.heap.push(HeapEntry(candidate));
        } else if let Some(mut farthest) = self.heap.peek_mut()
            && order(&candidate, &farthest.0).is_lt()
        {
            *farthest = HeapEntry(candidate);
        }
        if let Some(HeapEntry(farthest)) = self.heap.peek()
            && self.heap.len() == self.k
        {
            self.farthest = farthest.distance;
        }
    }

    fn merge(mut self, other: Self) -> Self {
        for entry in other.heap {
            self.push(entry.0);
        }
        self
    }

    fn into_sorted(self) -> Vec<Neighbor> {
        let sorted = self.heap.into_sorted_vec();
        sorted.into_iter().map(|entry| entry.0).collect()
    }
}

struct HeapEntry(Neighbor);

impl Ord for HeapEntry {
    fn cmp(&self, other: &Self) -> Ordering {
        order(&self.0, &other.0)
    }
}

impl PartialOrd for HeapEntry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for HeapEntry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for HeapEntry {}
