//! The plan of a federated training: everything that all shops must agree on.

use serde::{Deserialize, Serialize};

use super::{FederateError, noise, secagg::least_survivors};
use crate::encode::ModelError;
use crate::space::heads::{Heads, Modality};
use crate::space::tower::Standardize;
use crate::train::Recipe;

/// Version of plans and messages; others are refused.
pub const PROTOCOL: u32 = 1;

/// Maximum number of components of features: they decide on the size of the heads.
const MAX_FEATURES: usize = 65_536;

/// Maximum noise multiplier: with more, sums could exceed 2^31.
const MAX_NOISE: f64 = 10.0;

/// Optimizer of the coordinator, which applies the mean update of a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum ServerOptimizer {
    /// The mean update is added (McMahan et al. 2017).
    #[value(name = "fedavg")]
    FedAvg,
    /// Adam on mean updates (Reddi et al. 2021).
    #[value(name = "fedadam")]
    FedAdam,
}

/// Features of the encoders; shops with other encoders cannot train the same heads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Features {
    /// Fingerprint of the encoders without heads.
    pub encoders: String,
    /// Number of components of a text's features.
    pub text: usize,
    /// Number of components of an image's features.
    pub image: usize,
}

impl Features {
    /// Checks that heads for them can be made.
    ///
    /// # Errors
    /// A number of components is 0 or above 65,536.
    pub fn check(&self) -> Result<(), FederateError> {
        self.check_from(1)
    }

    fn check_from(&self, least: usize) -> Result<(), FederateError> {
        for (name, got) in [("text", self.text), ("image", self.image)] {
            if !(least..=MAX_FEATURES).contains(&got) {
                return Err(FederateError::Plan(format!(
                    "expected {least} to {MAX_FEATURES} features of {name}, got {got}; use encoders \
                     of that width"
                )));
            }
        }
        Ok(())
    }
}

/// Settings of a federated training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// See [`PROTOCOL`].
    pub protocol: u32,
    /// Encoders of all shops.
    pub features: Features,
    /// Recipe of local trainings; its seed decides the start.
    pub recipe: Recipe,
    /// Number of rounds of training.
    pub rounds: u32,
    /// Passes over a shop's pairs in a round.
    pub local_epochs: usize,
    /// Maximum L2 norm of a shop's update.
    pub clip: f64,
    /// Optimizer of the coordinator.
    pub server: ServerOptimizer,
    /// Learning rate of the coordinator.
    pub server_rate: f64,
    /// Number of pairs from which on a shop has full weight; 0 if all have the same weight.
    pub full_weight_pairs: usize,
    /// Noise of a sum in multiples of a shop's greatest share in it; 0 for none.
    pub noise: f64,
    /// Minimum number of shops in a round.
    pub min_shops: usize,
}

impl Plan {
    /// Returns a plan with default settings for these encoders.
    pub fn new(features: Features) -> Self {
        Self {
            protocol: PROTOCOL,
            features,
            recipe: Recipe::default(),
            rounds: 20,
            local_epochs: 2,
            clip: 10.0,
            server: ServerOptimizer::FedAvg,
            server_rate: 1.0,
            full_weight_pairs: 1_000,
            noise: 0.0,
            min_shops: 3,
        }
    }

    /// blake3 of all settings, hexadecimal. A change of any of them changes it.
    pub fn fingerprint(&self) -> String {
        let text = serde_json::to_string(self).unwrap_or_else(|_| format!("{self:?}"));
        blake3::hash(text.as_bytes()).to_hex().to_string()
    }

    /// Checks the settings.
    ///
    /// # Errors
    /// One of them is out of range.
    pub fn check(&self) -> Result<(), FederateError> {
        let problem = |text: String| Err(FederateError::Plan(text));
        if self.protocol != PROTOCOL {
            let got = self.protocol;
            let hint = "use the same version of vitrine-indexer at all shops";
            return problem(format!("expected protocol {PROTOCOL}, got {got}; {hint}"));
        }
        if self.rounds == 0 || self.local_epochs == 0 {
            return problem("`rounds` and `local_epochs`: expected at least 1, got 0".to_owned());
        }
        for (name, value) in [("clip", self.clip), ("server_rate", self.server_rate)] {
            if !value.is_finite() || value <= 0.0 {
                return problem(format!("`{name}`: expected a number above 0, got {value}"));
            }
        }
        if !(0.0..=MAX_NOISE).contains(&self.noise) {
            let got = self.noise;
            return problem(format!("`noise`: expected 0 to {MAX_NOISE}, got {got}"));
        }
        if self.noise > 0.0 && self.full_weight_pairs > 0 {
            let hint = "set it to 0, since the number of pairs of a shop would get no noise";
            return problem(format!("`full_weight_pairs` with `noise`: {hint}"));
        }
        // None before the first shop has joined.
        self.features.check_from(0)?;
        if !(3..=255).contains(&self.min_shops) {
            let got = self.min_shops;
            return problem(format!("`min_shops`: expected 3 to 255, got {got}"));
        }
        Ok(())
    }

    /// Checks that a shop's encoders are those of the plan.
    ///
    /// # Errors
    /// They differ; the message names both.
    pub fn check_features(&self, own: &Features) -> Result<(), FederateError> {
        let plan = &self.features;
        if plan.encoders != own.encoders {
            return Err(FederateError::Misfit(format!(
                "expected encoders {:.16}, got {:.16}; install the same models with `models get` or \
                 `models use`",
                plan.encoders, own.encoders
            )));
        }
        for (name, expected, got) in [
            ("text", plan.text, own.text),
            ("image", plan.image, own.image),
        ] {
            if expected != got {
                let reason = format!("expected {expected} features of {name}, got {got}");
                return Err(FederateError::Misfit(reason));
            }
        }
        Ok(())
    }

    /// Returns the weight of a shop with a number of pairs, 0 to 1.
    pub fn weight(&self, pairs: usize) -> f64 {
        match self.full_weight_pairs {
            0 => 1.0,
            full => pairs.min(full) as f64 / full as f64,
        }
    }

    /// Returns true if the features are standardized, by a first round that sums their moments.
    pub fn has_statistics(&self) -> bool {
        self.recipe.standardize && self.noise == 0.0
    }

    /// Returns the recipe of a local training in a round, from 1: a cosine over all rounds lowers
    /// the learning rate.
    pub fn local_recipe(&self, round: u32, seed: u64) -> Recipe {
        let done = f64::from(round.saturating_sub(1)) / f64::from(self.rounds);
        let factor = 0.5 * (1.0 + (std::f64::consts::PI * done).cos());
        Recipe {
            epochs: self.local_epochs,
            least_steps: 0,
            patience: 0,
            schedule: false,
            momentum: 0.0,
            rate: self.recipe.rate * factor as f32,
            seed,
            ..self.recipe.clone()
        }
    }

    /// Returns the heads that all shops start from.
    ///
    /// # Errors
    /// A tensor cannot be created.
    pub fn start(&self) -> Result<Heads, ModelError> {
        let recipe = &self.recipe;
        let tower = |modality, input| {
            let shape = recipe.tower_shape(modality, input);
            (modality, (shape, Standardize::none(input)))
        };
        let towers = [
            tower(Modality::Text, self.features.text),
            tower(Modality::Image, self.features.image),
        ];
        Heads::random(&self.features.encoders, towers.into(), recipe.seed)
    }

    /// Returns the scale of a shop's noise in a round of `shops` shops, for updates of `length`
    /// numbers: those that must stay for a sum add enough.
    pub fn sigma(&self, length: usize, shops: usize) -> f64 {
        noise::scale(self.noise, length, least_survivors(shops))
    }

    /// Returns the cost in zCDP of a round of `shops` shops; 0 without noise, which protects no
    /// one.
    pub fn rho(&self, length: usize, shops: usize) -> f64 {
        if self.noise == 0.0 {
            return 0.0;
        }
        noise::rho(self.sigma(length, shops), length, least_survivors(shops))
    }
}
