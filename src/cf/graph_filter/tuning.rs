//! Tuning of a graph filter on held-out items.

use super::{GraphFilter, GraphFilterOptions, Spectrum};
use crate::{
    Result,
    cf::{
        Matrix,
        held_out::{EVIDENCE_CANDIDATES, HeldOut},
    },
};

/// Maximum number of test users for the response of a graph filter, which scores all items.
const MAX_RESPONSE_USERS: usize = 1_500;

/// Candidates of `low_pass` and `sharpening`. Where users have long histories, the taste that all
/// share tells the least; where they have few items, it is needed: `make bench-cf`.
const RESPONSES: [(f32, f32); 5] = [(0.1, 0.0), (0.1, 0.2), (0.1, 0.4), (0.2, 0.4), (0.3, 0.6)];

/// Returns `options` with the smoothing whose linear part ranks held-out items best, then with the
/// weights of the low-pass part that do.
///
/// # Errors
/// Options out of range.
pub(super) fn tuned(
    held_out: &HeldOut,
    options: &GraphFilterOptions,
) -> Result<GraphFilterOptions> {
    let candidates = EVIDENCE_CANDIDATES.map(|smoothing| GraphFilterOptions {
        smoothing,
        rank: 0,
        ..*options
    });
    let best = held_out.best(candidates.into_iter(), GraphFilter::fit)?;
    let options = best.map_or(*options, |best| GraphFilterOptions {
        rank: options.rank,
        ..best
    });
    response(held_out, &options)
}

/// Returns `options` with the weights of the low-pass part that rank held-out items best. The
/// components are computed once.
fn response(held_out: &HeldOut, options: &GraphFilterOptions) -> Result<GraphFilterOptions> {
    let every = held_out.tested.len().div_ceil(MAX_RESPONSE_USERS).max(1);
    let few = HeldOut {
        train: held_out.train.clone(),
        tested: held_out.tested.iter().step_by(every).copied().collect(),
    };
    let spectrum = Spectrum::of(&few.train, options)?;
    let candidates = RESPONSES.map(|(low_pass, sharpening)| GraphFilterOptions {
        low_pass,
        sharpening,
        ..*options
    });
    let fit =
        |train: &Matrix, options: &_| Ok(GraphFilter::with_spectrum(train, options, &spectrum));
    let best = few.best(candidates.into_iter(), fit)?;
    Ok(best.unwrap_or(*options))
}
