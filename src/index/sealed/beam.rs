//! State of a graph search: the candidates to expand, and the points visited.

/// A point and its squared distance from the query, exact or estimated.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate {
    pub distance: f32,
    pub offset: u32,
}

/// The nearest candidates, nearest first, up to a capacity, and which of them were expanded.
#[derive(Default)]
pub(super) struct Beam {
    capacity: usize,
    entries: Vec<Entry>,
    /// Distance below which a candidate is inserted.
    worst: f32,
    /// All candidates before this index were expanded.
    next: usize,
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
    pub fn reset(&mut self, capacity: usize) {
        self.capacity = capacity;
        self.entries.clear();
        self.worst = f32::INFINITY;
        self.next = 0;
    }

    /// Distance below which a candidate is inserted.
    #[inline]
    pub fn worst(&self) -> f32 {
        self.worst
    }

    /// Inserts a candidate that is nearer than [`Beam::worst`].
    #[inline]
    pub fn insert(&mut self, candidate: Candidate) {
        let entry = Entry::new(candidate);
        if self.entries.len() >= self.capacity {
            self.entries.pop();
        }
        let index = self.entries.partition_point(|e| *e <= entry);
        self.entries.insert(index, entry);
        self.next = self.next.min(index);
        if let Some(last) = self.entries.last()
            && self.entries.len() >= self.capacity
        {
            self.worst = last.candidate().distance;
        }
    }

    /// Returns the nearest candidate that was not expanded, and marks it as expanded.
    #[inline]
    pub fn expand(&mut self) -> Option<Candidate> {
        self.next_unexpanded()?;
        let entry = &mut self.entries[self.next];
        entry.0 |= EXPANDED;
        self.next += 1;
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
