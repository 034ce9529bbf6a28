//! Heads: towers, trained on a catalog and its events, that map features of an item's text, images
//! and behavior to one shared space. A models folder stores them as
//! `heads/<name>/{config.json, model.safetensors}`, with `behavior.safetensors` if they were
//! trained on behavior; `heads/active.json` names the active ones.

mod behavior;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use rand::{SeedableRng, rngs::SmallRng};
use serde::{Deserialize, Serialize};

use candle_core::Tensor;

pub use behavior::BehaviorFeatures;

use super::tower::{Standardize, Tower, TowerShape};
use crate::encode::ModelError;
use crate::encode::weights::{Weights, read_json, read_json_optional};
use crate::files::write_atomic;

const FOLDER: &str = "heads";
const ACTIVE: &str = "active.json";
const CONFIG: &str = "config.json";
const WEIGHTS: &str = "model.safetensors";
/// Version of the files; other versions are rejected.
const FORMAT: u32 = 1;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    format: u32,
    /// Fingerprint of the encoders that compute the features; see
    /// [`Encoders::base_fingerprint`](super::Encoders::base_fingerprint).
    encoders: String,
    towers: BTreeMap<Modality, TowerShape>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Active {
    heads: String,
}

/// Input of a tower.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Modality {
    /// An item's text.
    Text,
    /// Its images; the name in files of heads is older.
    #[serde(rename = "photo")] // style: ignore
    Image,
    /// The users who chose it.
    Behavior,
}

impl Modality {
    /// Name in the files of heads, and so in their fingerprint.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Image => "photo", // style: ignore
            Self::Behavior => "behavior",
        }
    }
}

/// Towers into one space.
pub struct Heads {
    /// Towers by modality: at least one, all with the same output width.
    pub towers: BTreeMap<Modality, Tower>,
    /// Features of the behavior tower by item; empty without that tower.
    pub behavior: BehaviorFeatures,
    /// Fingerprint of the encoders that compute the features of the other towers.
    pub encoders: String,
}

impl Heads {
    /// Returns randomly initialized heads of the given shapes.
    ///
    /// # Errors
    /// A tensor cannot be created.
    pub fn random(
        encoders: &str,
        shapes: BTreeMap<Modality, (TowerShape, Standardize)>,
        seed: u64,
    ) -> Result<Self, ModelError> {
        let mut rng = SmallRng::seed_from_u64(seed);
        let mut towers = BTreeMap::new();
        for (modality, (shape, standardize)) in shapes {
            towers.insert(modality, Tower::random(shape, standardize, &mut rng)?);
        }
        Ok(Self {
            towers,
            behavior: BehaviorFeatures::default(),
            encoders: encoders.to_owned(),
        })
    }

    /// Returns heads whose towers are made from these by `make`.
    ///
    /// # Errors
    /// Those of `make`.
    pub fn map<E>(
        &self,
        mut make: impl FnMut(Modality, &Tower) -> Result<Tower, E>,
    ) -> Result<Self, E> {
        let mut towers = BTreeMap::new();
        for (modality, tower) in &self.towers {
            towers.insert(*modality, make(*modality, tower)?);
        }
        Ok(Self {
            towers,
            behavior: self.behavior.clone(),
            encoders: self.encoders.clone(),
        })
    }

    /// Number of components of a vector.
    pub fn dim(&self) -> usize {
        let first = self.towers.values().next();
        first.map_or(0, |tower| tower.shape().output)
    }

    /// Returns the tower of a modality.
    ///
    /// # Errors
    /// There is none.
    pub fn tower(&self, modality: Modality) -> Result<&Tower, ModelError> {
        let missing =
            || ModelError::Compute(format!("heads without a tower for {}", modality.name()));
        self.towers.get(&modality).ok_or_else(missing)
    }

    /// Returns the unit vectors `[n, dim]` of features `[n, input]` of one modality.
    ///
    /// # Errors
    /// There is no such tower, or the features are of another length.
    pub fn embed(&self, modality: Modality, features: &Tensor) -> Result<Tensor, ModelError> {
        self.tower(modality)?.embed(features)
    }

    /// Returns the unit vector `[dim]` of an item's behavior with its weight from 0 to 1, which
    /// grows with the number of users who chose the item; `None` for an unknown item.
    ///
    /// # Errors
    /// A computation failed.
    pub fn embed_behavior(&self, id: &str) -> Result<Option<(f32, Vec<f32>)>, ModelError> {
        let Some((weight, features)) = self.behavior.get(id) else {
            return Ok(None);
        };
        let vector = self.tower(Modality::Behavior)?.embed_one(features)?;
        Ok(Some((weight, vector)))
    }

    /// blake3 over everything that decides the vectors, hexadecimal. The Debug form of the shapes
    /// is part of it.
    ///
    /// # Errors
    /// A computation failed.
    pub fn digest(&self) -> Result<String, ModelError> {
        let mut all = blake3::Hasher::new();
        for (modality, tower) in &self.towers {
            let prefix = modality.name();
            all.update(format!("{prefix} {:?}", tower.shape()).as_bytes());
            let tensors: BTreeMap<_, _> = tower.tensors(prefix)?.into_iter().collect();
            for (name, tensor) in tensors {
                all.update(name.as_bytes());
                for value in tensor.flatten_all()?.to_vec1::<f32>()? {
                    all.update(&value.to_le_bytes());
                }
            }
        }
        self.behavior.hash_into(&mut all);
        Ok(all.finalize().to_hex().to_string())
    }

    /// Loads a folder.
    ///
    /// # Errors
    /// A file is missing or damaged, or does not fit the other one or `encoders`, the fingerprint
    /// of the loaded encoders.
    pub fn load(dir: &Path, encoders: &str) -> Result<Self, ModelError> {
        let path = dir.join(CONFIG);
        let config: Config = read_json(&path)?;
        if config.format != FORMAT {
            let format = config.format;
            let reason = format!("expected format {FORMAT}, got {format}; train the heads again");
            return Err(ModelError::invalid(path, reason));
        }
        if config.encoders != encoders {
            let reason = format!(
                "trained on encoders {:.16}, but the loaded ones are {encoders:.16}; train the heads \
                 again",
                config.encoders
            );
            return Err(ModelError::invalid(path, reason));
        }
        if let Some(problem) = problem(&config.towers) {
            return Err(ModelError::invalid(path, problem));
        }
        let path = dir.join(WEIGHTS);
        let weights = Weights::load(&path, "the heads")?;
        let mut towers = BTreeMap::new();
        for (modality, shape) in &config.towers {
            let tower = Tower::load(&weights, modality.name(), shape)?;
            if let Some(tensor) = tower.not_finite()? {
                let name = modality.name();
                let reason = format!("tensor `{name}.{tensor}` has a value that is not finite");
                return Err(ModelError::invalid(path, reason));
            }
            towers.insert(*modality, tower);
        }
        let behavior = match config.towers.get(&Modality::Behavior) {
            Some(shape) => BehaviorFeatures::load(dir, shape.input)?,
            None => BehaviorFeatures::default(),
        };
        Ok(Self {
            towers,
            behavior,
            encoders: config.encoders,
        })
    }

    /// Writes a folder; an existing one is replaced file by file, weights first.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn save(&self, dir: &Path) -> Result<(), ModelError> {
        std::fs::create_dir_all(dir).map_err(io(dir))?;
        let mut tensors = HashMap::new();
        for (modality, tower) in &self.towers {
            tensors.extend(tower.tensors(modality.name())?);
        }
        write_tensors(&dir.join(WEIGHTS), &tensors)?;
        if self.towers.contains_key(&Modality::Behavior) {
            self.behavior.save(dir)?;
        }
        let shapes = self.towers.iter().map(|(v, t)| (*v, t.shape().clone()));
        let config = Config {
            format: FORMAT,
            encoders: self.encoders.clone(),
            towers: shapes.collect(),
        };
        write_json(&dir.join(CONFIG), &config)
    }
}

/// Returns the problem with the shapes of towers, if there is one.
fn problem(towers: &BTreeMap<Modality, TowerShape>) -> Option<String> {
    let Some((first, shape)) = towers.iter().next() else {
        return Some("`towers` is empty; expected at least one".to_owned());
    };
    for (modality, other) in towers {
        if let Some(problem) = other.problem() {
            return Some(format!("{}: {problem}", modality.name()));
        }
        if other.output != shape.output {
            return Some(format!(
                "expected equal outputs, got {} components for {} and {} for {}",
                shape.output,
                first.name(),
                other.output,
                modality.name()
            ));
        }
    }
    None
}

/// Returns the folder of the heads called `name`.
///
/// # Errors
/// The name is invalid.
pub fn folder(models_dir: &Path, name: &str) -> Result<PathBuf, ModelError> {
    let is_valid = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let dir = models_dir.join(FOLDER);
    if name.is_empty() || name.len() > 64 || !name.chars().all(is_valid) {
        let reason = format!(
            "invalid name of heads `{name}`: use 1 to 64 characters of a-z, A-Z, 0-9, - and _"
        );
        return Err(ModelError::invalid(dir, reason));
    }
    Ok(dir.join(name))
}

/// Returns the name of the active heads; `None` for the space without training.
///
/// # Errors
/// The file that names them is damaged.
pub fn active(models_dir: &Path) -> Result<Option<String>, ModelError> {
    let file: Option<Active> = read_json_optional(&models_dir.join(FOLDER).join(ACTIVE))?;
    Ok(file.map(|file| file.heads))
}

/// Activates the heads called `name`, or none; programs use them after their next start.
///
/// # Errors
/// The heads do not exist, or the choice cannot be written.
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

/// Returns the names of the heads of a models folder, sorted.
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

fn write_tensors(path: &Path, tensors: &HashMap<String, Tensor>) -> Result<(), ModelError> {
    write_atomic(path, |path| {
        Ok(candle_core::safetensors::save(tensors, path)?)
    })
}

/// Writes a value as JSON, atomically.
pub(crate) fn write_json(path: &Path, value: &impl Serialize) -> Result<(), ModelError> {
    let json = serde_json::to_vec_pretty(value).map_err(|e| ModelError::invalid(path, e))?;
    write_atomic(path, |path| std::fs::write(path, json).map_err(io(path)))
}
