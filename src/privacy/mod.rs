//! Differential privacy: the account of a budget, noise, and releases of counts.
//!
//! The module knows neither collections nor events: the module `behavior` decides what is counted
//! and when.

mod accountant;
mod noise;
mod rdp;
mod release;
#[cfg(test)]
mod tests;

pub use self::{
    accountant::{epsilon_of, rho_of},
    noise::discrete_gaussian,
    rdp::{noise_multiplier, sampled_gaussian_epsilon},
    release::{Release, release},
};

/// Share of the users of a shop that a pair of items must have in common to be worth recommending;
/// typical of the best neighbors in a shop of some thousand items.
const USEFUL_PAIR_SHARE: f64 = 0.001;

/// Multiples of the noise's scale by which a count stands out of all pairs.
const CLEAR_OF_NOISE: f64 = 4.0;

/// Returns the approximate number of users in a period from which on counts of pairs of items are
/// useful under a budget: the noise of a pair does not shrink as counts grow with the users.
pub(crate) fn users_for_pairs(max_items_per_user: u32, rho: f64) -> u64 {
    let sigma = f64::from(max_items_per_user).sqrt() / (2.0 * rho).sqrt();
    (CLEAR_OF_NOISE * sigma / USEFUL_PAIR_SHARE).ceil() as u64
}
