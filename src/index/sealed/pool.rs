//! What a walk remembers: the candidates it may go on from, and which vectors it has seen.

/// A vector and its squared distance from the query, exact or estimated.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate {
    pub distance: f32,
    pub position: u32,
}

/// The nearest candidates, nearest first, at most so many, and which of them were expanded.
#[derive(Default)]
pub(super) struct Pool {
    most: usize,
    entries: Vec<Entry>,
    /// What is not nearer does not stay.
    worst: f32,
    /// No candidate before was left unexpanded.
    next: usize,
}

/// Distance, position and, in the lowest bit, whether it was expanded, in one number: ordered by distance, as the bits
/// of a float that is not negative are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry(u64);

const EXPANDED: u64 = 1;

impl Entry {
    #[inline]
    fn new(candidate: Candidate) -> Self {
        let distance = u64::from(candidate.distance.max(0.0).to_bits());
        Self(distance << 32 | u64::from(candidate.position) << 1)
    }

    #[inline]
    fn candidate(self) -> Candidate {
        Candidate {
            distance: f32::from_bits((self.0 >> 32) as u32),
            position: self.0 as u32 >> 1,
        }
    }
}

impl Pool {
    /// Empties it, for `most` candidates.
    pub fn start(&mut self, most: usize) {
        self.most = most;
        self.entries.clear();
        self.worst = f32::INFINITY;
        self.next = 0;
    }

    /// A candidate has to be nearer than that to stay.
    #[inline]
    pub fn worst(&self) -> f32 {
        self.worst
    }

    /// Takes a candidate that is nearer than the worst.
    #[inline]
    pub fn insert(&mut self, candidate: Candidate) {
        let entry = Entry::new(candidate);
        if self.entries.len() >= self.most {
            self.entries.pop();
        }
        let at = self.entries.partition_point(|e| *e <= entry);
        self.entries.insert(at, entry);
        self.next = self.next.min(at);
        if let Some(last) = self.entries.last()
            && self.entries.len() >= self.most
        {
            self.worst = last.candidate().distance;
        }
    }

    /// The nearest that was not expanded; it is from now on.
    #[inline]
    pub fn expand(&mut self) -> Option<Candidate> {
        self.nearest()?;
        let entry = &mut self.entries[self.next];
        entry.0 |= EXPANDED;
        self.next += 1;
        Some(entry.candidate())
    }

    /// The one that [`Pool::expand`] would give now.
    #[inline]
    pub fn nearest(&mut self) -> Option<Candidate> {
        loop {
            let entry = self.entries.get(self.next)?;
            if entry.0 & EXPANDED == 0 {
                return Some(entry.candidate());
            }
            self.next += 1;
        }
    }

    /// All, nearest first.
    pub fn candidates(&self) -> impl ExactSizeIterator<Item = Candidate> + Clone + '_ {
        self.entries.iter().map(|e| e.candidate())
    }
}

/// Marks of a generation, so that nothing has to be cleared between walks.
#[derive(Default)]
pub(super) struct Visited {
    generation: u8,
    marks: Vec<u8>,
}

impl Visited {
    /// Forgets all marks; there will be `len` positions.
    pub fn start(&mut self, len: usize) {
        self.generation = self.generation.wrapping_add(1);
        if self.generation == 0 {
            self.marks.fill(0);
            self.generation = 1;
        }
        if self.marks.len() < len {
            self.marks.resize(len, 0);
        }
    }

    /// Marks a position; whether it had no mark.
    #[inline]
    pub fn mark(&mut self, position: u32) -> bool {
        let mark = &mut self.marks[position as usize];
        std::mem::replace(mark, self.generation) != self.generation
    }
}
