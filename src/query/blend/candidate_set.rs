//! Candidates of one request with the signal of each source.

use std::collections::HashMap;

use vitrine_schemas::Source;

use crate::cf::Scored;

/// Number of sources.
pub(super) const SOURCE_COUNT: usize = Source::VARIANTS.len();

/// Score of a candidate by one source.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Signal {
    /// Raw score; higher is better. Comparable only with other scores of the same source.
    pub score: f32,
    /// Rank in the source's list, from 1; 0 if only another source found the candidate.
    pub rank: u32,
}

/// Signals of all sources for a candidate.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Signals([Option<Signal>; SOURCE_COUNT]);

impl Signals {
    /// Returns the signal of `source`; None if the source does not score the candidate.
    pub fn get(&self, source: Source) -> Option<Signal> {
        self.0[source as usize]
    }

    /// Sets the signal of `source`.
    pub fn set(&mut self, source: Source, signal: Signal) {
        self.0[source as usize] = Some(signal);
    }
}

/// An item to rank.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate {
    /// Internal id of the item.
    pub item: u32,
    /// Number of events with the item: the evidence for its behavior signals.
    pub events: f32,
    /// Signals of the sources.
    pub signals: Signals,
}

/// Candidates with the score that each source gives them.
#[derive(Clone, Debug, PartialEq)]
pub struct CandidateSet {
    /// Number of items in the history: the evidence for the behavior signals of this shopper.
    pub evidence: f32,
    /// Greatest share of the words of the query that an item has, 0 to 1; 1 without words.
    pub coverage: f32,
    /// Mean and standard deviation of the vector scores of all items; zeros if unknown.
    pub background: (f32, f32),
    /// Candidates, each item once.
    pub candidates: Vec<Candidate>,
    /// Minimum and maximum scores of sources that are not those of the candidates.
    ranges: Vec<(Source, (f32, f32))>,
}

impl Default for CandidateSet {
    fn default() -> Self {
        Self {
            evidence: 0.0,
            coverage: 1.0,
            background: (0.0, 0.0),
            candidates: Vec::new(),
            ranges: Vec::new(),
        }
    }
}

impl CandidateSet {
    /// Merges the sources' lists, each sorted best first. Scores that are not finite are skipped.
    pub fn of(evidence: f32, lists: &[(Source, Vec<Scored>)]) -> Self {
        let mut offsets = HashMap::new();
        let mut candidates: Vec<Candidate> = Vec::new();
        for (source, list) in lists {
            let finite = list.iter().filter(|s| s.score.is_finite());
            for (hit, rank) in finite.zip(1..) {
                let offset = *offsets.entry(hit.item).or_insert_with(|| {
                    candidates.push(Candidate {
                        item: hit.item,
                        events: 0.0,
                        signals: Signals::default(),
                    });
                    candidates.len() - 1
                });
                let signals = &mut candidates[offset].signals;
                if signals.get(*source).is_none() {
                    let score = hit.score;
                    signals.set(*source, Signal { score, rank });
                }
            }
        }
        Self {
            evidence,
            candidates,
            ..Self::default()
        }
    }

    /// Sets the minimum and maximum score of some sources, so that scaled scores do not depend on
    /// the other candidates.
    pub fn set_ranges(&mut self, ranges: &[(Source, (f32, f32))]) {
        self.ranges = ranges.to_vec();
    }

    /// Adds the scores of `source` for candidates that only other sources found, so that the length
    /// of a list does not decide. `score` returns None for an item that the source does not know.
    pub fn score_missing(&mut self, source: Source, score: impl Fn(u32) -> Option<f32>) {
        for candidate in &mut self.candidates {
            if candidate.signals.get(source).is_none()
                && let Some(score) = score(candidate.item)
                && score.is_finite()
            {
                candidate.signals.set(source, Signal { score, rank: 0 });
            }
        }
    }

    /// Scores and ranks the present candidates by `source`. `score` returns None for an item that
    /// the source does not know.
    pub fn rank_by(&mut self, source: Source, score: impl Fn(u32) -> Option<f32>) {
        let all = self.candidates.iter().enumerate();
        let mut scored: Vec<(usize, u32, f32)> = all
            .filter_map(|(offset, c)| Some((offset, c.item, score(c.item)?)))
            .filter(|(_, _, score)| score.is_finite())
            .collect();
        scored.sort_by(|a, b| b.2.total_cmp(&a.2).then(a.1.cmp(&b.1)));
        let scored = scored.into_iter();
        self.set_ranks(source, scored.map(|(offset, _, score)| (offset, score)));
    }

    /// Sets scores of a source, with their ranks: those of the candidates at some offsets, the best
    /// first.
    fn set_ranks(&mut self, source: Source, scored: impl Iterator<Item = (usize, f32)>) {
        for ((offset, score), rank) in scored.zip(1..) {
            let signal = Signal { score, rank };
            self.candidates[offset].signals.set(source, signal);
        }
    }

    /// Returns the set with the scores of each candidate by all sources multiplied by its factor,
    /// and the list of each source in the order of the products. Sources that are ordered by age
    /// stay.
    pub(super) fn multiplied(&self, factors: &[f32]) -> Self {
        let mut set = self.clone();
        let is_by_age = |source: &Source| matches!(source, Source::Newest | Source::Following);
        for source in Source::VARIANTS.into_iter().filter(|s| !is_by_age(s)) {
            let mut listed: Vec<(usize, f32)> = Vec::new();
            let candidates = set.candidates.iter_mut().enumerate();
            for ((offset, candidate), factor) in candidates.zip(factors) {
                if let Some(signal) = candidate.signals.get(source) {
                    let score = signal.score * factor;
                    candidate.signals.set(source, Signal { score, ..signal });
                    listed.extend((signal.rank > 0).then_some((offset, score)));
                }
            }
            // Stable, so that equal products keep their order.
            listed.sort_by(|a, b| b.1.total_cmp(&a.1));
            set.set_ranks(source, listed.into_iter());
        }
        set
    }

    /// Appends items that no other source found, best first, with the score 1 / rank.
    pub fn append(&mut self, source: Source, items: &[u32]) {
        for (item, rank) in items.iter().zip(1..) {
            let mut signals = Signals::default();
            let score = 1.0 / rank as f32;
            signals.set(source, Signal { score, rank });
            self.candidates.push(Candidate {
                item: *item,
                events: 0.0,
                signals,
            });
        }
    }

    /// Returns the minimum and maximum score of a source. Items unknown to a behavior source count
    /// 0, so its minimum is at most 0. Vector scores have no such bound, so the minimum of the
    /// candidates is used.
    pub fn score_range(&self, source: Source) -> (f32, f32) {
        if let Some((_, range)) = self.ranges.iter().find(|(of, _)| *of == source) {
            return *range;
        }
        let floor = match source {
            Source::Query | Source::Content => f32::INFINITY,
            // For full-text search, no match at all is the minimum.
            _ => 0.0,
        };
        let scores = self.candidates.iter().filter_map(|c| c.signals.get(source));
        scores.fold((floor, f32::NEG_INFINITY), |(low, high), s| {
            (low.min(s.score), high.max(s.score))
        })
    }
}
