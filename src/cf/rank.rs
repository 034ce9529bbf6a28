//! The best of many scores.

use std::cmp::Ordering;

use roaring::RoaringBitmap;

/// An item and its score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scored {
    /// Number of the item.
    pub item: u32,
    /// Higher is better.
    pub score: f32,
}

/// Best score first, then by number.
pub(super) fn order(a: &Scored, b: &Scored) -> Ordering {
    b.score.total_cmp(&a.score).then(a.item.cmp(&b.item))
}

/// The best `min(k, not excluded)` of `scores`, which are item numbers' scores in order; excluded ones are
/// overwritten.
pub(super) fn best(scores: &mut [f32], k: usize, excluded: &RoaringBitmap) -> Vec<Scored> {
    let mut best = Best::new(k);
    best.offer(0, scores, excluded);
    best.sorted()
}

/// The best `k` of scores that come part by part, in the order of the items.
pub(super) struct Best {
    k: usize,
    kept: Vec<Scored>,
    /// What is no better cannot be among the best.
    least: f32,
}

impl Best {
    pub fn new(k: usize) -> Self {
        Self {
            k,
            kept: Vec::new(),
            least: f32::NEG_INFINITY,
        }
    }

    /// Scores of the items from `first` on; excluded ones are overwritten.
    pub fn offer(&mut self, first: u32, scores: &mut [f32], excluded: &RoaringBitmap) {
        if self.k == 0 || scores.is_empty() {
            return;
        }
        let last = first + (scores.len() - 1) as u32;
        for item in excluded.range(first..=last) {
            scores[(item - first) as usize] = f32::NAN;
        }
        // Twice as many as wanted are gathered, then the worse half goes: linear in the scores. Items come by number,
        // so one that only equals the k-th best so far is behind it.
        let (k, full) = (self.k, self.k.saturating_mul(2));
        for (item, score) in (first..=last).zip(scores.iter().copied()) {
            if score > self.least || (self.kept.len() < k && !score.is_nan()) {
                // -0 is 0: total_cmp would tell them apart.
                self.kept.push(Scored {
                    item,
                    score: score + 0.0,
                });
                if self.kept.len() >= full {
                    self.kept.select_nth_unstable_by(k - 1, order);
                    self.kept.truncate(k);
                    self.least = self.kept[k - 1].score;
                }
            }
        }
    }

    /// The best first.
    pub fn sorted(mut self) -> Vec<Scored> {
        self.kept.sort_unstable_by(order);
        self.kept.truncate(self.k);
        self.kept
    }
}

/// The best `k` of some items.
pub(super) fn best_of(mut found: Vec<Scored>, k: usize) -> Vec<Scored> {
    if k == 0 {
        return Vec::new();
    }
    if found.len() > k {
        found.select_nth_unstable_by(k - 1, order);
        found.truncate(k);
    }
    found.sort_unstable_by(order);
    found
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
            let mut by_parts = Best::new(k);
            for (part, scores) in (0..).zip(scores.clone().chunks_mut(7)) {
                by_parts.offer(part * 7, scores, &excluded);
            }
            prop_assert_eq!(by_parts.sorted(), expected.clone());
            prop_assert_eq!(best(&mut scores, k, &excluded), expected);
        }
    }
}
