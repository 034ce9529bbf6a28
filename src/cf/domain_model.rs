//! A model whose recommendations of each domain use as much of the others as helps.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{
    ItemDomains, ItemKnn, Matrix, Model, ModelSettings, Recommender, TransferEstimate,
    TransferTrial,
    stored::Format,
    transfer::{MIN_TEST_USERS, count_testable},
};
use crate::{Error, Result};

/// Format of stored models by domain.
const FORMAT: Format = Format {
    magic: *b"VITRDM\0\x01",
    name: "a model by domain",
};

/// Maximum number of test users of all domains, unless these have the minimum only.
const MAX_TEST_USERS: usize = 10_000;

/// A model of the items of all domains, and models of the domains that are better without the
/// others.
///
/// Scores of a domain's items are those of the model of all domains, with items of other domains in
/// the history weighted as chosen by [`TransferTrial::estimate`], or those of the domain's own
/// model. Scores of different domains are on the scale of their model: the same formula, fitted to
/// fewer events.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DomainModel {
    domains: ItemDomains,
    /// Weight of the others for each domain; 0 is none.
    weights: Vec<f32>,
    joint: Model,
    /// Model of each domain with weight 0, over its own items.
    alone: Vec<Option<Model>>,
}

impl DomainModel {
    /// Chooses the weight of other domains for each domain on held-out items. Domains with too few
    /// users to tell have no estimate.
    ///
    /// # Errors
    /// Options out of range.
    pub fn estimate(
        interactions: &Matrix,
        domains: &ItemDomains,
        settings: &ModelSettings,
        seed: u64,
    ) -> Result<Vec<TransferEstimate>> {
        let Some(trial) = trial(interactions, domains, settings, seed)? else {
            return Ok(Vec::new());
        };
        let targets = 0..domains.count() as u32;
        let estimates = targets.map(|target| trial.estimate(target, settings));
        let estimates: Vec<_> = estimates.collect::<Result<_>>()?;
        Ok(estimates.into_iter().flatten().collect())
    }

    /// Chooses the weight of other domains for one domain, as [`DomainModel::estimate`] does for
    /// all.
    ///
    /// # Errors
    /// Options out of range.
    pub fn estimate_target(
        interactions: &Matrix,
        domains: &ItemDomains,
        target: u32,
        settings: &ModelSettings,
        seed: u64,
    ) -> Result<Option<TransferEstimate>> {
        let trial = trial(interactions, domains, settings, seed)?;
        trial.map_or(Ok(None), |trial| trial.estimate(target, settings))
    }

    /// Fits with a given weight of the others for each domain, 0 for none; domains beyond `weights`
    /// have 1. The models of all domains and of single domains may have different settings.
    ///
    /// # Errors
    /// Options or weights out of range.
    pub fn fit(
        train: &Matrix,
        domains: ItemDomains,
        mut weights: Vec<f32>,
        joint: &ModelSettings,
        alone: &ModelSettings,
    ) -> Result<Self> {
        weights.resize(domains.count(), 1.0);
        if weights.iter().any(|weight| !(0.0..=1.0).contains(weight)) {
            return Err(Error::invalid("/weights", "expected weights from 0 to 1"));
        }
        let own = |(target, weight): (u32, &f32)| match *weight == 0.0 {
            true => alone
                .fit_matrix(&domains.matrix_within(target, train)?)
                .map(Some),
            false => Ok(None),
        };
        Ok(Self {
            joint: joint.fit_matrix(train)?,
            alone: (0..).zip(&weights).map(own).collect::<Result<_>>()?,
            domains,
            weights,
        })
    }

    /// Returns the same as one neighborhood per item, if all models are neighborhoods.
    pub fn to_item_knn(&self) -> Option<ItemKnn> {
        let Model::ItemKnn(joint) = &self.joint else {
            return None;
        };
        let mut alone = Vec::new();
        for own in &self.alone {
            alone.push(match own {
                None => None,
                Some(Model::ItemKnn(own)) => Some(own),
                Some(_) => return None,
            });
        }
        Some(joint.by_domain(&self.domains, &self.weights, &alone))
    }

    /// Replaces the scores of a domain's items by those of its own model.
    fn score_alone(&self, target: u32, model: &Model, history: &[(u32, f32)], out: &mut [f32]) {
        let mut own = Vec::new();
        model.scores(&self.domains.within(target, history), &mut own);
        for (item, score) in self.domains.members(target).iter().zip(own) {
            out[*item as usize] = score;
        }
    }

    /// Returns the scores of all items with domains other than the target weighted.
    fn weighted_scores(&self, target: u32, weight: f32, history: &[(u32, f32)]) -> Vec<f32> {
        let mut scores = Vec::new();
        let history = self.domains.weighted(target, history, weight);
        self.joint.scores(&history, &mut scores);
        scores
    }

    fn is_consistent(&self) -> bool {
        let count = self.domains.count();
        let mut own = (0..).zip(&self.alone).zip(&self.weights);
        self.domains.is_consistent()
            && (self.weights.len(), self.alone.len()) == (count, count)
            && self.joint.is_consistent()
            && self.joint.items() == self.domains.items()
            && own.all(|((target, model), weight)| match model {
                None => *weight > 0.0 && *weight <= 1.0,
                Some(model) => {
                    model.is_consistent() && model.items() == self.domains.members(target).len()
                }
            })
    }

    /// Returns true if stored bytes are those of a model by domain.
    pub(crate) fn is_stored_in(bytes: &[u8]) -> bool {
        FORMAT.is_of(bytes)
    }

    /// Serializes the model.
    ///
    /// # Errors
    /// None for a fitted model.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        FORMAT.write(self)
    }

    /// Deserializes the output of [`DomainModel::to_bytes`].
    ///
    /// # Errors
    /// [`Error::Corrupt`] for another version, damage, or inconsistent fields.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        FORMAT.read(bytes, Self::is_consistent)
    }
}

/// Returns the trial on which weights are chosen; None if no domain has enough users.
fn trial<'a>(
    interactions: &Matrix,
    domains: &'a ItemDomains,
    settings: &ModelSettings,
    seed: u64,
) -> Result<Option<TransferTrial<'a>>> {
    let testable = count_testable(interactions, domains);
    if testable == 0 {
        return Ok(None);
    }
    let users = (MAX_TEST_USERS / testable).max(MIN_TEST_USERS);
    TransferTrial::new(interactions, domains, settings, users, seed).map(Some)
}

impl Recommender for DomainModel {
    fn items(&self) -> usize {
        self.joint.items()
    }

    fn scores(&self, history: &[(u32, f32)], out: &mut Vec<f32>) {
        self.joint.scores(history, out);
        let touched = history
            .iter()
            .filter_map(|(item, _)| self.domains.of(*item));
        let touched: BTreeSet<u32> = touched.collect();
        // Domains without an item in the history have the same scores, by weight.
        let mut untouched: BTreeMap<u32, Vec<f32>> = BTreeMap::new();
        for (target, weight) in (0_u32..).zip(&self.weights) {
            if let Some(model) = &self.alone[target as usize] {
                self.score_alone(target, model, history, out);
                continue;
            }
            if *weight == 1.0 {
                continue;
            }
            let weighted = || self.weighted_scores(target, *weight, history);
            let scores = match touched.contains(&target) {
                true => Cow::Owned(weighted()),
                false => {
                    let known = untouched.entry(weight.to_bits());
                    Cow::Borrowed(known.or_insert_with(weighted))
                }
            };
            for item in self.domains.members(target) {
                out[*item as usize] = scores[*item as usize];
            }
        }
    }

    fn batch_scores(&self, histories: &[&[(u32, f32)]], out: &mut Vec<f32>) {
        let rows = histories.par_iter().map(|history| {
            let mut row = Vec::new();
            self.scores(history, &mut row);
            row
        });
        *out = rows.collect::<Vec<_>>().concat();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cf::transfer::tests::two_domains;

    fn model(weights: [f32; 2], settings: &str) -> DomainModel {
        let (matrix, domains) = two_domains(false);
        let settings: ModelSettings = settings.parse().expect("a model");
        let weights = weights.to_vec();
        DomainModel::fit(&matrix, domains, weights, &settings, &settings).expect("fits")
    }

    #[test]
    fn scores_without_others_are_those_of_the_domain_alone() {
        let (matrix, domains) = two_domains(false);
        let history = [(3, 1.0), (7, 2.0), (65, 1.0), (99, 1.0)];
        for settings in ["item-knn", "graph-filter:rank=8", "ease", "ials:factors=8"] {
            let model = model([0.0, 1.0], settings);
            let settings: ModelSettings = settings.parse().expect("a model");
            let alone = domains.matrix_within(0, &matrix).expect("valid");
            let alone = settings.fit_matrix(&alone).expect("fits");
            let (mut scores, mut expected) = (Vec::new(), Vec::new());
            model.scores(&history, &mut scores);
            alone.scores(&history[..2], &mut expected);
            assert_eq!(scores[..60], expected);
            settings
                .fit_matrix(&matrix)
                .expect("fits")
                .scores(&history, &mut expected);
            assert_eq!(scores[60..], expected[60..]);
        }
    }

    #[test]
    fn neighborhoods_by_domain_score_alike() {
        for weights in [[0.0, 0.5], [1.0, 0.0], [0.0, 0.0], [0.25, 1.0]] {
            let model = model(weights, "item-knn:neighbors=1000");
            let merged = model.to_item_knn().expect("neighborhoods");
            let (mut scores, mut expected) = (Vec::new(), Vec::new());
            let history = [(3, 1.0), (65, 2.0), (99, 1.0)];
            for history in [&history[..], &history[..1], &history[1..], &[]] {
                merged.scores(history, &mut scores);
                model.scores(history, &mut expected);
                for (score, expected) in scores.iter().zip(&expected) {
                    assert!((score - expected).abs() < 1e-5, "{weights:?}");
                }
            }
        }
        assert!(model([0.0, 1.0], "ease").to_item_knn().is_none());
    }

    #[test]
    fn harmful_domains_are_left_out_and_helpful_ones_are_not() {
        let settings: ModelSettings = "item-knn:neighbors=20".parse().expect("a model");
        let estimates = |related| {
            let (matrix, domains) = two_domains(related);
            DomainModel::estimate(&matrix, &domains, &settings, 1).expect("valid")
        };
        let weights = |related| {
            estimates(related)
                .iter()
                .map(|e| e.weight)
                .collect::<Vec<_>>()
        };
        assert!(weights(true)[0] > 0.0);
        assert_eq!(weights(false)[0], 0.0);
    }

    #[test]
    fn small_domains_take_no_test_users_from_others() {
        let (matrix, domains) = two_domains(true);
        let rows = (0_u32..).zip(matrix.iter());
        let triples =
            rows.flat_map(|(user, row)| row.iter().map(move |(i, w)| (user, i as u32, w)));
        let more = Matrix::from_triples(400, 420, triples).expect("valid");
        let own = (0..420).map(|item| domains.of(item).unwrap_or_else(|| item - 118));
        let many = ItemDomains::new(own.collect()).expect("valid");
        let settings: ModelSettings = "item-knn:neighbors=20".parse().expect("a model");
        let estimates = DomainModel::estimate(&more, &many, &settings, 1).expect("valid");
        let users: Vec<_> = estimates.iter().map(|e| e.users).collect();
        assert_eq!(users, [400, 400]);
    }

    #[test]
    fn comes_back_from_its_bytes_and_damage_is_an_error() {
        let model = model([0.0, 0.5], "item-knn:neighbors=2");
        let bytes = model.to_bytes().expect("stored");
        assert!(DomainModel::is_stored_in(&bytes));
        let back = DomainModel::from_bytes(&bytes).expect("stored");
        let (mut a, mut b) = (Vec::new(), Vec::new());
        model.scores(&[(1, 1.0)], &mut a);
        back.scores(&[(1, 1.0)], &mut b);
        assert_eq!(a, b);
        for index in (0..bytes.len()).step_by(97) {
            let mut flipped = bytes.clone();
            flipped[index] ^= 0x41;
            assert!(DomainModel::from_bytes(&flipped).is_err(), "{index}");
            assert!(DomainModel::from_bytes(&bytes[..index]).is_err());
        }
    }

    #[test]
    fn weights_out_of_range_are_rejected() {
        let (matrix, domains) = two_domains(true);
        let settings: ModelSettings = "item-knn".parse().expect("a model");
        for weight in [-0.1, 1.5, f32::NAN] {
            let weights = vec![weight, 1.0];
            let domains = domains.clone();
            let model = DomainModel::fit(&matrix, domains, weights, &settings, &settings);
            assert!(model.is_err(), "{weight}");
        }
    }
}
