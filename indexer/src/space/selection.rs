//! Selection of the folders whose models are the encoders in use.

use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::heads::write_json;
use crate::encode::ModelError;
use crate::encode::registry::{Architecture, ModelKind};
use crate::encode::text::bert::Prefixes;
use crate::encode::text::pair;
use crate::encode::weights::read_json_optional;

const FILE: &str = "encoders.json";
const TEXT: &str = "all-minilm-l6-v2";
const CLASS_NAMES: &str = "classes.json";
/// Number of ImageNet classes.
const IMAGENET_CLASSES: usize = 1000;
const IMAGE: &str = "efficientnet-lite0";

/// `encoders.json` of a models folder. Paths are relative to the models folder; the default models
/// are those that `models get` downloads.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Selection {
    /// Folder of the text encoder.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<PathBuf>,
    /// Prefixes of texts, which replace those of the text encoder's folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefixes: Option<Prefixes>,
    /// Folder of the image encoder.
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<PathBuf>,
    /// Folder of a joint encoder, which replaces the other two.
    #[serde(skip_serializing_if = "Option::is_none")]
    joint: Option<PathBuf>,
}

impl Selection {
    /// Loads the selection of a models folder.
    ///
    /// # Errors
    /// Its file is damaged.
    pub fn load(models_dir: &Path) -> Result<Self, ModelError> {
        Ok(read_json_optional(&models_dir.join(FILE))?.unwrap_or_default())
    }

    /// Saves the selection of a models folder; programs use it after their next start.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save(&self, models_dir: &Path) -> Result<(), ModelError> {
        write_json(&models_dir.join(FILE), self)
    }

    /// Selects the model in `folder` for its kind of input. `folder` is the name of a folder in the
    /// models folder, else a path.
    ///
    /// # Errors
    /// It contains no supported model, or `prefixes` are given and it is not a text encoder.
    pub fn choose(
        &mut self,
        models_dir: &Path,
        folder: &Path,
        prefixes: Option<Prefixes>,
    ) -> Result<&'static Architecture, ModelError> {
        let (dir, stored) = find(models_dir, folder)?;
        let architecture = Architecture::of(&dir)?;
        let kind = architecture.kind();
        if prefixes.is_some() && kind != ModelKind::Text {
            let reason = format!("{} does not support prefixes", architecture.name);
            return Err(ModelError::invalid(dir, reason));
        }
        if kind != ModelKind::Joint {
            self.joint = None;
        }
        match kind {
            ModelKind::Text => (self.text, self.prefixes) = (Some(stored), prefixes),
            ModelKind::Image => self.image = Some(stored),
            ModelKind::Joint => self.joint = Some(stored),
        }
        Ok(architecture)
    }

    /// Returns the folder of the text encoder, and its name.
    pub fn text(&self, models_dir: &Path) -> (PathBuf, String) {
        path_and_name(models_dir, self.text.as_deref().unwrap_or(Path::new(TEXT)))
    }

    /// Returns the folder of the image encoder, and its name.
    pub fn image(&self, models_dir: &Path) -> (PathBuf, String) {
        path_and_name(
            models_dir,
            self.image.as_deref().unwrap_or(Path::new(IMAGE)),
        )
    }

    /// Returns the folder of the joint encoder, if one is selected, and its name.
    pub fn joint(&self, models_dir: &Path) -> Option<(PathBuf, String)> {
        Some(path_and_name(models_dir, self.joint.as_deref()?))
    }

    /// Returns this selection, then all others that the models folder allows.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn and_others(&self, models_dir: &Path) -> Result<Vec<Self>, ModelError> {
        let io = |source| ModelError::Io {
            path: models_dir.to_owned(),
            source,
        };
        let (mut texts, mut images) = (vec![self.text.clone()], vec![self.image.clone()]);
        let mut joints = Vec::new();
        for entry in std::fs::read_dir(models_dir).map_err(io)? {
            let entry = entry.map_err(io)?;
            let folder = Some(PathBuf::from(entry.file_name()));
            match Architecture::of(&entry.path()).map(Architecture::kind) {
                Ok(ModelKind::Text) => texts.push(folder),
                Ok(ModelKind::Image) => images.push(folder),
                Ok(ModelKind::Joint) => joints.push(folder),
                // Heads, features and other folders.
                Err(_) => {}
            }
        }
        let mut all = vec![self.clone()];
        for text in texts {
            for image in &images {
                all.push(Self {
                    prefixes: self.prefixes.clone().filter(|_| text == self.text),
                    text: text.clone(),
                    image: image.clone(),
                    joint: None,
                });
            }
        }
        all.extend(joints.into_iter().map(|joint| Self {
            joint,
            ..Self::default()
        }));
        let mut unique: Vec<Self> = Vec::with_capacity(all.len());
        for selection in all {
            if !unique.contains(&selection) {
                unique.push(selection);
            }
        }
        Ok(unique)
    }

    /// Returns the file with the names of the image encoder's `classes` classes, in order: its own,
    /// or that of ImageNet (from `models get`) if the number of classes is the same.
    pub fn class_names(&self, models_dir: &Path, classes: usize) -> Option<PathBuf> {
        let file = self.image(models_dir).0.join(CLASS_NAMES);
        if self.image.is_none() || file.is_file() {
            return Some(file);
        }
        let imagenet = models_dir.join(IMAGE).join(CLASS_NAMES);
        (classes == IMAGENET_CLASSES && imagenet.is_file()).then_some(imagenet)
    }

    /// Returns the names of the folders in use.
    pub fn names(&self, models_dir: &Path) -> Vec<String> {
        match self.joint(models_dir) {
            Some((_, name)) => vec![name],
            None => vec![self.text(models_dir).1, self.image(models_dir).1],
        }
    }

    /// Returns the names of the folders whose files are in use: those of [`Selection::names`], and
    /// the models of a pair.
    ///
    /// # Errors
    /// The configuration of the pair is damaged.
    pub fn names_with_models(&self, models_dir: &Path) -> Result<Vec<String>, ModelError> {
        let models = match self.joint {
            Some(_) => Vec::new(),
            None => pair::models(&self.text(models_dir).0)?,
        };
        let names = models.iter().map(|dir| path_and_name(models_dir, dir).1);
        Ok(self.names(models_dir).into_iter().chain(names).collect())
    }
}

/// Returns the path of a folder, and its name.
fn path_and_name(models_dir: &Path, folder: &Path) -> (PathBuf, String) {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    (models_dir.join(folder), name.into_owned())
}

/// Returns the path of a folder, and the path to store: only the name if it is in the models
/// folder, so that the models folder can be moved.
///
/// # Errors
/// It does not exist.
pub fn find(models_dir: &Path, folder: &Path) -> Result<(PathBuf, PathBuf), ModelError> {
    let is_name = matches!(
        folder.components().collect::<Vec<_>>()[..],
        [Component::Normal(_)]
    );
    if is_name && models_dir.join(folder).is_dir() {
        return Ok((models_dir.join(folder), folder.to_owned()));
    }
    let absolute = folder.canonicalize().map_err(|source| ModelError::Io {
        path: folder.to_owned(),
        source,
    })?;
    Ok((absolute.clone(), absolute))
}
