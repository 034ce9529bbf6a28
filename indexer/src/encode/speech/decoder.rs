//! The decoder: a transformer over tokens that attends to the encoded clip. Keys and values of
//! earlier tokens are kept, so that each token is computed once.

use super::attention::Memory;
use super::config::Config;
use super::layers::{HalfLinear, Norm, bias, halves};
use crate::encode::kernels::{Activation, HalfRows, Linear, dot, softmax};
use crate::encode::weights::Weights;
use crate::encode::{ModelError, Precision};
use rayon::prelude::*;

/// Rows of the clip that a core processes at a time.
const ROWS: usize = 64;

/// The decoder.
pub struct Decoder {
    hidden: usize,
    heads: usize,
    tokens: HalfRows,
    positions: Vec<f32>,
    layers: Vec<Layer>,
    norm: Norm,
}

struct Layer {
    attention_norm: Norm,
    qkv: HalfLinear,
    output: HalfLinear,
    clip_norm: Norm,
    clip_query: HalfLinear,
    /// Keys and values of the clip, one after the other.
    clip_keys: Linear,
    clip_output: HalfLinear,
    norm: Norm,
    up: HalfLinear,
    down: HalfLinear,
}

/// Tokens decoded so far, and the clip.
pub struct State {
    clip: Vec<Memory>,
    /// Keys and values of the tokens, `[tokens, hidden]` each, by layer.
    past: Vec<[Vec<f32>; 2]>,
    length: usize,
}

impl State {
    /// Forgets the tokens.
    pub fn clear(&mut self) {
        self.past.iter_mut().flatten().for_each(Vec::clear);
        self.length = 0;
    }

    /// Number of tokens so far.
    pub fn len(&self) -> usize {
        self.length
    }
}

impl Decoder {
    /// Builds the decoder of `weights`.
    ///
    /// # Errors
    /// A tensor is missing or of another shape.
    pub fn load(w: &Weights, config: &Config) -> Result<Self, ModelError> {
        let (hidden, inner) = (config.d_model, config.decoder_ffn_dim);
        let square = [hidden, hidden];
        let layer = |number: usize| {
            let name = |module: &str| format!("model.decoder.layers.{number}.{module}");
            let projections = |of: &str, parts: &[&str]| -> Vec<String> {
                let name = |part: &&str| name(&format!("{of}.{part}_proj"));
                parts.iter().map(name).collect()
            };
            let linear = |names: &[String], shape| {
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                HalfLinear::load(w, &names, shape)
            };
            let (mut weight, mut biases) = (Vec::new(), Vec::new());
            for name in projections("encoder_attn", &["k", "v"]) {
                weight.extend(w.flat(&format!("{name}.weight"), &square)?);
                biases.extend(bias(w, &name, hidden)?);
            }
            Ok(Layer {
                attention_norm: Norm::load(w, &name("self_attn_layer_norm"), hidden)?,
                qkv: linear(&projections("self_attn", &["q", "k", "v"]), square)?,
                output: linear(&projections("self_attn", &["out"]), square)?,
                clip_norm: Norm::load(w, &name("encoder_attn_layer_norm"), hidden)?,
                clip_query: linear(&projections("encoder_attn", &["q"]), square)?,
                clip_keys: Linear::new(&weight, biases, Activation::Identity, Precision::F32),
                clip_output: linear(&projections("encoder_attn", &["out"]), square)?,
                norm: Norm::load(w, &name("final_layer_norm"), hidden)?,
                up: linear(&[name("fc1")], [inner, hidden])?,
                down: linear(&[name("fc2")], [hidden, inner])?,
            })
        };
        let table = [config.vocab_size, hidden];
        let positions = [config.max_target_positions, hidden];
        Ok(Self {
            hidden,
            heads: config.decoder_attention_heads,
            tokens: HalfRows::new(
                halves(w, "model.decoder.embed_tokens.weight", table)?,
                hidden,
            ),
            positions: w.flat("model.decoder.embed_positions.weight", &positions)?,
            layers: (0..config.decoder_layers)
                .map(layer)
                .collect::<Result<_, ModelError>>()?,
            norm: Norm::load(w, "model.decoder.layer_norm", hidden)?,
        })
    }

    /// Maximum number of tokens.
    pub fn max_tokens(&self) -> usize {
        self.positions.len() / self.hidden
    }

    /// Starts to decode an encoded clip `[frames, hidden]`.
    pub fn start(&self, clip: &[f32]) -> State {
        let (hidden, frames) = (self.hidden, clip.len() / self.hidden);
        let heads = [self.heads, hidden / self.heads];
        let memory = |layer: &Layer| {
            let mut both = vec![0.0; 2 * clip.len()];
            let chunks = clip.par_chunks(ROWS * hidden);
            chunks
                .zip(both.par_chunks_mut(2 * ROWS * hidden))
                .for_each(|(clip, both)| layer.clip_keys.forward(clip, both));
            Memory::new(&both, &both[hidden..], 2 * hidden, frames, heads)
        };
        State {
            clip: self.layers.iter().map(memory).collect(),
            past: self.layers.iter().map(|_| Default::default()).collect(),
            length: 0,
        }
    }

    /// Appends tokens and returns the logits of the token after the last one.
    ///
    /// # Errors
    /// A token is not in the vocabulary, or there are too many.
    pub fn step(&self, state: &mut State, tokens: &[u32]) -> Result<Vec<f32>, ModelError> {
        let hidden = self.hidden;
        let mut x = self.embed(state.length, tokens)?;
        for ((layer, clip), past) in self.layers.iter().zip(&state.clip).zip(&mut state.past) {
            let mut normed = x.clone();
            layer.attention_norm.apply(&mut normed);
            let qkv = layer.qkv.forward(&normed, Activation::Identity);
            for row in qkv.chunks_exact(3 * hidden) {
                past[0].extend(&row[hidden..2 * hidden]);
                past[1].extend(&row[2 * hidden..]);
            }
            let attended = self.attend(&qkv, past, state.length);
            layer.output.add(&attended, &mut x);
            normed.copy_from_slice(&x);
            layer.clip_norm.apply(&mut normed);
            let queries = layer.clip_query.forward(&normed, Activation::Identity);
            let attended = clip.attend(&queries, hidden, tokens.len());
            layer.clip_output.add(&attended, &mut x);
            normed.copy_from_slice(&x);
            layer.norm.apply(&mut normed);
            let inner = layer.up.forward(&normed, Activation::Gelu);
            layer.down.add(&inner, &mut x);
        }
        state.length += tokens.len();
        let mut last = x.split_off(x.len() - hidden);
        self.norm.apply(&mut last);
        Ok(self.tokens.product(&last))
    }

    fn embed(&self, start: usize, tokens: &[u32]) -> Result<Vec<f32>, ModelError> {
        let mut x = Vec::with_capacity(tokens.len() * self.hidden);
        let positions = self.positions.chunks_exact(self.hidden).skip(start);
        for (token, position) in tokens.iter().zip(positions) {
            let row = self.tokens.row(*token as usize);
            let row = row.ok_or_else(|| {
                ModelError::Compute(format!("token {token} is not in the vocabulary"))
            })?;
            x.extend(row.iter().zip(position).map(|(x, p)| x + p));
        }
        if tokens.is_empty() || x.len() < tokens.len() * self.hidden {
            let (max, count) = (self.max_tokens(), start + tokens.len());
            let reason = format!("expected 1 to {max} tokens, got {count}");
            return Err(ModelError::Compute(reason));
        }
        Ok(x)
    }

    /// Returns the attention of the last tokens to all up to themselves, `[tokens, hidden]`.
    fn attend(&self, qkv: &[f32], [keys, values]: &[Vec<f32>; 2], before: usize) -> Vec<f32> {
        let (hidden, width) = (self.hidden, self.hidden / self.heads);
        let scale = 1.0 / (width as f32).sqrt();
        let mut out = vec![0.0; qkv.len() / 3];
        let rows = qkv
            .chunks_exact(3 * hidden)
            .zip(out.chunks_exact_mut(hidden));
        for (number, (row, out)) in rows.enumerate() {
            let count = before + number + 1;
            for (head, out) in out.chunks_exact_mut(width).enumerate() {
                let at = head * width..(head + 1) * width;
                let query = &row[at.clone()];
                let keys = keys.chunks_exact(hidden).take(count);
                let mut weights: Vec<f32> = keys
                    .map(|key| dot(query, &key[at.clone()]) * scale)
                    .collect();
                softmax(&mut weights, count);
                for (weight, value) in weights.iter().zip(values.chunks_exact(hidden)) {
                    let value = &value[at.clone()];
                    out.iter_mut()
                        .zip(value)
                        .for_each(|(o, v)| *o += weight * v);
                }
            }
        }
        out
    }
}
