//! Ranked candidates: their scores with the contributions of the sources.

use std::cmp::Ordering;

use vitrine_schemas::Source;

use super::candidate_set::{Candidate, SOURCE_COUNT, Signal, Signals};

/// A ranked candidate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ranked {
    /// The candidate.
    pub candidate: Candidate,
    /// Sum of the contributions; higher is better.
    pub score: f32,
    pub(super) parts: [f32; SOURCE_COUNT],
}

impl Ranked {
    /// Returns an item that no source found, with score 0.
    pub(crate) fn unscored(item: u32) -> Self {
        Self {
            candidate: Candidate {
                item,
                events: 0.0,
                signals: Signals::default(),
            },
            score: 0.0,
            parts: [0.0; SOURCE_COUNT],
        }
    }

    /// Returns an item with the score and the rank (from 1) of a single source.
    pub(crate) fn from_source(source: Source, item: u32, score: f32, rank: u32) -> Self {
        let mut ranked = Self::unscored(item);
        ranked.candidate.signals.set(source, Signal { score, rank });
        ranked.score = score;
        ranked.parts[source as usize] = score;
        ranked
    }

    /// Multiplies the score; the difference becomes the contribution of the rules. A negative score
    /// rises by as much as a positive one would.
    pub(crate) fn multiply(&mut self, factor: f32) {
        if factor == 1.0 {
            return;
        }
        let part = (factor - 1.0) * self.score.abs();
        let signal = Signal {
            score: factor,
            rank: 0,
        };
        self.candidate.signals.set(Source::Rules, signal);
        self.parts[Source::Rules as usize] = part;
        self.score += part;
    }

    /// Gives the candidate another score; the difference becomes the contribution of `source`.
    /// `signal` is the source's own score and rank.
    pub(crate) fn rescore(&mut self, source: Source, score: f32, signal: Signal) {
        self.candidate.signals.set(source, signal);
        self.parts[source as usize] = score - self.score;
        self.score = score;
    }

    /// Returns the nonzero contributions of the sources to the score, the greatest first.
    pub fn contributions(&self) -> Vec<(Source, f32)> {
        let all = Source::VARIANTS.into_iter().zip(self.parts);
        let mut parts: Vec<_> = all.filter(|(_, part)| *part != 0.0).collect();
        parts.sort_by(|a, b| b.1.total_cmp(&a.1));
        parts
    }
}

/// Orders candidates by score, the best first, equal scores by internal id.
pub(super) fn order(a: &Ranked, b: &Ranked) -> Ordering {
    let by_score = b.score.total_cmp(&a.score);
    by_score.then(a.candidate.item.cmp(&b.candidate.item))
}
