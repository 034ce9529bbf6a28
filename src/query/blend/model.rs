//! What a blend consists of, and how it ranks.

use std::{cmp::Ordering, collections::BTreeMap};

use serde::{Deserialize, Serialize};
use vitrine_schemas::{BlendInfo, BlendMethod, BlendUse, Source};

use super::{
    Calibration,
    question::{Candidate, Question, SOURCES, Signal, Signals},
};
use crate::{Error, Result};

/// Version of what is stored.
const FORMAT: u32 = 1;

/// Items of a history, and events with an item, at which behaviour counts half of what it can, unless learned.
const USER_EVIDENCE: f32 = 1.0;
const ITEM_EVIDENCE: f32 = 16.0;

/// What vectors and words of a query count, scores taken relative to the best (Bruch, Gai and Ingber 2023). Found on a quarter of
/// Home Depot's judged terms with MiniLM, where .2 to .5 for vectors differ little; rank fusion is worse (`make bench-relevance`).
const HYBRID: [(Source, f32); 2] = [(Source::Query, 0.35), (Source::Lexical, 1.0)];

/// What sources count across categories, scores taken relative to the best. Found on half of the baskets of a grocery and of
/// Amazon's purchases in two categories (`make bench-cross`).
const ACROSS: [(Source, f32); 4] = [
    (Source::Query, 1.0),
    (Source::Behavior, 2.0),
    (Source::Popularity, 1.0),
    (Source::Transition, 0.75),
];

/// Events with an item at which its people count half of what they can, across categories; and events for each item of a shop
/// at which popularity and transitions do.
const ACROSS_EVIDENCE: f32 = 40.0;
const SHOP_EVIDENCE: f32 = 1.0;

/// What popularity counts in a search: fame must not outdo what was asked for.
const FAME: f32 = 0.1;

/// A source's share in a blend.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// What its value is multiplied by, 0 or more.
    pub weight: f32,
    /// From its signals to values.
    pub calibration: Calibration,
}

/// A ranking function: the score of a candidate is the sum over the sources of weight x evidence x calibrated signal.
///
/// Evidence is `n / (n + user_evidence)` times `m / (m + item_evidence)` for what rests on behaviour, `n` being the
/// items of the history and `m` the events with the candidate, and 1 for other sources: content leads where nobody has
/// done anything, behaviour where much was done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BlendModel {
    format: u32,
    /// How it came about.
    pub method: BlendMethod,
    /// Sources that take part.
    pub parts: BTreeMap<Source, Part>,
    /// Items of a history at which behaviour counts half of its weight.
    pub user_evidence: f32,
    /// Events with a candidate at which behaviour counts half of its weight.
    pub item_evidence: f32,
    /// What it was learned from and how good it was, where it was learned.
    pub info: Option<BlendInfo>,
}

/// A ranked candidate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ranked {
    /// The candidate.
    pub candidate: Candidate,
    /// Sum of the parts; higher is better.
    pub score: f32,
    parts: [f32; SOURCES],
}

impl Ranked {
    /// An item that no source found.
    pub(crate) fn unfound(item: u32) -> Self {
        Self {
            candidate: Candidate {
                item,
                events: 0.0,
                signals: Signals::default(),
            },
            score: 0.0,
            parts: [0.0; SOURCES],
        }
    }

    /// An item that one source alone found, with that source's score; `rank` is its place there, from 1.
    pub(crate) fn alone(source: Source, item: u32, score: f32, rank: u32) -> Self {
        let mut one = Self::unfound(item);
        one.candidate.signals.set(source, Signal { score, rank });
        one.score = score;
        one.parts[source as usize] = score;
        one
    }

    /// Multiplies the score, which is a part of its own then. A score below 0 rises by as much as one above 0 would.
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

    /// What each source adds to the score, where it adds anything; the greatest first.
    pub fn parts(&self) -> Vec<(Source, f32)> {
        let all = Source::ALL.into_iter().zip(self.parts);
        let mut parts: Vec<_> = all.filter(|(_, part)| *part != 0.0).collect();
        parts.sort_by(|a, b| b.1.total_cmp(&a.1));
        parts
    }
}

impl BlendModel {
    /// Weighted reciprocal rank fusion with the default weights: what is used until something is learned. Popularity leads
    /// while items have few events, and gives way to behaviour with more. Weight of popularity and evidence of items are
    /// from films and a grocery at 300 to 50,000 events (`make bench-prior`): there more of either gains little.
    pub fn rrf() -> Self {
        let weights = [
            (Source::Query, 1.0),
            (Source::Lexical, 1.0),
            (Source::Behavior, 1.0),
            (Source::Session, 1.0),
            (Source::Content, 0.5),
            (Source::Popularity, 1.0),
            (Source::Newest, 0.01),
        ];
        Self {
            user_evidence: USER_EVIDENCE,
            item_evidence: ITEM_EVIDENCE,
            ..Self::of(BlendMethod::Rrf, weights, |_| Calibration::RANK)
        }
    }

    /// Words and vectors of a query, without anything known of a shopper.
    pub fn hybrid() -> Self {
        Self::of(BlendMethod::Weighted, HYBRID, |_| Calibration::RELATIVE)
    }

    /// What goes with an item in other categories, in a shop with so many events for each item. The evidence of a question is
    /// the events with the item.
    pub fn cross(events: f32) -> Self {
        let weights = ACROSS.map(|(source, weight)| match source {
            Source::Popularity | Source::Transition => {
                (source, weight * share(events, SHOP_EVIDENCE))
            }
            _ => (source, weight),
        });
        Self {
            user_evidence: ACROSS_EVIDENCE,
            ..Self::of(BlendMethod::Weighted, weights, |_| Calibration::RELATIVE)
        }
    }

    /// The same blend for searches: with parts for the query, where a learned one has none.
    pub fn for_search(&self, both: bool) -> Self {
        let mut blend = self.clone();
        if blend.method == BlendMethod::Rrf {
            let fame = blend.parts.get_mut(&Source::Popularity);
            fame.into_iter().for_each(|part| part.weight = FAME);
            return blend;
        }
        for (source, weight) in HYBRID {
            // Alone, a part of the query counts as much as all that is learned.
            let weight = if both { weight } else { 1.0 };
            blend.parts.entry(source).or_insert(Part {
                weight,
                calibration: Calibration::RELATIVE,
            });
        }
        blend
    }

    /// Rank fusion with weights of the caller's; sources not named take no part. Evidence does not change them.
    pub fn rrf_with(weights: &BTreeMap<Source, f32>) -> Self {
        let weights = weights.iter().map(|(source, weight)| (*source, *weight));
        Self::of(BlendMethod::Rrf, weights, |_| Calibration::RANK)
    }

    /// A weighted sum with weights of the caller's, of scores calibrated as `self` has learned to, or else relative to
    /// the best. Sources not named take no part. Evidence does not change the weights.
    pub fn weighted(learned: Option<&Self>, weights: &BTreeMap<Source, f32>) -> Self {
        let weights = weights.iter().map(|(source, weight)| (*source, *weight));
        Self::of(BlendMethod::Weighted, weights, |source| {
            let part = learned.and_then(|l| l.parts.get(&source));
            part.map_or(Calibration::RELATIVE, |p| p.calibration)
        })
    }

    pub(super) fn of(
        method: BlendMethod,
        weights: impl IntoIterator<Item = (Source, f32)>,
        calibration: impl Fn(Source) -> Calibration,
    ) -> Self {
        let part = |(source, weight)| {
            let calibration = calibration(source);
            (
                source,
                Part {
                    weight,
                    calibration,
                },
            )
        };
        Self {
            format: FORMAT,
            method,
            parts: weights.into_iter().map(part).collect(),
            user_evidence: 0.0,
            item_evidence: 0.0,
            info: None,
        }
    }

    /// What a source counts for a history of so many items.
    pub fn weight(&self, source: Source, evidence: f32) -> f32 {
        let weight = self.parts.get(&source).map_or(0.0, |p| p.weight);
        if source.is_behavior() {
            weight * share(evidence, self.user_evidence)
        } else {
            weight
        }
    }

    /// All candidates, the best first, equal scores by number.
    pub fn rank(&self, question: &Question) -> Vec<Ranked> {
        let mut ranked = self.score(question);
        ranked.sort_unstable_by(order);
        ranked
    }

    /// All candidates in the order of the question.
    pub(super) fn score(&self, question: &Question) -> Vec<Ranked> {
        let used: Vec<_> = self
            .parts
            .iter()
            .map(|(source, part)| {
                let weight = self.weight(*source, question.evidence);
                (*source, weight, part.calibration, question.range(*source))
            })
            .filter(|(_, weight, ..)| *weight > 0.0)
            .collect();
        let one = |candidate: &Candidate| {
            let trust = share(candidate.events, self.item_evidence);
            let mut parts = [0.0; SOURCES];
            for (source, weight, calibration, range) in &used {
                let value = calibration.value(candidate.signals.get(*source), *range);
                let trust = if source.is_behavior() { trust } else { 1.0 };
                parts[*source as usize] = weight * trust * value;
            }
            Ranked {
                candidate: *candidate,
                score: parts.iter().sum(),
                parts,
            }
        };
        question.candidates.iter().map(one).collect()
    }

    /// For an answer.
    pub fn used(&self) -> BlendUse {
        BlendUse {
            method: self.method,
            version: self.info.as_ref().map(|info| info.version.clone()),
        }
    }

    /// For the store.
    pub(crate) fn encode(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self).map_err(|e| Error::Storage(e.to_string()))
    }

    /// From the store.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self> {
        let corrupt = |detail: String| Error::Corrupt {
            column: "models",
            detail,
        };
        let model: Self = serde_json::from_slice(bytes).map_err(|e| corrupt(e.to_string()))?;
        if model.format != FORMAT {
            return Err(corrupt(format!(
                "unknown format {} of a blend",
                model.format
            )));
        }
        let numbers = model.parts.values().map(|p| p.weight);
        let mut numbers = numbers.chain([model.user_evidence, model.item_evidence]);
        if !numbers.all(|x| x >= 0.0 && x.is_finite()) {
            return Err(corrupt("a weight of a blend is no weight".to_owned()));
        }
        Ok(model)
    }
}

/// What `n` of evidence counts where `half` counts one half.
pub(super) fn share(n: f32, half: f32) -> f32 {
    if half > 0.0 { n / (n + half) } else { 1.0 }
}

fn order(a: &Ranked, b: &Ranked) -> Ordering {
    let by_score = b.score.total_cmp(&a.score);
    by_score.then(a.candidate.item.cmp(&b.candidate.item))
}
