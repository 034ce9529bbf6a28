//! Which folders of the models folder are the encoders in use.

use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::heads::write_json;
use crate::encode::ModelError;
use crate::encode::architecture::{Architecture, Takes};
use crate::encode::bert::Prefixes;
use crate::encode::weights::read_json_optional;

const FILE: &str = "encoders.json";
const TEXT: &str = "all-minilm-l6-v2";
const CLASS_NAMES: &str = "classes.json";
/// Number of classes of ImageNet.
const IMAGENET: usize = 1000;
const IMAGE: &str = "efficientnet-lite0";

/// `encoders.json` of a models folder. Folders are relative to it; what is not named is the model that `models get` gets.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Selection {
    /// Folder of the text model.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<PathBuf>,
    /// What to put before texts, in place of what the text model's folder says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefixes: Option<Prefixes>,
    /// Folder of the photo model.
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<PathBuf>,
    /// Folder of one model for both; the others are left aside.
    #[serde(skip_serializing_if = "Option::is_none")]
    joint: Option<PathBuf>,
}

impl Selection {
    /// Of a models folder.
    ///
    /// # Errors
    /// Its file is damaged.
    pub fn load(models_dir: &Path) -> Result<Self, ModelError> {
        Ok(read_json_optional(&models_dir.join(FILE))?.unwrap_or_default())
    }

    /// Becomes that of a models folder, from the next start of a program on.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save(&self, models_dir: &Path) -> Result<(), ModelError> {
        write_json(&models_dir.join(FILE), self)
    }

    /// Puts the model in `folder` to use for what it takes. `folder` is one of the models folder by its name, else a path.
    ///
    /// # Errors
    /// There is no model in it that is known, or prefixes are given for one that has no use for them.
    pub fn choose(
        &mut self,
        models_dir: &Path,
        folder: &Path,
        prefixes: Option<Prefixes>,
    ) -> Result<Architecture, ModelError> {
        let (dir, kept) = find(models_dir, folder)?;
        let architecture = Architecture::of(&dir)?;
        let takes = architecture.takes();
        if prefixes.is_some() && takes != Takes::Text {
            let reason = format!("{} takes no prefixes", architecture.name());
            return Err(ModelError::invalid(dir, reason));
        }
        if takes != Takes::Joint {
            self.joint = None;
        }
        match takes {
            Takes::Text => (self.text, self.prefixes) = (Some(kept), prefixes),
            Takes::Image => self.image = Some(kept),
            Takes::Joint => self.joint = Some(kept),
        }
        Ok(architecture)
    }

    /// Folder of the text model, and its name.
    pub fn text(&self, models_dir: &Path) -> (PathBuf, String) {
        place(models_dir, self.text.as_deref().unwrap_or(Path::new(TEXT)))
    }

    /// Folder of the photo model, and its name.
    pub fn image(&self, models_dir: &Path) -> (PathBuf, String) {
        place(
            models_dir,
            self.image.as_deref().unwrap_or(Path::new(IMAGE)),
        )
    }

    /// Folder of one model for both, and its name.
    pub fn joint(&self, models_dir: &Path) -> Option<(PathBuf, String)> {
        Some(place(models_dir, self.joint.as_deref()?))
    }

    /// This selection, then all others of the folders in the models folder.
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
            match Architecture::of(&entry.path()).map(Architecture::takes) {
                Ok(Takes::Text) => texts.push(folder),
                Ok(Takes::Image) => images.push(folder),
                Ok(Takes::Joint) => joints.push(folder),
                // Heads, features and what else there is.
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
        let mut each: Vec<Self> = Vec::with_capacity(all.len());
        for selection in all {
            if !each.contains(&selection) {
                each.push(selection);
            }
        }
        Ok(each)
    }

    /// File with the names of `classes` classes of the photo model, in order: its own, or those of ImageNet that
    /// `models get` gets, where there are as many.
    pub fn class_names(&self, models_dir: &Path, classes: usize) -> Option<PathBuf> {
        let own = self.image(models_dir).0.join(CLASS_NAMES);
        if self.image.is_none() || own.is_file() {
            return Some(own);
        }
        let imagenet = models_dir.join(IMAGE).join(CLASS_NAMES);
        (classes == IMAGENET && imagenet.is_file()).then_some(imagenet)
    }

    /// Names of the folders in use.
    pub fn names(&self, models_dir: &Path) -> Vec<String> {
        match self.joint(models_dir) {
            Some((_, name)) => vec![name],
            None => vec![self.text(models_dir).1, self.image(models_dir).1],
        }
    }
}

fn place(models_dir: &Path, folder: &Path) -> (PathBuf, String) {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    (models_dir.join(folder), name.into_owned())
}

/// Where a folder is, and how it is kept: by its name where it lies in the models folder, so that this can move.
///
/// # Errors
/// It is not there.
pub fn find(models_dir: &Path, folder: &Path) -> Result<(PathBuf, PathBuf), ModelError> {
    let named = matches!(
        folder.components().collect::<Vec<_>>()[..],
        [Component::Normal(_)]
    );
    if named && models_dir.join(folder).is_dir() {
        return Ok((models_dir.join(folder), folder.to_owned()));
    }
    let whole = folder.canonicalize().map_err(|source| ModelError::Io {
        path: folder.to_owned(),
        source,
    })?;
    Ok((whole.clone(), whole))
}
