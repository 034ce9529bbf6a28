//! Noise that the shops add together, so that no one, the coordinator included, sees a sum without
//! it: the distributed discrete Gaussian mechanism
//! ([Kairouz et al. 2021](https://arxiv.org/abs/2102.06387)).

use vitrine::privacy::discrete_gaussian;

use crate::fixed_point::{sensitivity, wrap};

/// Scale of the noise of one shop, in integers, if at least `shops` add theirs and the noise of
/// their sum is to be `multiplier` times the sensitivity of vectors of `length` numbers.
pub fn scale(multiplier: f64, length: usize, shops: usize) -> f64 {
    multiplier * sensitivity(length) / (shops.max(1) as f64).sqrt()
}

/// Adds noise of scale `sigma` to integers modulo 2^32, by the exact sampler of OpenDP.
///
/// # Errors
/// The scale cannot be sampled.
pub fn add(values: &mut [u32], sigma: f64) -> vitrine::Result<()> {
    let noise = discrete_gaussian(values.len(), sigma)?;
    for (value, noise) in values.iter_mut().zip(noise) {
        *value = value.wrapping_add(wrap(noise));
    }
    Ok(())
}

/// Returns the cost in zCDP of one sum of vectors of `length` numbers with the noise of `shops`
/// shops of scale `sigma` each, for a shop that takes part with data or with none (theorem 1 there:
/// a sum of discrete Gaussians is nearly one).
pub fn rho(sigma: f64, length: usize, shops: usize) -> f64 {
    let n = shops.max(1) as f64;
    let terms = (1..shops).map(|k| {
        let k = k as f64;
        (-2.0 * std::f64::consts::PI.powi(2) * sigma * sigma * k / (k + 1.0)).exp()
    });
    let tau = 10.0 * terms.sum::<f64>();
    let (delta, d) = (sensitivity(length), length as f64);
    let first = (delta * delta / (n * sigma * sigma) + tau * d / 2.0).sqrt();
    let second = delta / (n.sqrt() * sigma) + tau * d.sqrt();
    first.min(second).powi(2) / 2.0
}
