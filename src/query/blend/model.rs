//! The blend model: weights and calibrations of the sources, and ranking by their weighted sum.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, btree_map::Entry},
};

use serde::{Deserialize, Serialize};
use vitrine_schemas::{BlendInfo, BlendMethod, BlendUse, Source};

use super::{
    Calibration, Scale,
    candidate_set::{Candidate, CandidateSet, SOURCE_COUNT, Signal, Signals},
};
use crate::{Error, Result};

/// Version of the stored format.
const FORMAT: u32 = 1;

/// Default number of history items, and of events with an item, at which behavior counts half of
/// its weight.
const DEFAULT_USER_EVIDENCE: f32 = 1.0;
const DEFAULT_ITEM_EVIDENCE: f32 = 16.0;

/// Weights of full-text and vector search in a hybrid search. A full-text score is the share of the
/// query that an item covers, a vector score the number of standard deviations above the mean of
/// all items, so neither depends on the other candidates. Found on a third of Home Depot's judged
/// terms and on Abt-Buy with MiniLM (`make bench-relevance`).
const LEXICAL_WEIGHT: f32 = 1.0;
const VECTOR_WEIGHT: f32 = 0.025;

/// Weight that vectors gain if no item has any word of the query; a share of it if the item that
/// covers most of the query lacks some of the words.
const UNCOVERED_VECTOR_WEIGHT: f32 = 0.15;

/// Weights of the sources for items of other categories, scores scaled to 0 to 1. Found on half of
/// the baskets of a grocery and of Amazon's purchases in two categories (`make bench-cross`).
const CROSS_CATEGORY_WEIGHTS: [(Source, f32); 4] = [
    (Source::Query, 1.0),
    (Source::Behavior, 2.0),
    (Source::Popularity, 1.0),
    (Source::Transition, 0.75),
];

/// Number of events with an item at which item neighbors count half of their weight across
/// categories; and number of events per item of the shop at which popularity and transitions do.
const CROSS_CATEGORY_EVIDENCE: f32 = 40.0;
const SHOP_EVIDENCE: f32 = 1.0;

/// Number of events of a collection at which popularity counts half of its default weight. The
/// order of fewer is chance.
const POPULARITY_EVIDENCE: f32 = 20.0;

/// Weight of popularity in a search: popularity must not outweigh relevance.
const POPULARITY_SEARCH_WEIGHT: f32 = 0.1;

/// Weight and calibration of a source in a blend.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BlendPart {
    /// Factor of the calibrated value, 0 or more.
    pub weight: f32,
    /// Map from the source's signals to values.
    pub calibration: Calibration,
}

/// A ranking function: the score of a candidate is the sum over the sources of weight x evidence x
/// calibrated signal.
///
/// Evidence is `n / (n + user_evidence)` times `m / (m + item_evidence)` for behavior sources, with
/// `n` items in the history and `m` events with the candidate, and 1 for other sources: content
/// leads where there are few events, behavior where there are many.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BlendModel {
    format: u32,
    /// Method that the weights come from.
    pub method: BlendMethod,
    /// Sources of the blend.
    pub parts: BTreeMap<Source, BlendPart>,
    /// Number of history items at which behavior counts half of its weight.
    pub user_evidence: f32,
    /// Number of events with a candidate at which behavior counts half of its weight.
    pub item_evidence: f32,
    /// Weight that the vector of the query gains with the share of the query that the best-covering
    /// item lacks.
    #[serde(default)]
    pub uncovered_vector_weight: f32,
    /// Training data and figures of a learned blend.
    pub info: Option<BlendInfo>,
}

/// A ranked candidate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ranked {
    /// The candidate.
    pub candidate: Candidate,
    /// Sum of the contributions; higher is better.
    pub score: f32,
    parts: [f32; SOURCE_COUNT],
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

impl BlendModel {
    /// Returns weighted reciprocal rank fusion with the default weights, which is used until a
    /// blend is learned. Popularity leads while items have few events, and gives way to behavior
    /// with more. The weight of popularity and the evidence of items are from films and a grocery
    /// at 300 to 50,000 events (`make bench-prior`): there more of either gains little.
    pub fn rrf() -> Self {
        let weights = [
            (Source::Query, 1.0),
            (Source::Lexical, 1.0),
            (Source::Behavior, 1.0),
            (Source::Session, 1.0),
            (Source::Sequence, 1.0),
            (Source::Network, 1.0),
            (Source::Content, 0.5),
            (Source::Popularity, 1.0),
            (Source::Newest, 0.01),
        ];
        Self {
            user_evidence: DEFAULT_USER_EVIDENCE,
            item_evidence: DEFAULT_ITEM_EVIDENCE,
            ..Self::of(BlendMethod::Rrf, weights, |_| Calibration::RANK)
        }
    }

    /// Returns the blend of full-text and vector search for an unknown shopper. Vectors count
    /// little beside an item that has all words of the query, such as a model number, and most if
    /// no item has any.
    pub fn hybrid() -> Self {
        let mut blend = Self::of(BlendMethod::Weighted, [], |_| Calibration::RELATIVE);
        blend.add_hybrid_sources();
        blend
    }

    /// Adds full-text and vector search, where the blend lacks them.
    fn add_hybrid_sources(&mut self) {
        let lexical = BlendPart {
            weight: LEXICAL_WEIGHT,
            calibration: Calibration::COVERED,
        };
        self.parts.entry(Source::Lexical).or_insert(lexical);
        if let Entry::Vacant(query) = self.parts.entry(Source::Query) {
            query.insert(BlendPart {
                weight: VECTOR_WEIGHT,
                calibration: Calibration::STANDARD,
            });
            self.uncovered_vector_weight = UNCOVERED_VECTOR_WEIGHT;
        }
    }

    /// Returns the blend for items of other categories, in a shop with `events` events per item.
    /// The evidence of its candidate sets is the number of events with the query item.
    pub fn cross(events: f32) -> Self {
        let weights = CROSS_CATEGORY_WEIGHTS.map(|(source, weight)| match source {
            Source::Popularity | Source::Transition => {
                (source, weight * evidence_share(events, SHOP_EVIDENCE))
            }
            _ => (source, weight),
        });
        Self {
            user_evidence: CROSS_CATEGORY_EVIDENCE,
            ..Self::of(BlendMethod::Weighted, weights, |_| Calibration::RELATIVE)
        }
    }

    /// Returns the blend adapted to searches: adds the query sources that a learned blend lacks.
    pub fn for_search(&self, is_hybrid: bool) -> Self {
        let mut blend = self.clone();
        if blend.method == BlendMethod::Rrf {
            if let Some(popularity) = blend.parts.get_mut(&Source::Popularity) {
                popularity.weight = POPULARITY_SEARCH_WEIGHT;
            }
            return blend;
        }
        if is_hybrid {
            blend.add_hybrid_sources();
        } else {
            // A single query source counts as much as all learned sources together.
            for source in [Source::Query, Source::Lexical] {
                blend.parts.entry(source).or_insert(BlendPart {
                    weight: 1.0,
                    calibration: Calibration::RELATIVE,
                });
            }
        }
        blend
    }

    /// Returns the blend for a collection with `events` events: few say little about popularity. A
    /// learned blend has weighed it.
    pub fn with_events(&self, events: u64) -> Self {
        let mut blend = self.clone();
        let popularity = blend.parts.get_mut(&Source::Popularity);
        if let Some(part) = popularity.filter(|_| self.method == BlendMethod::Rrf) {
            part.weight *= evidence_share(events as f32, POPULARITY_EVIDENCE);
        }
        blend
    }

    /// Adds the items of followed authors, which no blend learns: with the greatest weight of a
    /// source.
    pub fn with_following(&self) -> Self {
        let mut blend = self.clone();
        let weights = blend.parts.values().map(|part| part.weight);
        let part = BlendPart {
            weight: weights.fold(0.0, f32::max),
            calibration: match blend.method {
                BlendMethod::Rrf => Calibration::RANK,
                _ => Calibration::RELATIVE,
            },
        };
        blend.parts.entry(Source::Following).or_insert(part);
        blend
    }

    /// Returns rank fusion with the given weights; other sources are left out. Evidence does not
    /// change the weights.
    pub fn rrf_with(weights: &BTreeMap<Source, f32>) -> Self {
        let weights = weights.iter().map(|(source, weight)| (*source, *weight));
        Self::of(BlendMethod::Rrf, weights, |_| Calibration::RANK)
    }

    /// Returns a weighted sum with the given weights, of scores calibrated as in the `learned`
    /// blend, or else scaled to 0 to 1. Other sources are left out. Evidence does not change the
    /// weights.
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
                BlendPart {
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
            uncovered_vector_weight: 0.0,
            info: None,
        }
    }

    /// Returns the weight of a source for a history of `evidence` items.
    pub fn weight(&self, source: Source, evidence: f32) -> f32 {
        let weight = self.parts.get(&source).map_or(0.0, |p| p.weight);
        if source.is_behavior() {
            weight * evidence_share(evidence, self.user_evidence)
        } else {
            weight
        }
    }

    /// Returns the weight of a source for a candidate set.
    pub fn weight_in(&self, source: Source, candidate_set: &CandidateSet) -> f32 {
        let weight = self.weight(source, candidate_set.evidence);
        match source {
            Source::Query => weight + self.uncovered_vector_weight * (1.0 - candidate_set.coverage),
            _ => weight,
        }
    }

    /// Returns true if a source is scaled from the range of its scores.
    pub fn has_scaled_sources(&self) -> bool {
        let mut parts = self.parts.values();
        parts.any(|part| part.calibration.scale == Scale::Relative)
    }

    /// Returns all candidates, best first, equal scores by internal id.
    pub fn rank(&self, candidate_set: &CandidateSet) -> Vec<Ranked> {
        let mut ranked = self.score(candidate_set);
        ranked.sort_unstable_by(order);
        ranked
    }

    /// Returns all candidates, best first, where the score of an item by each source decays by its
    /// `factor`. It does before the scores are blended, since ranks and scaled scores of different
    /// sources decay differently. The difference is the contribution of [`Source::Freshness`].
    pub fn rank_decayed(
        &self,
        candidate_set: &CandidateSet,
        factor: impl Fn(u32) -> f32,
    ) -> Vec<Ranked> {
        let items = candidate_set.candidates.iter().map(|c| c.item);
        let factors: Vec<f32> = items.map(factor).collect();
        let mut ranked = self.score(candidate_set);
        let decayed = self.score(&candidate_set.multiplied(&factors));
        for ((hit, decayed), factor) in ranked.iter_mut().zip(decayed).zip(factors) {
            let signal = Signal {
                score: factor,
                rank: 0,
            };
            hit.rescore(Source::Freshness, decayed.score, signal);
        }
        ranked.sort_unstable_by(order);
        ranked
    }

    /// Returns all candidates in the order of the candidate set.
    pub(super) fn score(&self, candidate_set: &CandidateSet) -> Vec<Ranked> {
        let used: Vec<_> = self
            .parts
            .iter()
            .map(|(source, part)| {
                let range = match part.calibration.scale {
                    Scale::Standard => candidate_set.background,
                    _ => candidate_set.score_range(*source),
                };
                let weight = self.weight_in(*source, candidate_set);
                (*source, weight, part.calibration, range)
            })
            .filter(|(_, weight, ..)| *weight > 0.0)
            .collect();
        let one = |candidate: &Candidate| {
            let trust = evidence_share(candidate.events, self.item_evidence);
            let mut parts = [0.0; SOURCE_COUNT];
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
        candidate_set.candidates.iter().map(one).collect()
    }

    /// Returns the method and version, as they appear in responses.
    pub fn usage(&self) -> BlendUse {
        BlendUse {
            method: self.method,
            version: self.info.as_ref().map(|info| info.version.clone()),
        }
    }

    /// Encodes the blend for the store.
    pub(crate) fn encode(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self).map_err(|e| Error::Storage(e.to_string()))
    }

    /// Decodes a stored blend.
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
            return Err(corrupt(
                "expected finite weights of 0 or more in a blend".to_owned(),
            ));
        }
        Ok(model)
    }
}

/// Returns `n / (n + half)`: the weight of `n` pieces of evidence, 0 to 1.
pub(super) fn evidence_share(n: f32, half: f32) -> f32 {
    if half > 0.0 { n / (n + half) } else { 1.0 }
}

fn order(a: &Ranked, b: &Ranked) -> Ordering {
    let by_score = b.score.total_cmp(&a.score);
    by_score.then(a.candidate.item.cmp(&b.candidate.item))
}
