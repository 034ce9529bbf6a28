//! Gated recurrent unit: reads a history item by item.

use pulp::Arch;
use serde::{Deserialize, Serialize};

use super::sequence_network::SequenceNetwork;
use crate::{Error, Result};

/// Maximum length of a state.
const MAX_DIM: usize = 1024;

/// Weights of a GRU layer with tied item vectors, row-major.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GruWeights {
    /// Length of item vectors and of the state.
    pub dim: usize,
    /// Items x `dim`.
    pub vectors: Vec<f32>,
    /// `dim` x 3 `dim`: from an item vector to the reset gate, the update gate and the candidate.
    pub input: Vec<f32>,
    /// 3 `dim`.
    pub input_bias: Vec<f32>,
    /// `dim` x 3 `dim`: from the previous state to the same.
    pub recurrent: Vec<f32>,
    /// 3 `dim`.
    pub recurrent_bias: Vec<f32>,
}

/// One layer of gated recurrent units (Cho et al. 2014) over item vectors that also score the next
/// item (GRU4Rec, Hidasi et al. 2016; with the corrections of Hidasi and Czapp 2023). With `a` and
/// `b` the products of item vector and state plus biases: `r = s(a_r + b_r)`, `z = s(a_z + b_z)`,
/// `n = tanh(a_n + r b_n)`, `state = (1 - z) n + z state`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gru(GruWeights);

impl Gru {
    /// Creates a network from its weights.
    ///
    /// # Errors
    /// Sizes that do not fit each other, or weights that are not finite.
    pub fn new(weights: GruWeights) -> Result<Self> {
        let gru = Self(weights);
        if gru.is_consistent() {
            return Ok(gru);
        }
        let detail = "expected finite weights of matching sizes, got others; train it again";
        Err(Error::invalid("/weights", detail))
    }

    /// Computes the gates of an item vector and a state, and replaces the state; `gates` has room
    /// for 6 `dim` numbers.
    #[inline(always)]
    fn step(&self, vector: &[f32], state: &mut [f32], gates: &mut [f32]) {
        let GruWeights { dim, .. } = self.0;
        let (a, b) = gates.split_at_mut(3 * dim);
        product(vector, &self.0.input, &self.0.input_bias, a);
        product(state, &self.0.recurrent, &self.0.recurrent_bias, b);
        for (n, value) in state.iter_mut().enumerate() {
            let reset = sigmoid(a[n] + b[n]);
            let update = sigmoid(a[dim + n] + b[dim + n]);
            let candidate = (a[2 * dim + n] + reset * b[2 * dim + n]).tanh();
            *value = (1.0 - update) * candidate + update * *value;
        }
    }
}

impl SequenceNetwork for Gru {
    fn dim(&self) -> usize {
        self.0.dim
    }

    fn vectors(&self) -> &[f32] {
        &self.0.vectors
    }

    fn state(&self, history: &[u32]) -> Vec<f32> {
        let dim = self.0.dim;
        let (mut state, mut gates) = (vec![0.0; dim], vec![0.0; 6 * dim]);
        // Compiled for the vector instructions of the machine.
        Arch::new().dispatch(|| {
            for item in history {
                let start = *item as usize * dim;
                if let Some(vector) = self.0.vectors.get(start..start + dim) {
                    self.step(vector, &mut state, &mut gates);
                }
            }
        });
        state
    }

    fn is_consistent(&self) -> bool {
        let GruWeights { dim, .. } = self.0;
        let parts = [
            &self.0.input,
            &self.0.recurrent,
            &self.0.input_bias,
            &self.0.recurrent_bias,
        ];
        let lengths = parts.map(Vec::len);
        (1..=MAX_DIM).contains(&dim)
            && lengths == [3 * dim * dim, 3 * dim * dim, 3 * dim, 3 * dim]
            && self.0.vectors.len().is_multiple_of(dim)
            && self.0.vectors.iter().all(|x| x.is_finite())
            && parts.iter().all(|part| part.iter().all(|x| x.is_finite()))
    }
}

/// Writes `x` times a matrix plus a bias to `out`. Goes by rows of the matrix, so that the compiler
/// uses vector instructions.
#[inline(always)]
fn product(x: &[f32], matrix: &[f32], bias: &[f32], out: &mut [f32]) {
    out.copy_from_slice(bias);
    for (x, row) in x.iter().zip(matrix.chunks_exact(out.len())) {
        for (out, weight) in out.iter_mut().zip(row) {
            *out += x * weight;
        }
    }
}

fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

#[cfg(test)]
pub(in crate::cf) mod tests {
    use super::*;

    /// One unit; item 0 has the vector 1, item 1 the vector -2.
    pub fn one_unit() -> GruWeights {
        GruWeights {
            dim: 1,
            vectors: vec![1.0, -2.0],
            input: vec![0.5, -1.0, 2.0],
            input_bias: vec![0.0, 0.1, 0.0],
            recurrent: vec![1.0, 0.5, -1.0],
            recurrent_bias: vec![0.2, 0.0, 0.3],
        }
    }

    #[test]
    fn steps_are_those_worked_out_by_hand() {
        let gru = Gru::new(one_unit()).expect("consistent");
        let s = |x: f64| 1.0 / (1.0 + (-x).exp());
        // From the state 0: r = s(0.5 + 0.2), z = s(-1 + 0.1), n = tanh(2 + 0.3 r).
        let (r, z) = (s(0.7), s(-0.9));
        let first = (1.0 - z) * (2.0 + 0.3 * r).tanh();
        assert!((f64::from(gru.state(&[0])[0]) - first).abs() < 1e-6);
        // Item 1: a = (-1, 2.1, -4), b = (first + 0.2, first / 2, 0.3 - first).
        let (r, z) = (s(-0.8 + first), s(2.1 + 0.5 * first));
        let second = (1.0 - z) * (-4.0 + r * (0.3 - first)).tanh() + z * first;
        assert!((f64::from(gru.state(&[0, 1])[0]) - second).abs() < 1e-6);
        assert_eq!(gru.state(&[0, 9, 1]), gru.state(&[0, 1]), "9 is unknown");
        assert_eq!(gru.state(&[]), [0.0]);
    }

    #[test]
    fn wrong_sizes_and_numbers_are_rejected() {
        let change = |f: fn(&mut GruWeights)| {
            let mut weights = one_unit();
            f(&mut weights);
            Gru::new(weights)
        };
        assert!(change(|w| w.dim = 0).is_err());
        assert!(change(|w| w.dim = 2).is_err());
        assert!(change(|w| w.input.push(1.0)).is_err());
        assert!(change(|w| w.vectors[1] = f32::NAN).is_err());
    }
}
