//! Heads: two towers, learned from a catalog, that take the features of the encoders to one shared space. A models
//! folder holds them as `heads/<name>/{config.json, model.safetensors}`; `heads/active.json` names those in use.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rand::{SeedableRng, rngs::SmallRng};
use serde::{Deserialize, Serialize};

use super::tower::{Standardise, Tower, TowerShape};
use crate::encode::ModelError;
use crate::encode::weights::{Weights, read_json, read_json_optional};

const FOLDER: &str = "heads";
const ACTIVE: &str = "active.json";
const CONFIG: &str = "config.json";
const WEIGHTS: &str = "model.safetensors";
/// Of the files; one of another number is refused.
const FORMAT: u32 = 1;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    format: u32,
    /// What the features come from; see [`Encoders::base_fingerprint`](super::Encoders::base_fingerprint).
    encoders: String,
    text: TowerShape,
    photo: TowerShape,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Active {
    heads: String,
}

/// A text tower and a photo tower into one space.
pub struct Heads {
    /// Takes features of texts.
    pub text: Tower,
    /// Takes features of photos.
    pub photo: Tower,
    /// Fingerprint of the encoders whose features they take.
    pub encoders: String,
}

impl Heads {
    /// Random heads of the given shapes.
    ///
    /// # Errors
    /// A tensor cannot be made.
    pub fn fresh(
        encoders: &str,
        text: (TowerShape, Standardise),
        photo: (TowerShape, Standardise),
        seed: u64,
    ) -> Result<Self, ModelError> {
        let mut rng = SmallRng::seed_from_u64(seed);
        Ok(Self {
            text: Tower::fresh(text.0, text.1, &mut rng)?,
            photo: Tower::fresh(photo.0, photo.1, &mut rng)?,
            encoders: encoders.to_owned(),
        })
    }

    /// Length of a vector.
    pub fn dim(&self) -> usize {
        self.text.shape().output
    }

    /// blake3 over all that decides what comes out, hexadecimal.
    ///
    /// # Errors
    /// A computation failed.
    pub fn digest(&self) -> Result<String, ModelError> {
        let mut all = blake3::Hasher::new();
        for (prefix, tower) in [("text", &self.text), ("photo", &self.photo)] {
            all.update(format!("{prefix} {:?}", tower.shape()).as_bytes());
            let tensors: BTreeMap<_, _> = tower.tensors(prefix)?.into_iter().collect();
            for (name, tensor) in tensors {
                all.update(name.as_bytes());
                for value in tensor.flatten_all()?.to_vec1::<f32>()? {
                    all.update(&value.to_le_bytes());
                }
            }
        }
        Ok(all.finalize().to_hex().to_string())
    }

    /// Loads a folder.
    ///
    /// # Errors
    /// A file is missing, damaged, or does not fit the other or `encoders`, the fingerprint of those at hand.
    pub fn load(dir: &Path, encoders: &str) -> Result<Self, ModelError> {
        let path = dir.join(CONFIG);
        let config: Config = read_json(&path)?;
        if config.format != FORMAT {
            let found = config.format;
            let reason =
                format!("format {found} is not known, only {FORMAT}; train the heads again");
            return Err(ModelError::invalid(path, reason));
        }
        if config.encoders != encoders {
            let reason = format!(
                "trained on encoders {:.16}, those at hand are {encoders:.16}; train the heads again",
                config.encoders
            );
            return Err(ModelError::invalid(path, reason));
        }
        for (name, shape) in [("text", &config.text), ("photo", &config.photo)] {
            if let Some(fault) = shape.fault() {
                return Err(ModelError::invalid(path, format!("{name}: {fault}")));
            }
        }
        if config.text.output != config.photo.output {
            let reason = format!(
                "text ends in {} components, photo in {}; they must be equal",
                config.text.output, config.photo.output
            );
            return Err(ModelError::invalid(path, reason));
        }
        let path = dir.join(WEIGHTS);
        let weights = Weights::load(&path, "the heads")?;
        let heads = Self {
            text: Tower::load(&weights, "text", &config.text)?,
            photo: Tower::load(&weights, "photo", &config.photo)?,
            encoders: config.encoders,
        };
        for (name, tower) in [("text", &heads.text), ("photo", &heads.photo)] {
            if let Some(tensor) = tower.not_finite()? {
                let reason = format!("tensor `{name}.{tensor}` has a number that is not finite");
                return Err(ModelError::invalid(path, reason));
            }
        }
        Ok(heads)
    }

    /// Writes a folder; one that was there is replaced file by file, weights first.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn save(&self, dir: &Path) -> Result<(), ModelError> {
        std::fs::create_dir_all(dir).map_err(io(dir))?;
        let mut tensors = self.text.tensors("text")?;
        tensors.extend(self.photo.tensors("photo")?);
        let path = dir.join(WEIGHTS);
        let temporary = path.with_extension("tmp");
        candle_core::safetensors::save(&tensors, &temporary)?;
        std::fs::rename(&temporary, &path).map_err(io(&path))?;
        let config = Config {
            format: FORMAT,
            encoders: self.encoders.clone(),
            text: self.text.shape().clone(),
            photo: self.photo.shape().clone(),
        };
        write_json(&dir.join(CONFIG), &config)
    }
}

/// Folder of the heads called `name`.
///
/// # Errors
/// The name cannot be that of a folder.
pub fn folder(models_dir: &Path, name: &str) -> Result<PathBuf, ModelError> {
    let sound = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let dir = models_dir.join(FOLDER);
    if name.is_empty() || name.len() > 64 || !name.chars().all(sound) {
        let reason = format!("`{name}` is no name of heads: 1 to 64 of a-z, A-Z, 0-9, - and _");
        return Err(ModelError::invalid(dir, reason));
    }
    Ok(dir.join(name))
}

/// Name of the heads in use; `None`: the space without training.
///
/// # Errors
/// The file that names them is damaged.
pub fn active(models_dir: &Path) -> Result<Option<String>, ModelError> {
    let file: Option<Active> = read_json_optional(&models_dir.join(FOLDER).join(ACTIVE))?;
    Ok(file.map(|file| file.heads))
}

/// Puts heads into use from the next start of a program on, or none.
///
/// # Errors
/// They are not there, or the choice cannot be written.
pub fn activate(models_dir: &Path, name: Option<&str>) -> Result<(), ModelError> {
    let path = models_dir.join(FOLDER).join(ACTIVE);
    let Some(name) = name else {
        return match std::fs::remove_file(&path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(io(&path)(e)),
            _ => Ok(()),
        };
    };
    let config = folder(models_dir, name)?.join(CONFIG);
    if !config.is_file() {
        return Err(ModelError::invalid(config, "no heads of that name"));
    }
    let heads = name.to_owned();
    write_json(&path, &Active { heads })
}

/// Names of the heads of a models folder, sorted.
///
/// # Errors
/// The folder cannot be read.
pub fn list(models_dir: &Path) -> Result<Vec<String>, ModelError> {
    let dir = models_dir.join(FOLDER);
    let entries = match std::fs::read_dir(&dir) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(io(&dir))?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(io(&dir))?;
        if entry.path().join(CONFIG).is_file() {
            names.extend(entry.file_name().into_string());
        }
    }
    names.sort();
    Ok(names)
}

fn io(path: &Path) -> impl FnOnce(std::io::Error) -> ModelError + '_ {
    move |source| ModelError::Io {
        path: path.to_owned(),
        source,
    }
}

/// Writes beside and renames, so that a reader never sees half a file.
pub(crate) fn write_json(path: &Path, value: &impl Serialize) -> Result<(), ModelError> {
    let json = serde_json::to_vec_pretty(value).map_err(|e| ModelError::invalid(path, e))?;
    let temporary = path.with_extension("tmp");
    std::fs::write(&temporary, json).map_err(io(&temporary))?;
    std::fs::rename(&temporary, path).map_err(io(path))
}
