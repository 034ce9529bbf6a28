//! The nearest of many, compared one by one, by several threads where that pays.

use std::{cmp::Ordering, collections::BinaryHeap, time::Instant};

use rayon::prelude::*;

use super::{Neighbor, check_deadline, order};
use crate::Result;

/// Candidates compared between two looks at the clock, and the unit of parallel work.
const STRIDE: usize = 2048;

/// Bytes to compare below which waking other threads costs more than it saves.
const PARALLEL_FROM: usize = 1 << 24;

/// The `k` nearest of `ids`, sorted; `compare` gives a stretch of them to what it is told, and each costs reading
/// `bytes` bytes.
pub(super) fn best_of(
    ids: &[u32],
    k: usize,
    bytes: usize,
    deadline: Option<Instant>,
    compare: impl Fn(&[u32], &mut Best) + Sync,
) -> Result<Vec<Neighbor>> {
    check_deadline(deadline)?;
    let k = k.min(ids.len());
    if k == 0 {
        return Ok(Vec::new());
    }
    // What was found before decides early what need not be kept.
    let more = |mut best: Best, ids: &[u32]| -> Result<Best> {
        check_deadline(deadline)?;
        compare(ids, &mut best);
        Ok(best)
    };
    let best = if ids.len().saturating_mul(bytes) < PARALLEL_FROM {
        ids.chunks(STRIDE).try_fold(Best::new(k), more)?
    } else {
        ids.par_chunks(STRIDE)
            .try_fold(|| Best::new(k), more)
            .try_reduce(|| Best::new(k), |a, b| Ok(a.merge(b)))?
    };
    Ok(best.into_sorted())
}

/// The `k` nearest so far, the farthest on top.
pub(super) struct Best {
    k: usize,
    heap: BinaryHeap<Ranked>,
    /// What is farther does not stay.
    farthest: f32,
}

impl Best {
    fn new(k: usize) -> Self {
        Self {
            k,
            heap: BinaryHeap::new(),
            farthest: f32::INFINITY,
        }
    }

    /// Takes it if it is among the nearest.
    #[inline]
    pub fn push(&mut self, found: Neighbor) {
        if found.distance > self.farthest {
            return;
        }
        if self.heap.len() < self.k {
            self.heap.push(Ranked(found));
        } else if let Some(mut farthest) = self.heap.peek_mut()
            && order(&found, &farthest.0).is_lt()
        {
            *farthest = Ranked(found);
        }
        if let Some(Ranked(farthest)) = self.heap.peek()
            && self.heap.len() == self.k
        {
            self.farthest = farthest.distance;
        }
    }

    fn merge(mut self, other: Self) -> Self {
        for found in other.heap {
            self.push(found.0);
        }
        self
    }

    fn into_sorted(self) -> Vec<Neighbor> {
        let sorted = self.heap.into_sorted_vec();
        sorted.into_iter().map(|r| r.0).collect()
    }
}

struct Ranked(Neighbor);

impl Ord for Ranked {
    fn cmp(&self, other: &Self) -> Ordering {
        order(&self.0, &other.0)
    }
}

impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Ranked {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Ranked {}
