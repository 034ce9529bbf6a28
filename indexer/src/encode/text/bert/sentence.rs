//! Settings that turn a transformer into a sentence encoder, as stored by sentence-transformers
//! ([Reimers and Gurevych 2019](https://arxiv.org/abs/1908.10084)) with the weights: pooling, dense
//! layers, maximum length, prefixes.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::encode::ModelError;
use crate::encode::Precision;
use crate::encode::kernels::{Activation, Linear};
use crate::encode::weights::{Weights, read_json, read_json_optional};

/// Pooling of token vectors into one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pooling {
    /// Mean of the tokens that are not padding.
    Mean,
    /// The first token.
    Cls,
}

impl Pooling {
    /// Name in sentence-transformers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mean => "mean",
            Self::Cls => "cls",
        }
    }
}

/// Prefixes of texts, for models that were trained with them (e5, bge). Their Debug form goes into
/// fingerprints.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Prefixes {
    /// Prefix of queries.
    pub query: String,
    /// Prefix of texts to be found.
    pub document: String,
}

/// A dense layer after the pooling.
pub struct Dense {
    linear: Linear,
    tanh: bool,
    output: usize,
}

const DENSE_FILES: [&str; 2] = ["config.json", "model.safetensors"];

/// Settings of a sentence encoder.
pub struct Sentence {
    pub pooling: Pooling,
    pub dense: Vec<Dense>,
    pub max_tokens: usize,
    pub prefixes: Prefixes,
}

#[derive(Deserialize)]
struct Module {
    path: String,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
struct DenseFile {
    in_features: usize,
    out_features: usize,
    bias: bool,
    activation_function: String,
}

#[derive(Deserialize, Default)]
struct PromptFile {
    #[serde(default)]
    prompts: BTreeMap<String, String>,
    default_prompt_name: Option<String>,
}

impl Sentence {
    /// Loads the settings of a model folder whose transformer has `hidden` components. The default
    /// is mean pooling without dense layers.
    ///
    /// # Errors
    /// A file is invalid, or names an unsupported module.
    pub fn load(dir: &Path, hidden: usize) -> Result<Self, ModelError> {
        let path = dir.join("modules.json");
        let modules: Option<Vec<Module>> = read_json_optional(&path)?;
        let listed = modules.is_some();
        let (mut pooling, mut dense, mut width) = (None, Vec::new(), hidden);
        for module in modules.unwrap_or_default() {
            let is_below = Path::new(&module.path)
                .components()
                .all(|c| matches!(c, std::path::Component::Normal(_)));
            if !is_below {
                let reason = format!("path `{}` is not below the model folder", module.path);
                return Err(ModelError::invalid(path, reason));
            }
            let folder = dir.join(&module.path);
            match module.kind.rsplit('.').next().unwrap_or_default() {
                "Transformer" if module.path.is_empty() => {}
                "Transformer" => {
                    let reason = format!(
                        "expected an empty path of the transformer, got `{}`; move its files to the \
                         model folder",
                        module.path
                    );
                    return Err(ModelError::invalid(path, reason));
                }
                "Normalize" => {}
                "Pooling" => pooling = Some(read_pooling(&folder.join("config.json"))?),
                "Dense" => {
                    let layer = Dense::load(&folder, width)?;
                    width = layer.output;
                    dense.push(layer);
                }
                other => {
                    let reason = format!(
                        "unsupported module `{other}`; expected Transformer, Pooling, Dense or Normalize"
                    );
                    return Err(ModelError::invalid(path, reason));
                }
            }
        }
        if !listed {
            let path = dir.join("1_Pooling").join("config.json");
            pooling = path.is_file().then(|| read_pooling(&path)).transpose()?;
        }
        let prompts: Option<PromptFile> =
            read_json_optional(&dir.join("config_sentence_transformers.json"))?;
        Ok(Self {
            pooling: pooling.unwrap_or(Pooling::Mean),
            dense,
            max_tokens: max_tokens(dir)?,
            prefixes: prompts.unwrap_or_default().prefixes(),
        })
    }

    /// Number of components of a vector; a token has `hidden`.
    pub fn width(&self, hidden: usize) -> usize {
        self.dense.last().map_or(hidden, |layer| layer.output)
    }
}

/// Returns the files of the dense layers of the model in `dir`, relative to it.
///
/// # Errors
/// The list of modules is damaged.
pub fn dense_files(dir: &Path) -> Result<Vec<String>, ModelError> {
    let modules: Option<Vec<Module>> = read_json_optional(&dir.join("modules.json"))?;
    let layers = modules
        .into_iter()
        .flatten()
        .filter(|m| m.kind.ends_with(".Dense"));
    let files = |m: Module| DENSE_FILES.map(|file| format!("{}/{file}", m.path));
    Ok(layers.flat_map(files).collect())
}

impl PromptFile {
    fn prefixes(&self) -> Prefixes {
        let find = |names: &[&str]| {
            let named = names.iter().find_map(|name| self.prompts.get(*name));
            let default = || self.prompts.get(self.default_prompt_name.as_ref()?);
            named.or_else(default).cloned().unwrap_or_default()
        };
        Prefixes {
            query: find(&["query"]),
            document: find(&["document", "passage", "corpus"]),
        }
    }
}

/// Returns the maximum number of tokens of a text: older folders store it with the modules, newer
/// ones with the tokenizer.
///
/// # Errors
/// It is below three.
pub fn max_tokens(dir: &Path) -> Result<usize, ModelError> {
    for (file, key) in [
        ("sentence_bert_config.json", "max_seq_length"),
        ("tokenizer_config.json", "model_max_length"),
    ] {
        let path = dir.join(file);
        let file: Option<Value> = read_json_optional(&path)?;
        // Without a limit, the value is larger than any integer.
        let Some(max) = file.and_then(|file| file[key].as_f64()) else {
            continue;
        };
        if max < 3.0 {
            let reason = format!("{key} is {max}; expected 3 or more");
            return Err(ModelError::invalid(path, reason));
        }
        return Ok(max as usize);
    }
    Ok(usize::MAX)
}

/// Reads the pooling, which is given by flags or by name.
fn read_pooling(path: &Path) -> Result<Pooling, ModelError> {
    let file: Value = read_json(path)?;
    let flags = [
        ("pooling_mode_cls_token", "cls"),
        ("pooling_mode_mean_tokens", "mean"),
        ("pooling_mode_max_tokens", "max"),
        ("pooling_mode_mean_sqrt_len_tokens", "mean_sqrt_len_tokens"),
        ("pooling_mode_weightedmean_tokens", "weightedmean"),
        ("pooling_mode_lasttoken", "lasttoken"),
    ];
    let on = flags.iter().filter(|(flag, _)| file[*flag] == true);
    let mut modes: Vec<&str> = on.map(|(_, mode)| *mode).collect();
    modes.extend(file["pooling_mode"].as_str());
    modes.extend(
        file["pooling_mode"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str),
    );
    if file["include_prompt"] == false {
        let reason = "include_prompt: expected true, got false";
        return Err(ModelError::invalid(path, reason));
    }
    match modes[..] {
        [] | ["mean"] => Ok(Pooling::Mean),
        ["cls"] => Ok(Pooling::Cls),
        _ => Err(ModelError::invalid(
            path,
            format!(
                "unsupported pooling {}; expected mean or cls",
                modes.join(" and ")
            ),
        )),
    }
}

impl Dense {
    fn load(dir: &Path, input: usize) -> Result<Self, ModelError> {
        let [path, weights] = DENSE_FILES.map(|file| dir.join(file));
        let file: DenseFile = read_json(&path)?;
        if file.in_features != input || file.out_features == 0 {
            let reason = format!(
                "expected in_features {input} and a positive out_features, got {} and {}",
                file.in_features, file.out_features
            );
            return Err(ModelError::invalid(path, reason));
        }
        let tanh = match file.activation_function.rsplit('.').next() {
            Some("Tanh") => true,
            Some("Identity") => false,
            _ => {
                let reason = format!(
                    "activation_function: expected Tanh or Identity, got `{}`",
                    file.activation_function
                );
                return Err(ModelError::invalid(path, reason));
            }
        };
        let output = file.out_features;
        let w = Weights::load(&weights, "Dense")?;
        let bias = if file.bias {
            w.flat("linear.bias", &[output])?
        } else {
            vec![0.0; output]
        };
        let weight = w.flat("linear.weight", &[output, input])?;
        Ok(Self {
            linear: Linear::new(&weight, bias, Activation::Identity, Precision::F32),
            tanh,
            output,
        })
    }

    /// Applies the layer to a vector.
    pub fn forward(&self, vector: &[f32]) -> Vec<f32> {
        let mut out = vec![0.0; self.output];
        self.linear.forward(vector, &mut out);
        if self.tanh {
            out.iter_mut().for_each(|x| *x = x.tanh());
        }
        out
    }
}
