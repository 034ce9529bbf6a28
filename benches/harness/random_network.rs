//! A network on sequences with random weights of the size of trained ones.

use rand::{SeedableRng, rngs::StdRng};
use rand_distr::{Distribution, StandardNormal};
use vitrine::cf::{Gru, GruWeights, SequenceModel};

/// Returns a GRU over item vectors of `dim` normal components.
pub fn random_network(items: usize, dim: usize) -> vitrine::Result<SequenceModel> {
    let mut rng = StdRng::seed_from_u64(1);
    let mut normal = |count: usize, deviation: f32| -> Vec<f32> {
        let value = |rng: &mut StdRng| -> f32 { StandardNormal.sample(rng) };
        (0..count).map(|_| deviation * value(&mut rng)).collect()
    };
    let weights = GruWeights {
        dim,
        vectors: normal(items * dim, 0.5),
        input: normal(3 * dim * dim, 0.2),
        input_bias: normal(3 * dim, 0.1),
        recurrent: normal(3 * dim * dim, 0.1),
        recurrent_bias: normal(3 * dim, 0.1),
    };
    Ok(SequenceModel::Gru(Gru::new(weights)?))
}
