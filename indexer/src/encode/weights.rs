//! Model files: read into memory (no mmap, so no unsafe), with lookups whose errors name the
//! tensor.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use half::f16;
use serde::de::DeserializeOwned;

use super::ModelError;

/// Reads a file of a model.
///
/// # Errors
/// [`ModelError::Missing`] if it does not exist.
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
/// It is missing or is not the expected JSON.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, ModelError> {
    serde_json::from_slice(&read(path)?).map_err(|e| ModelError::invalid(path, e))
}

/// Reads an optional JSON file.
///
/// # Errors
/// It exists but is not the expected JSON.
pub fn read_json_optional<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, ModelError> {
    match read_json(path) {
        Err(ModelError::Missing(_)) => Ok(None),
        other => other.map(Some),
    }
}

/// Tensors of a safetensors file, by name. Float types are converted to f32 when they are read.
pub struct Weights {
    tensors: HashMap<String, Tensor>,
    architecture: &'static str,
    /// Names of the tensors that were read.
    used: RefCell<HashSet<String>>,
}

impl Weights {
    /// Loads `path` for a network called `architecture` in messages.
    ///
    /// # Errors
    /// The file is missing or damaged.
    pub fn load(path: &Path, architecture: &'static str) -> Result<Self, ModelError> {
        let tensors =
            candle_core::safetensors::load_buffer(&read(path)?, &Device::Cpu).map_err(|e| {
                ModelError::invalid(path, format!("truncated or invalid safetensors file: {e}"))
            })?;
        Ok(Self::from_tensors(tensors, architecture))
    }

    /// Wraps tensors.
    pub fn from_tensors(tensors: HashMap<String, Tensor>, architecture: &'static str) -> Self {
        Self {
            tensors,
            architecture,
            used: RefCell::default(),
        }
    }

    /// Returns the tensor `name`, which must have `shape`, as it is stored.
    fn stored(&self, name: &str, shape: &[usize]) -> Result<&Tensor, ModelError> {
        match self.tensors.get(name) {
            Some(tensor) if tensor.dims() == shape => {
                self.used.borrow_mut().insert(name.to_owned());
                Ok(tensor)
            }
            _ => Err(self.misfit(name, format!("{shape:?}"))),
        }
    }

    /// Returns the tensor `name`, which must have `shape`.
    ///
    /// # Errors
    /// [`ModelError::Tensor`] if it is missing or has another shape.
    pub fn get(&self, name: &str, shape: &[usize]) -> Result<Tensor, ModelError> {
        as_f32(self.stored(name, shape)?)
    }

    /// Returns the tensor `name`, which must have `shape`, in row-major order if it is stored as
    /// f16.
    ///
    /// # Errors
    /// As [`Weights::get`].
    pub fn halves(&self, name: &str, shape: &[usize]) -> Result<Option<Vec<f16>>, ModelError> {
        let tensor = self.stored(name, shape)?;
        let is_half = tensor.dtype() == DType::F16;
        let halves = is_half.then(|| tensor.flatten_all()?.to_vec1());
        Ok(halves.transpose()?)
    }

    /// Returns a [`ModelError::Tensor`] for the tensor `name` with the `expected` shape.
    pub fn misfit(&self, name: &str, expected: String) -> ModelError {
        let shape = self.shape(name);
        ModelError::Tensor {
            architecture: self.architecture,
            tensor: name.to_owned(),
            expected,
            found: shape.map_or("none of that name".to_owned(), |shape| {
                format!("shape {shape:?}")
            }),
        }
    }

    /// Returns the shape of the tensor `name`, if it exists.
    pub fn shape(&self, name: &str) -> Option<Vec<usize>> {
        self.tensors.get(name).map(|tensor| tensor.dims().to_vec())
    }

    /// Returns the side of the square kernel of the convolution `name`; 1 if it does not exist.
    pub fn kernel_side(&self, name: &str) -> usize {
        let shape = self.shape(&format!("{name}.weight"));
        shape.and_then(|s| s.get(2).copied()).unwrap_or(1).max(1)
    }

    /// Returns the first name of a tensor that was not read: the network has a layer that was not
    /// built. Counters of training steps are ignored.
    pub fn unused(&self) -> Option<&str> {
        let used = self.used.borrow();
        let is_unused =
            |name: &&String| !used.contains(*name) && !name.ends_with("num_batches_tracked");
        let unused = self.tensors.keys().filter(is_unused);
        unused.min().map(String::as_str)
    }

    /// Returns the first name of a tensor that is neither in `expected` nor in `ignored`. Counters
    /// of training steps are ignored.
    pub fn unexpected(&self, expected: &[(String, Vec<usize>)], ignored: &[&str]) -> Option<&str> {
        let known: HashSet<&str> = expected.iter().map(|(name, _)| name.as_str()).collect();
        let is_unexpected = |name: &&String| {
            !known.contains(name.as_str())
                && !ignored.contains(&name.as_str())
                && !name.ends_with("num_batches_tracked")
        };
        let unexpected = self.tensors.keys().filter(is_unexpected);
        unexpected.min().map(String::as_str)
    }

    /// Returns [`Weights::get`] as a flat vector in row-major order.
    ///
    /// # Errors
    /// As [`Weights::get`].
    pub fn flat(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, ModelError> {
        Ok(self.get(name, shape)?.flatten_all()?.to_vec1()?)
    }

    /// Returns true if a tensor of this name exists.
    pub fn contains(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// Returns a candle builder over all tensors, after checking the names and shapes `expected`.
    ///
    /// # Errors
    /// [`ModelError::Tensor`] for the first one that does not match.
    pub fn builder(
        self,
        expected: &[(String, Vec<usize>)],
    ) -> Result<VarBuilder<'static>, ModelError> {
        for (name, shape) in expected {
            self.get(name, shape)?;
        }
        let tensors = self.tensors.into_iter();
        let tensors = tensors.map(|(name, tensor)| Ok((name, as_f32(&tensor)?)));
        Ok(VarBuilder::from_tensors(
            tensors.collect::<Result<_, ModelError>>()?,
            DType::F32,
            &Device::Cpu,
        ))
    }
}

/// Converts a tensor of floats to f32; others stay as they are.
fn as_f32(tensor: &Tensor) -> Result<Tensor, ModelError> {
    if tensor.dtype().is_float() {
        Ok(tensor.to_dtype(DType::F32)?)
    } else {
        Ok(tensor.clone())
    }
}
