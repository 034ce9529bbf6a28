//! Vectors that are not in a sealed segment yet, compared one by one.
//!
//! They are stored in blocks of [`BLOCK`] consecutive internal ids. A block's rows are set once and
//! never move, so growth copies nothing, and a search works on a list of shared blocks without
//! holding a lock: writers never wait for a scan, and no lock is held while rayon may run other
//! work on this thread.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Instant,
};

use parking_lot::RwLock;
use roaring::RoaringBitmap;
use vitrine_schemas::Metric;

use super::{Neighbor, top_k::top_k};
use crate::{Result, distance};

/// Number of internal ids in a block.
const BLOCK: u32 = 1024;

type Row = OnceLock<Box<[f32]>>;
type Block = Arc<[Row]>;

/// Vectors by internal id.
#[derive(Default)]
pub(super) struct UnsealedVectors {
    blocks: RwLock<BTreeMap<u32, Block>>,
    bytes: AtomicU64,
}

impl UnsealedVectors {
    /// Adds vectors; an internal id that is present already keeps its vector.
    pub fn insert(&self, batch: &[(u32, &[f32])]) {
        for (id, vector) in batch {
            let existing = self.blocks.read().get(&(id / BLOCK)).cloned();
            let block = existing.unwrap_or_else(|| {
                let mut blocks = self.blocks.write();
                let new = || (0..BLOCK).map(|_| Row::new()).collect();
                blocks.entry(id / BLOCK).or_insert_with(new).clone()
            });
            // A second vector for an internal id is ignored: rows never change.
            if block[(id % BLOCK) as usize].set((*vector).into()).is_ok() {
                self.bytes.fetch_add(Self::row_bytes(vector.len()), Relaxed);
            }
        }
    }

    /// Drops the blocks that hold none of `kept`. Rows handed out before stay valid.
    pub fn retain(&self, kept: &RoaringBitmap) {
        let holds = |block: &u32| {
            let first = block * BLOCK;
            kept.range_cardinality(first..=first + (BLOCK - 1)) > 0
        };
        let mut freed = 0;
        self.blocks.write().retain(|index, block| {
            let held = holds(index);
            if !held {
                let rows = block.iter().filter_map(Row::get);
                freed += rows.map(|v| Self::row_bytes(v.len())).sum::<u64>();
            }
            held
        });
        self.bytes.fetch_sub(freed, Relaxed);
    }

    /// Number of bytes of the vectors held.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }

    /// Number of bytes of one vector of `dim` components.
    pub fn row_bytes(dim: usize) -> u64 {
        (size_of::<Row>() + dim * size_of::<f32>()) as u64
    }

    /// Returns a snapshot of the rows, which is read without a lock.
    pub fn rows(&self) -> UnsealedRows {
        UnsealedRows(self.blocks.read().clone())
    }
}

/// Rows of a [`UnsealedVectors`], shared with it.
pub(super) struct UnsealedRows(BTreeMap<u32, Block>);

impl UnsealedRows {
    /// Returns the vector of an internal id.
    pub fn get(&self, id: u32) -> Option<&[f32]> {
        row(self.0.get(&(id / BLOCK))?, id)
    }

    /// Returns the `k` nearest of `allowed`, exactly.
    pub fn scan(
        &self,
        metric: Metric,
        query: &[f32],
        k: usize,
        allowed: &RoaringBitmap,
        deadline: Option<Instant>,
    ) -> Result<Vec<Neighbor>> {
        let ids: Vec<u32> = allowed.iter().collect();
        top_k(&ids, k, size_of_val(query), deadline, |ids, best| {
            let mut rest = ids;
            // Ids of one block are adjacent, so its look-up is paid once for all of them.
            while let Some(first) = rest.first() {
                let index = first / BLOCK;
                let (here, after) = rest.split_at(rest.partition_point(|id| id / BLOCK == index));
                rest = after;
                let Some(block) = self.0.get(&index) else {
                    continue;
                };
                for &id in here {
                    if let Some(vector) = row(block, id) {
                        let distance = distance::distance(metric, query, vector);
                        best.push(Neighbor { id, distance });
                    }
                }
            }
        })
    }
}

fn row(block: &Block, id: u32) -> Option<&[f32]> {
    block.get((id % BLOCK) as usize)?.get().map(|v| &**v)
}
