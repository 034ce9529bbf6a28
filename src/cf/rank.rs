//! Selection of the best scores.

use std::cmp::Ordering;

use roaring::RoaringBitmap;

/// An item and its score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scored {
    /// Number of the item.
    pub item: u32,
    /// Score; higher is better.
    pub score: f32,
}

/// Orders by score, the best first, then by number.
pub(super) fn order(a: &Scored, b: &Scored) -> Ordering {
    b.score.total_cmp(&a.score).then(a.item.cmp(&b.item))
}

/// Returns the best `min(k, not excluded)` of the scores of all items, in the order of their
/// numbers; excluded ones are overwritten.
pub(super) fn top_k(scores: &mut [f32], k: usize, excluded: &RoaringBitmap) -> Vec<Scored> {
    let mut best = TopK::new(k);
    best.offer(0, scores, excluded);
    best.sorted()
}

/// Selects the best `k` of scores given block by block, in the order of the items.
pub(super) struct TopK {
    k: usize,
    kept: Vec<Scored>,
    /// Scores that are not above this cannot be among the best.
    threshold: f32,
}

impl TopK {
    pub fn new(k: usize) -> Self {
        Self {
            k,
            kept: Vec::new(),
            threshold: f32::NEG_INFINITY,
        }
    }

    /// Adds the scores of the items from `first` on; excluded ones are overwritten.
    pub fn offer(&mut self, first: u32, scores: &mut [f32], excluded: &RoaringBitmap) {
        if self.k == 0 || scores.is_empty() {
            return;
        }
        let last = first + (scores.len() - 1) as u32;
        for item in excluded.range(first..=last) {
            scores[(item - first) as usize] = f32::NAN;
        }
        // Up to 2k scores are gathered before the worse half is dropped, which is linear in the
        // number of scores. Items arrive by number, so one that only equals the k-th best ranks
        // behind it.
        let (k, full) = (self.k, self.k.saturating_mul(2));
        for (item, score) in (first..=last).zip(scores.iter().copied()) {
            if score > self.threshold || (self.kept.len() < k && !score.is_nan()) {
                // Normalizes -0 to 0, which total_cmp would order differently.
                self.kept.push(Scored {
                    item,
                    score: score + 0.0,
                });
                if self.kept.len() >= full {
                    self.kept.select_nth_unstable_by(k - 1, order);
                    self.kept.truncate(k);
                    self.threshold = self.kept[k - 1].score;
                }
            }
        }
    }

    /// Returns the selected items, the best first.
    pub fn sorted(mut self) -> Vec<Scored> {
        self.kept.sort_unstable_by(order);
        self.kept.truncate(self.k);
        self.kept
    }
}

/// Returns the best `k` of some items.
pub(super) fn top_k_of(mut scored: Vec<Scored>, k: usize) -> Vec<Scored> {
    if k == 0 {
        return Vec::new();
    }
    if scored.len() > k {
        scored.select_nth_unstable_by(k - 1, order);
        scored.truncate(k);
    }
    scored.sort_unstable_by(order);
    scored
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn equals_a_full_sort(
            scores in prop::collection::vec(-3_i8..4, 0..80), k in 0_usize..90, excluded in prop::collection::vec(0_u32..100, 0..40)
        ) {
            let mut scores: Vec<f32> = scores.into_iter().map(|s| if s == 3 { -0.0 } else { f32::from(s) }).collect();
            let excluded: RoaringBitmap = excluded.into_iter().collect();
            let all = (0_u32..).zip(scores.iter().map(|s| s + 0.0));
            let mut expected: Vec<_> = all.map(|(item, score)| Scored { item, score }).collect();
            expected.retain(|s| !excluded.contains(s.item));
            expected.sort_by(order);
            expected.truncate(k);
            let mut by_blocks = TopK::new(k);
            for (block, scores) in (0..).zip(scores.clone().chunks_mut(7)) {
                by_blocks.offer(block * 7, scores, &excluded);
            }
            prop_assert_eq!(by_blocks.sorted(), expected.clone());
            prop_assert_eq!(top_k(&mut scores, k, &excluded), expected);
        }
    }
}
