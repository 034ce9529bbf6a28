//! Result diversification: selects ranked candidates that make a good page together.
//!
//! Maximal marginal relevance (Carbonell and Goldstein 1998) over the candidates' vectors, and
//! quotas for candidates that share a value. The caller handles groups and loads records and
//! vectors.

use std::{cmp::Ordering, collections::BinaryHeap};

use vitrine_schemas::DiversifySpec;

use crate::{Error, Result, deadline::Ticker};

/// Maximum quota: number of hits that may share a value.
const MAX_QUOTA: usize = 1000;

/// Maximum number of fields with a quota.
const MAX_QUOTA_FIELDS: usize = 8;

/// Checks a specification, but for its space. `check_labels` gets the pointer and the name of each
/// field that must hold keywords.
///
/// # Errors
/// [`Error::Invalid`] with a pointer below `at`.
pub(crate) fn check(
    at: &str,
    spec: &DiversifySpec,
    check_labels: impl Fn(&str, &str) -> Result<()>,
) -> Result<()> {
    let ranges = [
        ("mmr", spec.mmr, 0.0..=1.0),
        ("max_similarity", spec.max_similarity, -1.0..=1.0),
    ];
    for (name, value, range) in ranges {
        if let Some(value) = value.filter(|value| !range.contains(value)) {
            let (low, high) = (range.start(), range.end());
            let detail = format!("expected {low} to {high}, got {value}");
            return Err(Error::invalid(format!("{at}/{name}"), detail));
        }
    }
    let fields = spec.max_per.len();
    if fields > MAX_QUOTA_FIELDS {
        let detail = format!("has {fields} fields; the limit is {MAX_QUOTA_FIELDS}");
        return Err(Error::invalid(format!("{at}/max_per"), detail));
    }
    for (field, quota) in &spec.max_per {
        let at = format!("{at}/max_per/{field}");
        check_labels(&at, field)?;
        if !(1..=MAX_QUOTA).contains(quota) {
            return Err(Error::invalid(at, format!("must be 1 to {MAX_QUOTA}")));
        }
    }
    match &spec.group_by {
        Some(field) => check_labels(&format!("{at}/group_by"), field),
        None => Ok(()),
    }
}

/// A ranked candidate with the values that diversification needs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Choice {
    /// Higher is better.
    pub score: f32,
    /// Vector that similarity is measured by; a candidate without one is similar to none.
    pub vector: Option<Vec<f32>>,
    /// Values of the candidate for each quota.
    pub values: Vec<Vec<String>>,
}

/// Diversity constraints of a page.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Constraints {
    /// Weight of the score against dissimilarity to the hits chosen before, 0 to 1; with 1 and None
    /// the score alone decides.
    pub mmr: Option<f32>,
    /// Maximum number of hits that share a value, for each quota.
    pub quotas: Vec<usize>,
    /// Greatest similarity to a hit chosen before or to one of `shown`: candidates that are more
    /// similar are left out.
    pub max_similarity: Option<f32>,
    /// Vectors of hits that are shown besides.
    pub shown: Vec<Vec<f32>>,
}

/// The selected candidates.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Selection {
    /// Offsets of the candidates, in the order they were chosen.
    pub chosen: Vec<usize>,
    /// Number of hits that exceed a quota, because there were too few others.
    pub relaxed: usize,
    /// Number of candidates that were left out because they are too similar to a better hit.
    pub near_duplicates: usize,
}

/// Selects min(limit, candidates) of `candidates`, which are sorted best first. `similarity` of two
/// vectors is from -1 to 1. Quotas are exceeded only where no other candidate is left.
///
/// A candidate can only lose by further hits, so it is compared with them when it is the best of
/// those left, not before (lazy greedy selection, Minoux 1978): the result is the same.
///
/// # Errors
/// [`Error::DeadlineExceeded`].
pub fn choose(
    candidates: &[Choice],
    constraints: &Constraints,
    limit: usize,
    similarity: impl Fn(&[f32], &[f32]) -> f32,
) -> Result<Selection> {
    let lambda = constraints.mmr.unwrap_or(1.0);
    let relevance = scaled_scores(candidates);
    let entries = relevance.iter().enumerate().map(|(at, relevance)| Entry {
        bound: lambda * relevance,
        at,
        max_similarity: f32::NEG_INFINITY,
        compared: 0,
    });
    let mut left: BinaryHeap<Entry> = entries.collect();
    // Those that share a value with enough hits, and always will.
    let mut over_quota = BinaryHeap::new();
    let mut counts = Counts::new(constraints);
    let max_similarity = constraints.max_similarity.unwrap_or(f32::INFINITY);
    let compares = lambda < 1.0 || constraints.max_similarity.is_some();
    let (mut selection, ticker) = (Selection::default(), Ticker::default());
    while selection.chosen.len() < limit {
        ticker.tick()?;
        let is_relaxed = left.is_empty();
        let heap = if is_relaxed {
            &mut over_quota
        } else {
            &mut left
        };
        let Some(mut entry) = heap.pop() else {
            break;
        };
        let candidate = &candidates[entry.at];
        if !is_relaxed && !counts.fit(candidate) {
            over_quota.push(entry);
            continue;
        }
        let rival = heap.peek();
        let hits = &selection.chosen[entry.compared..];
        for hit in hits.iter().take_while(|_| compares) {
            if rival.is_some_and(|rival| *rival > entry) {
                break;
            }
            ticker.tick()?;
            entry.compared += 1;
            if let (Some(a), Some(b)) = (&candidates[*hit].vector, &candidate.vector) {
                entry.max_similarity = entry.max_similarity.max(similarity(a, b));
                let loss = (1.0 - lambda) * entry.max_similarity.max(0.0);
                entry.bound = lambda * relevance[entry.at] - loss;
            }
        }
        if rival.is_some_and(|rival| *rival > entry) {
            heap.push(entry);
            continue;
        }
        let is_shown = |vector: &Vec<f32>| {
            let mut shown = constraints.shown.iter();
            shown.any(|shown| similarity(shown, vector) > max_similarity)
        };
        let is_duplicate = entry.max_similarity > max_similarity;
        if is_duplicate || candidate.vector.as_ref().is_some_and(is_shown) {
            selection.near_duplicates += 1;
            continue;
        }
        counts.add(candidate);
        selection.chosen.push(entry.at);
        selection.relaxed += usize::from(is_relaxed);
    }
    Ok(selection)
}

/// A candidate that is left.
#[derive(PartialEq)]
struct Entry {
    /// Its marginal relevance, or more: that by the hits it was compared with.
    bound: f32,
    /// Offset of the candidate.
    at: usize,
    /// Greatest similarity to these hits.
    max_similarity: f32,
    /// Number of these hits, which are the first ones.
    compared: usize,
}

impl Eq for Entry {}

impl Ord for Entry {
    /// The first of equals is greater: it is the better one in the ranking.
    fn cmp(&self, other: &Self) -> Ordering {
        let by_bound = self.bound.total_cmp(&other.bound);
        by_bound.then_with(|| other.at.cmp(&self.at))
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Returns the scores scaled to 0 to 1.
fn scaled_scores(candidates: &[Choice]) -> Vec<f32> {
    let scores = || candidates.iter().map(|c| c.score);
    let low = scores().fold(f32::INFINITY, f32::min);
    let span = scores().fold(f32::NEG_INFINITY, f32::max) - low;
    let scaled = |score: f32| {
        if span > 0.0 {
            (score - low) / span
        } else {
            1.0
        }
    };
    scores().map(scaled).collect()
}

/// Number of chosen candidates per value, for each quota.
struct Counts<'a> {
    quotas: &'a [usize],
    chosen: Vec<std::collections::HashMap<String, usize>>,
}

impl<'a> Counts<'a> {
    fn new(constraints: &'a Constraints) -> Self {
        Self {
            quotas: &constraints.quotas,
            chosen: vec![Default::default(); constraints.quotas.len()],
        }
    }

    fn fit(&self, candidate: &Choice) -> bool {
        let quotas = self.quotas.iter().zip(&self.chosen).zip(&candidate.values);
        quotas.into_iter().all(|((quota, chosen), values)| {
            let full = |value: &String| chosen.get(value).is_some_and(|n| n >= quota);
            !values.iter().any(full)
        })
    }

    fn add(&mut self, candidate: &Choice) {
        for (chosen, values) in self.chosen.iter_mut().zip(&candidate.values) {
            for value in values {
                *chosen.entry(value.clone()).or_insert(0) += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn dot(a: &[f32], b: &[f32]) -> f32 {
        a.iter().zip(b).map(|(a, b)| a * b).sum()
    }

    fn choice(score: f32, angle: f32, value: &str) -> Choice {
        Choice {
            score,
            vector: Some(vec![angle.cos(), angle.sin()]),
            values: vec![vec![value.to_owned()]],
        }
    }

    #[test]
    fn marginal_relevance_by_hand() {
        // Two nearly equal vectors at the top, a dissimilar one below.
        let candidates = [
            choice(1.0, 0.0, "a"),
            choice(0.9, 0.05, "a"),
            choice(0.5, 1.5, "b"),
            choice(0.0, 0.1, "a"),
        ];
        let selection = |mmr| {
            let constraints = Constraints {
                mmr,
                quotas: Vec::new(),
                ..Constraints::default()
            };
            choose(&candidates, &constraints, 3, dot)
                .expect("in time")
                .chosen
        };
        assert_eq!(selection(None), [0, 1, 2]);
        assert_eq!(selection(Some(1.0)), [0, 1, 2]);
        // 0.5 * 0.9 - 0.5 * cos 0.05 < 0 < 0.5 * 0.5 - 0.5 * cos 1.5
        assert_eq!(selection(Some(0.5)), [0, 2, 1]);
    }

    #[test]
    fn quotas_give_way_only_where_nothing_else_is_left() {
        let candidates = [
            choice(4.0, 0.0, "a"),
            choice(3.0, 0.0, "a"),
            choice(2.0, 0.0, "a"),
            choice(1.0, 0.0, "b"),
        ];
        let constraints = Constraints {
            mmr: None,
            quotas: vec![1],
            ..Constraints::default()
        };
        let choose = |limit| choose(&candidates, &constraints, limit, dot).expect("in time");
        let selection = choose(2);
        assert_eq!((selection.chosen, selection.relaxed), (vec![0, 3], 0));
        let selection = choose(3);
        assert_eq!((selection.chosen, selection.relaxed), (vec![0, 3, 1], 1));
        assert_eq!(choose(9).chosen.len(), 4);
        assert_eq!(
            super::choose(&[], &constraints, 9, dot).expect("in time"),
            Selection::default()
        );
    }

    #[test]
    fn near_duplicates_are_left_out() {
        let candidates = [
            choice(4.0, 0.0, "a"),
            choice(3.0, 0.1, "b"),
            choice(2.0, 1.0, "c"),
            choice(1.0, 2.0, "d"),
            Choice {
                vector: None,
                ..choice(0.5, 0.0, "e")
            },
        ];
        let shown = vec![vec![2.0_f32.cos(), 2.0_f32.sin()]];
        let constraints = Constraints {
            max_similarity: Some(0.9),
            shown,
            ..Constraints::default()
        };
        for mmr in [None, Some(0.5)] {
            let constraints = Constraints {
                mmr,
                ..constraints.clone()
            };
            let mut selection = choose(&candidates, &constraints, 9, dot).expect("in time");
            selection.chosen.sort_unstable();
            // The second is a copy of the first, the fourth one of a shown hit.
            assert_eq!(selection.chosen, [0, 2, 4], "{mmr:?}");
            assert_eq!(selection.near_duplicates, 2);
        }
    }

    /// Selects as the definition says, comparing all that are left after each hit.
    fn by_definition(candidates: &[Choice], lambda: f32, quota: usize, limit: usize) -> Vec<usize> {
        let relevance = scaled_scores(candidates);
        let (mut chosen, mut left): (Vec<usize>, Vec<usize>) =
            (Vec::new(), (0..candidates.len()).collect());
        while chosen.len() < limit && !left.is_empty() {
            let fits = |at: &usize| {
                let own = &candidates[*at].values;
                let same = chosen.iter().filter(|hit| candidates[**hit].values == *own);
                same.count() < quota
            };
            let mut allowed: Vec<usize> = left.iter().copied().filter(fits).collect();
            if allowed.is_empty() {
                allowed.clone_from(&left);
            }
            let marginal_relevance = |at: usize| {
                let vector = |at: usize| candidates[at].vector.as_deref().unwrap_or_default();
                let similarities = chosen.iter().map(|hit| dot(vector(*hit), vector(at)));
                lambda * relevance[at] - (1.0 - lambda) * similarities.fold(0.0, f32::max)
            };
            let best = allowed.into_iter().reduce(|a, b| {
                if marginal_relevance(b) > marginal_relevance(a) {
                    b
                } else {
                    a
                }
            });
            let Some(best) = best else { break };
            left.retain(|at| *at != best);
            chosen.push(best);
        }
        chosen
    }

    proptest! {
        #[test]
        fn the_selection_is_that_of_the_definition(
            rows in prop::collection::vec((0_u8..8, 0_u8..8, 0_u8..4), 0..40),
            limit in 0_usize..50, quota in 1_usize..4, mmr in 0.0_f32..=1.0
        ) {
            // Few different scores and angles, so that there are ties.
            let candidate = |(score, angle, value): &(u8, u8, u8)| {
                choice(f32::from(*score), f32::from(*angle), &value.to_string())
            };
            let candidates: Vec<_> = rows.iter().map(candidate).collect();
            let constraints = Constraints { mmr: Some(mmr), quotas: vec![quota], ..Constraints::default() };
            let selection = choose(&candidates, &constraints, limit, dot).expect("in time");
            prop_assert_eq!(selection.chosen, by_definition(&candidates, mmr, quota, limit));
        }

        #[test]
        fn a_page_is_as_long_as_it_can_be_and_keeps_its_quotas(
            rows in prop::collection::vec((0.0_f32..5.0, 0.0_f32..6.0, 0_u8..4), 0..40),
            limit in 0_usize..50, quota in 1_usize..4, mmr in prop::option::of(0.0_f32..1.0)
        ) {
            let candidates: Vec<_> = rows.iter().map(|(s, a, v)| choice(*s, *a, &v.to_string())).collect();
            let constraints = Constraints { mmr, quotas: vec![quota], ..Constraints::default() };
            let selection = choose(&candidates, &constraints, limit, dot).expect("in time");
            prop_assert_eq!(selection.chosen.len(), limit.min(candidates.len()));
            let mut distinct = selection.chosen.clone();
            distinct.sort_unstable();
            distinct.dedup();
            prop_assert_eq!(distinct.len(), selection.chosen.len());
            let over: usize = (0_u8..4)
                .map(|v| selection.chosen.iter().filter(|at| rows[**at].2 == v).count().saturating_sub(quota))
                .sum();
            prop_assert_eq!(over, selection.relaxed);
        }
    }
}
