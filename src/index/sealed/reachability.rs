//! Check that graph searches reach every vector.

use super::{NONE, SealedSegment};

impl SealedSegment {
    /// Counts the vectors that no search from the entry points can reach: 0, unless a build or a
    /// file is defective. The first call takes a pass over the links, later ones return its result.
    pub fn count_unreachable(&self) -> u64 {
        *self.unreachable.get_or_init(|| {
            let count = self.internal_ids.len();
            let mut seen = vec![false; count];
            let mut stack: Vec<u32> = (0..self.entry_points).collect();
            stack.iter().for_each(|p| seen[*p as usize] = true);
            let mut reached = stack.len();
            while let Some(point) = stack.pop() {
                for to in self.link_row(point).iter().filter(|to| **to != NONE) {
                    if !std::mem::replace(&mut seen[*to as usize], true) {
                        stack.push(*to);
                        reached += 1;
                    }
                }
            }
            (count - reached) as u64
        })
    }

    /// Returns the number of unreachable vectors, or None if they have not been counted.
    pub fn unreachable_count(&self) -> Option<u64> {
        self.unreachable.get().copied()
    }
}

#[cfg(test)]
mod tests {
    use vitrine_schemas::Metric;

    use super::*;
    use crate::index::{
        Progress,
        sealed::{Codes, segment::Graph},
    };

    #[test]
    fn unreachable_vectors_are_counted() {
        // Color variants: groups of 40 hardly differ, so they crowd each other out of the links.
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
            let built = SealedSegment::build(Metric::L2, 8, &rows, codes, &Progress::default());
            let mut index = built.expect("built");
            assert_eq!(index.unreachable_count(), None);
            assert_eq!(index.count_unreachable(), 0, "{codes:?}");
            assert_eq!(index.unreachable_count(), Some(0));

            // No point links to the last three any more.
            let Graph::Adjacency(links) = &mut index.graph else {
                panic!("links");
            };
            let unlinked = 3_997;
            for to in links.as_mut_slice::<u32>() {
                if *to != NONE && *to >= unlinked {
                    *to = NONE;
                }
            }
            index.unreachable = Default::default();
            assert_eq!(index.count_unreachable(), 3, "{codes:?}");
        }
    }
}
