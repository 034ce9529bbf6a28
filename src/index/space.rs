//! One vector space: what it consists of, and how vectors come in. How they are searched is in `search`, how they are sealed and
//! merged in `maintain`.
//!
//! A search gives exactly `min(k, |allowed and members|)` results. A graph alone cannot promise that (a filter can
//! cut its walk short), so a part whose walk falls short is scanned.

use std::{sync::Arc, time::Instant};

use parking_lot::{Mutex, RwLock};
use roaring::RoaringBitmap;
use vitrine_schemas::Metric;

use super::{Codes, GrowingIndex, SealedIndex, flat::Flat};

/// Vectors of a tail below which a scan is as fast as a graph.
pub(super) const GRAPH_FROM: u64 = 2_000;

/// What a [`SpaceIndex`] consists of.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SpaceStats {
    /// Vectors in sealed parts, those of dead items included.
    pub sealed: u64,
    /// Vectors in tails.
    pub unsealed: u64,
    /// Sealed parts.
    pub parts: usize,
    /// Bytes of sealed parts in memory, beside vectors that are mapped from files.
    pub sealed_bytes: u64,
    /// Bytes of the vectors that are not sealed.
    pub unsealed_bytes: u64,
    /// Bytes of the graphs over them, about.
    pub growing_bytes: u64,
    /// Bytes of vectors mapped from files.
    pub mapped_bytes: u64,
    /// Vectors that no walk can reach; None where a part has not been looked at yet.
    pub unreachable: Option<u64>,
}

impl SpaceStats {
    /// Bytes in memory, beside vectors that are mapped from files.
    pub fn memory_bytes(&self) -> u64 {
        self.sealed_bytes + self.unsealed_bytes + self.growing_bytes
    }
}

/// Index of one vector space.
pub struct SpaceIndex {
    pub(super) dim: usize,
    pub(super) metric: Metric,
    pub(super) codes: Codes,
    pub(super) flat: Flat,
    pub(super) parts: RwLock<Parts>,
    pub(super) writer: Mutex<()>,
}

/// What a search looks at, beside the vectors of the tails.
#[derive(Clone)]
pub(super) struct Parts {
    pub members: RoaringBitmap,
    pub sealed: Vec<Arc<SealedIndex>>,
    /// The last takes what is new; those before are being sealed.
    pub tails: Vec<Tail>,
    /// When the last vector came.
    pub written: Instant,
}

/// Vectors that are not sealed.
#[derive(Clone, Default)]
pub(super) struct Tail {
    pub numbers: RoaringBitmap,
    /// Follows behind, see [`SpaceIndex::follow`].
    pub graph: Option<TailGraph>,
}

/// A graph over some vectors of a tail.
#[derive(Clone)]
pub(super) struct TailGraph {
    pub index: Arc<GrowingIndex>,
    pub numbers: RoaringBitmap,
}

impl SpaceIndex {
    /// An empty index for vectors of `dim` components; sealed parts will use `codes`.
    pub fn new(dim: usize, metric: Metric, codes: Codes) -> Self {
        Self::of(dim, metric, codes, Vec::new())
    }

    /// An index of sealed parts; where two hold a number, the later one counts.
    pub fn of(dim: usize, metric: Metric, codes: Codes, sealed: Vec<Arc<SealedIndex>>) -> Self {
        let members = sealed
            .iter()
            .fold(RoaringBitmap::new(), |all, s| all | s.members());
        let parts = Parts {
            members,
            sealed,
            tails: vec![Tail::default()],
            written: Instant::now(),
        };
        Self {
            dim,
            metric,
            codes,
            flat: Flat::default(),
            parts: RwLock::new(parts),
            writer: Mutex::new(()),
        }
    }

    /// Adds vectors under numbers that were never used; a number that was, or a vector of another length, is
    /// passed over. Cosine vectors have unit length already. They can be found at once, by comparison; graphs follow.
    pub fn insert(&self, batch: &[(u32, &[f32])]) {
        let _writer = self.writer.lock();
        let mut numbers = RoaringBitmap::new();
        let fresh: Vec<_> = {
            let parts = self.parts.read();
            let is_fresh = |(id, vector): &&(u32, &[f32])| {
                debug_assert_eq!(vector.len(), self.dim, "checked by the schema");
                vector.len() == self.dim && !parts.members.contains(*id) && numbers.insert(*id)
            };
            batch.iter().filter(is_fresh).copied().collect()
        };
        self.flat.insert(&fresh);
        // Last and whole: whatever is a member can be found.
        let mut parts = self.parts.write();
        parts.members |= &numbers;
        parts.written = Instant::now();
        if let Some(tail) = parts.tails.last_mut() {
            tail.numbers |= numbers;
        }
    }

    /// Components of a vector.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// A copy of one vector.
    pub fn vector(&self, id: u32) -> Option<Vec<f32>> {
        let (sealed, rows) = {
            // Both under the lock: what is sealed in between leaves the rows.
            let parts = self.parts.read();
            (parts.sealed.clone(), self.flat.rows())
        };
        let found = sealed.iter().rev().find_map(|s| s.vector(id));
        Some(found.or_else(|| rows.get(id))?.to_vec())
    }

    /// All numbers inserted and not merged away, dead ones included.
    pub fn members(&self) -> RoaringBitmap {
        self.parts.read().members.clone()
    }

    /// Names of the files of its sealed parts.
    pub fn files(&self) -> Vec<String> {
        let parts = self.parts.read();
        let files = parts.sealed.iter().filter_map(|s| s.file()?.file_name());
        files.map(|f| f.to_string_lossy().into_owned()).collect()
    }

    /// What it consists of.
    pub fn stats(&self) -> SpaceStats {
        let parts = self.parts.read();
        let sealed = || parts.sealed.iter();
        let unsealed = parts.tails.iter().map(|t| t.numbers.len()).sum::<u64>();
        let graphs = parts.tails.iter().filter_map(|t| t.graph.as_ref());
        SpaceStats {
            sealed: sealed().map(|s| s.numbers().len() as u64).sum(),
            unsealed,
            parts: parts.sealed.len(),
            sealed_bytes: sealed().map(|s| s.bytes() as u64).sum(),
            unsealed_bytes: self.flat.bytes(),
            growing_bytes: graphs.map(|g| g.index.bytes(self.dim) as u64).sum(),
            mapped_bytes: sealed().map(|s| s.mapped_bytes() as u64).sum(),
            unreachable: sealed().map(|s| s.known_unreachable()).sum(),
        }
    }

    /// Bytes that one more vector takes in memory until it is sealed; its graph, which may never be made, aside.
    pub fn unsealed_vector_bytes(&self) -> u64 {
        Flat::row_bytes(self.dim)
    }

    /// Bytes that a sealed vector takes in memory, about.
    pub fn sealed_vector_bytes(&self) -> u64 {
        SealedIndex::vector_bytes(self.dim, self.codes)
    }

    /// Counts what no walk can reach in a sealed part that has not been looked at yet; whether there was one.
    pub fn check_health(&self) -> bool {
        let unknown = {
            let parts = self.parts.read();
            let unknown = parts
                .sealed
                .iter()
                .find(|s| s.known_unreachable().is_none());
            unknown.cloned()
        };
        unknown.is_some_and(|sealed| {
            sealed.unreachable();
            true
        })
    }
}
