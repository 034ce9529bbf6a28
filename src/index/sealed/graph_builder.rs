//! Construction of the graph: every point is inserted with links to a diverse choice of the nearest
//! found by a graph search over the points inserted before, and these link back (as HNSW's ground
//! layer, Malkov & Yashunin 2018; the choice with a slack factor as in Vamana, Subramanya et al.
//! 2019). Distances are those of the codes that searches will use.

use std::{
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    thread,
};

use parking_lot::RwLock;

use super::{
    DEGREE, NONE,
    beam::{Beam, Candidate, Growth, VisitedList},
    points::{Points, PreparedQuery},
    tuning::{BUILD_EF, MAX_BUILD_LINKS, PRUNE_FACTOR},
};
use crate::index::Progress;

type Row = Vec<Candidate>;

/// Returns links by point, nearest first: [`DEGREE`] each, [`NONE`] after the last. Points are in
/// random order; searches start at the first `entry_points`.
pub(super) fn build(
    points: &Points,
    len: usize,
    entry_points: usize,
    progress: &Progress,
) -> Vec<u32> {
    let builder = Builder {
        points,
        rows: (0..len).map(|_| RwLock::default()).collect(),
        entry_points,
    };
    let next = AtomicU32::new(0);
    let count = len as u32;
    let work = || {
        let mut scratch = Scratch::default();
        loop {
            let point = next.fetch_add(1, Relaxed);
            if point >= count || progress.is_cancelled() {
                return;
            }
            builder.insert(point, &mut scratch);
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
    for (point, out) in (0..count).zip(links.chunks_exact_mut(DEGREE)) {
        let mut row = std::mem::take(&mut *builder.rows[point as usize].write());
        builder.prune(&mut row, &mut scratch, true);
        out.iter_mut().zip(&row).for_each(|(o, c)| *o = c.offset);
    }
    links
}

struct Builder<'a> {
    points: &'a Points,
    rows: Vec<RwLock<Row>>,
    entry_points: usize,
}

#[derive(Default)]
struct Scratch<'a> {
    query: PreparedQuery<'a>,
    other: PreparedQuery<'a>,
    visited: VisitedList,
    beam: Beam,
    links: Row,
    pruned: Row,
}

impl<'a> Builder<'a> {
    fn insert(&self, point: u32, scratch: &mut Scratch<'a>) {
        self.search(point, scratch);
        let mut links = std::mem::take(&mut scratch.links);
        links.clear();
        links.extend(scratch.beam.candidates());
        self.prune(&mut links, scratch, false);
        // Another thread may have linked to this point in the meantime.
        {
            let mut row = self.rows[point as usize].write();
            for link in &links {
                if row.iter().all(|c| c.offset != link.offset) {
                    row.push(*link);
                }
            }
        }
        for link in &links {
            let back = Candidate {
                offset: point,
                ..*link
            };
            let mut row = self.rows[link.offset as usize].write();
            if row.iter().all(|c| c.offset != point) {
                row.push(back);
                if row.len() > MAX_BUILD_LINKS {
                    self.prune(&mut row, scratch, false);
                }
            }
        }
        scratch.links = links;
    }

    /// Fills the beam with the points nearest to `point` that a graph search finds.
    fn search(&self, point: u32, scratch: &mut Scratch<'a>) {
        let Scratch {
            query,
            visited,
            beam,
            ..
        } = scratch;
        self.points.set_query_to(query, point);
        visited.reset(self.rows.len());
        beam.reset(BUILD_EF, Growth::default());
        visited.mark(point);
        for offset in 0..(self.entry_points as u32).min(point) {
            visited.mark(offset);
            let distance = self.points.distance(query, offset);
            if distance < beam.admission_threshold() {
                beam.insert(Candidate { distance, offset });
            }
        }
        let mut fresh = Vec::with_capacity(MAX_BUILD_LINKS + 1);
        while let Some(candidate) = beam.expand() {
            fresh.clear();
            {
                let row = self.rows[candidate.offset as usize].read();
                fresh.extend(row.iter().map(|c| c.offset).filter(|p| visited.mark(*p)));
            }
            fresh.iter().for_each(|p| self.points.prefetch(*p));
            self.points.distances(query, &fresh, |offset, distance| {
                if distance < beam.admission_threshold() {
                    beam.insert(Candidate { distance, offset });
                }
            });
        }
    }

    /// Keeps at most [`DEGREE`] links of a point: from the nearest on, each unless a chosen one is
    /// much nearer to it. With `fill`, the nearest pruned ones take the remaining places.
    fn prune(&self, row: &mut Row, scratch: &mut Scratch<'a>, fill: bool) {
        row.sort_unstable_by(|a, b| a.distance.total_cmp(&b.distance));
        scratch.pruned.clear();
        let mut chosen = 0;
        for i in 0..row.len() {
            if chosen == DEGREE {
                break;
            }
            let candidate = row[i];
            self.points
                .set_query_to(&mut scratch.other, candidate.offset);
            let is_near = |other: &Candidate| {
                let between = self.points.distance(&scratch.other, other.offset);
                between * PRUNE_FACTOR <= candidate.distance
            };
            if row[..chosen].iter().any(is_near) {
                scratch.pruned.push(candidate);
            } else {
                row[chosen] = candidate;
                chosen += 1;
            }
        }
        row.truncate(chosen);
        if fill {
            row.extend(scratch.pruned.iter().take(DEGREE - chosen));
        }
    }
}
