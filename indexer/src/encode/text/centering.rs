//! Centering of an encoder's vectors, whose languages lie in different directions from a common
//! mean: the mean is subtracted and the directions are projected out ([Yang et al.
//! 2021](https://arxiv.org/abs/2109.04727)), so that a text is as near to its translation as to
//! itself. Queries and documents have their own means.

use std::path::Path;

use super::role::Role;
use crate::encode::weights::Weights;
use crate::encode::{ModelError, normalize};

const FILE: &str = "centering.safetensors";

/// Means and directions of languages, by role.
pub struct Centering {
    query: Projection,
    document: Projection,
}

struct Projection {
    mean: Vec<f32>,
    /// Orthonormal directions `[directions, dim]`.
    directions: Vec<f32>,
}

impl Centering {
    /// Loads the centering of a model folder; `None` if it has none.
    ///
    /// # Errors
    /// A tensor is missing or does not have `dim` components.
    pub fn load(dir: &Path, dim: usize) -> Result<Option<Self>, ModelError> {
        let path = dir.join(FILE);
        if !path.is_file() {
            return Ok(None);
        }
        let w = Weights::load(&path, "the centering")?;
        Ok(Some(Self {
            query: Projection::load(&w, "query", dim)?,
            document: Projection::load(&w, "document", dim)?,
        }))
    }

    /// Centers a unit vector `[dim]`; the result has unit length.
    pub fn apply(&self, vector: &mut [f32], role: Role) {
        let projection = match role {
            Role::Query => &self.query,
            Role::Document => &self.document,
        };
        projection.apply(vector);
        normalize(vector);
    }
}

impl Projection {
    fn load(w: &Weights, role: &str, dim: usize) -> Result<Self, ModelError> {
        let name = format!("{role}.directions");
        let count = w.shape(&name).and_then(|s| s.first().copied()).unwrap_or(0);
        Ok(Self {
            mean: w.flat(&format!("{role}.mean"), &[dim])?,
            directions: w.flat(&name, &[count, dim])?,
        })
    }

    fn apply(&self, vector: &mut [f32]) {
        subtract(vector, &self.mean, 1.0);
        for direction in self.directions.chunks_exact(vector.len()) {
            let length: f32 = vector.iter().zip(direction).map(|(v, d)| v * d).sum();
            subtract(vector, direction, length);
        }
    }
}

fn subtract(vector: &mut [f32], other: &[f32], factor: f32) {
    vector
        .iter_mut()
        .zip(other)
        .for_each(|(v, o)| *v -= factor * o);
}

#[cfg(test)]
mod tests {
    use super::{Centering, Projection};
    use crate::encode::text::role::Role;

    #[test]
    fn mean_and_directions_are_removed() {
        let projection = |mean: [f32; 3]| Projection {
            mean: mean.to_vec(),
            directions: vec![0.0, 1.0, 0.0],
        };
        let centering = Centering {
            query: projection([0.5, 0.0, 0.0]),
            document: projection([0.0; 3]),
        };
        let mut vector = [0.8, 0.6, 0.3];
        centering.apply(&mut vector, Role::Query);
        let length = 0.18f32.sqrt();
        assert!((vector[0] - 0.3 / length).abs() < 1e-6 && vector[1].abs() < 1e-6);
        let mut vector = [0.0, 0.6, 0.8];
        centering.apply(&mut vector, Role::Document);
        assert_eq!(vector, [0.0, 0.0, 1.0]);
    }
}
