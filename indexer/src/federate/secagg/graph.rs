//! The graph of masks. Up to 64 participants mask all with all; of more, each with
//! [`SPARSE_DEGREE`] others in a random circulant graph (Bell et al. 2020), so that the work of a
//! participant does not grow with their number.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use super::context::{Context, Id};

/// Minimum number of vectors in a sum: the sum of two tells each of the two the other's.
pub const MIN_PARTICIPANTS: usize = 3;

/// Maximum number of participants that all mask with all.
const MAX_COMPLETE: usize = 64;

/// Number of neighbors of a participant in a sparse graph. If a fifth of 255 collude, they hold
/// enough shares of any one with a probability below 1e-6 a round; if 30 % leave, a round is void
/// with one below 0.02 (hypergeometric tails; tested).
pub(super) const SPARSE_DEGREE: usize = 64;

/// Returns the least number of participants that must stay: more than two thirds, and at least
/// [`MIN_PARTICIPANTS`].
pub fn least_survivors(participants: usize) -> usize {
    (2 * participants / 3 + 1).max(MIN_PARTICIPANTS)
}

/// Returns the number of shares that restore a secret: more than two thirds of its `holders` where
/// all hold shares of all, more than half in a sparse graph, whose neighborhoods vary.
pub fn threshold(participants: usize, holders: usize) -> u8 {
    let least = match participants <= MAX_COMPLETE {
        true => least_survivors(holders),
        false => holders / 2 + 1,
    };
    u8::try_from(least).unwrap_or(u8::MAX)
}

/// Returns the neighbors of each participant. The order on the circle is that of a hash over the
/// context, so that all compute the same graph and none chooses its place.
pub fn neighbors(context: &Context, ids: &BTreeSet<Id>) -> BTreeMap<Id, BTreeSet<Id>> {
    let others = |id: Id| ids.iter().copied().filter(|other| *other != id).collect();
    if ids.len() <= MAX_COMPLETE {
        return ids.iter().map(|id| (*id, others(*id))).collect();
    }
    let mut circle: Vec<Id> = ids.iter().copied().collect();
    circle.sort_by_cached_key(|id| {
        let mut hash = Sha256::new();
        hash.update(b"vitrine circle");
        hash.update(context.bytes());
        hash.update([*id]);
        <[u8; 32]>::from(hash.finalize())
    });
    let n = circle.len();
    let of = |place: usize| {
        let steps = 1..=SPARSE_DEGREE / 2;
        steps.flat_map(move |step| [(place + step) % n, (place + n - step) % n])
    };
    (0..n)
        .map(|place| (circle[place], of(place).map(|at| circle[at]).collect()))
        .collect()
}
