//! Model files: read whole (no mmap, so no unsafe) and looked up with errors that name the tensor.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use serde::de::DeserializeOwned;

use super::ModelError;

/// Reads a file of a model.
///
/// # Errors
/// [`ModelError::Missing`] when it is not there.
pub fn read(path: &Path) -> Result<Vec<u8>, ModelError> {
    std::fs::read(path).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => ModelError::Missing(path.to_owned()),
        _ => ModelError::Io {
            path: path.to_owned(),
            source,
        },
    })
}

/// Reads a JSON file of a model.
///
/// # Errors
/// Missing, or not the JSON expected.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, ModelError> {
    serde_json::from_slice(&read(path)?).map_err(|e| ModelError::invalid(path, e))
}

/// Reads a JSON file that need not be there.
///
/// # Errors
/// There, but not the JSON expected.
pub fn read_json_optional<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, ModelError> {
    match read_json(path) {
        Err(ModelError::Missing(_)) => Ok(None),
        other => other.map(Some),
    }
}

/// Tensors of a safetensors file, by name, as f32.
pub struct Weights {
    tensors: HashMap<String, Tensor>,
    architecture: &'static str,
    /// Names of those that were asked for.
    used: RefCell<HashSet<String>>,
}

impl Weights {
    /// Loads `path` for a network called `architecture` in messages.
    ///
    /// # Errors
    /// Missing or damaged file.
    pub fn load(path: &Path, architecture: &'static str) -> Result<Self, ModelError> {
        let tensors = candle_core::safetensors::load_buffer(&read(path)?, &Device::Cpu)
            .map_err(|e| ModelError::invalid(path, format!("not a whole safetensors file: {e}")))?;
        Self::from_tensors(tensors, architecture)
    }

    /// Wraps tensors at hand; float types become f32.
    ///
    /// # Errors
    /// A conversion failed.
    pub fn from_tensors(
        tensors: HashMap<String, Tensor>,
        architecture: &'static str,
    ) -> Result<Self, ModelError> {
        let tensors = tensors
            .into_iter()
            .map(|(name, t)| {
                Ok((
                    name,
                    if t.dtype().is_float() {
                        t.to_dtype(DType::F32)?
                    } else {
                        t
                    },
                ))
            })
            .collect::<Result<_, ModelError>>()?;
        Ok(Self {
            tensors,
            architecture,
            used: RefCell::default(),
        })
    }

    /// The tensor `name`, which must have `shape`.
    ///
    /// # Errors
    /// [`ModelError::Tensor`] naming what was expected.
    pub fn get(&self, name: &str, shape: &[usize]) -> Result<Tensor, ModelError> {
        match self.tensors.get(name) {
            Some(tensor) if tensor.dims() == shape => {
                self.used.borrow_mut().insert(name.to_owned());
                Ok(tensor.clone())
            }
            _ => Err(self.misfit(name, format!("{shape:?}"))),
        }
    }

    /// [`ModelError::Tensor`] about the tensor `name`, which should have been as `expected`.
    pub fn misfit(&self, name: &str, expected: String) -> ModelError {
        let found = self.shape(name);
        ModelError::Tensor {
            architecture: self.architecture,
            tensor: name.to_owned(),
            expected,
            found: found.map_or("none of that name".to_owned(), |shape| {
                format!("shape {shape:?}")
            }),
        }
    }

    /// Shape of the tensor `name`, if there is one.
    pub fn shape(&self, name: &str) -> Option<Vec<usize>> {
        self.tensors.get(name).map(|tensor| tensor.dims().to_vec())
    }

    /// Side of the square kernel of the convolution `name`; 1 where there is none.
    pub fn kernel_side(&self, name: &str) -> usize {
        let shape = self.shape(&format!("{name}.weight"));
        shape.and_then(|s| s.get(2).copied()).unwrap_or(1).max(1)
    }

    /// The first name of a tensor nobody asked for: a part of a network that was not built. Counters of training steps
    /// are no part.
    pub fn unused(&self) -> Option<&str> {
        let used = self.used.borrow();
        let part = |name: &&String| !used.contains(*name) && !name.ends_with("num_batches_tracked");
        self.tensors.keys().filter(part).min().map(String::as_str)
    }

    /// The first name of a tensor that is neither among `expected` nor among `ignored`, counters of training steps aside.
    pub fn beside(&self, expected: &[(String, Vec<usize>)], ignored: &[&str]) -> Option<&str> {
        let known: HashSet<&str> = expected.iter().map(|(name, _)| name.as_str()).collect();
        let odd = |name: &&String| {
            !known.contains(name.as_str())
                && !ignored.contains(&name.as_str())
                && !name.ends_with("num_batches_tracked")
        };
        self.tensors.keys().filter(odd).min().map(String::as_str)
    }

    /// [`Weights::get`] as a flat vector, row major.
    ///
    /// # Errors
    /// As [`Weights::get`].
    pub fn flat(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, ModelError> {
        Ok(self.get(name, shape)?.flatten_all()?.to_vec1()?)
    }

    /// Whether a tensor of that name is there.
    pub fn contains(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// A candle builder over all tensors, after checking that each of `expected` is there in shape.
    ///
    /// # Errors
    /// The first of `expected` that is not.
    pub fn builder(
        self,
        expected: &[(String, Vec<usize>)],
    ) -> Result<VarBuilder<'static>, ModelError> {
        for (name, shape) in expected {
            self.get(name, shape)?;
        }
        Ok(VarBuilder::from_tensors(
            self.tensors,
            DType::F32,
            &Device::Cpu,
        ))
    }
}
