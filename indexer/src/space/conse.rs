//! ConSE ([Norouzi et al. 2013](https://arxiv.org/abs/1312.5650)): the vector of an image in the
//! text space is the mean of its most probable classes' name vectors, weighted by their
//! probability. No training.

use std::path::Path;

use candle_core::{Device, Tensor};

use crate::encode::text::TextEncoder;
use crate::encode::text::bert::Role;
use crate::encode::weights::{Weights, read_json};
use crate::encode::{ModelError, normalize};
use crate::files::write_atomic;

/// Number of most probable classes that are averaged.
pub const TOP: usize = 10;
/// Version, part of the fingerprint: changed with anything here that changes vectors.
pub const PARAMS: &str = "conse-v1;top=10";

/// Vectors of the class names, in the text space.
pub struct Conse {
    vectors: Vec<Vec<f32>>,
}

impl Conse {
    /// Wraps class vectors.
    pub fn new(vectors: Vec<Vec<f32>>) -> Self {
        Self { vectors }
    }

    /// Embeds the class names in the file `path`, or reads their vectors from the cache file in
    /// `dir` for `key`.
    ///
    /// # Errors
    /// The file is missing or does not have `classes` names, or a name could not be embedded.
    pub fn load(
        path: &Path,
        dir: &Path,
        text: &dyn TextEncoder,
        key: &str,
        classes: usize,
    ) -> Result<Self, ModelError> {
        let names: Vec<String> = read_json(path)?;
        if names.len() != classes {
            return Err(ModelError::invalid(
                path,
                format!("expected {classes} class names, got {}", names.len()),
            ));
        }
        let cache = dir.join(format!(
            "class_vectors-{}.safetensors",
            &key[..key.len().min(16)]
        ));
        if let Some(vectors) = cached(&cache, classes, text.dim()) {
            return Ok(Self { vectors });
        }
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let vectors = text
            .encode(&names, Role::Document)
            .into_iter()
            .collect::<Result<Vec<_>, _>>()?;
        if let Err(error) = store(&cache, &vectors) {
            tracing::debug!(%error, "cannot cache class vectors");
        }
        Ok(Self { vectors })
    }

    /// Returns the unit vector in the text space for class `logits`.
    pub fn embed(&self, logits: &[f32]) -> Vec<f32> {
        let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let mut classes: Vec<(f32, &Vec<f32>)> = logits
            .iter()
            .map(|l| (l - max).exp())
            .zip(&self.vectors)
            .collect();
        // The denominator of the softmax cancels, since the result is scaled to unit length.
        classes.sort_by(|a, b| b.0.total_cmp(&a.0));
        let mut vector = vec![0f32; self.vectors.first().map_or(0, Vec::len)];
        for (p, class) in classes.into_iter().take(TOP) {
            vector
                .iter_mut()
                .zip(class)
                .for_each(|(sum, v)| *sum += p * v);
        }
        normalize(&mut vector);
        vector
    }
}

fn cached(path: &Path, rows: usize, dim: usize) -> Option<Vec<Vec<f32>>> {
    let tensor = Weights::load(path, "ConSE")
        .ok()?
        .get("class_vectors", &[rows, dim])
        .ok()?;
    let vectors: Vec<Vec<f32>> = tensor.to_vec2().ok()?;
    vectors
        .iter()
        .flatten()
        .all(|v| v.is_finite())
        .then_some(vectors)
}

fn store(path: &Path, vectors: &[Vec<f32>]) -> Result<(), ModelError> {
    let tensor = Tensor::new(vectors.to_vec(), &Device::Cpu)?;
    let tensors = std::collections::HashMap::from([("class_vectors", tensor)]);
    write_atomic(path, |path| {
        Ok(candle_core::safetensors::save(&tensors, path)?)
    })
}

#[cfg(test)]
mod tests {
    use super::Conse;

    #[test]
    fn probabilities_weight_the_names() {
        let conse = Conse::new(vec![vec![1.0, 0.0], vec![0.0, 1.0]]);
        let v = conse.embed(&[1000.0, 0.0]);
        assert!(v[0] > 0.999 && v[1] < 1e-3);
        let v = conse.embed(&[2.0, 2.0]);
        assert!((v[0] - v[1]).abs() < 1e-6 && (v[0] - 0.5f32.sqrt()).abs() < 1e-6);
    }
}
