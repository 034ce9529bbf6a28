//! ConSE ([Norouzi et al. 2013](https://arxiv.org/abs/1312.5650)): a photo's place in the text space is the mean of its
//! most probable classes' name vectors, weighted by their probability. No training.

use std::path::Path;

use candle_core::{Device, Tensor};

use crate::encode::bert::{Bert, Role};
use crate::encode::weights::{Weights, read_json};
use crate::encode::{ModelError, normalise};

/// Number of classes that count.
pub const TOP: usize = 10;
/// Goes into the fingerprint: change it with anything here that moves vectors.
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

    /// Embeds the names in the file `path`, or takes the vectors of the cache file in `dir` for `key`.
    ///
    /// # Errors
    /// The names are missing or not `classes` many, or a name could not be embedded.
    pub fn load(
        path: &Path,
        dir: &Path,
        text: &Bert,
        key: &str,
        classes: usize,
    ) -> Result<Self, ModelError> {
        let names: Vec<String> = read_json(path)?;
        if names.len() != classes {
            return Err(ModelError::invalid(
                path,
                format!("{} class names, not {classes}", names.len()),
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
            tracing::debug!(%error, "class vectors are not cached");
        }
        Ok(Self { vectors })
    }

    /// Unit vector in the text space for class `logits`.
    pub fn embed(&self, logits: &[f32]) -> Vec<f32> {
        let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let mut classes: Vec<(f32, &Vec<f32>)> = logits
            .iter()
            .map(|l| (l - max).exp())
            .zip(&self.vectors)
            .collect();
        // The softmax's denominator is one for all classes, and the result is scaled to unit length.
        classes.sort_by(|a, b| b.0.total_cmp(&a.0));
        let mut vector = vec![0f32; self.vectors.first().map_or(0, Vec::len)];
        for (p, class) in classes.into_iter().take(TOP) {
            vector
                .iter_mut()
                .zip(class)
                .for_each(|(sum, v)| *sum += p * v);
        }
        normalise(&mut vector);
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

/// Writes beside and renames, so that a reader never sees half a file.
fn store(path: &Path, vectors: &[Vec<f32>]) -> Result<(), ModelError> {
    let io = |source| ModelError::Io {
        path: path.to_owned(),
        source,
    };
    let tensor = Tensor::new(vectors.to_vec(), &Device::Cpu)?;
    let temporary = path.with_extension(format!("{}.tmp", std::process::id()));
    candle_core::safetensors::save(
        &std::collections::HashMap::from([("class_vectors", tensor)]),
        &temporary,
    )?;
    std::fs::rename(&temporary, path).map_err(io)
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
