//! Agreement of each candidate with the first ones (pseudo-relevance feedback): most of these are
//! relevant, so what they have in common is likely to be what is searched.

use std::{collections::HashMap, hash::Hash};

use super::{Candidate, Feature, Row};
use crate::rerank::query_text::share;

/// Number of first candidates.
const FIRST: usize = 10;

pub(super) fn set(candidates: &[Candidate], rows: &mut [Row]) {
    let first = &candidates[..FIRST.min(candidates.len())];
    let first_words = Counts::of(first, distinct_words);
    let all_words = Counts::of(candidates, distinct_words);
    let heads = Counts::of(first, |c| c.text.head.into_iter().collect());
    let categories = Counts::of(first, |c| c.text.category_key.into_iter().collect());
    let brands = Counts::of(first, |c| c.text.brand_key.into_iter().collect());
    let dense = dense_agreement(candidates);
    let best_dense = dense.iter().flatten().copied().reduce(f32::max);
    for (at, (row, candidate)) in rows.iter_mut().zip(candidates).enumerate() {
        let is_first = at < FIRST;
        let words = distinct_words(candidate);
        let mean = |counts: &Counts<u32>, is_own: bool| {
            let shares = words.iter().map(|word| counts.share(*word, is_own));
            share(shares.sum(), words.len() as f32)
        };
        let agreement = mean(&first_words, is_first);
        row.set(Feature::AgreementWords, agreement);
        let lift = agreement - mean(&all_words, true);
        row.set(Feature::AgreementLift, lift);
        let rarity = |word: &u32| -all_words.share(*word, false).max(1e-3).ln();
        let feedback = words
            .iter()
            .map(|word| rarity(word) * first_words.share(*word, is_first));
        let feedback = share(feedback.sum(), (words.len() as f32).sqrt());
        row.set(Feature::AgreementFeedback, feedback);
        let text = &candidate.text;
        let among = |counts: &Counts<u32>, key: Option<u32>| {
            key.map_or(-1.0, |key| counts.share(key, is_first))
        };
        row.set(Feature::AgreementHead, among(&heads, text.head));
        row.set(
            Feature::AgreementCategory,
            among(&categories, text.category_key),
        );
        row.set(Feature::AgreementBrand, among(&brands, text.brand_key));
        let similarity = dense[at].unwrap_or(0.0);
        row.set(Feature::AgreementDense, similarity);
        row.set(
            Feature::AgreementDenseGap,
            best_dense.unwrap_or(0.0) - similarity,
        );
    }
}

fn distinct_words(candidate: &Candidate) -> Vec<u32> {
    let mut words: Vec<u32> = candidate.text.title.iter().map(|word| word.hash).collect();
    words.sort_unstable();
    words.dedup();
    words
}

/// Number of candidates with each value.
struct Counts<T> {
    counts: HashMap<T, u32>,
    candidates: usize,
}

impl<T: Eq + Hash + Copy> Counts<T> {
    fn of(candidates: &[Candidate], values: impl Fn(&Candidate) -> Vec<T>) -> Self {
        let mut counts = HashMap::new();
        for value in candidates.iter().flat_map(values) {
            *counts.entry(value).or_default() += 1;
        }
        Self {
            counts,
            candidates: candidates.len(),
        }
    }

    /// Returns the share of the candidates with a value, without the candidate itself if it is one
    /// of them.
    fn share(&self, value: T, is_own: bool) -> f32 {
        let own = usize::from(is_own);
        let count = self.counts.get(&value).copied().unwrap_or(0) as usize;
        share(
            count.saturating_sub(own) as f32,
            self.candidates.saturating_sub(own) as f32,
        )
    }
}

/// Returns the cosine of each candidate's vector with the sum of the unit vectors of the first ones
/// but itself; None without vectors.
fn dense_agreement(candidates: &[Candidate]) -> Vec<Option<f32>> {
    let unit = |candidate: &Candidate| {
        let vector = candidate.vector.as_ref()?;
        let norm = dot(vector, vector).sqrt();
        (norm > 0.0).then(|| vector.iter().map(|x| x / norm).collect::<Vec<f32>>())
    };
    let units: Vec<_> = candidates.iter().map(unit).collect();
    let mut sum: Vec<f32> = Vec::new();
    for vector in units.iter().take(FIRST).flatten() {
        sum.resize(vector.len(), 0.0);
        sum.iter_mut().zip(vector).for_each(|(sum, x)| *sum += x);
    }
    let length = dot(&sum, &sum);
    let cosine = |(at, unit): (usize, &Option<Vec<f32>>)| {
        let with_all = dot(unit.as_ref()?, &sum);
        // Without itself: the products of a unit vector with itself are 1.
        let (product, length) = match at < FIRST {
            true => (with_all - 1.0, length - 2.0 * with_all + 1.0),
            false => (with_all, length),
        };
        Some(share(product, length.max(0.0).sqrt()))
    };
    units.iter().enumerate().map(cosine).collect()
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::rerank::ItemText;

    fn candidate(vector: [f32; 2]) -> Candidate {
        Candidate {
            text: Arc::new(ItemText::default()),
            lexical: None,
            dense: None,
            blend: 0.0,
            vector: Some(vector.to_vec()),
            facts: Default::default(),
        }
    }

    #[test]
    fn a_candidate_does_not_agree_with_itself() {
        let mut all: Vec<_> = (0..FIRST).map(|_| candidate([2.0, 0.0])).collect();
        all[0] = candidate([0.0, 3.0]);
        all.push(candidate([0.0, 1.0]));
        let agreement = dense_agreement(&all);
        assert!(agreement[0].is_some_and(|cosine| cosine.abs() < 1e-5));
        assert!(agreement[1].is_some_and(|cosine| cosine > 0.99));
        // Beyond the first ones, also the one of its own direction counts.
        assert!(agreement[FIRST].is_some_and(|cosine| cosine > 0.1));
    }
}
