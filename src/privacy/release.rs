//! Release of a table of counts: bounded contributions, noise, and a threshold.

use rand::seq::SliceRandom;

use super::noise::add_noise;
use crate::Result;

/// Multiple of the noise's scale that a count must exceed to be released. It hides nothing that the
/// noise does not protect already: it keeps counts out that are mostly noise.
const THRESHOLD_PER_SIGMA: f64 = 2.0;

/// Counts above the threshold, with the account of the noise.
pub struct Release {
    /// Cells and their counts, in the order of the cells.
    pub counts: Vec<(u32, u32)>,
    /// Number of cells that got noise.
    pub cells: u64,
    /// L2 sensitivity.
    pub sensitivity: f64,
    /// Scale of the noise.
    pub sigma: f64,
    /// Cost in zCDP.
    pub rho: f64,
}

/// Counts the users of each of `cells` cells and releases the counts with discrete Gaussian noise.
/// `users` has the cells of each user; of more than `max_cells` different ones, a random choice
/// counts, so that one user changes the counts by at most `sqrt(max_cells)` in the L2 norm.
///
/// All cells get noise, those without a user too. They must not depend on behavior: the items of
/// the catalog are public, the items that someone has seen are not.
///
/// # Errors
/// The noise cannot be drawn.
pub fn release(
    cells: usize,
    users: impl Iterator<Item = Vec<u32>>,
    max_cells: usize,
    rho: f64,
) -> Result<Release> {
    let mut counts = vec![0_i64; cells];
    let mut rng = rand::rng();
    for mut user in users {
        user.sort_unstable();
        user.dedup();
        let (chosen, _) = user.partial_shuffle(&mut rng, max_cells);
        for cell in chosen {
            counts[*cell as usize] += 1;
        }
    }
    let sensitivity = (max_cells as f64).sqrt();
    let noisy = add_noise(&counts, sensitivity, rho)?;
    let threshold = THRESHOLD_PER_SIGMA * noisy.sigma;
    let above = (0..).zip(noisy.counts).filter_map(|(cell, count)| {
        let count = u32::try_from(count).ok()?;
        (f64::from(count) > threshold).then_some((cell, count))
    });
    Ok(Release {
        counts: above.collect(),
        cells: cells as u64,
        sensitivity,
        sigma: noisy.sigma,
        rho: noisy.rho,
    })
}
