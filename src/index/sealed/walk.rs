//! Best-first search over the flat graph (the ground layer's search of HNSW: Malkov & Yashunin 2018, algorithm 2),
//! with results apart from the frontier, so that a filter narrows what is found but not where the walk goes.

use std::{cell::RefCell, cmp::Ordering, collections::BinaryHeap, time::Instant};

use super::{SealedIndex, check_deadline};
use crate::Result;

/// Vectors expanded between two looks at the clock.
const CLOCK: usize = 256;

thread_local! {
    static VISITED: RefCell<Visited> = RefCell::default();
}

/// What a search has seen: marks of a generation, so that nothing is cleared between searches.
#[derive(Default)]
struct Visited {
    generation: u32,
    marks: Vec<u32>,
}

impl Visited {
    fn start(&mut self, len: usize) {
        self.generation = self.generation.wrapping_add(1);
        if self.generation == 0 {
            self.marks.fill(0);
            self.generation = 1;
        }
        if self.marks.len() < len {
            self.marks.resize(len, 0);
        }
    }

    /// Whether it had not been seen.
    fn mark(&mut self, position: u32) -> bool {
        let mark = &mut self.marks[position as usize];
        std::mem::replace(mark, self.generation) != self.generation
    }
}

#[derive(Clone, Copy)]
struct Candidate {
    distance: f32,
    position: u32,
}

/// The nearest that pass so far, nearest first; at most `ef`.
struct Pool {
    ef: usize,
    candidates: Vec<Candidate>,
}

impl Pool {
    fn new(ef: usize) -> Self {
        Self {
            ef,
            candidates: Vec::with_capacity(ef),
        }
    }

    /// Distance of the worst, once there are `ef`.
    fn worst(&self) -> Option<f32> {
        let full = self.candidates.len() == self.ef;
        self.candidates.last().filter(|_| full).map(|c| c.distance)
    }

    fn insert(&mut self, candidate: Candidate) {
        if self.candidates.len() == self.ef {
            self.candidates.pop();
        }
        let at = self
            .candidates
            .partition_point(|c| c.distance <= candidate.distance);
        self.candidates.insert(at, candidate);
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

/// Positions of about the `ef` nearest by `distance` among those that `pass`, nearest first. What does not pass is
/// walked through: the walk ends where nothing unexpanded is nearer than the worst of `ef` that pass.
pub(super) fn walk(
    index: &SealedIndex,
    ef: usize,
    deadline: Option<Instant>,
    distance: impl Fn(u32) -> f32,
    pass: impl Fn(u32) -> bool,
) -> Result<Vec<u32>> {
    VISITED.with_borrow_mut(|visited| {
        visited.start(index.numbers.len());
        let mut found = Pool::new(ef);
        let mut frontier = BinaryHeap::new();
        let mut see = |position, found: &mut Pool, frontier: &mut BinaryHeap<Nearest>| {
            if !visited.mark(position) {
                return;
            }
            let candidate = Candidate {
                distance: distance(position),
                position,
            };
            if found.worst().is_none_or(|worst| candidate.distance < worst) {
                frontier.push(Nearest(candidate));
                if pass(position) {
                    found.insert(candidate);
                }
            }
        };
        for &entry in &index.entries {
            see(entry, &mut found, &mut frontier);
        }
        let mut expanded = 0_usize;
        while let Some(Nearest(candidate)) = frontier.pop() {
            if found
                .worst()
                .is_some_and(|worst| candidate.distance > worst)
            {
                break;
            }
            expanded += 1;
            if expanded.is_multiple_of(CLOCK) {
                check_deadline(deadline)?;
            }
            for neighbour in index.neighbours(candidate.position) {
                see(neighbour, &mut found, &mut frontier);
            }
        }
        Ok(found.candidates.into_iter().map(|c| c.position).collect())
    })
}
