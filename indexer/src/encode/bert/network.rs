//! The transformer of BERT over texts laid end to end: `[tokens, hidden]` rows with no padding, attention text by text.

use std::path::Path;

use super::super::ModelError;
use super::super::kernels::{Activation, Aligned, Linear, layer_norm};
use super::super::weights::Weights;
use super::attention::{Attention, Distances};
use super::config::{Config, Family};
use crate::encode::Precision;

/// Rows taken through a feed-forward block at once: its wide inner rows stay in the core's own cache.
const ROWS: usize = 64;

struct Norm {
    weight: Vec<f32>,
    bias: Vec<f32>,
    eps: f32,
}

impl Norm {
    fn load(w: &Weights, name: &str, config: &Config) -> Result<Self, ModelError> {
        let shape = [config.hidden_size];
        Ok(Self {
            weight: w.flat(&format!("{name}.weight"), &shape)?,
            bias: w.flat(&format!("{name}.bias"), &shape)?,
            eps: config.layer_norm_eps,
        })
    }

    fn forward(&self, rows: &mut [f32]) {
        layer_norm(rows, &self.weight, &self.bias, self.eps);
    }
}

struct Layer {
    attention: Attention,
    attention_norm: Norm,
    up: Linear,
    down: Linear,
    norm: Norm,
}

/// Prefixes that checkpoints put before all names, as the class they were saved of has it.
const PREFIXES: [&str; 6] = [
    "",
    "bert.",
    "roberta.",
    "distilbert.",
    "mpnet.",
    "text_model.",
];

/// The network.
pub struct Network {
    hidden: usize,
    inner: usize,
    words: Vec<f32>,
    /// From the first token's place on; the token type 0, which all tokens are of, is in it.
    positions: Vec<f32>,
    norm: Norm,
    distances: Option<Distances>,
    layers: Vec<Layer>,
}

impl Network {
    /// Builds the network of `weights`; see [`PREFIXES`].
    ///
    /// # Errors
    /// A tensor is missing or of another shape.
    pub fn load(
        w: &Weights,
        config: &Config,
        path: &Path,
        precision: Precision,
    ) -> Result<Self, ModelError> {
        let there = |p: &&str| w.contains(&format!("{p}embeddings.word_embeddings.weight"));
        let prefix = PREFIXES.into_iter().find(there).unwrap_or_default();
        let (hidden, inner) = (config.hidden_size, config.intermediate_size);
        let (family, activation) = (config.family(path)?, config.activation(path)?);
        let names = family.names();
        let table = |name: &str, rows| {
            w.flat(
                &format!("{prefix}embeddings.{name}_embeddings.weight"),
                &[rows, hidden],
            )
        };
        let words = table("word", config.vocab_size)?;
        let mut positions = table("position", config.max_position_embeddings)?;
        positions.drain(..config.first_position(family) * hidden);
        if config.has_types(family) {
            let types = table("token_type", config.type_vocab_size)?;
            for row in positions.chunks_exact_mut(hidden) {
                row.iter_mut().zip(&types).for_each(|(p, t)| *p += t);
            }
        }
        let distances = if family == Family::Mpnet {
            let name = format!("{prefix}encoder.relative_attention_bias.weight");
            let shape = [
                config.relative_attention_num_buckets,
                config.num_attention_heads,
            ];
            Some(Distances::new(
                &w.flat(&name, &shape)?,
                shape,
                positions.len() / hidden,
            ))
        } else {
            None
        };
        let layer = |number: usize| {
            let name = |part: &str| format!("{prefix}{}.{number}.{part}", names.layers);
            let linear = |part: &str, k, n, activation| {
                let weight = w.flat(&format!("{}.weight", name(part)), &[n, k])?;
                let bias = w.flat(&format!("{}.bias", name(part)), &[n])?;
                Ok::<_, ModelError>(Linear::new(&weight, bias, activation, precision))
            };
            Ok(Layer {
                attention: Attention::load(
                    w,
                    &names.qkv.map(name),
                    linear(names.output, hidden, hidden, Activation::Identity)?,
                    hidden,
                    config.num_attention_heads,
                    precision,
                )?,
                attention_norm: Norm::load(w, &name(names.attention_norm), config)?,
                up: linear(names.up, hidden, inner, activation)?,
                down: linear(names.down, inner, hidden, Activation::Identity)?,
                norm: Norm::load(w, &name(names.norm), config)?,
            })
        };
        Ok(Self {
            hidden,
            inner,
            words,
            positions,
            norm: Norm::load(w, &format!("{prefix}embeddings.LayerNorm"), config)?,
            distances,
            layers: (0..config.num_hidden_layers)
                .map(layer)
                .collect::<Result<_, ModelError>>()?,
        })
    }

    /// Most tokens of a text.
    pub fn most_tokens(&self) -> usize {
        self.positions.len() / self.hidden
    }

    /// The vector of a token before any layer; `None`: not in the vocabulary.
    pub fn word(&self, id: u32) -> Option<&[f32]> {
        let start = id as usize * self.hidden;
        self.words.get(start..start + self.hidden)
    }

    /// Token vectors `[tokens, hidden]` of texts, one after another.
    ///
    /// # Errors
    /// A token number beyond the vocabulary: the tokenizer is another model's.
    pub fn forward(&self, texts: &[&[u32]]) -> Result<Aligned<f32>, ModelError> {
        let lengths: Vec<usize> = texts.iter().map(|text| text.len()).collect();
        let mut x = self.embed(texts)?;
        let mut inner = Aligned::zeros(ROWS * self.inner);
        for layer in &self.layers {
            layer
                .attention
                .add(&mut x, &lengths, self.distances.as_ref());
            for rows in x.chunks_mut(ROWS * self.hidden) {
                layer.attention_norm.forward(rows);
                let inner = &mut inner[..rows.len() / self.hidden * self.inner];
                layer.up.forward(rows, inner);
                layer.down.add(inner, rows);
                layer.norm.forward(rows);
            }
        }
        Ok(x)
    }

    fn embed(&self, texts: &[&[u32]]) -> Result<Aligned<f32>, ModelError> {
        let tokens = texts.iter().map(|text| text.len()).sum::<usize>();
        let mut x = Aligned::zeros(tokens * self.hidden);
        let places = texts
            .iter()
            .flat_map(|text| text.iter().zip(self.positions.chunks_exact(self.hidden)));
        for (row, (&id, position)) in x.chunks_exact_mut(self.hidden).zip(places) {
            let word = self.word(id).ok_or_else(|| {
                ModelError::Compute(format!("token {id} is not in the vocabulary"))
            })?;
            for ((x, word), position) in row.iter_mut().zip(word).zip(position) {
                *x = word + position;
            }
        }
        self.norm.forward(&mut x);
        Ok(x)
    }
}
