//! What a graph needs in memory, and whether its walks reach everything.

use super::{Codes, DEGREE, NONE, SealedIndex};

impl SealedIndex {
    /// Vectors that no walk from the entry points can reach: none, unless a build or a file is at fault. Looked at
    /// once, it takes a pass over the links.
    pub fn unreachable(&self) -> u64 {
        *self.unreachable.get_or_init(|| {
            let count = self.numbers.len();
            let mut seen = vec![false; count];
            let mut ahead: Vec<u32> = (0..self.entries).collect();
            ahead.iter().for_each(|p| seen[*p as usize] = true);
            let mut reached = ahead.len();
            while let Some(at) = ahead.pop() {
                for to in self.links(at).iter().filter(|to| **to != NONE) {
                    if !std::mem::replace(&mut seen[*to as usize], true) {
                        ahead.push(*to);
                        reached += 1;
                    }
                }
            }
            (count - reached) as u64
        })
    }

    /// The same where it has been looked at.
    pub fn known_unreachable(&self) -> Option<u64> {
        self.unreachable.get().copied()
    }

    /// Bytes in memory that a vector of `dim` components takes, about: codes, links, number and position.
    pub fn vector_bytes(dim: usize, codes: Codes) -> u64 {
        let full = dim * size_of::<f32>();
        let coded = dim.next_multiple_of(64) + size_of::<crate::quantize::Terms>();
        let links = DEGREE * size_of::<u32>();
        let by = match codes {
            Codes::None => full + links,
            // Of what is projected no more: it is as int8 at worst.
            Codes::Int8 | Codes::Projected => coded + links,
            // Links, two terms and a bit a component for each neighbour.
            Codes::RaBitQ => coded + 3 * links + DEGREE * dim.next_multiple_of(64) / 8,
        };
        (by + 2 * size_of::<u32>()) as u64
    }

    /// Bytes that a vector takes while it is built, beside where it comes from.
    pub fn build_bytes(dim: usize, codes: Codes) -> u64 {
        // Links with their distances, up to half more than are kept, and the copy that is written to the file.
        let links = DEGREE * 3 / 2 * 2 * size_of::<u32>() + 2 * DEGREE * size_of::<u32>();
        Self::vector_bytes(dim, codes) + (links + 2 * dim * size_of::<f32>()) as u64
    }
}

#[cfg(test)]
mod tests {
    use vitrine_schemas::Metric;

    use super::*;
    use crate::index::{Progress, sealed::Graph};

    #[test]
    fn what_cannot_be_reached_is_counted() {
        // Colour variants: groups of 40 hardly differ, so they crowd each other out of the links.
        let all: Vec<Vec<f32>> = (0..4_000_u32)
            .map(|i| {
                let product = f64::from(i / 40);
                let place = |axis: f64| (product * (axis + 1.7)).sin() as f32;
                let tint = (i % 40) as f32 * 1e-4;
                (0..8).map(|axis| place(f64::from(axis)) + tint).collect()
            })
            .collect();
        let rows: Vec<_> = (0..).zip(all.iter().map(Vec::as_slice)).collect();
        for codes in [Codes::None, Codes::Int8] {
            let built = SealedIndex::build(Metric::L2, 8, &rows, codes, &Progress::default());
            let mut index = built.expect("built");
            assert_eq!(index.known_unreachable(), None);
            assert_eq!(index.unreachable(), 0, "{codes:?}");
            assert_eq!(index.known_unreachable(), Some(0));

            // Nobody links to the last three any more.
            let Graph::Links(links) = &mut index.graph else {
                panic!("links");
            };
            let lost = 3_997;
            for to in links.of_mut::<u32>() {
                if *to != NONE && *to >= lost {
                    *to = NONE;
                }
            }
            index.unreachable = Default::default();
            assert_eq!(index.unreachable(), 3, "{codes:?}");
        }
    }
}
