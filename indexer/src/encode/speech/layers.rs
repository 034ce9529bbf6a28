//! Layers that encoder and decoder share.

use half::f16;

use crate::encode::ModelError;
use crate::encode::kernels::{Activation, HalfRows, activate, layer_norm};
use crate::encode::weights::Weights;

/// Layer normalization.
pub struct Norm {
    weight: Vec<f32>,
    bias: Vec<f32>,
}

impl Norm {
    pub fn load(w: &Weights, name: &str, width: usize) -> Result<Self, ModelError> {
        Ok(Self {
            weight: w.flat(&format!("{name}.weight"), &[width])?,
            bias: w.flat(&format!("{name}.bias"), &[width])?,
        })
    }

    /// Normalizes rows in place.
    pub fn apply(&self, rows: &mut [f32]) {
        layer_norm(rows, &self.weight, &self.bias, 1e-5);
    }
}

/// Returns the bias of a layer; that of keys does not exist.
pub fn bias(w: &Weights, name: &str, n: usize) -> Result<Vec<f32>, ModelError> {
    let name = format!("{name}.bias");
    if w.contains(&name) {
        w.flat(&name, &[n])
    } else {
        Ok(vec![0.0; n])
    }
}

/// A linear layer of the decoder.
pub struct HalfLinear {
    weight: HalfRows,
    bias: Vec<f32>,
}

impl HalfLinear {
    /// Loads layers with these names, one below the other: `[n, k]` each.
    pub fn load(w: &Weights, names: &[&str], [n, k]: [usize; 2]) -> Result<Self, ModelError> {
        let (mut weights, mut biases) = (Vec::new(), Vec::new());
        for name in names {
            weights.extend(halves(w, &format!("{name}.weight"), [n, k])?);
            biases.extend(bias(w, name, n)?);
        }
        Ok(Self {
            weight: HalfRows::new(weights, k),
            bias: biases,
        })
    }

    /// Returns `activation(x W^T + b)` of rows x.
    pub fn forward(&self, input: &[f32], activation: Activation) -> Vec<f32> {
        let mut out = self.weight.product(input);
        for row in out.chunks_exact_mut(self.bias.len()) {
            row.iter_mut().zip(&self.bias).for_each(|(x, b)| *x += b);
        }
        activate(&mut out, activation);
        out
    }

    /// Adds [`HalfLinear::forward`] without activation to `out`.
    pub fn add(&self, input: &[f32], out: &mut [f32]) {
        let sums = self.forward(input, Activation::Identity);
        out.iter_mut().zip(sums).for_each(|(x, sum)| *x += sum);
    }
}

/// Returns a matrix as f16; one that is stored in f32 is rounded.
pub fn halves(w: &Weights, name: &str, shape: [usize; 2]) -> Result<Vec<f16>, ModelError> {
    if let Some(halves) = w.halves(name, &shape)? {
        return Ok(halves);
    }
    let floats = w.flat(name, &shape)?;
    Ok(floats.into_iter().map(f16::from_f32).collect())
}
