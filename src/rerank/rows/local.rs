//! Candidates compared with each other: words and trigrams of the query weighted by how few
//! candidates have them, ranks, and the number of candidates that are better in everything.

use super::{Candidate, Feature, Row};
use crate::rerank::{QueryText, query_text::share};

pub(super) fn set(query: &QueryText, candidates: &[Candidate], rows: &mut [Row]) {
    let words: Vec<u32> = query.words.iter().map(|word| word.hash).collect();
    let has_word = |at: usize, word: u32| {
        let mut title = candidates[at].text.title.iter();
        title.any(|title| title.hash == word)
    };
    let word_shares = local_coverage(&words, candidates.len(), has_word);
    let has_trigram = |at: usize, trigram: u32| {
        let trigrams = &candidates[at].text.trigrams;
        trigrams.binary_search(&trigram).is_ok()
    };
    let trigram_shares = local_coverage(&query.trigrams, candidates.len(), has_trigram);
    let column = |feature| {
        rows.iter()
            .map(|row| row.get(feature))
            .collect::<Vec<f32>>()
    };
    let coverage = column(Feature::TitleCoverage);
    let dense = column(Feature::DenseScore);
    let (mean, deviation) = moments(&dense);
    for (at, row) in rows.iter_mut().enumerate() {
        row.set(Feature::TitleLocal, word_shares[at]);
        row.set(Feature::TitleLocalTrigrams, trigram_shares[at]);
        row.set(Feature::TitleCoverageRank, rank(&coverage, at));
        row.set(Feature::TitleLocalRank, rank(&word_shares, at));
        row.set(Feature::TitleTrigramRank, rank(&trigram_shares, at));
        row.set(Feature::DenseDeviation, share(dense[at] - mean, deviation));
        row.set(Feature::Dominating, dominating(&coverage, &dense, at));
        let by_trigrams = dominating(&trigram_shares, &dense, at);
        row.set(Feature::DominatingTrigrams, by_trigrams);
    }
}

/// Returns the rank of a value, from 1; equal values share the better rank.
fn rank(values: &[f32], at: usize) -> f32 {
    let better = values.iter().filter(|other| **other > values[at]);
    better.count() as f32 + 1.0
}

/// Returns the number of candidates that are better in one of two scores and not worse in the
/// other.
fn dominating(first: &[f32], second: &[f32], at: usize) -> f32 {
    let own = (first[at], second[at]);
    let others = first.iter().zip(second);
    let is_better = |(a, b): &(&f32, &f32)| **a >= own.0 && **b >= own.1 && (**a, **b) != own;
    others.filter(is_better).count() as f32
}

/// Returns the mean and the standard deviation.
fn moments(values: &[f32]) -> (f32, f32) {
    let count = values.len().max(1) as f32;
    let mean = values.iter().sum::<f32>() / count;
    let squares = values.iter().map(|value| (value - mean).powi(2));
    (mean, (squares.sum::<f32>() / count).sqrt())
}

/// Returns, for each candidate, the share of the query's distinct terms that it has, each weighted
/// by the logarithm of how few candidates have it.
fn local_coverage(terms: &[u32], candidates: usize, has: impl Fn(usize, u32) -> bool) -> Vec<f32> {
    let mut covered = vec![0.0; candidates];
    let mut total = 0.0;
    for term in terms {
        let owners: Vec<usize> = (0..candidates).filter(|at| has(*at, *term)).collect();
        let weight = ((candidates as f32 + 1.0) / (owners.len() as f32 + 0.5)).ln();
        total += weight;
        for at in owners {
            covered[at] += weight;
        }
    }
    covered.into_iter().map(|sum| share(sum, total)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn candidates_are_ranked_and_dominated_by_others() {
        let (first, second) = ([1.0, 1.0, 0.5, 0.2], [0.9, 0.3, 0.9, 0.4]);
        let ranks: Vec<f32> = (0..4).map(|at| rank(&first, at)).collect();
        assert_eq!(ranks, [1.0, 1.0, 3.0, 4.0]);
        let counts: Vec<f32> = (0..4).map(|at| dominating(&first, &second, at)).collect();
        assert_eq!(counts, [0.0, 1.0, 1.0, 2.0]);
        assert_eq!(moments(&[1.0, 3.0]), (2.0, 1.0));
    }

    #[test]
    fn a_term_that_all_candidates_have_counts_little() {
        // Term 1 is in all candidates, term 2 in the last only.
        let shares = local_coverage(&[1, 2], 4, |at, term| term == 1 || at == 3);
        assert!(shares[0] < 0.15 && shares[0] == shares[2], "{shares:?}");
        assert!((shares[3] - 1.0).abs() < 1e-6);
        assert_eq!(local_coverage(&[], 2, |_, _| true), [0.0, 0.0]);
    }
}
