//! Networks trained on sequences of choices, as they are served and stored. The training is that of
//! `vitrine-indexer train sequence`.

use pulp::Arch;
use serde::{Deserialize, Serialize};

use super::{gru::Gru, sequence_network::SequenceNetwork};
use crate::{
    Result,
    cf::{Recommender, stored::Format},
};

/// Format of stored networks.
const FORMAT: Format = Format {
    magic: *b"VITRSQ\0\x01",
    name: "a network",
};

/// Number of the latest items of a history that a network reads.
const MAX_LENGTH: usize = 50;

/// Logarithm of the share of the greatest score below which scores are set to 0, which saves the
/// exponential for most items.
const MIN_LOG_SCORE: f32 = -9.2;

/// A network of any kind. Stored ones hold the index of the variant: append, never reorder.
///
/// The score of an item is its probability to be next, relative to that of the likeliest one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum SequenceModel {
    /// Gated recurrent units.
    Gru(Gru),
}

impl SequenceModel {
    fn network(&self) -> &dyn SequenceNetwork {
        match self {
            Self::Gru(gru) => gru,
        }
    }

    /// Returns the length of the state and of an item vector.
    pub(super) fn dim(&self) -> usize {
        self.network().dim()
    }

    /// Returns the item vectors, items x [`SequenceModel::dim`].
    pub(super) fn vectors(&self) -> &[f32] {
        self.network().vectors()
    }

    /// Returns the state after the latest liked items of a history: a query vector for the item
    /// vectors.
    pub fn state(&self, history: &[(u32, f32)]) -> Vec<f32> {
        let liked = history.iter().filter(|(_, weight)| *weight > 0.0);
        let known = liked.filter(|(item, _)| (*item as usize) < self.items());
        let items: Vec<u32> = known.map(|(item, _)| *item).collect();
        let start = items.len().saturating_sub(MAX_LENGTH);
        self.network().state(&items[start..])
    }

    /// Returns true if stored bytes are those of a network.
    pub(crate) fn is_stored_in(bytes: &[u8]) -> bool {
        FORMAT.is_of(bytes)
    }

    /// Serializes the network.
    ///
    /// # Errors
    /// None for a consistent network.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        FORMAT.write(self)
    }

    /// Deserializes the output of [`SequenceModel::to_bytes`].
    ///
    /// # Errors
    /// [`Error::Corrupt`](crate::Error::Corrupt) for another version, damage, or inconsistent
    /// weights.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        FORMAT.read(bytes, |model: &Self| model.network().is_consistent())
    }
}

impl Recommender for SequenceModel {
    fn items(&self) -> usize {
        self.network().vectors().len() / self.network().dim().max(1)
    }

    fn scores(&self, history: &[(u32, f32)], out: &mut Vec<f32>) {
        let state = self.state(history);
        out.clear();
        let vectors = self.network().vectors().chunks_exact(state.len());
        // Compiled for the vector instructions of the machine.
        Arch::new().dispatch(|| out.extend(vectors.map(|vector| dot(vector, &state))));
        to_relative(&state, out);
    }
}

/// Replaces the products of a state with the item vectors by the probabilities of the items,
/// relative to that of the likeliest one; by 0 if the state is that of an empty history.
pub(super) fn to_relative(state: &[f32], scores: &mut [f32]) {
    if state.iter().all(|x| *x == 0.0) {
        return scores.fill(0.0);
    }
    let best = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    for score in scores {
        let below = *score - best;
        *score = if below < MIN_LOG_SCORE {
            0.0
        } else {
            below.exp()
        };
    }
}

/// Returns the product of two vectors, summed in eight parts so that the compiler uses vector
/// instructions.
#[inline(always)]
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0_f32; 8];
    let (a, b) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest = a.remainder().iter().zip(b.remainder());
    let rest: f32 = rest.map(|(a, b)| a * b).sum();
    for (a, b) in a.zip(b) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    sums.iter().sum::<f32>() + rest
}

#[cfg(test)]
mod tests {
    use super::{super::gru::tests::one_unit, *};

    fn model() -> SequenceModel {
        SequenceModel::Gru(Gru::new(one_unit()).expect("consistent"))
    }

    #[test]
    fn scores_are_relative_probabilities() {
        let model = model();
        let mut scores = Vec::new();
        model.scores(&[(0, 1.0)], &mut scores);
        let state = model.state(&[(0, 1.0)])[0];
        assert_eq!(scores[0], 1.0);
        assert!((scores[1] - (-3.0 * state).exp()).abs() < 1e-6);
        // Nothing liked or known: no item is preferred.
        model.scores(&[(0, -1.0), (7, 1.0)], &mut scores);
        assert_eq!(scores, [0.0, 0.0]);
    }

    #[test]
    fn only_the_latest_items_are_read() {
        let model = model();
        let long: Vec<_> = (0..80).map(|n| (n % 2, 1.0)).collect();
        assert_eq!(model.state(&long), model.state(&long[30..]));
    }

    #[test]
    fn the_product_has_all_parts() {
        let a: Vec<f32> = (0..19).map(|n| n as f32).collect();
        assert_eq!(dot(&a, &a), 2109.0);
    }

    #[test]
    fn comes_back_from_its_bytes_and_damage_is_an_error() {
        let bytes = model().to_bytes().expect("stored");
        assert!(SequenceModel::is_stored_in(&bytes));
        assert_eq!(SequenceModel::from_bytes(&bytes).expect("stored"), model());
        for index in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[index] ^= 0x41;
            assert!(SequenceModel::from_bytes(&flipped).is_err(), "{index}");
            assert!(SequenceModel::from_bytes(&bytes[..index]).is_err());
            if index >= 12 {
                // Damage behind a valid checksum must not cause a panic.
                let crc = crc32fast::hash(&flipped[12..]);
                flipped[8..12].copy_from_slice(&crc.to_le_bytes());
                if let Ok(model) = SequenceModel::from_bytes(&flipped) {
                    model.scores(&[(0, 1.0)], &mut Vec::new());
                }
            }
        }
    }
}
