//! `federate`: shops train heads together without showing their data.

mod coordinator;
mod join;
mod simulate;

use std::io::Write;

use clap::{Args, Subcommand};

use super::Outcome;
use crate::{
    error::CommandError,
    federate::{Features, Plan, ServerOptimizer},
    train::Recipe,
};

#[derive(Debug, Subcommand)]
pub(super) enum FederateCommand {
    /// Coordinate a training: shops connect with `federate join`.
    ///
    /// Sees the sums of the shops' updates alone. Prints its address as JSON, and at the end the
    /// number of rounds and the digest of the heads. Exit status: 0 success, 1 failure, 2 wrong
    /// usage.
    Coordinator(Box<coordinator::CoordinatorArgs>),
    /// Take part in a training with the items of this shop.
    ///
    /// A part of the items is held out: the heads are promoted only if they beat the active heads
    /// on it. Prints the decision as JSON. Exit status: 0 success, promoted or not (see
    /// `decision`), 1 failure, 2 wrong usage.
    Join(Box<join::JoinArgs>),
    /// Simulate a federated training on a catalog that is divided among shops.
    ///
    /// Trains heads on all items centrally, federated, and at single shops alone, and measures all
    /// on the same held-out items. Prints a table, and with --curve the quality by round.
    Simulate(Box<simulate::SimulateArgs>),
}

/// Key of a federation.
#[derive(Debug, Args)]
struct SharedKey {
    /// Key of the federation, which shops need to take part.
    #[arg(
        long,
        value_name = "KEY",
        env = "VITRINE_FEDERATION_KEY",
        hide_env_values = true
    )]
    key: String,
}

/// Settings of a plan.
#[derive(Debug, Args)]
struct PlanArgs {
    /// Number of rounds.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    rounds: u32,
    /// Passes over a shop's pairs in a round.
    #[arg(long, value_name = "N", default_value_t = 2)]
    local_epochs: usize,
    /// Pairs per step of a shop.
    #[arg(long, value_name = "N", default_value_t = Recipe::default().batch)]
    batch: usize,
    /// Learning rate of a shop; a cosine over the rounds lowers it.
    #[arg(long, value_name = "X", default_value_t = Recipe::default().rate)]
    rate: f32,
    /// Maximum L2 norm of a shop's update.
    #[arg(long, value_name = "X", default_value_t = 10.0)]
    clip: f64,
    /// Optimizer of the coordinator.
    #[arg(long, value_enum, default_value = "fedavg")]
    optimizer: ServerOptimizer,
    /// Learning rate of the coordinator.
    #[arg(long, value_name = "X", default_value_t = 1.0)]
    server_rate: f64,
    /// Pairs from which on a shop has full weight; 0: all shops have the same weight.
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    full_weight_pairs: usize,
    /// Noise of a sum in multiples of the greatest share of a shop in it, which the shops add
    /// together; needs --full-weight-pairs 0.
    #[arg(long, value_name = "X", default_value_t = 0.0)]
    noise: f64,
    /// Seed of the start.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
}

impl PlanArgs {
    fn plan(&self, features: Features, min_shops: usize) -> Result<Plan, CommandError> {
        let defaults = Plan::new(features);
        let plan = Plan {
            recipe: Recipe {
                batch: self.batch.max(2),
                rate: self.rate,
                seed: self.seed,
                ..Recipe::default()
            },
            rounds: self.rounds,
            local_epochs: self.local_epochs,
            clip: self.clip,
            server: self.optimizer,
            server_rate: self.server_rate,
            full_weight_pairs: self.full_weight_pairs,
            noise: self.noise,
            min_shops,
            ..defaults
        };
        plan.check()?;
        Ok(plan)
    }
}

pub(super) fn run(command: &FederateCommand, out: &mut dyn Write) -> Result<Outcome, CommandError> {
    match command {
        FederateCommand::Coordinator(args) => coordinator::run(args, out),
        FederateCommand::Join(args) => join::run(args, out),
        FederateCommand::Simulate(args) => simulate::run(args, out),
    }
}
