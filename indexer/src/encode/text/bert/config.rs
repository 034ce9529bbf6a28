//! `config.json` of the BERT family, whose members differ in tensor names and position embeddings.

use std::path::Path;

use serde::Deserialize;

use crate::encode::ModelError;
use crate::encode::kernels::Activation;

/// A member of the BERT family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// [Devlin et al. 2018](https://arxiv.org/abs/1810.04805).
    Bert,
    /// XLM-RoBERTa ([Conneau et al. 2019](https://arxiv.org/abs/1911.02116)) and RoBERTa: positions
    /// start after the padding token id.
    Roberta,
    /// [Sanh et al. 2019](https://arxiv.org/abs/1910.01108): no token types.
    DistilBert,
    /// [Song et al. 2020](https://arxiv.org/abs/2004.09297): no token types, and attention with
    /// relative positions.
    Mpnet,
}

impl Family {
    /// Returns the member with this `model_type`.
    pub fn of(model_type: &str) -> Option<Self> {
        match model_type {
            "bert" | "chinese_clip_text_model" => Some(Self::Bert),
            "xlm-roberta" | "roberta" => Some(Self::Roberta),
            "distilbert" => Some(Self::DistilBert),
            "mpnet" => Some(Self::Mpnet),
            _ => None,
        }
    }

    /// Returns the tensor names of a layer in checkpoints.
    pub fn names(self) -> &'static Names {
        match self {
            Self::Bert | Self::Roberta => &BERT,
            Self::DistilBert => &DISTILBERT,
            Self::Mpnet => &MPNET,
        }
    }
}

/// Names of tensors without `.weight` and `.bias`; those of a layer are relative to it.
pub struct Names {
    pub layers: &'static str,
    /// Query, key, value.
    pub qkv: [&'static str; 3],
    pub output: &'static str,
    pub attention_norm: &'static str,
    pub up: &'static str,
    pub down: &'static str,
    pub norm: &'static str,
}

static BERT: Names = Names {
    layers: "encoder.layer",
    qkv: [
        "attention.self.query",
        "attention.self.key",
        "attention.self.value",
    ],
    output: "attention.output.dense",
    attention_norm: "attention.output.LayerNorm",
    up: "intermediate.dense",
    down: "output.dense",
    norm: "output.LayerNorm",
};

static DISTILBERT: Names = Names {
    layers: "transformer.layer",
    qkv: ["attention.q_lin", "attention.k_lin", "attention.v_lin"],
    output: "attention.out_lin",
    attention_norm: "sa_layer_norm",
    up: "ffn.lin1",
    down: "ffn.lin2",
    norm: "output_layer_norm",
};

static MPNET: Names = Names {
    qkv: ["attention.attn.q", "attention.attn.k", "attention.attn.v"],
    output: "attention.attn.o",
    attention_norm: "attention.LayerNorm",
    ..BERT
};

/// `config.json`; DistilBERT uses other keys.
#[derive(Debug, Clone, Deserialize)]
pub struct Config {
    model_type: String,
    pub vocab_size: usize,
    #[serde(alias = "dim")]
    pub hidden_size: usize,
    #[serde(alias = "n_layers")]
    pub num_hidden_layers: usize,
    #[serde(alias = "n_heads")]
    pub num_attention_heads: usize,
    #[serde(alias = "hidden_dim")]
    pub intermediate_size: usize,
    #[serde(alias = "activation")]
    hidden_act: String,
    pub max_position_embeddings: usize,
    #[serde(default)]
    pub type_vocab_size: usize,
    #[serde(default = "eps")]
    pub layer_norm_eps: f32,
    #[serde(default)]
    position_embedding_type: Option<String>,
    #[serde(default = "pad")]
    pad_token_id: usize,
    #[serde(default = "buckets")]
    pub relative_attention_num_buckets: usize,
}

fn eps() -> f32 {
    1e-12
}

fn pad() -> usize {
    1
}

fn buckets() -> usize {
    32
}

impl Config {
    /// Checks that the network is valid and supported.
    ///
    /// # Errors
    /// The configuration at `path` is invalid.
    pub fn check(&self, path: &Path) -> Result<(), ModelError> {
        let family = self.family(path)?;
        let (hidden, heads) = (self.hidden_size, self.num_attention_heads);
        if heads == 0 || hidden == 0 || !hidden.is_multiple_of(heads) {
            let reason =
                format!("hidden_size {hidden} must be a multiple of num_attention_heads {heads}");
            return Err(ModelError::invalid(path, reason));
        }
        let types = match family {
            Family::Bert | Family::Roberta => self.type_vocab_size,
            Family::DistilBert | Family::Mpnet => 1,
        };
        let buckets = self.relative_attention_num_buckets;
        for (name, value, min) in [
            ("vocab_size", self.vocab_size, 1),
            ("intermediate_size", self.intermediate_size, 1),
            (
                "max_position_embeddings",
                self.max_position_embeddings,
                self.first_position(family) + 3,
            ),
            ("type_vocab_size", types, 1),
            ("relative_attention_num_buckets", buckets, 4),
        ] {
            if value < min {
                let reason = format!("{name} is {value}; expected {min} or more");
                return Err(ModelError::invalid(path, reason));
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

    /// Returns the member of the family.
    ///
    /// # Errors
    /// `model_type` is not supported.
    pub fn family(&self, path: &Path) -> Result<Family, ModelError> {
        Family::of(&self.model_type).ok_or_else(|| {
            let reason = format!("model_type `{}` is not in the BERT family", self.model_type);
            ModelError::invalid(path, reason)
        })
    }

    /// Returns the row of the position table for the first token of a text.
    pub fn first_position(&self, family: Family) -> usize {
        match family {
            Family::Bert | Family::DistilBert => 0,
            Family::Roberta | Family::Mpnet => self.pad_token_id + 1,
        }
    }

    /// Returns true if checkpoints have a table of token types.
    pub fn has_types(&self, family: Family) -> bool {
        matches!(family, Family::Bert | Family::Roberta)
    }

    /// Returns the activation of the feed-forward layers.
    ///
    /// # Errors
    /// `hidden_act` is not supported.
    pub fn activation(&self, path: &Path) -> Result<Activation, ModelError> {
        match self.hidden_act.as_str() {
            "gelu" => Ok(Activation::Gelu),
            "relu" => Ok(Activation::Relu),
            other => Err(ModelError::invalid(
                path,
                format!("hidden_act: expected gelu or relu, got `{other}`"),
            )),
        }
    }
}
