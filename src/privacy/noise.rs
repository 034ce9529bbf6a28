//! Noise of releases. The samplers are those of the OpenDP library: exact, without floating-point
//! arithmetic, which can betray counts (Mironov 2012). Built without OpenSSL, it draws from
//! `rand`'s ChaCha generator, which the operating system seeds.

use opendp::{
    domains::{AtomDomain, VectorDomain},
    measurements::make_gaussian,
    measures::ZeroConcentratedDivergence,
    metrics::L2Distance,
};

use rayon::prelude::*;

use crate::{Error, Result};

/// Numbers drawn by one thread at a time.
const BLOCK: usize = 1 << 14;

/// Counts with noise.
pub(super) struct NoisyCounts {
    pub counts: Vec<i64>,
    /// Scale of the noise.
    pub sigma: f64,
    /// Cost in zCDP, as the library accounts it.
    pub rho: f64,
}

/// Adds discrete Gaussian noise to counts that one user changes by at most `sensitivity` in the L2
/// norm, at a cost of at most `rho` in zCDP.
///
/// # Errors
/// The library refuses the scale.
pub(super) fn add_noise(counts: &[i64], sensitivity: f64, rho: f64) -> Result<NoisyCounts> {
    let failed = |e: opendp::error::Error| Error::Storage(format!("noise of a release: {e}"));
    // Rounded up, so that the cost is not above `rho`.
    let sigma = sensitivity / (2.0 * rho).sqrt() * (1.0 + 1e-9);
    let measurement = make_gaussian::<_, L2Distance<f64>, ZeroConcentratedDivergence>(
        VectorDomain::new(AtomDomain::<i64>::default()),
        L2Distance::default(),
        sigma,
        None,
    )
    .map_err(failed)?;
    let cost = measurement.map(&sensitivity).map_err(failed)?;
    let counts = measurement.invoke(&counts.to_vec()).map_err(failed)?;
    Ok(NoisyCounts {
        counts,
        sigma,
        rho: cost,
    })
}

/// Returns `count` independent numbers of the discrete Gaussian distribution with scale `sigma`.
///
/// # Errors
/// The library refuses the scale.
pub fn discrete_gaussian(count: usize, sigma: f64) -> Result<Vec<i64>> {
    let blocks: Vec<usize> = (0..count).step_by(BLOCK).collect();
    let blocks = blocks.into_par_iter().map(|start| {
        let zeros = vec![0; BLOCK.min(count - start)];
        // The cost is accounted by the caller, who knows the sensitivity.
        let rho = 0.5 / (sigma * sigma);
        add_noise(&zeros, 1.0, rho).map(|noisy| noisy.counts)
    });
    Ok(blocks.collect::<Result<Vec<_>>>()?.concat())
}
