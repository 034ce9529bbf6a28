//! Sentence encoders of the BERT family ([Devlin et al. 2018](https://arxiv.org/abs/1810.04805)) in the folder form
//! of sentence-transformers ([Reimers and Gurevych 2019](https://arxiv.org/abs/1908.10084)).

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::tokenizer::TextTokenizer;
use super::weights::{Weights, read_json, read_json_optional};
use super::{ModelError, Precision, batch, normalise};
use network::{Config, Network};

mod attention;
mod network;

/// Texts tokenized at once on a core.
const TEXTS: usize = 32;

/// How token vectors become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pooling {
    /// Mean of the tokens that are not padding.
    Mean,
    /// The first token.
    Cls,
}

/// What a text is, for models trained with prefixes (e5, bge).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The model's default prompt, if any.
    Plain,
    /// A search.
    Query,
    /// Something to be found.
    Passage,
}

#[derive(Deserialize)]
struct PoolingFile {
    #[serde(default)]
    pooling_mode_cls_token: bool,
    #[serde(default)]
    pooling_mode_mean_tokens: bool,
}

#[derive(Deserialize)]
struct SentenceFile {
    max_seq_length: Option<usize>,
}

#[derive(Deserialize, Default)]
struct PromptFile {
    #[serde(default)]
    prompts: BTreeMap<String, String>,
    default_prompt_name: Option<String>,
}

/// A sentence encoder.
pub struct Bert {
    network: Network,
    tokenizer: TextTokenizer,
    pooling: Pooling,
    prompts: PromptFile,
    dim: usize,
}

impl Bert {
    /// Loads a model folder.
    ///
    /// # Errors
    /// A file is missing, or does not fit.
    pub fn load(dir: &Path, precision: Precision) -> Result<Self, ModelError> {
        let path = dir.join("config.json");
        let config: Config = read_json(&path)?;
        config.check(&path)?;
        let sentence: Option<SentenceFile> =
            read_json_optional(&dir.join("sentence_bert_config.json"))?;
        let max = sentence
            .and_then(|s| s.max_seq_length)
            .unwrap_or(usize::MAX)
            .min(config.max_position_embeddings);
        let pooling_path = dir.join("1_Pooling").join("config.json");
        let pooling = match read_json_optional::<PoolingFile>(&pooling_path)? {
            Some(file) if file.pooling_mode_cls_token => Pooling::Cls,
            Some(file) if !file.pooling_mode_mean_tokens => {
                return Err(ModelError::invalid(
                    pooling_path,
                    "only mean and CLS pooling are known",
                ));
            }
            _ => Pooling::Mean,
        };
        let tokenizer = TextTokenizer::load(dir, max)?;
        let weights = Weights::load(&dir.join("model.safetensors"), "BERT")?;
        Ok(Self {
            network: Network::load(&weights, &config, &path, precision)?,
            tokenizer,
            pooling,
            prompts: read_json_optional(&dir.join("config_sentence_transformers.json"))?
                .unwrap_or_default(),
            dim: config.hidden_size,
        })
    }

    /// Length of a vector.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Number of tokens seen, special ones included, after truncation.
    pub fn count_tokens(&self, text: &str) -> usize {
        self.tokenizer.ids(text).map_or(0, |ids| ids.len())
    }

    fn prefix(&self, role: Role) -> &str {
        let names: &[&str] = match role {
            Role::Plain => &[],
            Role::Query => &["query"],
            Role::Passage => &["passage", "document"],
        };
        let named = names.iter().find_map(|n| self.prompts.prompts.get(*n));
        let default = || {
            self.prompts
                .default_prompt_name
                .as_ref()
                .and_then(|n| self.prompts.prompts.get(n))
        };
        named.or_else(default).map_or("", String::as_str)
    }

    /// Unit vectors `[dim]` of texts, in order; batches run one a core.
    pub fn encode(&self, texts: &[&str], role: Role) -> Vec<Result<Vec<f32>, ModelError>> {
        let prefix = self.prefix(role);
        let ids = batch::run_each(texts, TEXTS, |text| {
            self.tokenizer.ids(&format!("{prefix}{}", text.trim()))
        });
        let lengths: Vec<usize> = ids.iter().map(|r| r.as_ref().map_or(0, Vec::len)).collect();
        let batches = batch::plan(&lengths);
        let results = batch::run(&batches, |rows| {
            let rows: Vec<&[u32]> = rows
                .iter()
                .filter_map(|&i| ids[i].as_deref().ok())
                .collect();
            self.forward(&rows).map_err(|e| e.to_string())
        });
        let mut out: Vec<Result<Vec<f32>, ModelError>> = ids
            .iter()
            .map(|r| {
                Err(ModelError::Compute(
                    r.as_ref()
                        .err()
                        .map_or_else(String::new, ToString::to_string),
                ))
            })
            .collect();
        for (rows, result) in batches.iter().zip(results) {
            let good = rows.iter().filter(|&&i| ids[i].is_ok());
            match result {
                Ok(vectors) => good.zip(vectors).for_each(|(&i, v)| out[i] = Ok(v)),
                Err(e) => good.for_each(|&i| out[i] = Err(ModelError::Compute(e.clone()))),
            }
        }
        out
    }

    /// One batch.
    fn forward(&self, texts: &[&[u32]]) -> Result<Vec<Vec<f32>>, ModelError> {
        let mut rest = &self.network.forward(texts)?[..];
        let vector = |text: &&[u32]| {
            let (tokens, others) = rest.split_at(text.len() * self.dim);
            rest = others;
            self.pool(tokens)
        };
        Ok(texts.iter().map(vector).collect())
    }

    /// Unit vector of a text's token vectors.
    fn pool(&self, tokens: &[f32]) -> Vec<f32> {
        let used = if self.pooling == Pooling::Cls {
            1
        } else {
            usize::MAX
        };
        let mut vector = vec![0f32; self.dim];
        for token in tokens.chunks_exact(self.dim).take(used) {
            vector
                .iter_mut()
                .zip(token)
                .for_each(|(sum, value)| *sum += value);
        }
        // The mean and the sum have one direction.
        normalise(&mut vector);
        vector
    }
}
