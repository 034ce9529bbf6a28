//! Best-first search over the flat graph (the ground layer's search of HNSW: Malkov & Yashunin 2018, algorithm 2).

use std::{cell::RefCell, time::Instant};

use super::{
    DEGREE, Graph, NONE, SealedIndex,
    blocks::Blocks,
    points::{Probe, row},
    pool::{Candidate, Pool, Visited},
    prefetch::prefetch,
};
use crate::{Result, index::check_deadline, quantize::RotatedQuery};

/// Vectors expanded between two looks at the clock.
const CLOCK: usize = 256;

/// Neighbours that do not match whose links are fetched ahead.
const AHEAD: usize = 4;

/// Matches among the neighbours of a match and theirs that are enough to go on from.
const ENOUGH: usize = DEGREE;

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// What walks of a thread use one after the other.
#[derive(Default)]
struct Scratch {
    marks: Marks,
    found: Pool,
    query: RotatedQuery,
}

#[derive(Default)]
struct Marks {
    visited: Visited,
    pool: Pool,
}

/// How wide a walk looks.
pub(super) struct Width {
    /// Candidates kept to go on from.
    pub ef: usize,
    /// Matches given back, nearest first.
    pub keep: usize,
}

/// What a walk has found.
pub(super) struct Walked<'a> {
    pub found: &'a Pool,
    /// Vectors that were compared.
    pub compared: usize,
    /// See [`Points::error`].
    pub error: Option<f32>,
}

/// Gives what it has found to `then`.
pub(super) fn walk<R>(
    index: &SealedIndex,
    query: &[f32],
    width: &Width,
    deadline: Option<Instant>,
    then: impl FnOnce(Walked) -> R,
) -> Result<R> {
    SCRATCH.with_borrow_mut(|scratch| {
        let lifted = index.lift.lift_query(query);
        let mut walk = Walk::new(index, &lifted, width.ef, deadline, &mut scratch.marks);
        match &index.graph {
            Graph::Links(links) => {
                walk.by_links(links.of())?;
                Ok(then(walk.walked()))
            }
            Graph::Blocks(blocks) => {
                blocks.query(&lifted, &mut scratch.query);
                scratch.found.start(width.keep);
                walk.by_blocks(blocks, &scratch.query, &mut scratch.found)?;
                Ok(then(Walked {
                    found: &scratch.found,
                    ..walk.walked()
                }))
            }
        }
    })
}

/// As [`walk`], among positions that `pass`; `seeds` are some of them.
pub(super) fn among<R>(
    index: &SealedIndex,
    query: &[f32],
    ef: usize,
    seeds: &[u32],
    pass: impl Fn(u32) -> bool,
    deadline: Option<Instant>,
    then: impl FnOnce(Walked) -> R,
) -> Result<R> {
    SCRATCH.with_borrow_mut(|scratch| {
        let lifted = index.lift.lift_query(query);
        let mut walk = Walk::new(index, &lifted, ef, deadline, &mut scratch.marks);
        walk.among(seeds, pass)?;
        Ok(then(walk.walked()))
    })
}

struct Walk<'a> {
    index: &'a SealedIndex,
    probe: Probe<'a>,
    visited: &'a mut Visited,
    pool: &'a mut Pool,
    deadline: Option<Instant>,
    /// Vectors compared so far.
    compared: usize,
}

impl<'a> Walk<'a> {
    fn new(
        index: &'a SealedIndex,
        lifted: &'a [f32],
        ef: usize,
        deadline: Option<Instant>,
        marks: &'a mut Marks,
    ) -> Self {
        let probe = index.points.probe(lifted);
        let wider = ef as f32 * index.points.widening(&probe);
        marks.visited.start(index.numbers.len());
        marks
            .pool
            .start((wider as usize).min(index.numbers.len()).max(ef));
        Self {
            index,
            probe,
            visited: &mut marks.visited,
            pool: &mut marks.pool,
            deadline,
            compared: 0,
        }
    }

    fn walked(&self) -> Walked<'_> {
        Walked {
            found: self.pool,
            compared: self.compared,
            error: self.index.points.error(&self.probe),
        }
    }

    fn start(&mut self, mut seeds: impl Iterator<Item = u32>) {
        let (mut now, mut count) = ([0; DEGREE], 0);
        loop {
            let (mut some, mut len) = ([0; DEGREE], 0);
            for (place, seed) in some.iter_mut().zip(&mut seeds) {
                *place = seed;
                len += 1;
            }
            let mut next = [0; DEGREE];
            let marked = self.mark(&some[..len], &mut next);
            self.compare(&now[..count]);
            if len == 0 {
                return;
            }
            (now, count) = (next, marked);
        }
    }

    /// Marks positions and has the processor fetch those that had no mark, which go to `fresh`; how many there are.
    #[inline]
    fn mark(&mut self, positions: &[u32], fresh: &mut [u32]) -> usize {
        let mut count = 0;
        // Without a branch, which the processor would guess wrongly half of the time.
        for &position in positions {
            fresh[count] = position;
            count += usize::from(self.visited.mark(position));
        }
        let points = &self.index.points;
        fresh[..count].iter().for_each(|p| points.prefetch(*p));
        count
    }

    /// Compares positions, whose points are on their way into the cache.
    #[inline]
    fn compare(&mut self, fresh: &[u32]) {
        self.compared += fresh.len();
        let pool = &mut *self.pool;
        self.index
            .points
            .distances(&self.probe, fresh, |position, distance| {
                if distance < pool.worst() {
                    pool.insert(Candidate { distance, position });
                }
            });
    }

    /// Calls `step` with each candidate until none is left that was not expanded.
    fn expand(&mut self, mut step: impl FnMut(&mut Self, Candidate)) -> Result<()> {
        let mut expanded = 0_usize;
        while let Some(candidate) = self.pool.expand() {
            step(self, candidate);
            expanded += 1;
            if expanded.is_multiple_of(CLOCK) {
                check_deadline(self.deadline)?;
            }
        }
        Ok(())
    }

    fn by_links(&mut self, links: &[u32]) -> Result<()> {
        self.start(0..self.index.entries);
        self.expand(|walk, Candidate { position, .. }| {
            if let Some(next) = walk.pool.nearest() {
                prefetch(row(links, next.position, DEGREE));
            }
            let mut fresh = [0; DEGREE];
            let count = walk.mark(linked(row(links, position, DEGREE)), &mut fresh);
            walk.compare(&fresh[..count]);
        })
    }

    /// Estimates all neighbours of a candidate at once, and compares it itself, which was an estimate: into `found`.
    fn by_blocks(
        &mut self,
        blocks: &Blocks,
        rotated: &RotatedQuery,
        found: &mut Pool,
    ) -> Result<()> {
        self.start(0..self.index.entries);
        self.expand(|walk, Candidate { position, .. }| {
            let points = &walk.index.points;
            let distance = points.distance(&walk.probe, position);
            if let Some(next) = walk.pool.nearest() {
                blocks.prefetch(next.position);
                points.prefetch(next.position);
            }
            walk.compared += 1;
            let worst = walk.pool.worst();
            let (visited, pool) = (&mut *walk.visited, &mut *walk.pool);
            blocks.scan(rotated, position, distance, worst, |position, distance| {
                // One estimated too far from here may come again, seen from nearer.
                if visited.mark(position) {
                    pool.insert(Candidate { distance, position });
                }
            });
            if distance < found.worst() {
                found.insert(Candidate { distance, position });
            }
        })
    }

    /// Goes from match to match, over those between that do not match where a match has too few of its own
    /// (ACORN-1, Patel et al. 2024). Only matches are compared.
    fn among(&mut self, seeds: &[u32], pass: impl Fn(u32) -> bool) -> Result<()> {
        self.start(seeds.iter().copied());
        let (mut matching, mut others, mut beyond) = ([0; DEGREE], [0; DEGREE], [0; DEGREE]);
        let mut fresh = [0; 2 * DEGREE];
        self.expand(|walk, Candidate { position, .. }| {
            let index = walk.index;
            if let Some(next) = walk.pool.nearest() {
                prefetch(index.links(next.position));
            }
            let links = linked(index.links(position));
            let mut matches = parted(links, &pass, &mut matching, &mut others);
            let between = walk.mark_only(&mut others, links.len() - matches);
            let mut count = walk.mark(&matching[..matches], &mut fresh);
            let ahead = |at: usize| {
                if at < between {
                    prefetch(index.links(others[at]));
                }
            };
            (0..AHEAD).for_each(ahead);
            for (at, over) in others[..between].iter().enumerate() {
                if matches >= ENOUGH {
                    break;
                }
                ahead(at + AHEAD);
                let links = linked(index.links(*over));
                let more = parted(links, &pass, &mut matching, &mut beyond);
                matches += more;
                count += walk.mark(&matching[..more], &mut fresh[count..]);
            }
            walk.compare(&fresh[..count]);
        })
    }

    /// Marks the first so many positions and leaves those that had no mark; how many there are.
    #[inline]
    fn mark_only(&mut self, positions: &mut [u32; DEGREE], len: usize) -> usize {
        let mut count = 0;
        for at in 0..len {
            let position = positions[at];
            positions[count] = position;
            count += usize::from(self.visited.mark(position));
        }
        count
    }
}

/// The links before the first that is not there.
#[inline]
fn linked(links: &[u32]) -> &[u32] {
    let len = links.iter().position(|to| *to == NONE);
    &links[..len.unwrap_or(links.len())]
}

/// Parts positions into those that pass and the others; how many pass.
#[inline]
fn parted(
    positions: &[u32],
    pass: impl Fn(u32) -> bool,
    passing: &mut [u32; DEGREE],
    others: &mut [u32; DEGREE],
) -> usize {
    let (mut count, mut left) = (0, 0);
    for &position in positions {
        let passes = pass(position);
        passing[count] = position;
        others[left] = position;
        count += usize::from(passes);
        left += usize::from(!passes);
    }
    count
}
