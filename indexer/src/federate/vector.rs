//! Heads as one vector of numbers: towers by modality, parameters by name.

use candle_core::{Device, Tensor};

use super::FederateError;
use crate::encode::ModelError;
use crate::space::heads::Heads;
use crate::space::tower::{Parameters, Standardize, Tower};

/// Returns all parameters in one vector.
///
/// # Errors
/// A tensor cannot be read.
pub fn flatten(heads: &Heads) -> Result<Vec<f32>, ModelError> {
    let mut all = Vec::new();
    for tower in heads.towers.values() {
        for tensor in tower.parameters().values() {
            all.extend(tensor.flatten_all()?.to_vec1::<f32>()?);
        }
    }
    Ok(all)
}

/// Returns heads like `heads` with the parameters of a vector.
///
/// # Errors
/// The vector has another length, or a number that is not finite.
pub fn replaced(heads: &Heads, values: &[f32]) -> Result<Heads, FederateError> {
    check_finite(values)?;
    let expected = length(heads);
    if values.len() != expected {
        let got = values.len();
        return Err(FederateError::Update(format!(
            "expected {expected} numbers, got {got}"
        )));
    }
    let mut rest = values;
    heads.map(|_, tower| {
        let mut parameters = Parameters::new();
        for (name, tensor) in tower.parameters() {
            let (own, after) = rest.split_at(tensor.elem_count());
            rest = after;
            let tensor = Tensor::from_slice(own, tensor.shape(), &Device::Cpu);
            parameters.insert(name.clone(), tensor.map_err(ModelError::from)?);
        }
        let standardize = tower.standardize().clone();
        Ok(Tower::new(tower.shape().clone(), standardize, parameters))
    })
}

/// Number of parameters.
pub fn length(heads: &Heads) -> usize {
    let tensors = heads.towers.values().flat_map(|t| t.parameters().values());
    tensors.map(Tensor::elem_count).sum()
}

/// # Errors
/// A number is not finite; its place is named.
pub fn check_finite(values: &[f32]) -> Result<(), FederateError> {
    match values.iter().position(|v| !v.is_finite()) {
        None => Ok(()),
        Some(at) => Err(FederateError::Update(format!(
            "expected finite numbers, got {} at {at}; nothing was sent or adopted",
            values[at]
        ))),
    }
}

/// Returns heads as bytes: of each tower the mean and scale of its features and its parameters, as
/// little-endian f32.
///
/// # Errors
/// A tensor cannot be read.
pub fn to_bytes(heads: &Heads) -> Result<Vec<u8>, ModelError> {
    let mut all: Vec<f32> = Vec::new();
    for tower in heads.towers.values() {
        all.extend(&tower.standardize().mean);
        all.extend(&tower.standardize().scale);
    }
    all.extend(flatten(heads)?);
    Ok(all.iter().flat_map(|v| v.to_le_bytes()).collect())
}

/// Returns heads of the shapes of `like` from the bytes of [`to_bytes`].
///
/// # Errors
/// There are more or fewer bytes, or a number is not finite.
pub fn from_bytes(like: &Heads, bytes: &[u8]) -> Result<Heads, FederateError> {
    let inputs: usize = like.towers.values().map(|t| t.shape().input).sum();
    let expected = 4 * (2 * inputs + length(like));
    if bytes.len() != expected {
        let got = bytes.len();
        return Err(FederateError::Update(format!(
            "expected {expected} bytes, got {got}"
        )));
    }
    let number = |b: &[u8]| f32::from_le_bytes(std::array::from_fn(|i| b[i]));
    let values: Vec<f32> = bytes.chunks_exact(4).map(number).collect();
    check_finite(&values)?;
    let mut rest = values.as_slice();
    let mut next = |width: usize| {
        let (own, after) = rest.split_at(width);
        rest = after;
        own.to_vec()
    };
    let standardized = like.map(|_, tower| {
        let (mean, scale) = (next(tower.shape().input), next(tower.shape().input));
        let shape = tower.shape().clone();
        let parameters = tower.parameters().clone();
        Ok::<_, FederateError>(Tower::new(shape, Standardize { mean, scale }, parameters))
    })?;
    replaced(&standardized, rest)
}
