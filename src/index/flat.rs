//! Vectors that are in no sealed part yet, compared one by one.
//!
//! They lie in blocks of [`BLOCK`] consecutive numbers. A block's rows are set once and never move, so growth
//! copies nothing, and a search works on a list of shared blocks without holding a lock: writers never wait for
//! a scan, and no lock is held while rayon may run somebody else's work on this thread.

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

use super::{Neighbor, best::best_of};
use crate::{Result, distance};

/// Numbers in a block.
const BLOCK: u32 = 1024;

type Row = OnceLock<Box<[f32]>>;
type Block = Arc<[Row]>;

/// Vectors by number.
#[derive(Default)]
pub(super) struct Flat {
    blocks: RwLock<BTreeMap<u32, Block>>,
    bytes: AtomicU64,
}

impl Flat {
    /// Adds vectors; a number that is there already keeps its vector.
    pub fn insert(&self, batch: &[(u32, &[f32])]) {
        for (id, vector) in batch {
            let known = self.blocks.read().get(&(id / BLOCK)).cloned();
            let block = known.unwrap_or_else(|| {
                let mut blocks = self.blocks.write();
                let new = || (0..BLOCK).map(|_| Row::new()).collect();
                blocks.entry(id / BLOCK).or_insert_with(new).clone()
            });
            // A second vector for a number is passed over: rows never change.
            if block[(id % BLOCK) as usize].set((*vector).into()).is_ok() {
                self.bytes.fetch_add(Self::row_bytes(vector.len()), Relaxed);
            }
        }
    }

    /// Gives up the blocks that hold none of `kept`. Rows handed out before stay.
    pub fn retain(&self, kept: &RoaringBitmap) {
        let holds = |block: &u32| {
            let first = block * BLOCK;
            kept.range_cardinality(first..=first + (BLOCK - 1)) > 0
        };
        let mut gone = 0;
        self.blocks.write().retain(|number, block| {
            let held = holds(number);
            if !held {
                let rows = block.iter().filter_map(Row::get);
                gone += rows.map(|v| Self::row_bytes(v.len())).sum::<u64>();
            }
            held
        });
        self.bytes.fetch_sub(gone, Relaxed);
    }

    /// Bytes of the vectors held.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }

    /// Bytes of one vector.
    pub fn row_bytes(dim: usize) -> u64 {
        (size_of::<Row>() + dim * size_of::<f32>()) as u64
    }

    /// The rows of now, to be read without a lock.
    pub fn rows(&self) -> Rows {
        Rows(self.blocks.read().clone())
    }
}

/// Rows of a [`Flat`], shared with it.
pub(super) struct Rows(BTreeMap<u32, Block>);

impl Rows {
    /// A vector.
    pub fn get(&self, id: u32) -> Option<&[f32]> {
        row(self.0.get(&(id / BLOCK))?, id)
    }

    /// The `k` nearest of `allowed`, exactly.
    pub fn scan(
        &self,
        metric: Metric,
        query: &[f32],
        k: usize,
        allowed: &RoaringBitmap,
        deadline: Option<Instant>,
    ) -> Result<Vec<Neighbor>> {
        let ids: Vec<u32> = allowed.iter().collect();
        best_of(&ids, k, size_of_val(query), deadline, |ids, best| {
            let mut rest = ids;
            // Numbers of one block stand together, so its look-up is paid once for all of them.
            while let Some(first) = rest.first() {
                let number = first / BLOCK;
                let (here, after) = rest.split_at(rest.partition_point(|id| id / BLOCK == number));
                rest = after;
                let Some(block) = self.0.get(&number) else {
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
