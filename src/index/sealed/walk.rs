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

    fn start(&mut self, seeds: impl Iterator<Item = u32>) {
        let mut fresh = [0; DEGREE];
        let mut count = 0;
        for seed in seeds {
            if count == fresh.len() {
                self.compare(&fresh);
                count = 0;
            }
            if self.visited.mark(seed) {
                fresh[count] = seed;
                count += 1;
            }
        }
        self.compare(&fresh[..count]);
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
            let mut count = 0;
            for &to in row(links, position, DEGREE) {
                if to == NONE {
                    break;
                }
                if walk.visited.mark(to) {
                    walk.index.points.prefetch(to);
                    fresh[count] = to;
                    count += 1;
                }
            }
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
        let mut between = [0; DEGREE];
        let mut fresh = [0; 2 * DEGREE];
        self.expand(|walk, Candidate { position, .. }| {
            let index = walk.index;
            if let Some(next) = walk.pool.nearest() {
                prefetch(index.links(next.position));
            }
            let (mut count, mut matches, mut others) = (0, 0, 0);
            for &to in index.links(position).iter().take_while(|to| **to != NONE) {
                if pass(to) {
                    matches += 1;
                    if walk.visited.mark(to) {
                        index.points.prefetch(to);
                        fresh[count] = to;
                        count += 1;
                    }
                } else if walk.visited.mark(to) {
                    if others < AHEAD {
                        prefetch(index.links(to));
                    }
                    between[others] = to;
                    others += 1;
                }
            }
            for &over in &between[..others] {
                if matches >= ENOUGH {
                    break;
                }
                for &to in index.links(over).iter().take_while(|to| **to != NONE) {
                    if pass(to) {
                        matches += 1;
                        if count < fresh.len() && walk.visited.mark(to) {
                            index.points.prefetch(to);
                            fresh[count] = to;
                            count += 1;
                        }
                    }
                }
            }
            walk.compare(&fresh[..count]);
        })
    }
}
