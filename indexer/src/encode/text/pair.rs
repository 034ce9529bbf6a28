//! Two text encoders whose vectors are joined: one of the Latin script, one of many languages.
//!
//! The score of two texts in the Latin script is the weighted mean of both models' cosines, that
//! of other texts the cosine of the multilingual model. A vector has three parts, with the weight
//! `w` of the model of the Latin script:
//!
//! | text | 1: Latin script | 2: multilingual | 3: multilingual |
//! |---|---|---|---|
//! | document, Latin script | `sqrt(w)` | `sqrt(1 - w)` | 0 |
//! | document, other | 0 | `sqrt(1 - w)` | `sqrt(w)` |
//! | query, Latin script | `sqrt(w)` | `sqrt(1 - w)` | `sqrt(w)` |
//! | query, other | 0 | 1 | 0 |
//!
//! Documents are of unit length. A query is normalized too, which scales all its scores alike.

use std::path::{Component, Path, PathBuf};

use serde::Deserialize;

use super::bert::{Bert, Pooling, Prefixes, Role};
use super::script::is_latin;
use super::{ModelError, TextEncoder};
use crate::encode::weights::{read_json, read_json_optional};
use crate::encode::{Precision, normalize};

/// `model_type` of a pair's `config.json`.
pub const MODEL_TYPE: &str = "pair";

/// `config.json`. The models are folders next to that of the pair.
#[derive(Deserialize)]
struct Config {
    latin: PathBuf,
    multilingual: PathBuf,
    latin_weight: f32,
}

/// Two text encoders as one.
pub struct Pair {
    latin: Bert,
    multilingual: Bert,
    /// Weight of the model of the Latin script, between 0 and 1.
    weight: f32,
}

impl Pair {
    /// Loads the folder of a pair. Its models know their own prefixes.
    ///
    /// # Errors
    /// A file is missing or does not fit, or `prefixes` are given.
    pub fn load(
        dir: &Path,
        precision: Precision,
        prefixes: Option<Prefixes>,
    ) -> Result<Self, ModelError> {
        let path = dir.join("config.json");
        let config: Config = read_json(&path)?;
        if prefixes.is_some() {
            let reason = "a pair does not support prefixes; its models have their own";
            return Err(ModelError::invalid(path, reason));
        }
        let weight = config.latin_weight;
        if !(weight > 0.0 && weight < 1.0) {
            let reason = format!("latin_weight: expected a number between 0 and 1, got {weight}");
            return Err(ModelError::invalid(path, reason));
        }
        let load = |name: &Path| Bert::load(&sibling(dir, name)?, precision, None);
        Ok(Self {
            latin: load(&config.latin)?,
            multilingual: load(&config.multilingual)?,
            weight,
        })
    }

    /// Joins the vectors of a document.
    fn join(&self, latin: Option<Vec<f32>>, multilingual: &[f32]) -> Vec<f32> {
        let (first, second) = (self.weight.sqrt(), (1.0 - self.weight).sqrt());
        let third = if latin.is_some() { 0.0 } else { first };
        let latin = latin.unwrap_or_else(|| vec![0.0; self.latin.dim()]);
        let mut vector: Vec<f32> = latin.iter().map(|x| x * first).collect();
        vector.extend(multilingual.iter().map(|x| x * second));
        vector.extend(multilingual.iter().map(|x| x * third));
        vector
    }
}

impl TextEncoder for Pair {
    fn dim(&self) -> usize {
        self.latin.dim() + 2 * self.multilingual.dim()
    }

    fn max_tokens(&self) -> usize {
        self.multilingual.max_tokens()
    }

    fn pooling(&self) -> Pooling {
        self.multilingual.pooling()
    }

    fn prefixes(&self) -> &Prefixes {
        self.multilingual.prefixes()
    }

    fn count_tokens(&self, text: &str) -> usize {
        self.multilingual.count_tokens(text)
    }

    fn word_dim(&self) -> usize {
        self.multilingual.word_dim()
    }

    fn mean_word(&self, text: &str) -> Result<Vec<f32>, ModelError> {
        self.multilingual.mean_word(text)
    }

    /// Returns vectors in the layout of documents for both roles.
    fn encode(&self, texts: &[&str], role: Role) -> Vec<Result<Vec<f32>, ModelError>> {
        let latin: Vec<&str> = texts.iter().copied().filter(|t| is_latin(t)).collect();
        let mut latin = self.latin.encode(&latin, role).into_iter();
        let multilingual = self.multilingual.encode(texts, role).into_iter();
        let join = |(text, multilingual): (&&str, Result<Vec<f32>, ModelError>)| {
            let latin = if is_latin(text) { latin.next() } else { None };
            Ok(self.join(latin.transpose()?, &multilingual?))
        };
        texts.iter().zip(multilingual).map(join).collect()
    }

    fn to_query(&self, vector: &mut [f32]) {
        let (latin, rest) = vector.split_at_mut(self.latin.dim());
        let (second, third) = rest.split_at_mut(self.multilingual.dim());
        if latin.iter().all(|x| *x == 0.0) {
            third.fill(0.0);
        } else {
            let ratio = (self.weight / (1.0 - self.weight)).sqrt();
            third
                .iter_mut()
                .zip(second)
                .for_each(|(to, from)| *to = *from * ratio);
        }
        normalize(vector);
    }
}

/// Returns the folders of the models of the pair in `dir`; none for another model.
///
/// # Errors
/// The configuration is damaged.
pub fn models(dir: &Path) -> Result<Vec<PathBuf>, ModelError> {
    let path = dir.join("config.json");
    let config: serde_json::Value = read_json_optional(&path)?.unwrap_or_default();
    if config["model_type"] != MODEL_TYPE {
        return Ok(Vec::new());
    }
    let config: Config =
        serde_json::from_value(config).map_err(|e| ModelError::invalid(&path, e))?;
    let names = [config.latin, config.multilingual];
    names.iter().map(|name| sibling(dir, name)).collect()
}

fn sibling(dir: &Path, name: &Path) -> Result<PathBuf, ModelError> {
    let mut components = name.components();
    match (components.next(), components.next(), dir.parent()) {
        (Some(Component::Normal(name)), None, Some(parent)) => Ok(parent.join(name)),
        _ => {
            let reason = format!("expected the name of a folder, got `{}`", name.display());
            Err(ModelError::invalid(dir.join("config.json"), reason))
        }
    }
}
