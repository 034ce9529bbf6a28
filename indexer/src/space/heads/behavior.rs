//! Behavior features of items: the input of the behavior tower, stored with it, since no encoder
//! can recompute them.

use std::collections::HashMap;
use std::path::Path;

use candle_core::{Device, Tensor};

use super::write_tensors;
use crate::encode::ModelError;
use crate::encode::weights::Weights;

const FILE: &str = "behavior.safetensors";

/// Number of users at which an item's behavior has weight 1/2: the choices of few users are noise.
const HALF_WEIGHT_USERS: f32 = 10.0;

/// Behavior features of items, such as their factors in the matrix of users and items.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BehaviorFeatures {
    row_of: HashMap<String, usize>,
    /// Item ids in the order of the rows.
    ids: Vec<String>,
    /// Number of users who chose each item.
    users: Vec<f32>,
    width: usize,
    /// `[items, width]`.
    rows: Vec<f32>,
}

impl BehaviorFeatures {
    /// Returns features of no items yet, with `width` components each.
    pub fn new(width: usize) -> Self {
        Self {
            width,
            ..Self::default()
        }
    }

    /// Adds an item that `users` users chose; an item that exists, or whose features are of another
    /// length, is skipped.
    pub fn push(&mut self, id: &str, users: f32, features: &[f32]) {
        if features.len() != self.width || self.row_of.contains_key(id) {
            return;
        }
        self.row_of.insert(id.to_owned(), self.ids.len());
        self.ids.push(id.to_owned());
        self.users.push(users);
        self.rows.extend_from_slice(features);
    }

    /// Number of items.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Returns true if there are no items.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Number of features of an item.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Returns an item's features `[width]` with their weight, n / (n + 10) for n users who chose
    /// it.
    pub fn get(&self, id: &str) -> Option<(f32, &[f32])> {
        let row = *self.row_of.get(id)?;
        let users = self.users.get(row)?;
        let features = self.rows.get(row * self.width..(row + 1) * self.width)?;
        Some((users / (users + HALF_WEIGHT_USERS), features))
    }

    /// Hashes everything that decides the vectors.
    pub(super) fn hash_into(&self, all: &mut blake3::Hasher) {
        for id in &self.ids {
            all.update(&(id.len() as u64).to_le_bytes());
            all.update(id.as_bytes());
        }
        for value in self.users.iter().chain(&self.rows) {
            all.update(&value.to_le_bytes());
        }
    }

    pub(super) fn load(dir: &Path, width: usize) -> Result<Self, ModelError> {
        let path = dir.join(FILE);
        let invalid = |reason: String| ModelError::invalid(&path, reason);
        let bytes = crate::encode::weights::read(&path)?;
        let mut tensors = candle_core::safetensors::load_buffer(&bytes, &Device::Cpu)
            .map_err(|e| invalid(format!("truncated or invalid safetensors file: {e}")))?;
        let ids: Vec<u8> = tensors
            .remove("ids")
            .and_then(|ids| ids.to_vec1().ok())
            .ok_or_else(|| invalid("tensor `ids` of bytes is missing".to_owned()))?;
        let ids: Vec<String> =
            serde_json::from_slice(&ids).map_err(|e| invalid(format!("tensor `ids`: {e}")))?;
        let weights = Weights::from_tensors(tensors, "the heads");
        let users = weights.flat("people", &[ids.len()])?;
        let rows = weights.flat("rows", &[ids.len(), width])?;
        let mut features = Self::new(width);
        for ((id, users), row) in ids.iter().zip(users).zip(rows.chunks_exact(width)) {
            if !(users >= 0.0 && row.iter().all(|x| x.is_finite())) {
                let reason =
                    format!("item `{id}` has a value that is not finite, or negative `people`");
                return Err(invalid(reason));
            }
            features.push(id, users, row);
        }
        Ok(features)
    }

    pub(super) fn save(&self, dir: &Path) -> Result<(), ModelError> {
        let path = dir.join(FILE);
        let ids = serde_json::to_vec(&self.ids).map_err(|e| ModelError::invalid(&path, e))?;
        let n = self.ids.len();
        let tensors = HashMap::from([
            (
                "ids".to_owned(),
                Tensor::from_slice(&ids, ids.len(), &Device::Cpu)?,
            ),
            (
                "people".to_owned(),
                Tensor::from_slice(&self.users, n, &Device::Cpu)?,
            ),
            (
                "rows".to_owned(),
                Tensor::from_slice(&self.rows, (n, self.width), &Device::Cpu)?,
            ),
        ]);
        write_tensors(&path, &tensors)
    }
}
