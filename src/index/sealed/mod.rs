//! A graph that no longer grows, laid out for the processor's caches.
//!
//! Links are a fixed number a vector, in one array in breadth-first order. The walk goes by codes: int8 ones of the
//! vectors (`links`), or 1-bit ones of each vertex's neighbours beside it (`blocks`). What is left is ranked again by the
//! vectors themselves.

mod blocks;
mod build;
mod file;
mod health;
mod layout;
mod memory;
mod points;
mod pool;
mod positions;
mod prefetch;
mod projection;
#[cfg(test)]
mod tests;
mod walk;

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use rand::{SeedableRng, rngs::SmallRng, seq::SliceRandom};
use roaring::RoaringBitmap;
use serde::{Deserialize, Serialize};
use vitrine_schemas::Metric;

use self::{
    blocks::Blocks,
    memory::Memory,
    points::{Lift, Points, row},
    pool::Candidate,
    positions::Positions,
    walk::{Walked, Width},
};
use super::{Allowed, Neighbor, Progress, allowed::Bits, best::best_of, order};
use crate::{Error, Result, distance};

/// Links of a vector.
const DEGREE: usize = 32;

/// Fills the places of links that are not there.
const NONE: u32 = u32::MAX;

/// Bytes of codes that are compared to find where a walk starts: as many random vectors as fit.
const ENTRY_BYTES: usize = 1 << 15;

/// Fewest and most vectors that a walk starts from.
const ENTRIES: (usize, usize) = (16, 256);

/// What a walk costs for each candidate it keeps, in comparisons of a scan: through all vectors, and from match to match.
/// Measured over product texts and pictures, the latter cross between 85 (matches around one vector) and 130 (at random).
const COMPARED_PER_EF: u64 = 28;
const COMPARED_PER_EF_AMONG: u64 = 100;

/// Candidates kept for one where their distances are estimated by single bits: about as many for the same recall, measured
/// on product texts and pictures.
const ESTIMATED: usize = 2;

/// How many of a scan with estimates are kept for each that is wanted.
const ESTIMATES: usize = 4;

/// Vectors fetched ahead while the best are ranked.
const RANKED: usize = 6;

/// Share of matches from which it is faster to walk through all and to drop what does not match.
const MOST: f64 = 0.4;

/// A walk through all is made wider by the share of matches to this power: half of its candidates would do.
const WIDENED: f64 = -0.75;

/// A walk among matches is so much wider, since fewer ways lead from match to match than from vector to vector; and where
/// the query lies outside of what matches.
const WAYS: f64 = 1.25;
const WAYS_OUTSIDE: f64 = 1.5;

/// What a sealed index walks by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Codes {
    /// The vectors as they are.
    None,
    /// A byte a component.
    Int8,
    /// Four bits a component of the leading principal components, where the vectors have few enough of those; int8 elsewhere.
    Projected,
    /// A bit a component, of each neighbour as seen from the vertex; int8 for the vertex itself.
    RaBitQ,
}

/// Read-only approximate index. Vectors are at *positions*, in the order of the layout.
pub struct SealedIndex {
    lift: Lift,
    /// By position.
    numbers: Vec<u32>,
    members: RoaringBitmap,
    positions: Positions,
    /// The first so many positions are where walks start.
    entries: u32,
    points: Points,
    graph: Graph,
    vectors: Memory,
    file: Option<PathBuf>,
    /// Tells it from all others of this process.
    serial: u64,
    /// Vectors that no walk reaches, once looked at.
    unreachable: OnceLock<u64>,
}

fn next_serial() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

enum Graph {
    /// [`DEGREE`] positions a vector, [`NONE`] after the last.
    Links(Memory),
    Blocks(Blocks),
}

impl SealedIndex {
    /// Builds an index of `vectors` (`dim` components each) with their numbers.
    ///
    /// # Errors
    /// [`crate::Error::OutOfMemory`]; [`crate::Error::Cancelled`].
    pub fn build(
        metric: Metric,
        dim: usize,
        vectors: &[(u32, &[f32])],
        codes: Codes,
        progress: &Progress,
    ) -> Result<Self> {
        let mut vectors = vectors.to_vec();
        let mut random = SmallRng::seed_from_u64(vectors.len() as u64);
        vectors.shuffle(&mut random);
        let lift = Lift::of(metric, dim, vectors.iter().map(|(_, v)| *v));
        let points = points_of(lift, &vectors, codes, progress)?;
        let (least, most) = ENTRIES;
        let entries = (ENTRY_BYTES / points.bytes())
            .clamp(least, most)
            .min(vectors.len());
        let mut links = build::build(&points, vectors.len(), entries, progress);
        progress.check()?;
        let order = layout::reachable_order(&mut links, entries);
        let vectors: Vec<_> = order.iter().map(|at| vectors[*at as usize]).collect();
        let links = renamed(&links, &order)?;
        let points = points.reordered(&order)?;
        let mut originals = Memory::zeroed(vectors.len() * dim * size_of::<f32>())?;
        for (row, (_, v)) in originals.of_mut().chunks_exact_mut(dim).zip(&vectors) {
            row.copy_from_slice(v);
        }
        let blocks = match codes {
            // Where 8 bits do not suffice, the estimates would drown in rounding too.
            Codes::RaBitQ if points.int8().is_some() => {
                let vector = |p: u32| vectors[p as usize].1;
                let mean = lift.mean(vectors.iter().map(|(_, v)| *v));
                Blocks::new(lift, links.of(), vector, mean, progress.threads())?
            }
            _ => None,
        };
        let numbers: Vec<u32> = vectors.iter().map(|(number, _)| *number).collect();
        let positions = Positions::new(&numbers)
            .ok_or_else(|| Error::invalid("/vectors", "a number comes twice"))?;
        Ok(Self {
            lift,
            members: numbers.iter().collect(),
            numbers,
            positions,
            entries: entries as u32,
            points,
            graph: blocks.map_or(Graph::Links(links), Graph::Blocks),
            vectors: originals,
            file: None,
            serial: next_serial(),
            unreachable: OnceLock::new(),
        })
    }

    /// Bytes in memory: without the vectors where they are mapped from a file.
    pub fn bytes(&self) -> usize {
        let graph = match &self.graph {
            Graph::Links(links) => links.len(),
            Graph::Blocks(blocks) => blocks.bytes().len(),
        };
        let numbers = size_of_val(self.numbers.as_slice()) + self.positions.bytes();
        let vectors = self.vectors.len() - self.mapped_bytes();
        graph + self.points.len_bytes() + numbers + self.members.serialized_size() + vectors
    }

    /// What it is walked by.
    pub fn codes(&self) -> Codes {
        match (&self.graph, &self.points) {
            (Graph::Blocks(_), _) => Codes::RaBitQ,
            (_, Points::Projected { .. }) => Codes::Projected,
            (_, Points::Coded { .. }) => Codes::Int8,
            (_, Points::Full { .. }) => Codes::None,
        }
    }

    /// Distance it is for.
    pub fn metric(&self) -> Metric {
        self.lift.metric
    }

    /// Components of its vectors.
    pub fn dim(&self) -> usize {
        self.lift.dim
    }

    /// The file it was opened from.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// Whether it has codes to scan.
    pub fn coded(&self) -> bool {
        self.points.is_coded()
    }

    /// Bytes of vectors mapped from a file.
    pub fn mapped_bytes(&self) -> usize {
        if self.vectors.is_mapped() {
            self.vectors.len()
        } else {
            0
        }
    }

    /// All numbers.
    pub fn members(&self) -> &RoaringBitmap {
        &self.members
    }

    /// Numbers by position.
    pub fn numbers(&self) -> &[u32] {
        &self.numbers
    }

    /// The vector of a number.
    pub fn vector(&self, number: u32) -> Option<&[f32]> {
        let position = self.positions.get(number)?;
        Some(row(self.vectors.of(), position, self.lift.dim))
    }

    fn links(&self, position: u32) -> &[u32] {
        match &self.graph {
            Graph::Links(links) => row(links.of(), position, DEGREE),
            Graph::Blocks(blocks) => blocks.links(position),
        }
    }

    /// Distance of the query to the vector at a position.
    fn exact(&self, query: &[f32], position: u32) -> f32 {
        let vector = row(self.vectors.of(), position, self.lift.dim);
        distance::distance(self.lift.metric, query, vector)
    }
}

/// What is left of a walk through all once what does not match was dropped.
enum Dropped {
    /// The nearest.
    Ranked(Vec<Neighbor>),
    /// Positions that match: too few to be sure of the order.
    TooFew(Vec<u32>),
}

/// What the graph is built over and walked by.
fn points_of(
    lift: Lift,
    vectors: &[(u32, &[f32])],
    codes: Codes,
    progress: &Progress,
) -> Result<Points> {
    let vectors = || vectors.iter().map(|(_, v)| *v);
    if codes == Codes::Projected {
        let vectors: Vec<_> = vectors().collect();
        if let Some(codec) = projection::choose(lift, &vectors, progress.threads())? {
            return Points::projected(lift, codec, &vectors, progress.threads());
        }
    }
    Points::new(lift, vectors(), codes != Codes::None)
}

/// Links with positions in place of points; `order` has the point of each position.
fn renamed(links: &[u32], order: &[u32]) -> Result<Memory> {
    let mut position = vec![NONE; order.len()];
    for (at, p) in order.iter().zip(0..) {
        position[*at as usize] = p;
    }
    let mut memory = Memory::zeroed(size_of_val(links))?;
    for (out, at) in memory.of_mut().chunks_exact_mut(DEGREE).zip(order) {
        let from = row(links, *at, DEGREE);
        for (out, to) in out.iter_mut().zip(from) {
            *out = position.get(*to as usize).copied().unwrap_or(NONE);
        }
    }
    Ok(memory)
}

/// Searching.
impl SealedIndex {
    /// Whether a walk that has to find its answers among `matching` (None: all) is worth more than comparing them all.
    pub fn walk_pays(&self, matching: Option<&RoaringBitmap>, k: usize, ef: usize) -> bool {
        let (candidates, cost) = match matching {
            None => (self.numbers.len() as u64, COMPARED_PER_EF),
            Some(matching) => (matching.len(), COMPARED_PER_EF_AMONG),
        };
        candidates > cost * ef.max(k) as u64
    }

    /// About the `k` nearest of all, by a walk `ef` wide; sorted. And how many distances it took.
    pub fn walk(
        &self,
        query: &[f32],
        k: usize,
        ef: usize,
        deadline: Option<Instant>,
    ) -> Result<(Vec<Neighbor>, usize)> {
        let keep = with_margin(k).min(ef.max(k));
        let ef = self.width(keep, ef);
        walk::walk(self, query, &Width { ef, keep }, deadline, |walked| {
            let ranked = self.ranked(query, k, walked.found.candidates(), walked.error);
            (ranked, walked.compared)
        })
    }

    /// As [`SealedIndex::walk`], of `matching`: members of `allowed`; maybe fewer than there are.
    pub fn walk_among(
        &self,
        query: &[f32],
        k: usize,
        ef: usize,
        matching: &RoaringBitmap,
        allowed: &Allowed,
        deadline: Option<Instant>,
    ) -> Result<(Vec<Neighbor>, usize)> {
        let keep = with_margin(k);
        let (mut compared, mut seeds, mut ways) = (0, Vec::new(), WAYS);
        let share = matching.len() as f64 / self.numbers.len().max(1) as f64;
        if share >= MOST {
            let ef = self.width(keep, (ef as f64 * share.powf(WIDENED)).ceil() as usize);
            let (found, cost) = self.walk_and_drop(query, k, ef, matching, deadline)?;
            compared = cost;
            match found {
                Dropped::Ranked(found) => return Ok((found, compared)),
                Dropped::TooFew(near) => (seeds, ways) = (near, WAYS_OUTSIDE),
            }
        }
        let ef = ((ef as f64 * ways).ceil() as usize).clamp(keep, keep.max(self.numbers.len()));
        let bits = self.bits(matching, allowed);
        let count = (self.entries as usize).min(matching.len() as usize);
        match &bits {
            Some(bits) => seeds.extend(bits.spread(count)),
            None => seeds.extend(self.seeds(matching, count.min(ENTRIES.0))),
        }
        let then = |walked: Walked| {
            let ranked = self.ranked(query, k, walked.found.candidates(), walked.error);
            (ranked, compared + walked.compared)
        };
        match bits {
            Some(bits) => {
                let pass = |p| bits.contains(p);
                walk::among(self, query, ef, &seeds, pass, deadline, then)
            }
            None => {
                let pass = |p: u32| matching.contains(self.numbers[p as usize]);
                walk::among(self, query, ef, &seeds, pass, deadline, then)
            }
        }
    }

    /// The nearest of all, less those that do not match; where too few are left to be sure of the order, their positions.
    fn walk_and_drop(
        &self,
        query: &[f32],
        k: usize,
        ef: usize,
        matching: &RoaringBitmap,
        deadline: Option<Instant>,
    ) -> Result<(Dropped, usize)> {
        let keep = with_margin(k);
        let width = Width { ef, keep: ef };
        walk::walk(self, query, &width, deadline, |walked| {
            let candidates = walked.found.candidates();
            let near = candidates.len() / 2;
            let matches =
                |(_, c): &(usize, Candidate)| matching.contains(self.numbers[c.position as usize]);
            let matches: Vec<_> = candidates.enumerate().filter(matches).collect();
            let sure = matches.partition_point(|(at, _)| *at < near);
            if sure < keep {
                let positions = matches.iter().map(|(_, c)| c.position).collect();
                return (Dropped::TooFew(positions), walked.compared);
            }
            let matches = matches.iter().map(|(_, c)| *c);
            let ranked = self.ranked(query, k, matches, walked.error);
            (Dropped::Ranked(ranked), walked.compared)
        })
    }

    /// Candidates that a walk keeps.
    fn width(&self, keep: usize, ef: usize) -> usize {
        let ef = match self.graph {
            Graph::Links(_) => ef,
            Graph::Blocks(_) => ef.saturating_mul(ESTIMATED),
        };
        ef.max(keep).min(self.numbers.len()).max(1)
    }

    /// Positions to start from, spread over `matching`.
    fn seeds(&self, matching: &RoaringBitmap, count: usize) -> Vec<u32> {
        let seed = |i| {
            let at = i as u64 * matching.len() / count as u64;
            self.positions.get(matching.select(at as u32)?)
        };
        (0..count).filter_map(seed).collect()
    }

    /// A bit for each position that matches, where it is worth making them.
    fn bits(&self, matching: &RoaringBitmap, allowed: &Allowed) -> Option<Arc<Bits>> {
        allowed.bits(self.serial, || {
            let positions = matching.iter().filter_map(|n| self.positions.get(n));
            Bits::of(self.numbers.len(), positions)
        })
    }

    /// The `k` nearest of `matching`, which are members, by comparing them all; `coded` compares their codes and only the
    /// best by their vectors. `allowed` is what `matching` is members of, where it is not all.
    pub fn scan(
        &self,
        query: &[f32],
        k: usize,
        matching: &RoaringBitmap,
        allowed: Option<&Allowed>,
        coded: bool,
        deadline: Option<Instant>,
    ) -> Result<Vec<Neighbor>> {
        let bits = allowed.and_then(|allowed| self.bits(matching, allowed));
        let positions: Vec<u32> = match &bits {
            Some(bits) => bits.positions(),
            None => {
                let positions = matching.iter().filter_map(|n| self.positions.get(n));
                positions.collect()
            }
        };
        if !coded || positions.len() <= with_margin(k) {
            let bytes = size_of_val(query);
            return best_of(&positions, k, bytes, deadline, |positions, best| {
                for &p in positions {
                    best.push(Neighbor {
                        id: self.numbers[p as usize],
                        distance: self.exact(query, p),
                    });
                }
            });
        }
        let lifted = self.lift.lift_query(query);
        let probe = self.points.probe(&lifted);
        let error = self.points.error(&probe);
        let keep = match error {
            Some(_) => k.saturating_mul(ESTIMATES),
            None => 0,
        };
        let bytes = self.points.bytes();
        let keep = keep.max(with_margin(k));
        let near = best_of(&positions, keep, bytes, deadline, |positions, best| {
            self.points.scan(&probe, positions, |id, distance| {
                best.push(Neighbor { id, distance });
            });
        })?;
        let near = near.iter().map(|n| Candidate {
            distance: n.distance,
            position: n.id,
        });
        Ok(self.ranked(query, k, near, error))
    }

    /// The `k` nearest of some candidates, which come nearest first, by their vectors. With the `error` of their distances it
    /// stops where no more is nearer than those found; without, few are compared.
    fn ranked(
        &self,
        query: &[f32],
        k: usize,
        candidates: impl Iterator<Item = Candidate>,
        error: Option<f32>,
    ) -> Vec<Neighbor> {
        let most = if error.is_some() {
            usize::MAX
        } else {
            with_margin(k)
        };
        let candidates: Vec<_> = candidates.take(most).collect();
        let scale = self.lift.query_scale(query);
        let vector = |c: &Candidate| row::<f32>(self.vectors.of(), c.position, self.lift.dim);
        let mut found: Vec<Neighbor> = Vec::with_capacity(k + 1);
        candidates
            .iter()
            .take(RANKED)
            .for_each(|c| prefetch::prefetch(vector(c)));
        for (at, candidate) in candidates.iter().enumerate() {
            if let (Some(error), Some(last)) = (error, found.get(k.wrapping_sub(1)))
                && candidate.distance > self.lift.squared(scale, last.distance) + error
            {
                break;
            }
            if let Some(ahead) = candidates.get(at + RANKED) {
                prefetch::prefetch(vector(ahead));
            }
            let neighbor = Neighbor {
                id: self.numbers[candidate.position as usize],
                distance: distance::distance(self.lift.metric, query, vector(candidate)),
            };
            let place = found.partition_point(|n| order(n, &neighbor).is_lt());
            if place < k {
                found.truncate(k - 1);
                found.insert(place, neighbor);
            }
        }
        found
    }
}

/// Candidates whose vectors are compared to rank `k` right at least: codes may order near ones wrongly.
fn with_margin(k: usize) -> usize {
    k + k / 4 + 4
}
