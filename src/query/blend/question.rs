//! Candidates of one question with what each source says of them.

use std::collections::HashMap;

use vitrine_schemas::Source;

use crate::cf::Scored;

/// Number of sources.
pub(super) const SOURCES: usize = Source::ALL.len();

/// What a source says of a candidate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Signal {
    /// Higher is better. Compared with the source's other scores only.
    pub score: f32,
    /// Place in the source's list, from 1; 0 where another source found the candidate.
    pub rank: u32,
}

/// What all sources say of a candidate.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Signals([Option<Signal>; SOURCES]);

impl Signals {
    /// What `source` says; None where it knows nothing.
    pub fn get(&self, source: Source) -> Option<Signal> {
        self.0[source as usize]
    }

    /// Sets what `source` says.
    pub fn set(&mut self, source: Source, signal: Signal) {
        self.0[source as usize] = Some(signal);
    }
}

/// Something that may be an answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate {
    /// Number of the item.
    pub item: u32,
    /// Events with the item: evidence for what behaviour says of it.
    pub events: f32,
    /// What the sources say.
    pub signals: Signals,
}

/// What is ranked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Question {
    /// Items of the history: evidence for what behaviour says of this shopper.
    pub evidence: f32,
    /// Each item once.
    pub candidates: Vec<Candidate>,
}

impl Question {
    /// The union of the sources' lists, each the best first. Scores that are not finite are passed over.
    pub fn of(evidence: f32, lists: &[(Source, Vec<Scored>)]) -> Self {
        let mut places = HashMap::new();
        let mut candidates: Vec<Candidate> = Vec::new();
        for (source, list) in lists {
            let finite = list.iter().filter(|s| s.score.is_finite());
            for (found, rank) in finite.zip(1..) {
                let place = *places.entry(found.item).or_insert_with(|| {
                    candidates.push(Candidate {
                        item: found.item,
                        events: 0.0,
                        signals: Signals::default(),
                    });
                    candidates.len() - 1
                });
                let signals = &mut candidates[place].signals;
                if signals.get(*source).is_none() {
                    let score = found.score;
                    signals.set(*source, Signal { score, rank });
                }
            }
        }
        Self {
            evidence,
            candidates,
        }
    }

    /// Lets `source` score what only others found, so that one list's length does not decide. `score` is None where the
    /// source knows nothing of an item.
    pub fn complete(&mut self, source: Source, score: impl Fn(u32) -> Option<f32>) {
        for candidate in &mut self.candidates {
            if candidate.signals.get(source).is_none()
                && let Some(score) = score(candidate.item)
                && score.is_finite()
            {
                candidate.signals.set(source, Signal { score, rank: 0 });
            }
        }
    }

    /// Lets `source` rank what is there. `score` is None where it knows nothing of an item.
    pub fn rank_by(&mut self, source: Source, score: impl Fn(u32) -> Option<f32>) {
        let all = self.candidates.iter().enumerate();
        let mut known: Vec<(usize, u32, f32)> = all
            .filter_map(|(place, c)| Some((place, c.item, score(c.item)?)))
            .filter(|(_, _, score)| score.is_finite())
            .collect();
        known.sort_by(|a, b| b.2.total_cmp(&a.2).then(a.1.cmp(&b.1)));
        for ((place, _, score), rank) in known.into_iter().zip(1..) {
            let signal = Signal { score, rank };
            self.candidates[place].signals.set(source, signal);
        }
    }

    /// Adds items that no other source found, the best first.
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

    /// Least and greatest score of a source. What behaviour does not know counts 0, so 0 is the least there; of
    /// distances there is no such bound, and the least of the candidates stands for it.
    pub(super) fn range(&self, source: Source) -> (f32, f32) {
        let floor = match source {
            Source::Query | Source::Content => f32::INFINITY,
            // Of words, none is the least.
            _ => 0.0,
        };
        let scores = self.candidates.iter().filter_map(|c| c.signals.get(source));
        scores.fold((floor, f32::NEG_INFINITY), |(low, high), s| {
            (low.min(s.score), high.max(s.score))
        })
    }
}
