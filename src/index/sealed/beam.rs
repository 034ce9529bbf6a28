//! State of a graph search: the candidates to expand, and the points visited.

/// A point and its squared distance from the query, exact or estimated.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate {
    pub distance: f32,
    pub offset: u32,
}

/// The nearest candidates, nearest first, up to a capacity, and which of them were expanded.
///
/// A beam that can grow keeps the others too, and knows when its nearest candidates changed last:
/// see [`Beam::grow`].
#[derive(Default)]
pub(super) struct Beam {
    capacity: usize,
    entries: Vec<Entry>,
    /// Distance below which a candidate is inserted.
    admission_threshold: f32,
    /// All candidates before this index were expanded.
    next: usize,
    /// Number of candidates expanded.
    expanded: usize,
    growth: Growth,
    /// Candidates that did not fit, in no order; only if the beam can grow.
    overflow: Vec<Entry>,
    /// Value of `expanded` when one of the nearest [`Growth::stable_top_n`] candidates changed.
    last_change_at: usize,
}

/// Growth of a beam.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Growth {
    /// Maximum capacity; no growth if it is not above the capacity.
    pub max: usize,
    /// Number of the nearest candidates that have to be stable.
    pub stable_top_n: usize,
}

/// Distance, point offset and, in the lowest bit, the expanded flag, in one integer: ordered by
/// distance, as the bits of a non-negative float are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry(u64);

const EXPANDED: u64 = 1;

impl Entry {
    #[inline]
    fn new(candidate: Candidate) -> Self {
        let distance = u64::from(candidate.distance.max(0.0).to_bits());
        Self(distance << 32 | u64::from(candidate.offset) << 1)
    }

    #[inline]
    fn candidate(self) -> Candidate {
        Candidate {
            distance: f32::from_bits((self.0 >> 32) as u32),
            offset: self.0 as u32 >> 1,
        }
    }
}

impl Beam {
    /// Removes all candidates and sets the capacity.
    pub fn reset(&mut self, capacity: usize, growth: Growth) {
        self.capacity = capacity;
        self.entries.clear();
        self.admission_threshold = f32::INFINITY;
        self.next = 0;
        self.expanded = 0;
        self.growth = growth;
        self.overflow.clear();
        self.last_change_at = 0;
    }

    /// Distance below which a candidate is inserted.
    #[inline]
    pub fn admission_threshold(&self) -> f32 {
        self.admission_threshold
    }

    /// Inserts a candidate that is nearer than [`Beam::admission_threshold`].
    #[inline]
    pub fn insert(&mut self, candidate: Candidate) {
        let entry = Entry::new(candidate);
        if self.entries.len() >= self.capacity {
            let last = self.entries.pop();
            if self.can_grow() {
                self.overflow.extend(last);
            }
        }
        let index = self.entries.partition_point(|e| *e <= entry);
        self.entries.insert(index, entry);
        self.next = self.next.min(index);
        if index < self.growth.stable_top_n {
            self.last_change_at = self.expanded;
        }
        if let Some(last) = self.entries.last()
            && self.entries.len() >= self.capacity
        {
            self.admission_threshold = last.candidate().distance;
        }
    }

    /// Keeps a candidate that is not inserted, for a beam that can grow.
    #[inline]
    pub fn push_overflow(&mut self, candidate: Candidate) {
        if self.can_grow() {
            self.overflow.push(Entry::new(candidate));
        }
    }

    /// Returns the last of the nearest [`Growth::stable_top_n`] candidates; None if there are
    /// fewer.
    pub fn last_of_top_n(&self) -> Option<Candidate> {
        let last = self.growth.stable_top_n.checked_sub(1)?;
        Some(self.entries.get(last)?.candidate())
    }

    #[inline]
    fn can_grow(&self) -> bool {
        self.capacity < self.growth.max
    }

    /// Grows once all candidates were expanded, unless the search has converged: the second half
    /// of the expansions changed none of the nearest candidates. Returns false if there is nothing
    /// more to expand.
    ///
    /// A fixed ef suits in-distribution queries; if a query is far from all vectors, or from all
    /// that match a filter, many of them are about as near, and a search goes on finding nearer
    /// ones for longer.
    pub fn grow(&mut self) -> bool {
        if !self.can_grow() || self.expanded >= 2 * self.last_change_at {
            return false;
        }
        let capacity = (self.capacity * 3 / 2).min(self.growth.max);
        let count = (capacity - self.capacity).min(self.overflow.len());
        self.capacity = capacity;
        if count == 0 {
            return false;
        }
        if count < self.overflow.len() {
            self.overflow.select_nth_unstable(count - 1);
        }
        let before = self.entries.len();
        self.entries.extend(self.overflow.drain(..count));
        self.entries[before..].sort_unstable();
        self.admission_threshold = f32::INFINITY;
        if self.entries.len() >= self.capacity
            && let Some(last) = self.entries.last()
        {
            self.admission_threshold = last.candidate().distance;
        }
        true
    }

    /// Returns the nearest candidate that was not expanded, and marks it as expanded.
    #[inline]
    pub fn expand(&mut self) -> Option<Candidate> {
        self.next_unexpanded()?;
        let entry = &mut self.entries[self.next];
        entry.0 |= EXPANDED;
        self.next += 1;
        self.expanded += 1;
        Some(entry.candidate())
    }

    /// Returns the candidate that [`Beam::expand`] would return now.
    #[inline]
    pub fn next_unexpanded(&mut self) -> Option<Candidate> {
        loop {
            let entry = self.entries.get(self.next)?;
            if entry.0 & EXPANDED == 0 {
                return Some(entry.candidate());
            }
            self.next += 1;
        }
    }

    /// Returns all candidates, nearest first.
    pub fn candidates(&self) -> impl ExactSizeIterator<Item = Candidate> + Clone + '_ {
        self.entries.iter().map(|e| e.candidate())
    }
}

/// Marks of the points visited. They carry a generation, so that nothing is cleared between
/// searches.
#[derive(Default)]
pub(super) struct VisitedList {
    generation: u8,
    marks: Vec<u8>,
}

impl VisitedList {
    /// Removes all marks and makes room for `len` points.
    pub fn reset(&mut self, len: usize) {
        self.generation = self.generation.wrapping_add(1);
        if self.generation == 0 {
            self.marks.fill(0);
            self.generation = 1;
        }
        if self.marks.len() < len {
            self.marks.resize(len, 0);
        }
    }

    /// Marks a point. Returns true if it had no mark.
    #[inline]
    pub fn mark(&mut self, offset: u32) -> bool {
        let mark = &mut self.marks[offset as usize];
        std::mem::replace(mark, self.generation) != self.generation
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(offset: u32) -> Candidate {
        Candidate {
            distance: offset as f32,
            offset,
        }
    }

    fn offer(beam: &mut Beam, offset: u32) {
        let candidate = candidate(offset);
        if candidate.distance < beam.admission_threshold() {
            beam.insert(candidate);
        } else {
            beam.push_overflow(candidate);
        }
    }

    fn expand_all(beam: &mut Beam) -> Vec<u32> {
        std::iter::from_fn(|| beam.expand())
            .map(|c| c.offset)
            .collect()
    }

    #[test]
    fn a_beam_that_changes_late_takes_back_the_nearest_of_the_others() {
        let growth = Growth {
            max: 9,
            stable_top_n: 2,
        };
        let mut beam = Beam::default();
        beam.reset(4, growth);
        for offset in [9, 3, 7, 5, 8, 6, 4, 2] {
            offer(&mut beam, offset);
        }
        assert_eq!(expand_all(&mut beam), [2, 3, 4, 5]);
        offer(&mut beam, 1);
        assert!(beam.grow(), "the last expansion changed the nearest");
        assert_eq!(expand_all(&mut beam), [1, 6], "5 was expanded before");
        let found: Vec<u32> = beam.candidates().map(|c| c.offset).collect();
        assert_eq!(found, [1, 2, 3, 4, 5, 6]);
        assert!(beam.grow(), "changed by the 4th of 6 expansions");
        assert_eq!(expand_all(&mut beam), [7, 8, 9]);
        assert!(!beam.grow(), "at its maximum");
    }

    #[test]
    fn a_beam_that_has_converged_does_not_grow() {
        let mut beam = Beam::default();
        let growth = Growth {
            max: 100,
            stable_top_n: 1,
        };
        beam.reset(2, growth);
        (0..10).for_each(|offset| offer(&mut beam, offset));
        assert_eq!(expand_all(&mut beam), [0, 1]);
        assert!(!beam.grow(), "the nearest was there from the start");
    }
}
