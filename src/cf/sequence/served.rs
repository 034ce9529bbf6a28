//! Networks on sequences as they answer requests: by compact item vectors.

use std::sync::Arc;

use super::{SequenceModel, network::to_relative};
use crate::{cf::Recommender, quantize::ScaledRows};

/// A [`SequenceModel`] that scores all items by int8 codes of their vectors, which reads 72 bytes
/// per item of 64 components instead of 256. Scores differ from those of the model by the rounding
/// of the codes.
#[derive(Clone, Debug)]
pub struct ServedNetwork {
    model: Arc<SequenceModel>,
    codes: ScaledRows,
}

impl ServedNetwork {
    /// Encodes the item vectors of a network.
    pub fn new(model: Arc<SequenceModel>) -> Self {
        Self {
            codes: ScaledRows::new(model.vectors(), model.dim()),
            model,
        }
    }

    /// Returns the network.
    pub fn model(&self) -> &Arc<SequenceModel> {
        &self.model
    }
}

impl Recommender for ServedNetwork {
    fn items(&self) -> usize {
        self.model.items()
    }

    fn scores(&self, history: &[(u32, f32)], out: &mut Vec<f32>) {
        let state = self.model.state(history);
        self.codes.products(&state, out);
        to_relative(&state, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cf::{Gru, GruWeights};

    /// A network of 16 units with weights that look random.
    fn network(items: usize) -> SequenceModel {
        let dim = 16;
        let wave = |count: usize, scale: f32| -> Vec<f32> {
            let value = |n: usize| ((n * n % 8191) as f32 * 0.37).sin();
            (0..count).map(|n| scale * value(n + 1)).collect()
        };
        let weights = GruWeights {
            dim,
            vectors: wave(items * dim, 1.0),
            input: wave(3 * dim * dim, 0.6),
            input_bias: wave(3 * dim, 0.1),
            recurrent: wave(3 * dim * dim, 0.4),
            recurrent_bias: wave(3 * dim, 0.1),
        };
        SequenceModel::Gru(Gru::new(weights).expect("consistent"))
    }

    #[test]
    fn scores_are_nearly_those_of_the_model() {
        let model = Arc::new(network(3_000));
        let served = ServedNetwork::new(model.clone());
        assert_eq!(served.items(), 3_000);
        let history: Vec<_> = (0..60).map(|n| (n * 37 % 3_000, 1.0)).collect();
        let (mut scores, mut expected) = (Vec::new(), Vec::new());
        served.scores(&history, &mut scores);
        model.scores(&history, &mut expected);
        for (score, expected) in scores.iter().zip(&expected) {
            assert!((score - expected).abs() < 0.05, "{score} is not {expected}");
        }
        served.scores(&[(5_000, 1.0)], &mut scores);
        assert!(scores.len() == 3_000 && scores.iter().all(|score| *score == 0.0));
    }
}
