//! The transformer of BERT over concatenated texts: `[tokens, hidden]` rows without padding;
//! attention runs on each text separately.

use std::path::Path;

use super::attention::{Attention, Distances};
use super::config::{Config, Family};
use super::words::Words;
use crate::encode::ModelError;
use crate::encode::Precision;
use crate::encode::kernels::{Activation, Aligned, Linear, layer_norm};
use crate::encode::weights::Weights;

/// Number of rows that a feed-forward block processes at a time: its wide inner rows stay in the
/// cache of the core.
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

/// Prefixes of all names in checkpoints, which depend on the class that was saved.
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
    words: Words,
    /// Position embeddings, starting at the first token's position, plus the embedding of token
    /// type 0, the type of all tokens.
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
        let is_used = |p: &&str| w.contains(&format!("{p}embeddings.word_embeddings.weight"));
        let prefix = PREFIXES.into_iter().find(is_used).unwrap_or_default();
        let (hidden, inner) = (config.hidden_size, config.intermediate_size);
        let (family, activation) = (config.family(path)?, config.activation(path)?);
        let names = family.names();
        let table = |name: &str, rows| {
            w.flat(
                &format!("{prefix}embeddings.{name}_embeddings.weight"),
                &[rows, hidden],
            )
        };
        let name = format!("{prefix}embeddings.word_embeddings.weight");
        let words = Words::load(w, &name, [config.vocab_size, hidden])?;
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
            let name = |module: &str| format!("{prefix}{}.{number}.{module}", names.layers);
            let linear = |module: &str, k, n, activation| {
                let weight = w.flat(&format!("{}.weight", name(module)), &[n, k])?;
                let bias = w.flat(&format!("{}.bias", name(module)), &[n])?;
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

    /// Maximum number of tokens of a text.
    pub fn max_tokens(&self) -> usize {
        self.positions.len() / self.hidden
    }

    /// The word embeddings, before any layer.
    pub fn words(&self) -> &Words {
        &self.words
    }

    /// Returns the token vectors `[tokens, hidden]` of concatenated texts.
    ///
    /// # Errors
    /// A token id is not in the vocabulary: the tokenizer belongs to another model.
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
        let embeddings = texts
            .iter()
            .flat_map(|text| text.iter().zip(self.positions.chunks_exact(self.hidden)));
        for (row, (&id, position)) in x.chunks_exact_mut(self.hidden).zip(embeddings) {
            self.words.copy(id, row)?;
            row.iter_mut().zip(position).for_each(|(x, p)| *x += p);
        }
        self.norm.forward(&mut x);
        Ok(x)
    }
}
