//! A linear layer with its activation.

use super::epilogue::{Activation, Epilogue};
use super::int8::{self, PackedInt8, QuantizedRows};
use super::matmul::{self, Place, Rows};
use super::packed::Packed;
use crate::encode::Precision;

/// `activation(x W^T + b)` for rows x.
pub struct Linear {
    weight: Weight,
    bias: Vec<f32>,
    activation: Activation,
}

enum Weight {
    F32(Packed),
    Int8(PackedInt8),
}

impl Linear {
    /// Packs `weight` `[bias.len(), k]`, as torch stores it.
    pub fn new(
        weight: &[f32],
        bias: Vec<f32>,
        activation: Activation,
        precision: Precision,
    ) -> Self {
        let k = weight.len() / bias.len();
        let weight = match precision {
            Precision::F32 => Weight::F32(Packed::transposed(weight, k)),
            Precision::Int8 => Weight::Int8(PackedInt8::transposed(weight, k)),
        };
        Self {
            weight,
            bias,
            activation,
        }
    }

    /// Computes rows `[rows, n]` from rows `[rows, k]`.
    pub fn forward(&self, input: &[f32], output: &mut [f32]) {
        self.run(input, output, Place::rows(self.bias.len()), false);
    }

    /// [`Linear::forward`], added to what `output` holds.
    pub fn add(&self, input: &[f32], output: &mut [f32]) {
        self.run(input, output, Place::rows(self.bias.len()), true);
    }

    /// [`Linear::forward`] with the output layout `place`.
    pub fn forward_to(&self, input: &[f32], output: &mut [f32], place: Place) {
        self.run(input, output, place, false);
    }

    fn run(&self, input: &[f32], output: &mut [f32], place: Place, add: bool) {
        let epilogue = Epilogue {
            bias: Some(&self.bias),
            scale: 1.0,
            activation: self.activation,
            add,
        };
        match &self.weight {
            Weight::F32(right) => {
                let rows = Rows {
                    data: input,
                    stride: right.k,
                    rows: input.len() / right.k,
                };
                matmul::matmul(rows, right, epilogue, output, place);
            }
            Weight::Int8(right) => {
                let rows = QuantizedRows::new(input, right.k());
                int8::matmul(&rows, right, epilogue, output, place);
            }
        }
    }
}
