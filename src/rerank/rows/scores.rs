//! Scores and ranks of the sources.

use super::{Candidate, Feature, Row, max};
use crate::rerank::query_text::share;

pub(super) fn set(candidates: &[Candidate], rows: &mut [Row]) {
    let lexical: Vec<_> = candidates.iter().map(|c| c.lexical).collect();
    let dense: Vec<_> = candidates.iter().map(|c| c.dense).collect();
    let best_lexical = max(lexical.iter().map(|score| score.unwrap_or(0.0)));
    let best_dense = dense.iter().flatten().copied().reduce(f32::max);
    let worst_dense = dense.iter().flatten().copied().reduce(f32::min);
    let best_blend = max(candidates.iter().map(|c| c.blend));
    let (lexical_ranks, dense_ranks) = (ranks(&lexical), ranks(&dense));
    for (at, (row, candidate)) in rows.iter_mut().zip(candidates).enumerate() {
        let score = candidate.lexical.unwrap_or(0.0);
        row.set(Feature::LexicalScore, score);
        row.set(Feature::LexicalShare, share(score, best_lexical));
        row.set(Feature::LexicalRank, lexical_ranks[at]);
        // Without a vector an item is as far as the farthest candidate.
        let score = candidate.dense.or(worst_dense).unwrap_or(0.0);
        row.set(Feature::DenseScore, score);
        row.set(Feature::DenseGap, best_dense.unwrap_or(0.0) - score);
        row.set(Feature::DenseRank, dense_ranks[at]);
        row.set(Feature::BlendScore, candidate.blend);
        row.set(Feature::BlendShare, share(candidate.blend, best_blend));
        row.set(Feature::BlendRank, at as f32 + 1.0);
    }
}

/// Returns the rank of each score among all, from 1; equal scores share the better rank, and
/// candidates without a score come last.
fn ranks(scores: &[Option<f32>]) -> Vec<f32> {
    let mut sorted: Vec<f32> = scores.iter().flatten().copied().collect();
    sorted.sort_unstable_by(|a, b| b.total_cmp(a));
    let rank = |score: &Option<f32>| match score {
        Some(score) => sorted.partition_point(|other| other > score) as f32 + 1.0,
        None => scores.len() as f32,
    };
    scores.iter().map(rank).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_share_a_rank_and_missing_scores_are_last() {
        let scores = [Some(1.0), None, Some(3.0), Some(1.0)];
        assert_eq!(ranks(&scores), [2.0, 4.0, 1.0, 2.0]);
    }
}
