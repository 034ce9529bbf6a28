//! Interface of the networks on sequences.

/// A network that reads a history and scores all items by the product of its state with their
/// vectors.
pub(crate) trait SequenceNetwork {
    /// Returns the length of the state and of an item vector.
    fn dim(&self) -> usize;

    /// Returns the item vectors, items x [`SequenceNetwork::dim`].
    fn vectors(&self) -> &[f32];

    /// Returns the state after a history, the oldest item first; unknown items are skipped.
    fn state(&self, history: &[u32]) -> Vec<f32>;

    /// Returns true if the weights are finite and fit each other.
    fn is_consistent(&self) -> bool;
}
