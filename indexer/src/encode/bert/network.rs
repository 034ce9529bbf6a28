//! The transformer of BERT over texts laid end to end: `[tokens, hidden]` rows with no padding, attention text by text.

use std::path::Path;

use serde::Deserialize;

use super::super::ModelError;
use super::super::kernels::{Activation, Aligned, Linear, layer_norm};
use super::super::weights::Weights;
use super::attention::Attention;
use crate::encode::Precision;

/// Rows taken through a feed-forward block at once: its wide inner rows stay in the core's own cache.
const ROWS: usize = 64;

/// `config.json` of a BERT model.
#[derive(Debug, Deserialize)]
pub struct Config {
    vocab_size: usize,
    pub hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    intermediate_size: usize,
    hidden_act: String,
    pub max_position_embeddings: usize,
    type_vocab_size: usize,
    layer_norm_eps: f32,
    #[serde(default)]
    position_embedding_type: Option<String>,
}

impl Config {
    /// Whether the numbers make a network that is known here.
    ///
    /// # Errors
    /// What is wrong with the configuration at `path`.
    pub fn check(&self, path: &Path) -> Result<(), ModelError> {
        let (hidden, heads) = (self.hidden_size, self.num_attention_heads);
        if heads == 0 || hidden == 0 || !hidden.is_multiple_of(heads) {
            let reason =
                format!("hidden_size {hidden} is no multiple of num_attention_heads {heads}");
            return Err(ModelError::invalid(path, reason));
        }
        for (name, value) in [
            ("vocab_size", self.vocab_size),
            ("intermediate_size", self.intermediate_size),
            ("max_position_embeddings", self.max_position_embeddings),
            ("type_vocab_size", self.type_vocab_size),
        ] {
            if value == 0 {
                return Err(ModelError::invalid(path, format!("{name} is 0")));
            }
        }
        let positions = self.position_embedding_type.as_deref();
        if positions.is_some_and(|kind| kind != "absolute") {
            return Err(ModelError::invalid(
                path,
                "position_embedding_type must be `absolute`",
            ));
        }
        self.activation(path).map(|_| ())
    }

    fn activation(&self, path: &Path) -> Result<Activation, ModelError> {
        match self.hidden_act.as_str() {
            "gelu" => Ok(Activation::Gelu),
            "relu" => Ok(Activation::Relu),
            other => Err(ModelError::invalid(
                path,
                format!("hidden_act `{other}`; gelu and relu are known"),
            )),
        }
    }
}

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

/// The network.
pub struct Network {
    hidden: usize,
    inner: usize,
    words: Vec<f32>,
    /// Position and token type 0, which all tokens are of, in one.
    positions: Vec<f32>,
    norm: Norm,
    layers: Vec<Layer>,
}

impl Network {
    /// Builds the network of `weights`, whose names may all start with `bert.`.
    ///
    /// # Errors
    /// A tensor is missing or of another shape.
    pub fn load(
        w: &Weights,
        config: &Config,
        path: &Path,
        precision: Precision,
    ) -> Result<Self, ModelError> {
        let prefix = if w.contains("bert.embeddings.word_embeddings.weight") {
            "bert."
        } else {
            ""
        };
        let (hidden, inner) = (config.hidden_size, config.intermediate_size);
        let activation = config.activation(path)?;
        let table = |name: &str, rows| {
            w.flat(
                &format!("{prefix}embeddings.{name}_embeddings.weight"),
                &[rows, hidden],
            )
        };
        let words = table("word", config.vocab_size)?;
        let mut positions = table("position", config.max_position_embeddings)?;
        let types = table("token_type", config.type_vocab_size)?;
        for row in positions.chunks_exact_mut(hidden) {
            row.iter_mut().zip(&types).for_each(|(p, t)| *p += t);
        }
        let layer = |number: usize| {
            let name = |part: &str| format!("{prefix}encoder.layer.{number}.{part}");
            let linear = |part: &str, k, n, activation| {
                let weight = w.flat(&format!("{}.weight", name(part)), &[n, k])?;
                let bias = w.flat(&format!("{}.bias", name(part)), &[n])?;
                Ok::<_, ModelError>(Linear::new(&weight, bias, activation, precision))
            };
            Ok(Layer {
                attention: Attention::load(
                    w,
                    &name("attention"),
                    hidden,
                    config.num_attention_heads,
                    precision,
                )?,
                attention_norm: Norm::load(w, &name("attention.output.LayerNorm"), config)?,
                up: linear("intermediate.dense", hidden, inner, activation)?,
                down: linear("output.dense", inner, hidden, Activation::Identity)?,
                norm: Norm::load(w, &name("output.LayerNorm"), config)?,
            })
        };
        Ok(Self {
            hidden,
            inner,
            words,
            positions,
            norm: Norm::load(w, &format!("{prefix}embeddings.LayerNorm"), config)?,
            layers: (0..config.num_hidden_layers)
                .map(layer)
                .collect::<Result<_, ModelError>>()?,
        })
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
            layer.attention.add(&mut x, &lengths);
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
            let start = id as usize * self.hidden;
            let word = self.words.get(start..start + self.hidden);
            let word = word.ok_or_else(|| {
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
