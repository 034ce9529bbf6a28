//! A training on disk: one file, replaced in one step, from which it goes on as if it had not stopped.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::TrainError;
use super::session::Epoch;
use crate::encode::ModelError;
use crate::encode::weights::{self, Weights};
use crate::space::tower::Parameters;

const PROGRESS: &str = "progress";

/// Where a training was, beside its tensors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// blake3 of recipe, data and start: a checkpoint of another training is not taken.
    pub key: String,
    /// Steps taken.
    pub steps: usize,
    /// Epochs done.
    pub curve: Vec<Epoch>,
    /// Epoch of the weights kept so far; 0: the start.
    pub best: usize,
    /// Their score.
    pub best_score: f64,
}

/// The file of a training, written every ten seconds or so.
pub struct Checkpoint {
    path: PathBuf,
    every: Duration,
}

impl Checkpoint {
    /// At `path`.
    pub fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            every: Duration::from_secs(10),
        }
    }

    /// Written when `seconds` have passed since it was; 0: after each epoch.
    #[must_use]
    pub fn every(mut self, seconds: u64) -> Self {
        self.every = Duration::from_secs(seconds);
        self
    }

    /// Whether it is time to write, the last time being `since`.
    pub fn is_due(&self, since: Instant) -> bool {
        since.elapsed() >= self.every
    }

    /// Writes `progress`, the optimiser's `state` and the `best` weights.
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
        let temporary = self.path.with_extension("tmp");
        candle_core::safetensors::save(&state, &temporary)?;
        std::fs::rename(&temporary, &self.path).map_err(|e| self.io(e))
    }

    /// What was saved for the training `key`; `None` where nothing was, or that of another training.
    ///
    /// # Errors
    /// The file is damaged.
    pub fn load(&self, key: &str) -> Result<Option<(Progress, Weights)>, TrainError> {
        let bytes = match weights::read(&self.path) {
            Err(ModelError::Missing(_)) => return Ok(None),
            other => other?,
        };
        let damaged = |reason: &dyn std::fmt::Display| {
            let mend = "remove it to train from the start";
            ModelError::invalid(&self.path, format!("damaged checkpoint ({reason}); {mend}"))
        };
        let mut tensors =
            candle_core::safetensors::load_buffer(&bytes, &Device::Cpu).map_err(|e| damaged(&e))?;
        let json: Vec<u8> = tensors
            .remove(PROGRESS)
            .and_then(|t| t.to_vec1().ok())
            .ok_or_else(|| damaged(&"no progress in it"))?;
        let progress: Progress = serde_json::from_slice(&json).map_err(|e| damaged(&e))?;
        if progress.key != key {
            tracing::info!(path = %self.path.display(), "checkpoint of another training; starting anew");
            return Ok(None);
        }
        Ok(Some((
            progress,
            Weights::from_tensors(tensors, "a checkpoint")?,
        )))
    }

    /// Removes the file: the training is over.
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
