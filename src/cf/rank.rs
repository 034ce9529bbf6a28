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
    for item in excluded {
        match scores.get_mut(item as usize) {
            Some(score) => *score = f32::NAN,
            None => break,
        }
    }
    if k == 0 {
        return Vec::new();
    }
    // Twice as many as wanted are gathered, then the worse half goes: linear in the scores. Items come by number,
    // so one that only equals the k-th best so far is behind it.
    let full = k.saturating_mul(2).min(scores.len());
    let mut kept = Vec::with_capacity(full);
    let mut least = f32::NEG_INFINITY;
    for (item, score) in (0_u32..).zip(scores.iter().copied()) {
        if score > least || (kept.len() < k && !score.is_nan()) {
            // -0 is 0: total_cmp would tell them apart.
            kept.push(Scored {
                item,
                score: score + 0.0,
            });
            if kept.len() >= full && kept.len() > k {
                kept.select_nth_unstable_by(k - 1, order);
                kept.truncate(k);
                least = kept[k - 1].score;
            }
        }
    }
    kept.sort_unstable_by(order);
    kept.truncate(k);
    kept
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
            prop_assert_eq!(best(&mut scores, k, &excluded), expected);
        }
    }
}
