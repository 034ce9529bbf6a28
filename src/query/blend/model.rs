//! The blend model: weights and calibrations of the sources, and ranking by their weighted sum.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use vitrine_schemas::{BlendInfo, BlendMethod, BlendUse, Source};

use super::{
    Calibration, Scale,
    candidate_set::{Candidate, CandidateSet, SOURCE_COUNT, Signal},
    ranked::{Ranked, order},
};
use crate::{Error, Result};

/// Version of the stored format.
const FORMAT: u32 = 1;

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
    pub(super) format: u32,
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

impl BlendModel {
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
