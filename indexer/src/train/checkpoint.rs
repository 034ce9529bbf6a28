//! Checkpoints of a training: one file, replaced atomically, from which the training resumes
//! exactly.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::{Epoch, TrainError};
use crate::encode::ModelError;
use crate::encode::weights::{self, Weights};
use crate::files::write_atomic;
use crate::space::tower::Parameters;

const PROGRESS: &str = "progress";

/// Progress of a training, stored beside its tensors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// blake3 of recipe, data and start: a checkpoint of another training is ignored.
    pub key: String,
    /// Number of steps done.
    pub steps: usize,
    /// Epochs done.
    pub curve: Vec<Epoch>,
    /// Number of the best epoch so far; 0 is the start.
    pub best: usize,
    /// Score of the best epoch.
    pub best_score: f64,
}

/// The checkpoint file of a training, written every ten seconds by default.
pub struct Checkpoint {
    path: PathBuf,
    interval: Duration,
}

impl Checkpoint {
    /// Returns a checkpoint stored at `path`.
    pub fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            interval: Duration::from_secs(10),
        }
    }

    /// Sets the interval of writes in seconds; 0 writes after each epoch.
    #[must_use]
    pub fn every(mut self, seconds: u64) -> Self {
        self.interval = Duration::from_secs(seconds);
        self
    }

    /// Returns true if the next write is due, the last one having been at `since`.
    pub fn is_due(&self, since: Instant) -> bool {
        since.elapsed() >= self.interval
    }

    /// Writes `progress`, the optimizer's `state` and the `best` weights.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save(
        &self,
        progress: &Progress,
        mut state: HashMap<String, Tensor>,
        best: &Parameters,
    ) -> Result<(), TrainError> {
        let json = serde_json::to_vec(progress).map_err(|e| ModelError::invalid(&self.path, e))?;
        let length = json.len();
        state.insert(
            PROGRESS.to_owned(),
            Tensor::from_vec(json, length, &Device::Cpu)?,
        );
        for (name, tensor) in best {
            state.insert(format!("best/{name}"), tensor.clone());
        }
        if let Some(folder) = self.path.parent() {
            std::fs::create_dir_all(folder).map_err(|e| self.io(e))?;
        }
        let save = |path: &Path| Ok(candle_core::safetensors::save(&state, path)?);
        Ok(write_atomic(&self.path, save)?)
    }

    /// Loads the checkpoint of the training `key`; `None` if there is none, or one of another
    /// training.
    ///
    /// # Errors
    /// The file is damaged.
    pub fn load(&self, key: &str) -> Result<Option<(Progress, Weights)>, TrainError> {
        let bytes = match weights::read(&self.path) {
            Err(ModelError::Missing(_)) => return Ok(None),
            other => other?,
        };
        let damaged = |reason: &dyn std::fmt::Display| {
            let hint = "remove it to train from the start";
            ModelError::invalid(&self.path, format!("damaged checkpoint ({reason}); {hint}"))
        };
        let mut tensors =
            candle_core::safetensors::load_buffer(&bytes, &Device::Cpu).map_err(|e| damaged(&e))?;
        let json: Vec<u8> = tensors
            .remove(PROGRESS)
            .and_then(|t| t.to_vec1().ok())
            .ok_or_else(|| damaged(&"it has no progress"))?;
        let progress: Progress = serde_json::from_slice(&json).map_err(|e| damaged(&e))?;
        if progress.key != key {
            tracing::info!(path = %self.path.display(), "checkpoint of another training; starting from scratch");
            return Ok(None);
        }
        Ok(Some((
            progress,
            Weights::from_tensors(tensors, "a checkpoint"),
        )))
    }

    /// Removes the file after the training.
    ///
    /// # Errors
    /// It cannot be removed.
    pub fn remove(&self) -> Result<(), TrainError> {
        match std::fs::remove_file(&self.path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(self.io(e)),
            _ => Ok(()),
        }
    }

    fn io(&self, source: std::io::Error) -> TrainError {
        ModelError::Io {
            path: self.path.clone(),
            source,
        }
        .into()
    }
}
