//! What is known of items by who chose them: the features of the tower of behaviour, kept beside it, since no encoder can make
//! them anew.

use std::collections::HashMap;
use std::path::Path;

use candle_core::{Device, Tensor};

use super::write_tensors;
use crate::encode::ModelError;
use crate::encode::weights::Weights;

const FILE: &str = "behavior.safetensors";

/// People at which an item's behaviour counts half: of few, what they chose besides is chance.
const HALF: f32 = 10.0;

/// Features of items by who chose them, such as their factors in a matrix of people and items.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BehaviorFeatures {
    places: HashMap<String, usize>,
    /// In the order of the rows.
    ids: Vec<String>,
    people: Vec<f32>,
    width: usize,
    rows: Vec<f32>,
}

impl BehaviorFeatures {
    /// Of no items yet, `width` numbers each.
    pub fn new(width: usize) -> Self {
        Self {
            width,
            ..Self::default()
        }
    }

    /// Adds an item that `people` chose; one that is there already, or whose features are of another length, is left out.
    pub fn push(&mut self, id: &str, people: f32, features: &[f32]) {
        if features.len() != self.width || self.places.contains_key(id) {
            return;
        }
        self.places.insert(id.to_owned(), self.ids.len());
        self.ids.push(id.to_owned());
        self.people.push(people);
        self.rows.extend_from_slice(features);
    }

    /// Number of items.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Numbers an item has.
    pub fn width(&self) -> usize {
        self.width
    }

    /// An item's features `[width]` with their weight, n / (n + 10) for n people who chose it.
    pub fn of(&self, id: &str) -> Option<(f32, &[f32])> {
        let place = *self.places.get(id)?;
        let people = self.people.get(place)?;
        let features = self
            .rows
            .get(place * self.width..(place + 1) * self.width)?;
        Some((people / (people + HALF), features))
    }

    /// Takes in all that decides what comes out.
    pub(super) fn hash_into(&self, all: &mut blake3::Hasher) {
        for id in &self.ids {
            all.update(&(id.len() as u64).to_le_bytes());
            all.update(id.as_bytes());
        }
        for value in self.people.iter().chain(&self.rows) {
            all.update(&value.to_le_bytes());
        }
    }

    pub(super) fn load(dir: &Path, width: usize) -> Result<Self, ModelError> {
        let path = dir.join(FILE);
        let broken = |reason: String| ModelError::invalid(&path, reason);
        let bytes = crate::encode::weights::read(&path)?;
        let mut tensors = candle_core::safetensors::load_buffer(&bytes, &Device::Cpu)
            .map_err(|e| broken(format!("not a whole safetensors file: {e}")))?;
        let ids: Vec<u8> = tensors
            .remove("ids")
            .and_then(|ids| ids.to_vec1().ok())
            .ok_or_else(|| broken("tensor `ids` of bytes is missing".to_owned()))?;
        let ids: Vec<String> =
            serde_json::from_slice(&ids).map_err(|e| broken(format!("tensor `ids`: {e}")))?;
        let weights = Weights::from_tensors(tensors, "the heads")?;
        let people = weights.flat("people", &[ids.len()])?;
        let rows = weights.flat("rows", &[ids.len(), width])?;
        let mut features = Self::new(width);
        for ((id, people), row) in ids.iter().zip(people).zip(rows.chunks_exact(width)) {
            if !(people >= 0.0 && row.iter().all(|x| x.is_finite())) {
                let reason =
                    format!("item `{id}` has a number that is not finite, or negative people");
                return Err(broken(reason));
            }
            features.push(id, people, row);
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
                Tensor::from_slice(&self.people, n, &Device::Cpu)?,
            ),
            (
                "rows".to_owned(),
                Tensor::from_slice(&self.rows, (n, self.width), &Device::Cpu)?,
            ),
        ]);
        write_tensors(&path, &tensors)
    }
}
