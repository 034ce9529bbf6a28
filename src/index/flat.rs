//! Exact search: every allowed vector is compared with the query.
//!
//! Vectors lie in blocks of [`BLOCK`] consecutive numbers. A block's rows are set once and never move, so growth
//! copies nothing, and a search works on a list of shared blocks without holding a lock: writers never wait for
//! a scan, and no lock is held while rayon may run somebody else's work on this thread.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, BinaryHeap},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Instant,
};

use parking_lot::RwLock;
use rayon::prelude::*;
use roaring::RoaringBitmap;
use vitrine_schemas::Metric;

use super::{Neighbor, VectorIndex, VectorSearcher, check_deadline, order};
use crate::{Result, distance};

/// Numbers in a block.
const BLOCK: u32 = 1024;

/// Candidates compared between two looks at the clock, and the unit of parallel work.
const STRIDE: usize = 2048;

/// Components to compare below which waking other threads costs more than it saves.
const PARALLEL_FROM: usize = 1 << 22;

type Row = OnceLock<Box<[f32]>>;
type Block = Arc<[Row]>;

/// The vectors of a space, searched exactly.
pub struct FlatIndex {
    metric: Metric,
    dim: usize,
    len: AtomicUsize,
    blocks: RwLock<BTreeMap<u32, Block>>,
}

impl FlatIndex {
    /// An empty index.
    pub fn new(dim: usize, metric: Metric) -> Self {
        Self {
            metric,
            dim,
            len: AtomicUsize::new(0),
            blocks: RwLock::default(),
        }
    }

    /// A copy of one vector.
    pub fn vector(&self, id: u32) -> Option<Vec<f32>> {
        let block = self.blocks.read().get(&(id / BLOCK)).cloned()?;
        Some(row(&block, id)?.to_vec())
    }

    /// The rows of now, to be read without a lock.
    pub(super) fn rows(&self) -> Rows {
        Rows(self.blocks.read().clone())
    }

    /// The best of `ids`, which are in ascending order.
    fn scan(&self, blocks: &BTreeMap<u32, Block>, query: &[f32], k: usize, ids: &[u32]) -> Best {
        let mut best = Best::new(k);
        let mut rest = ids;
        // Numbers of one block stand together, so its look-up is paid once for all of them.
        while let Some(first) = rest.first() {
            let number = first / BLOCK;
            let (here, after) = rest.split_at(rest.partition_point(|id| id / BLOCK == number));
            rest = after;
            let Some(block) = blocks.get(&number) else {
                continue;
            };
            for &id in here {
                if let Some(vector) = row(block, id) {
                    let distance = distance::distance(self.metric, query, vector);
                    best.push(Neighbor { id, distance });
                }
            }
        }
        best
    }
}

/// Rows of a [`FlatIndex`], shared with it.
pub(super) struct Rows(BTreeMap<u32, Block>);

impl Rows {
    /// A vector.
    pub fn get(&self, id: u32) -> Option<&[f32]> {
        row(self.0.get(&(id / BLOCK))?, id)
    }
}

fn row(block: &Block, id: u32) -> Option<&[f32]> {
    block.get((id % BLOCK) as usize)?.get().map(|v| &**v)
}

impl VectorSearcher for FlatIndex {
    fn len(&self) -> usize {
        self.len.load(Relaxed)
    }

    fn search(
        &self,
        query: &[f32],
        k: usize,
        _ef: usize,
        allowed: &RoaringBitmap,
        deadline: Option<Instant>,
    ) -> Result<Vec<Neighbor>> {
        check_deadline(deadline)?;
        let ids: Vec<u32> = allowed.iter().collect();
        let k = k.min(ids.len());
        if k == 0 {
            return Ok(Vec::new());
        }
        let blocks = self.blocks.read().clone();
        let part = |ids: &[u32]| -> Result<Best> {
            check_deadline(deadline)?;
            Ok(self.scan(&blocks, query, k, ids))
        };
        let merge = |a: Best, b: Best| Ok(a.merge(b));
        let best = if ids.len().saturating_mul(self.dim) < PARALLEL_FROM {
            ids.chunks(STRIDE)
                .map(part)
                .try_fold(Best::new(k), |a, b| merge(a, b?))?
        } else {
            ids.par_chunks(STRIDE)
                .map(part)
                .try_reduce(|| Best::new(k), merge)?
        };
        Ok(best.into_sorted())
    }
}

impl VectorIndex for FlatIndex {
    fn insert(&self, batch: &[(u32, &[f32])]) {
        for (id, vector) in batch {
            let known = self.blocks.read().get(&(id / BLOCK)).cloned();
            let block = known.unwrap_or_else(|| {
                let mut blocks = self.blocks.write();
                let new = || (0..BLOCK).map(|_| Row::new()).collect();
                blocks.entry(id / BLOCK).or_insert_with(new).clone()
            });
            let slot = &block[(id % BLOCK) as usize];
            if slot.set((*vector).into()).is_ok() {
                self.len.fetch_add(1, Relaxed);
            }
        }
    }
}

/// The `k` nearest so far, the farthest on top.
struct Best {
    k: usize,
    heap: BinaryHeap<Ranked>,
}

impl Best {
    fn new(k: usize) -> Self {
        Self {
            k,
            heap: BinaryHeap::new(),
        }
    }

    fn push(&mut self, found: Neighbor) {
        if self.heap.len() < self.k {
            self.heap.push(Ranked(found));
        } else if let Some(mut farthest) = self.heap.peek_mut()
            && order(&found, &farthest.0).is_lt()
        {
            *farthest = Ranked(found);
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
