//! Which of the ranked candidates make a good page together.
//!
//! Maximal marginal relevance (Carbonell and Goldstein 1998) over the candidates' vectors, and quotas of candidates that
//! share a value. Groups, records and vectors are the callers' business.

/// A ranked candidate as diversity sees it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Choice {
    /// Higher is better.
    pub score: f32,
    /// What likeness is measured by; none is like nothing.
    pub vector: Option<Vec<f32>>,
    /// For each quota the values it counts by.
    pub values: Vec<Vec<String>>,
}

/// What a page has to be like.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rules {
    /// Weight of the score against unlikeness to what was chosen before, 0 to 1; 1 and none: the score alone.
    pub mmr: Option<f32>,
    /// For each quota how many may share a value.
    pub quotas: Vec<usize>,
}

/// What was chosen.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    /// Places of the candidates, in the order they were chosen.
    pub chosen: Vec<usize>,
    /// How many of them are over a quota, because there were too few others.
    pub relaxed: usize,
}

/// Chooses min(limit, candidates) of `candidates`, the best first; `likeness` of two vectors is from -1 to 1. Quotas give
/// way only where nothing else is left.
pub fn choose(
    candidates: &[Choice],
    rules: &Rules,
    limit: usize,
    likeness: impl Fn(&[f32], &[f32]) -> f32,
) -> Page {
    let mut left: Vec<usize> = (0..candidates.len()).collect();
    let mut nearest = vec![0.0_f32; candidates.len()];
    let lambda = rules.mmr.unwrap_or(1.0);
    let relevance = relative(candidates);
    let mut counts = Counts::new(rules);
    let mut page = Page::default();
    while page.chosen.len() < limit && !left.is_empty() {
        let worth = |at: usize| lambda * relevance[at] - (1.0 - lambda) * nearest[at];
        let best = |free: bool| {
            let fits = left
                .iter()
                .enumerate()
                .filter(|(_, at)| !free || counts.fit(&candidates[**at]));
            // The first of equals: the better one of the ranking.
            fits.reduce(|a, b| if worth(*b.1) > worth(*a.1) { b } else { a })
                .map(|(place, _)| place)
        };
        let place = match best(true) {
            Some(place) => place,
            None => {
                page.relaxed += 1;
                match best(false) {
                    Some(place) => place,
                    None => break,
                }
            }
        };
        let at = left.remove(place);
        counts.add(&candidates[at]);
        page.chosen.push(at);
        if lambda < 1.0
            && let Some(chosen) = &candidates[at].vector
        {
            for other in &left {
                if let Some(vector) = &candidates[*other].vector {
                    nearest[*other] = nearest[*other].max(likeness(chosen, vector));
                }
            }
        }
    }
    page
}

/// Scores between the least and the greatest, 0 to 1.
fn relative(candidates: &[Choice]) -> Vec<f32> {
    let scores = || candidates.iter().map(|c| c.score);
    let low = scores().fold(f32::INFINITY, f32::min);
    let span = scores().fold(f32::NEG_INFINITY, f32::max) - low;
    let one = |score: f32| {
        if span > 0.0 {
            (score - low) / span
        } else {
            1.0
        }
    };
    scores().map(one).collect()
}

/// How many were chosen with each value.
struct Counts<'a> {
    quotas: &'a [usize],
    chosen: Vec<std::collections::HashMap<String, usize>>,
}

impl<'a> Counts<'a> {
    fn new(rules: &'a Rules) -> Self {
        Self {
            quotas: &rules.quotas,
            chosen: vec![Default::default(); rules.quotas.len()],
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
        // Two near twins at the top, one that is unlike them below.
        let candidates = [
            choice(1.0, 0.0, "a"),
            choice(0.9, 0.05, "a"),
            choice(0.5, 1.5, "b"),
            choice(0.0, 0.1, "a"),
        ];
        let page = |mmr| {
            let rules = Rules {
                mmr,
                quotas: Vec::new(),
            };
            choose(&candidates, &rules, 3, dot).chosen
        };
        assert_eq!(page(None), [0, 1, 2]);
        assert_eq!(page(Some(1.0)), [0, 1, 2]);
        // 0.5 * 0.9 - 0.5 * cos 0.05 < 0 < 0.5 * 0.5 - 0.5 * cos 1.5
        assert_eq!(page(Some(0.5)), [0, 2, 1]);
    }

    #[test]
    fn quotas_give_way_only_where_nothing_else_is_left() {
        let candidates = [
            choice(4.0, 0.0, "a"),
            choice(3.0, 0.0, "a"),
            choice(2.0, 0.0, "a"),
            choice(1.0, 0.0, "b"),
        ];
        let rules = Rules {
            mmr: None,
            quotas: vec![1],
        };
        let page = choose(&candidates, &rules, 2, dot);
        assert_eq!((page.chosen, page.relaxed), (vec![0, 3], 0));
        let page = choose(&candidates, &rules, 3, dot);
        assert_eq!((page.chosen, page.relaxed), (vec![0, 3, 1], 1));
        assert_eq!(choose(&candidates, &rules, 9, dot).chosen.len(), 4);
        assert_eq!(choose(&[], &rules, 9, dot), Page::default());
    }

    proptest! {
        #[test]
        fn a_page_is_as_long_as_it_can_be_and_keeps_its_quotas(
            rows in prop::collection::vec((0.0_f32..5.0, 0.0_f32..6.0, 0_u8..4), 0..40),
            limit in 0_usize..50, quota in 1_usize..4, mmr in prop::option::of(0.0_f32..1.0)
        ) {
            let candidates: Vec<_> = rows.iter().map(|(s, a, v)| choice(*s, *a, &v.to_string())).collect();
            let rules = Rules { mmr, quotas: vec![quota] };
            let page = choose(&candidates, &rules, limit, dot);
            prop_assert_eq!(page.chosen.len(), limit.min(candidates.len()));
            let mut distinct = page.chosen.clone();
            distinct.sort_unstable();
            distinct.dedup();
            prop_assert_eq!(distinct.len(), page.chosen.len());
            let over: usize = (0_u8..4)
                .map(|v| page.chosen.iter().filter(|at| rows[**at].2 == v).count().saturating_sub(quota))
                .sum();
            prop_assert_eq!(over, page.relaxed);
        }
    }
}
