//! Heads: towers, learned from a catalog and its events, that take what is known of an item to one shared space: features of
//! its text and photos, and of who chose it. A models folder holds them as `heads/<name>/{config.json, model.safetensors}`, with
//! `behavior.safetensors` where behaviour was learned from; `heads/active.json` names those in use.

mod behavior;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use rand::{SeedableRng, rngs::SmallRng};
use serde::{Deserialize, Serialize};

use candle_core::Tensor;

pub use behavior::BehaviorFeatures;

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
    towers: BTreeMap<View, TowerShape>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Active {
    heads: String,
}

/// What a tower looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum View {
    /// An item's text.
    Text,
    /// Its photos.
    Photo,
    /// Who chose it.
    Behavior,
}

impl View {
    /// As files have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Photo => "photo",
            Self::Behavior => "behavior",
        }
    }
}

/// Towers into one space.
pub struct Heads {
    /// By what they look at; at least one, all of one output.
    pub towers: BTreeMap<View, Tower>,
    /// What the tower of behaviour takes, by item; empty without one.
    pub behavior: BehaviorFeatures,
    /// Fingerprint of the encoders whose features the others take.
    pub encoders: String,
}

impl Heads {
    /// Random heads of the given shapes.
    ///
    /// # Errors
    /// A tensor cannot be made.
    pub fn fresh(
        encoders: &str,
        shapes: BTreeMap<View, (TowerShape, Standardise)>,
        seed: u64,
    ) -> Result<Self, ModelError> {
        let mut rng = SmallRng::seed_from_u64(seed);
        let mut towers = BTreeMap::new();
        for (view, (shape, standardise)) in shapes {
            towers.insert(view, Tower::fresh(shape, standardise, &mut rng)?);
        }
        Ok(Self {
            towers,
            behavior: BehaviorFeatures::default(),
            encoders: encoders.to_owned(),
        })
    }

    /// Others with towers made of these.
    ///
    /// # Errors
    /// Those of `make`.
    pub fn map<E>(
        &self,
        mut make: impl FnMut(View, &Tower) -> Result<Tower, E>,
    ) -> Result<Self, E> {
        let mut towers = BTreeMap::new();
        for (view, tower) in &self.towers {
            towers.insert(*view, make(*view, tower)?);
        }
        Ok(Self {
            towers,
            behavior: self.behavior.clone(),
            encoders: self.encoders.clone(),
        })
    }

    /// Length of a vector.
    pub fn dim(&self) -> usize {
        let first = self.towers.values().next();
        first.map_or(0, |tower| tower.shape().output)
    }

    /// The tower for a view.
    ///
    /// # Errors
    /// There is none.
    pub fn tower(&self, view: View) -> Result<&Tower, ModelError> {
        let missing = || ModelError::Compute(format!("heads without a tower for {}", view.name()));
        self.towers.get(&view).ok_or_else(missing)
    }

    /// Unit vectors `[n, dim]` of features `[n, input]` of one view.
    ///
    /// # Errors
    /// There is no such tower, or the features are of another length.
    pub fn embed(&self, view: View, features: &Tensor) -> Result<Tensor, ModelError> {
        self.tower(view)?.embed(features)
    }

    /// What an item's behaviour says, as a unit vector `[dim]` with its weight from 0 to 1, which grows with the people who chose
    /// it; `None` for an item that is not known.
    ///
    /// # Errors
    /// A computation failed.
    pub fn embed_behavior(&self, id: &str) -> Result<Option<(f32, Vec<f32>)>, ModelError> {
        let Some((weight, features)) = self.behavior.of(id) else {
            return Ok(None);
        };
        let vector = self.tower(View::Behavior)?.embed_one(features)?;
        Ok(Some((weight, vector)))
    }

    /// blake3 over all that decides what comes out, hexadecimal.
    ///
    /// # Errors
    /// A computation failed.
    pub fn digest(&self) -> Result<String, ModelError> {
        let mut all = blake3::Hasher::new();
        for (view, tower) in &self.towers {
            let prefix = view.name();
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
        if let Some(fault) = fault(&config.towers) {
            return Err(ModelError::invalid(path, fault));
        }
        let path = dir.join(WEIGHTS);
        let weights = Weights::load(&path, "the heads")?;
        let mut towers = BTreeMap::new();
        for (view, shape) in &config.towers {
            let tower = Tower::load(&weights, view.name(), shape)?;
            if let Some(tensor) = tower.not_finite()? {
                let name = view.name();
                let reason = format!("tensor `{name}.{tensor}` has a number that is not finite");
                return Err(ModelError::invalid(path, reason));
            }
            towers.insert(*view, tower);
        }
        let behavior = match config.towers.get(&View::Behavior) {
            Some(shape) => BehaviorFeatures::load(dir, shape.input)?,
            None => BehaviorFeatures::default(),
        };
        Ok(Self {
            towers,
            behavior,
            encoders: config.encoders,
        })
    }

    /// Writes a folder; one that was there is replaced file by file, weights first.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn save(&self, dir: &Path) -> Result<(), ModelError> {
        std::fs::create_dir_all(dir).map_err(io(dir))?;
        let mut tensors = HashMap::new();
        for (view, tower) in &self.towers {
            tensors.extend(tower.tensors(view.name())?);
        }
        write_tensors(&dir.join(WEIGHTS), &tensors)?;
        if self.towers.contains_key(&View::Behavior) {
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

/// What is wrong with the shapes of towers, if anything.
fn fault(towers: &BTreeMap<View, TowerShape>) -> Option<String> {
    let Some((first, shape)) = towers.iter().next() else {
        return Some("`towers` is empty; name one at least".to_owned());
    };
    for (view, own) in towers {
        if let Some(fault) = own.fault() {
            return Some(format!("{}: {fault}", view.name()));
        }
        if own.output != shape.output {
            return Some(format!(
                "{} ends in {} components, {} in {}; they must be equal",
                first.name(),
                shape.output,
                view.name(),
                own.output
            ));
        }
    }
    None
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

fn write_tensors(path: &Path, tensors: &HashMap<String, Tensor>) -> Result<(), ModelError> {
    let temporary = path.with_extension("tmp");
    candle_core::safetensors::save(tensors, &temporary)?;
    std::fs::rename(&temporary, path).map_err(io(path))
}

/// Writes beside and renames, so that a reader never sees half a file.
pub(crate) fn write_json(path: &Path, value: &impl Serialize) -> Result<(), ModelError> {
    let json = serde_json::to_vec_pretty(value).map_err(|e| ModelError::invalid(path, e))?;
    let temporary = path.with_extension("tmp");
    std::fs::write(&temporary, json).map_err(io(&temporary))?;
    std::fs::rename(&temporary, path).map_err(io(path))
}
