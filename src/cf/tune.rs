//! Tuning of options that depend on the data, by how well they rank held-out items.
//!
//! The evidence that a similarity needs differs between a shop where users buy twice and one where
//! they come daily; a wrong [`ItemKnnOptions::shrinkage`] costs more than any other choice. Other
//! options have wide optima.

use super::{
    GraphFilter, GraphFilterOptions, ItemKnn, ItemKnnOptions, Matrix, held_out::HeldOut,
    kinds::ModelKind,
};
use crate::Result;

/// Maximum number of test users: enough to tell the candidates apart.
const MAX_TEST_USERS: usize = 5_000;

/// Returns `options` with the shrinkage that ranks randomly held-out items best.
///
/// # Errors
/// Options out of range.
pub fn item_knn(
    interactions: &Matrix,
    options: &ItemKnnOptions,
    seed: u64,
) -> Result<ItemKnnOptions> {
    ItemKnn::tuned(
        options,
        &HeldOut::random(interactions, MAX_TEST_USERS, seed)?,
    )
}

/// Returns `options` with the smoothing whose linear part ranks held-out items best, then with the
/// weights of the low-pass part that do.
///
/// # Errors
/// Options out of range.
pub fn graph_filter(
    interactions: &Matrix,
    options: &GraphFilterOptions,
    seed: u64,
) -> Result<GraphFilterOptions> {
    let held_out = HeldOut::random(interactions, MAX_TEST_USERS, seed)?;
    GraphFilter::tuned(options, &held_out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cf::held_out::EVIDENCE_CANDIDATES;

    #[test]
    fn the_evidence_that_is_needed_is_found() {
        // Each user has two items that their group shares, and two that they share by chance with
        // another user: similarities that rest on one user must count little.
        let mut triples = Vec::new();
        for user in 0..600_u32 {
            let group = user % 2;
            triples.extend([group, 2 + group].map(|item| (user, item, 1.0)));
            triples.push((user, 10 + user / 2, 1.0));
            triples.push((user, 10 + 300 + (user * 7) % 300, 1.0));
        }
        let matrix = Matrix::from_triples(600, 610, triples).expect("valid");
        let options = item_knn(&matrix, &ItemKnnOptions::default(), 3).expect("valid");
        assert!(options.shrinkage > 0.0, "{options:?}");
        let filter = graph_filter(&matrix, &GraphFilterOptions::default(), 3).expect("valid");
        assert!(filter.smoothing > 0.0, "{filter:?}");
        assert_eq!(filter.rank, GraphFilterOptions::default().rank);
        assert!(filter.low_pass > 0.0, "{filter:?}");
    }

    #[test]
    fn nothing_to_hold_out_changes_nothing() {
        let empty = Matrix::from_triples(0, 0, []).expect("valid");
        let options = ItemKnnOptions::default();
        let tuned = item_knn(&empty, &options, 1).expect("valid");
        assert_eq!(tuned.shrinkage, EVIDENCE_CANDIDATES[0]);
    }
}
