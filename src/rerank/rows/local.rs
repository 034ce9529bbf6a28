//! Candidates compared with each other: words and trigrams of the query weighted by how few
//! candidates have them, and the number of candidates that are better in everything.

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
    let scores: Vec<[f32; 2]> = rows
        .iter()
        .map(|row| {
            [
                row.get(Feature::TitleCoverage),
                row.get(Feature::DenseScore),
            ]
        })
        .collect();
    for (at, row) in rows.iter_mut().enumerate() {
        row.set(Feature::TitleLocal, word_shares[at]);
        row.set(Feature::TitleLocalTrigrams, trigram_shares[at]);
        let own = scores[at];
        let is_better =
            |other: &&[f32; 2]| other[0] >= own[0] && other[1] >= own[1] && **other != own;
        let better = scores.iter().filter(is_better).count();
        row.set(Feature::Dominating, better as f32);
    }
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
    fn a_term_that_all_candidates_have_counts_little() {
        // Term 1 is in all candidates, term 2 in the last only.
        let shares = local_coverage(&[1, 2], 4, |at, term| term == 1 || at == 3);
        assert!(shares[0] < 0.15 && shares[0] == shares[2], "{shares:?}");
        assert!((shares[3] - 1.0).abs() < 1e-6);
        assert_eq!(local_coverage(&[], 2, |_, _| true), [0.0, 0.0]);
    }
}
