//! Tuning of the shrinkage on held-out items.

use super::{ItemKnn, ItemKnnOptions};
use crate::{
    Result,
    cf::{
        Matrix,
        held_out::{EVIDENCE_CANDIDATES, HeldOut},
    },
};

/// Maximum number of co-occurrences computed per candidate, which takes seconds.
const MAX_COOCCURRENCES: u64 = 1 << 30;

/// Returns `options` with the shrinkage that ranks the held-out items best, in the time of at most
/// five fits: neighbors are only computed for the items of the test users, and of fewer users if
/// that takes long.
///
/// # Errors
/// Options out of range.
pub(super) fn shrinkage_on_held_out(
    held_out: &HeldOut,
    options: &ItemKnnOptions,
) -> Result<ItemKnnOptions> {
    let held_out = held_out.within(MAX_COOCCURRENCES);
    let items = held_out.items();
    let candidates = EVIDENCE_CANDIDATES.map(|shrinkage| ItemKnnOptions {
        shrinkage,
        ..*options
    });
    let fit = |train: &Matrix, options: &_| ItemKnn::fit_for_items(train, options, &items);
    let best = held_out.best(candidates.into_iter(), fit)?;
    Ok(best.unwrap_or(*options))
}
