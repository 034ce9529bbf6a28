//! Builds the graph of a sealed index: every point is inserted with links to a varied choice of the nearest found by
//! a walk over what is there already, and they link back (as HNSW's ground layer, Malkov & Yashunin 2018; the choice
//! with a slack factor as in Vamana, Subramanya et al. 2019). Distances are those of the codes the walk will use.

use std::{
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    thread,
};

use parking_lot::RwLock;

use super::{
    DEGREE, NONE,
    points::{Points, Probe},
    pool::{Candidate, Pool, Visited},
};
use crate::index::Progress;

/// Links a point may have while the graph is built: back links are collected, then cut to [`DEGREE`] at once.
const SLACK: usize = DEGREE * 3 / 2;

/// Candidates kept by the walk that looks for a point's links.
const WIDTH: usize = 150;

/// A candidate is passed over when a chosen one is nearer to it than the point by this factor, squared. Above 1, some
/// links that shorten a walk stay beside the nearest ones.
const SPREAD: f32 = 1.15;

type Row = Vec<Candidate>;

/// Links by point, nearest first: [`DEGREE`] each, [`NONE`] after the last. Points are in random order, the
/// walks start at the first `entries`.
pub(super) fn build(points: &Points, len: usize, entries: usize, progress: &Progress) -> Vec<u32> {
    let builder = Builder {
        points,
        rows: (0..len).map(|_| RwLock::default()).collect(),
        entries,
    };
    let next = AtomicU32::new(0);
    let count = len as u32;
    let work = || {
        let mut scratch = Scratch::default();
        loop {
            let at = next.fetch_add(1, Relaxed);
            if at >= count || progress.is_cancelled() {
                return;
            }
            builder.insert(at, &mut scratch);
            progress.advance(1);
        }
    };
    thread::scope(|scope| {
        for _ in 1..progress.threads() {
            scope.spawn(work);
        }
        work();
    });
    let mut links = vec![NONE; len * DEGREE];
    let mut scratch = Scratch::default();
    for (at, out) in (0..count).zip(links.chunks_exact_mut(DEGREE)) {
        let mut row = std::mem::take(&mut *builder.rows[at as usize].write());
        builder.choose(&mut row, &mut scratch, true);
        out.iter_mut().zip(&row).for_each(|(o, c)| *o = c.position);
    }
    links
}

struct Builder<'a> {
    points: &'a Points,
    rows: Vec<RwLock<Row>>,
    entries: usize,
}

#[derive(Default)]
struct Scratch<'a> {
    probe: Probe<'a>,
    other: Probe<'a>,
    visited: Visited,
    pool: Pool,
    found: Row,
    passed_over: Row,
}

impl<'a> Builder<'a> {
    fn insert(&self, at: u32, scratch: &mut Scratch<'a>) {
        self.walk(at, scratch);
        let mut found = std::mem::take(&mut scratch.found);
        found.clear();
        found.extend(scratch.pool.candidates());
        self.choose(&mut found, scratch, false);
        // Another thread may have linked to this point in the meantime.
        {
            let mut row = self.rows[at as usize].write();
            for link in &found {
                if row.iter().all(|c| c.position != link.position) {
                    row.push(*link);
                }
            }
        }
        for link in &found {
            let back = Candidate {
                position: at,
                ..*link
            };
            let mut row = self.rows[link.position as usize].write();
            if row.iter().all(|c| c.position != at) {
                row.push(back);
                if row.len() > SLACK {
                    self.choose(&mut row, scratch, false);
                }
            }
        }
        scratch.found = found;
    }

    /// Fills the pool with the nearest to the point `at` that a walk finds.
    fn walk(&self, at: u32, scratch: &mut Scratch<'a>) {
        let Scratch {
            probe,
            visited,
            pool,
            ..
        } = scratch;
        self.points.aim(probe, at);
        visited.start(self.rows.len());
        pool.start(WIDTH);
        visited.mark(at);
        for entry in 0..(self.entries as u32).min(at) {
            visited.mark(entry);
            let distance = self.points.distance(probe, entry);
            if distance < pool.worst() {
                pool.insert(Candidate {
                    distance,
                    position: entry,
                });
            }
        }
        let mut fresh = Vec::with_capacity(SLACK + 1);
        while let Some(candidate) = pool.expand() {
            fresh.clear();
            {
                let row = self.rows[candidate.position as usize].read();
                fresh.extend(row.iter().map(|c| c.position).filter(|p| visited.mark(*p)));
            }
            fresh.iter().for_each(|p| self.points.prefetch(*p));
            self.points.distances(probe, &fresh, |position, distance| {
                if distance < pool.worst() {
                    pool.insert(Candidate { distance, position });
                }
            });
        }
    }

    /// Leaves at most [`DEGREE`] links of a point: from the nearest on, each unless a chosen one is much nearer to it.
    /// `fill` takes the nearest of those passed over for the places left.
    fn choose(&self, row: &mut Row, scratch: &mut Scratch<'a>, fill: bool) {
        row.sort_unstable_by(|a, b| a.distance.total_cmp(&b.distance));
        scratch.passed_over.clear();
        let mut chosen = 0;
        for at in 0..row.len() {
            if chosen == DEGREE {
                break;
            }
            let candidate = row[at];
            self.points.aim(&mut scratch.other, candidate.position);
            let near = |other: &Candidate| {
                let between = self.points.distance(&scratch.other, other.position);
                between * SPREAD <= candidate.distance
            };
            if row[..chosen].iter().any(near) {
                scratch.passed_over.push(candidate);
            } else {
                row[chosen] = candidate;
                chosen += 1;
            }
        }
        row.truncate(chosen);
        if fill {
            row.extend(scratch.passed_over.iter().take(DEGREE - chosen));
        }
    }
}
