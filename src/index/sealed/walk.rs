//! Best-first search over the flat graph (the ground layer's search of HNSW: Malkov & Yashunin 2018, algorithm 2),
//! with results apart from the frontier, so that a filter narrows what is found but not where the walk goes.

use std::{cell::RefCell, cmp::Ordering, collections::BinaryHeap, time::Instant};

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

/// What scanning a block costs, in comparisons of codes.
const BLOCK_COST: usize = 8;

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// What walks of a thread use one after the other.
#[derive(Default)]
struct Scratch {
    visited: Visited,
    pool: Pool,
    open: Open,
    found: Pool,
    query: RotatedQuery,
}

/// Where a walk may go on.
trait Frontier {
    /// What is not nearer need not be pushed.
    fn worst(&self, found: &Pool) -> f32;
    fn push(&mut self, candidate: Candidate);
    /// The nearest; None where the walk is at its end.
    fn pop(&mut self, found: &Pool) -> Option<Candidate>;
    /// The one that will probably be popped next.
    fn next(&mut self) -> Option<Candidate>;
}

impl Frontier for Pool {
    fn worst(&self, _: &Pool) -> f32 {
        Pool::worst(self)
    }

    fn push(&mut self, candidate: Candidate) {
        self.insert(candidate);
    }

    fn pop(&mut self, _: &Pool) -> Option<Candidate> {
        self.expand()
    }

    fn next(&mut self) -> Option<Candidate> {
        self.nearest()
    }
}

/// A frontier without bound: what is found decides when the walk ends.
#[derive(Default)]
struct Open(BinaryHeap<Nearest>);

impl Frontier for Open {
    fn worst(&self, found: &Pool) -> f32 {
        found.worst()
    }

    fn push(&mut self, candidate: Candidate) {
        self.0.push(Nearest(candidate));
    }

    fn pop(&mut self, found: &Pool) -> Option<Candidate> {
        let Nearest(candidate) = self.0.pop()?;
        (candidate.distance <= found.worst()).then_some(candidate)
    }

    fn next(&mut self) -> Option<Candidate> {
        self.0.peek().map(|n| n.0)
    }
}

/// Orders a max-heap by nearness.
struct Nearest(Candidate);

impl Ord for Nearest {
    fn cmp(&self, other: &Self) -> Ordering {
        other.0.distance.total_cmp(&self.0.distance)
    }
}

impl PartialOrd for Nearest {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Nearest {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Nearest {}

/// How wide a walk looks.
pub(super) struct Width {
    /// Candidates kept to go on from; with a filter, matches that end the walk.
    pub ef: usize,
    /// Matches given back, nearest first.
    pub keep: usize,
    /// Vectors that a walk with a filter may compare; one that needs more gives back nothing.
    pub budget: usize,
}

/// Gives the nearest found among those that `pass` to `then`. Without a filter the walk keeps to its `ef` best; with one
/// it goes through what does not pass, and ends where nothing unexpanded is nearer than the worst of `ef` that do.
pub(super) fn walk<R>(
    index: &SealedIndex,
    query: &[f32],
    width: &Width,
    pass: Option<impl Fn(u32) -> bool>,
    deadline: Option<Instant>,
    then: impl FnOnce(&Pool) -> R,
) -> Result<R> {
    SCRATCH.with_borrow_mut(|scratch| {
        let Scratch {
            visited,
            pool,
            open,
            found,
            query: rotated,
        } = scratch;
        let lifted = index.lift.lift_query(query);
        if let Graph::Blocks(blocks) = &index.graph {
            blocks.query(&lifted, rotated);
        }
        visited.start(index.numbers.len());
        let mut walk = Walk {
            index,
            probe: index.points.probe(&lifted),
            rotated,
            visited,
            found,
            deadline,
            compared: 0,
            budget: usize::MAX,
        };
        match pass {
            None => {
                walk.found.start(width.keep);
                pool.start(width.ef);
                walk.run(pool, |_| true)?;
            }
            Some(pass) => {
                walk.found.start(width.ef.max(width.keep));
                open.0.clear();
                walk.budget = width.budget;
                walk.run(open, pass)?;
                if walk.compared > walk.budget {
                    walk.found.start(0);
                }
            }
        }
        Ok(then(walk.found))
    })
}

struct Walk<'a> {
    index: &'a SealedIndex,
    probe: Probe<'a>,
    rotated: &'a RotatedQuery,
    visited: &'a mut Visited,
    found: &'a mut Pool,
    deadline: Option<Instant>,
    /// Vectors compared so far.
    compared: usize,
    budget: usize,
}

impl Walk<'_> {
    fn run(&mut self, frontier: &mut impl Frontier, pass: impl Fn(u32) -> bool) -> Result<()> {
        let index = self.index;
        for position in 0..index.entries {
            self.visited.mark(position);
            let distance = index.points.distance(&self.probe, position);
            if distance < frontier.worst(self.found) {
                frontier.push(Candidate { distance, position });
            }
        }
        let mut expanded = 0_usize;
        while let Some(Candidate { distance, position }) = frontier.pop(self.found) {
            let distance = match &index.graph {
                Graph::Links(links) => {
                    self.follow_links(links.of(), position, frontier);
                    distance
                }
                Graph::Blocks(blocks) => self.scan_block(blocks, position, frontier),
            };
            if distance < self.found.worst() && pass(position) {
                self.found.insert(Candidate { distance, position });
            }
            if self.compared > self.budget {
                break;
            }
            expanded += 1;
            if expanded.is_multiple_of(CLOCK) {
                check_deadline(self.deadline)?;
            }
        }
        Ok(())
    }

    /// Compares the unseen neighbours of a position.
    fn follow_links(&mut self, links: &[u32], position: u32, frontier: &mut impl Frontier) {
        if let Some(next) = frontier.next() {
            prefetch(row(links, next.position, DEGREE));
        }
        let mut fresh = [0; DEGREE];
        let mut count = 0;
        for &to in row(links, position, DEGREE) {
            if to == NONE {
                break;
            }
            if self.visited.mark(to) {
                self.index.points.prefetch(to);
                fresh[count] = to;
                count += 1;
            }
        }
        self.compared += count;
        for &position in &fresh[..count] {
            let distance = self.index.points.distance(&self.probe, position);
            if distance < frontier.worst(self.found) {
                frontier.push(Candidate { distance, position });
            }
        }
    }

    /// Estimates the unseen neighbours of a position and gives its own distance, which was an estimate.
    fn scan_block(&mut self, blocks: &Blocks, position: u32, frontier: &mut impl Frontier) -> f32 {
        let points = &self.index.points;
        let distance = points.distance(&self.probe, position);
        if let Some(next) = frontier.next() {
            blocks.prefetch(next.position);
            points.prefetch(next.position);
        }
        self.compared += BLOCK_COST;
        let worst = frontier.worst(self.found);
        blocks.scan(
            self.rotated,
            position,
            distance,
            worst,
            |position, distance| {
                // One estimated too far from here may come again, seen from nearer.
                if self.visited.mark(position) {
                    frontier.push(Candidate { distance, position });
                }
            },
        );
        distance
    }
}
