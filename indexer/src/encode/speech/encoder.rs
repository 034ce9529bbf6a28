//! The encoder: two convolutions over the spectrogram, then a transformer with normalization before
//! each block.

use rayon::prelude::*;

use super::attention::Memory;
use super::config::Config;
use super::layers::{Norm, bias};
use crate::encode::kernels::{Activation, Epilogue, Linear, Packed, Place, Rows, matmul};
use crate::encode::weights::Weights;
use crate::encode::{ModelError, Precision};

/// Rows that a core processes at a time; their activations stay in its cache.
const ROWS: usize = 64;

/// The encoder.
pub struct Encoder {
    hidden: usize,
    heads: usize,
    convolutions: [Convolution; 2],
    /// Position embeddings `[frames / 2, hidden]`.
    positions: Vec<f32>,
    layers: Vec<Layer>,
    norm: Norm,
}

struct Layer {
    attention_norm: Norm,
    qkv: Linear,
    output: Linear,
    norm: Norm,
    up: Linear,
    down: Linear,
    inner: usize,
}

impl Encoder {
    /// Builds the encoder of `weights`.
    ///
    /// # Errors
    /// A tensor is missing or of another shape.
    pub fn load(w: &Weights, config: &Config) -> Result<Self, ModelError> {
        let (hidden, inner) = (config.d_model, config.encoder_ffn_dim);
        let linear = |names: &[&str], n, k, activation| {
            let (mut weight, mut biases) = (Vec::new(), Vec::new());
            for name in names {
                weight.extend(w.flat(&format!("{name}.weight"), &[n, k])?);
                biases.extend(bias(w, name, n)?);
            }
            Ok::<_, ModelError>(Linear::new(&weight, biases, activation, Precision::F32))
        };
        let layer = |number: usize| {
            let name = |module: &str| format!("model.encoder.layers.{number}.{module}");
            let qkv = ["q", "k", "v"].map(|part| name(&format!("self_attn.{part}_proj")));
            let plain = Activation::Identity;
            Ok(Layer {
                attention_norm: Norm::load(w, &name("self_attn_layer_norm"), hidden)?,
                qkv: linear(&qkv.each_ref().map(|n| &**n), hidden, hidden, plain)?,
                output: linear(&[&name("self_attn.out_proj")], hidden, hidden, plain)?,
                norm: Norm::load(w, &name("final_layer_norm"), hidden)?,
                up: linear(&[&name("fc1")], inner, hidden, Activation::Gelu)?,
                down: linear(&[&name("fc2")], hidden, inner, plain)?,
                inner,
            })
        };
        let positions = [config.max_source_positions, hidden];
        Ok(Self {
            hidden,
            heads: config.encoder_attention_heads,
            convolutions: [
                Convolution::load(w, "model.encoder.conv1", [hidden, config.num_mel_bins], 1)?,
                Convolution::load(w, "model.encoder.conv2", [hidden, hidden], 2)?,
            ],
            positions: w.flat("model.encoder.embed_positions.weight", &positions)?,
            layers: (0..config.encoder_layers)
                .map(layer)
                .collect::<Result<_, ModelError>>()?,
            norm: Norm::load(w, "model.encoder.layer_norm", hidden)?,
        })
    }

    /// Returns `[frames / 2, hidden]` of a spectrogram `[frames, mels]`. A clip that is shorter
    /// than the model's longest has the first positions only.
    pub fn forward(&self, mel: &[f32]) -> Vec<f32> {
        let hidden = self.hidden;
        let [first, second] = &self.convolutions;
        let mut x = second.forward(&first.forward(mel));
        x.truncate(self.positions.len());
        x.iter_mut().zip(&self.positions).for_each(|(x, p)| *x += p);
        for layer in &self.layers {
            layer.forward(&mut x, [self.heads, hidden / self.heads]);
        }
        self.norm.apply(&mut x);
        x
    }
}

impl Layer {
    fn forward(&self, x: &mut [f32], [heads, width]: [usize; 2]) {
        let hidden = heads * width;
        let rows = x.len() / hidden;
        let mut qkv = vec![0.0; 3 * x.len()];
        let chunks = x.par_chunks(ROWS * hidden);
        chunks
            .zip(qkv.par_chunks_mut(3 * ROWS * hidden))
            .for_each(|(x, qkv)| {
                let mut normed = x.to_vec();
                self.attention_norm.apply(&mut normed);
                self.qkv.forward(&normed, qkv);
            });
        let (keys, values) = (&qkv[hidden..], &qkv[2 * hidden..]);
        let memory = Memory::new(keys, values, 3 * hidden, rows, [heads, width]);
        let attended = memory.attend(&qkv, 3 * hidden, rows);
        let chunks = x.par_chunks_mut(ROWS * hidden);
        chunks
            .zip(attended.par_chunks(ROWS * hidden))
            .for_each(|(x, attended)| {
                self.output.add(attended, x);
                let mut normed = x.to_vec();
                self.norm.apply(&mut normed);
                let mut inner = vec![0.0; x.len() / hidden * self.inner];
                self.up.forward(&normed, &mut inner);
                self.down.add(&inner, x);
            });
    }
}

/// A convolution over three frames with GELU.
struct Convolution {
    weight: Packed,
    bias: Vec<f32>,
    inputs: usize,
    step: usize,
}

impl Convolution {
    fn load(
        w: &Weights,
        name: &str,
        [outputs, inputs]: [usize; 2],
        step: usize,
    ) -> Result<Self, ModelError> {
        let stored = w.flat(&format!("{name}.weight"), &[outputs, inputs, 3])?;
        // [outputs, inputs, 3] becomes [outputs, 3, inputs]: three neighboring rows of the input.
        let value = |at: usize| {
            let (output, rest) = (at / (3 * inputs), at % (3 * inputs));
            stored[(output * inputs + rest % inputs) * 3 + rest / inputs]
        };
        let weight: Vec<f32> = (0..stored.len()).map(value).collect();
        Ok(Self {
            weight: Packed::transposed(&weight, 3 * inputs),
            bias: w.flat(&format!("{name}.bias"), &[outputs])?,
            inputs,
            step,
        })
    }

    /// Returns `[frames / step, outputs]` of `[frames, inputs]`.
    fn forward(&self, input: &[f32]) -> Vec<f32> {
        let (inputs, outputs) = (self.inputs, self.bias.len());
        let rows = (input.len() / inputs).div_ceil(self.step);
        let mut padded = vec![0.0; input.len() + (self.step + 1) * inputs];
        padded[inputs..][..input.len()].copy_from_slice(input);
        let mut out = vec![0.0; rows * outputs];
        let epilogue = Epilogue {
            bias: Some(&self.bias),
            activation: Activation::Gelu,
            ..Epilogue::NONE
        };
        let chunks = out.par_chunks_mut(ROWS * outputs).enumerate();
        chunks.for_each(|(number, out)| {
            let left = Rows {
                data: &padded[number * ROWS * self.step * inputs..],
                stride: self.step * inputs,
                rows: out.len() / outputs,
            };
            matmul(left, &self.weight, epilogue, out, Place::rows(outputs));
        });
        out
    }
}
