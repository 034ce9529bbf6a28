//! Sentence encoders of the BERT family ([Devlin et al. 2018](https://arxiv.org/abs/1810.04805)),
//! from a folder in the form of Hugging Face or sentence-transformers.

use std::path::Path;

use super::TextEncoder;
use super::centering::Centering;
use super::tokenizer::TextTokenizer;
use crate::encode::weights::{Weights, read_json};
use crate::encode::{ModelError, Precision, batch, normalize};
use config::Config;
use network::Network;
use sentence::Sentence;

pub use super::role::Role;
pub use config::Family;
pub use sentence::{Pooling, Prefixes};

mod attention;
pub(crate) mod config;
pub(crate) mod network;
pub(crate) mod sentence;
mod words;

/// Texts that a core tokenizes at a time.
const TEXTS_PER_JOB: usize = 32;

/// A sentence encoder.
pub struct Bert {
    network: Network,
    tokenizer: TextTokenizer,
    sentence: Sentence,
    centering: Option<Centering>,
    hidden: usize,
}

impl Bert {
    /// Loads a model folder. `prefixes` replace those that the folder names.
    ///
    /// # Errors
    /// A file is missing or does not fit.
    pub fn load(
        dir: &Path,
        precision: Precision,
        prefixes: Option<Prefixes>,
    ) -> Result<Self, ModelError> {
        let path = dir.join("config.json");
        let config: Config = read_json(&path)?;
        config.check(&path)?;
        let mut sentence = Sentence::load(dir, config.hidden_size)?;
        if let Some(prefixes) = prefixes {
            sentence.prefixes = prefixes;
        }
        let weights = Weights::load(&dir.join("model.safetensors"), "BERT")?;
        let network = Network::load(&weights, &config, &path, precision)?;
        let tokenizer = TextTokenizer::load(dir, network.max_tokens().min(sentence.max_tokens))?;
        Ok(Self {
            network,
            tokenizer,
            centering: Centering::load(dir, sentence.width(config.hidden_size))?,
            sentence,
            hidden: config.hidden_size,
        })
    }

    /// Encodes one batch of token ids.
    fn forward(&self, texts: &[&[u32]]) -> Result<Vec<Vec<f32>>, ModelError> {
        let mut rest = &self.network.forward(texts)?[..];
        let vector = |text: &&[u32]| {
            let (tokens, next) = rest.split_at(text.len() * self.hidden);
            rest = next;
            self.pool(tokens)
        };
        Ok(texts.iter().map(vector).collect())
    }

    /// Returns the unit vector of a text's token vectors `[tokens, hidden]`.
    fn pool(&self, tokens: &[f32]) -> Vec<f32> {
        let used = match self.sentence.pooling {
            Pooling::Cls => &tokens[..self.hidden],
            Pooling::Mean => tokens,
        };
        let share = self.hidden as f32 / used.len() as f32;
        let mut vector = vec![0f32; self.hidden];
        for token in used.chunks_exact(self.hidden) {
            vector
                .iter_mut()
                .zip(token)
                .for_each(|(mean, value)| *mean += value * share);
        }
        for layer in &self.sentence.dense {
            vector = layer.forward(&vector);
        }
        normalize(&mut vector);
        vector
    }
}

impl TextEncoder for Bert {
    fn dim(&self) -> usize {
        self.sentence.width(self.hidden)
    }

    fn max_tokens(&self) -> usize {
        self.network.max_tokens().min(self.sentence.max_tokens)
    }

    fn pooling(&self) -> Pooling {
        self.sentence.pooling
    }

    fn prefixes(&self) -> &Prefixes {
        &self.sentence.prefixes
    }

    fn count_tokens(&self, text: &str) -> usize {
        self.tokenizer.count(text)
    }

    fn word_dim(&self) -> usize {
        self.hidden
    }

    fn mean_word(&self, text: &str) -> Result<Vec<f32>, ModelError> {
        let ids = self.tokenizer.ids(text.trim())?;
        let inner = ids.get(1..ids.len().saturating_sub(1)).unwrap_or_default();
        let mut mean = vec![0f32; self.hidden];
        let mut word = vec![0f32; self.hidden];
        for id in inner {
            self.network.words().copy(*id, &mut word)?;
            mean.iter_mut()
                .zip(&word)
                .for_each(|(m, v)| *m += v / inner.len() as f32);
        }
        Ok(mean)
    }

    fn encode(&self, texts: &[&str], role: Role) -> Vec<Result<Vec<f32>, ModelError>> {
        let prefix = match role {
            Role::Query => &self.sentence.prefixes.query,
            Role::Document => &self.sentence.prefixes.document,
        };
        let ids = batch::run_each(texts, TEXTS_PER_JOB, |text| {
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
            let valid = rows.iter().filter(|&&i| ids[i].is_ok());
            match result {
                Ok(vectors) => valid.zip(vectors).for_each(|(&i, v)| out[i] = Ok(v)),
                Err(e) => valid.for_each(|&i| out[i] = Err(ModelError::Compute(e.clone()))),
            }
        }
        if let Some(centering) = &self.centering {
            let vectors = out.iter_mut().flatten();
            vectors.for_each(|vector| centering.apply(vector, role));
        }
        out
    }
}
