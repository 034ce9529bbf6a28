//! A tower: the small network that maps the features of one modality to the shared space. Training
//! (`train`) and serving run the same code.

use std::collections::{BTreeMap, HashMap};

use candle_core::{DType, Device, Tensor};
use rand::Rng;
use serde::{Deserialize, Serialize};

use crate::encode::ModelError;
use crate::encode::weights::Weights;

/// Standardized features are clamped to this many standard deviations: outliers must not dominate.
const CLAMP: f32 = 6.0;
/// Maximum width of an input or a layer in a configuration.
const MAX_WIDTH: usize = 65_536;

/// Shape of a tower. Its Debug form goes into fingerprints, see
/// [`Heads::digest`](super::heads::Heads::digest).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TowerShape {
    /// Number of components of the input.
    pub input: usize,
    /// Number of units of the hidden GELU layer; 0 for a linear tower.
    pub hidden: usize,
    /// True if a linear shortcut connects input and output beside the hidden layer.
    pub shortcut: bool,
    /// Number of components of the output.
    pub output: usize,
}

impl TowerShape {
    /// Returns the names and shapes of the trained parameters.
    pub fn parameters(&self) -> Vec<(&'static str, Vec<usize>)> {
        let (i, h, o) = (self.input, self.hidden, self.output);
        let mut list = Vec::new();
        if h > 0 {
            list.push(("hidden.weight", vec![h, i]));
            list.push(("hidden.bias", vec![h]));
            list.push(("output.weight", vec![o, h]));
        }
        if h == 0 || self.shortcut {
            list.push(("linear.weight", vec![o, i]));
        }
        list.push(("output.bias", vec![o]));
        list
    }

    /// Returns the problem with the shape, if there is one.
    pub fn problem(&self) -> Option<String> {
        let widths = [
            ("input", self.input, 1),
            ("hidden", self.hidden, 0),
            ("output", self.output, 1),
        ];
        widths.into_iter().find_map(|(name, width, min)| {
            (!(min..=MAX_WIDTH).contains(&width))
                .then(|| format!("`{name}` is {width}; expected {min} to {MAX_WIDTH}"))
        })
    }
}

/// Standardization of features to mean 0 and standard deviation 1 before the first layer:
/// `x -> (x - mean) * scale`.
#[derive(Debug, Clone, PartialEq)]
pub struct Standardize {
    /// Mean of each component.
    pub mean: Vec<f32>,
    /// One over the standard deviation of each component.
    pub scale: Vec<f32>,
}

impl Standardize {
    /// Returns the identity for features of `d` components.
    pub fn none(d: usize) -> Self {
        Self {
            mean: vec![0.0; d],
            scale: vec![1.0; d],
        }
    }

    /// Fits the rows of `features` `[n, d]`. The scale of nearly constant components is bounded.
    ///
    /// # Errors
    /// A computation failed.
    pub fn of(features: &Tensor) -> Result<Self, ModelError> {
        let rows: Vec<Vec<f32>> = features.to_vec2()?;
        let (n, d) = (rows.len().max(1) as f64, features.dim(1)?);
        let mut mean = vec![0f64; d];
        let mut square = vec![0f64; d];
        for row in &rows {
            for (j, x) in row.iter().enumerate() {
                mean[j] += f64::from(*x) / n;
                square[j] += f64::from(*x) * f64::from(*x) / n;
            }
        }
        Ok(Self::of_moments(&mean, &square))
    }

    /// Returns the standardization for features with these means and mean squares `[d]`.
    pub fn of_moments(mean: &[f64], square: &[f64]) -> Self {
        let deviation: Vec<f64> = mean
            .iter()
            .zip(square)
            .map(|(m, s)| (s - m * m).max(0.0).sqrt())
            .collect();
        let typical = deviation.iter().sum::<f64>() / deviation.len().max(1) as f64;
        let floor = (0.05 * typical).max(1e-6);
        Self {
            scale: deviation
                .iter()
                .map(|x| (1.0 / x.max(floor)) as f32)
                .collect(),
            mean: mean.iter().map(|x| *x as f32).collect(),
        }
    }

    /// Standardizes and clamps `features` `[n, d]`.
    ///
    /// # Errors
    /// `features` has another number of components.
    pub fn apply(&self, features: &Tensor) -> Result<Tensor, ModelError> {
        let row = |v: &[f32]| Tensor::from_slice(v, (1, v.len()), &Device::Cpu);
        Ok(features
            .broadcast_sub(&row(&self.mean)?)?
            .broadcast_mul(&row(&self.scale)?)?
            .clamp(-CLAMP, CLAMP)?)
    }
}

/// Parameters by name, as tensors that may be variables of an optimizer.
pub type Parameters = BTreeMap<String, Tensor>;

/// Returns the unit vectors `[n, output]` of standardized features `[n, input]`. An optional `mask`
/// `[n, hidden]` is multiplied with the hidden layer (dropout).
///
/// # Errors
/// A parameter is missing or a shape does not fit.
pub fn forward(
    parameters: &Parameters,
    x: &Tensor,
    mask: Option<&Tensor>,
) -> Result<Tensor, ModelError> {
    let need = |name: &str| {
        let missing = || ModelError::Compute(format!("a tower without `{name}`"));
        parameters.get(name).ok_or_else(missing)
    };
    let mut sum = None;
    if let Some(weight) = parameters.get("hidden.weight") {
        let bias = need("hidden.bias")?;
        let mut hidden = x.matmul(&weight.t()?)?.broadcast_add(bias)?.gelu_erf()?;
        if let Some(mask) = mask {
            hidden = (hidden * mask)?;
        }
        sum = Some(hidden.matmul(&need("output.weight")?.t()?)?);
    }
    if let Some(weight) = parameters.get("linear.weight") {
        let linear = x.matmul(&weight.t()?)?;
        sum = Some(match sum {
            Some(sum) => (sum + linear)?,
            None => linear,
        });
    }
    let sum = sum.ok_or_else(|| ModelError::Compute("a tower without layers".to_owned()))?;
    match parameters.get("output.bias") {
        Some(bias) => unit(&sum.broadcast_add(bias)?),
        None => unit(&sum),
    }
}

/// Scales rows to unit length.
///
/// # Errors
/// A computation failed.
pub fn unit(x: &Tensor) -> Result<Tensor, ModelError> {
    // The floor keeps the gradient of a zero row finite.
    let norm = (x.sqr()?.sum_keepdim(1)? + 1e-12)?.sqrt()?;
    Ok(x.broadcast_div(&norm)?)
}

/// A tower with its parameters.
pub struct Tower {
    shape: TowerShape,
    standardize: Standardize,
    parameters: Parameters,
}

impl Tower {
    /// Returns a tower with the given parameters.
    pub fn new(shape: TowerShape, standardize: Standardize, parameters: Parameters) -> Self {
        Self {
            shape,
            standardize,
            parameters,
        }
    }

    /// Returns a tower with random weights, uniform within one over the square root of a layer's
    /// inputs, as in torch.
    ///
    /// # Errors
    /// A tensor cannot be created.
    pub fn random(
        shape: TowerShape,
        standardize: Standardize,
        rng: &mut impl Rng,
    ) -> Result<Self, ModelError> {
        let mut parameters = Parameters::new();
        for (name, dims) in shape.parameters() {
            let inputs = match name {
                "output.weight" | "output.bias" if shape.hidden > 0 => shape.hidden,
                _ => shape.input,
            };
            let bound = 1.0 / (inputs as f32).sqrt();
            let n = dims.iter().product();
            let values: Vec<f32> = (0..n).map(|_| rng.random_range(-bound..=bound)).collect();
            let tensor = Tensor::from_vec(values, dims, &Device::Cpu)?;
            parameters.insert(name.to_owned(), tensor);
        }
        Ok(Self::new(shape, standardize, parameters))
    }

    /// Loads the tensors `{prefix}.*` of a file.
    ///
    /// # Errors
    /// A tensor is missing or of another shape.
    pub fn load(weights: &Weights, prefix: &str, shape: &TowerShape) -> Result<Self, ModelError> {
        let flat = |name: &str| weights.flat(&format!("{prefix}.{name}"), &[shape.input]);
        let standardize = Standardize {
            mean: flat("mean")?,
            scale: flat("scale")?,
        };
        let mut parameters = Parameters::new();
        for (name, dims) in shape.parameters() {
            let tensor = weights.get(&format!("{prefix}.{name}"), &dims)?;
            parameters.insert(name.to_owned(), tensor);
        }
        Ok(Self::new(shape.clone(), standardize, parameters))
    }

    /// Shape of the tower.
    pub fn shape(&self) -> &TowerShape {
        &self.shape
    }

    /// Standardization of the features.
    pub fn standardize(&self) -> &Standardize {
        &self.standardize
    }

    /// Trained parameters.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// Returns the name of the first tensor with a value that is not finite.
    ///
    /// # Errors
    /// A computation failed.
    pub fn not_finite(&self) -> Result<Option<String>, ModelError> {
        for (name, tensor) in &self.parameters {
            let values: Vec<f32> = tensor.flatten_all()?.to_vec1()?;
            if !values.iter().all(|v| v.is_finite()) {
                return Ok(Some(name.clone()));
            }
        }
        let standardize = [
            ("mean", &self.standardize.mean),
            ("scale", &self.standardize.scale),
        ];
        let is_invalid = |(_, values): &(&str, &Vec<f32>)| !values.iter().all(|v| v.is_finite());
        Ok(standardize
            .into_iter()
            .find(is_invalid)
            .map(|(name, _)| name.to_owned()))
    }

    /// Returns the tensors that [`Tower::load`] reads.
    ///
    /// # Errors
    /// A computation failed.
    pub fn tensors(&self, prefix: &str) -> Result<HashMap<String, Tensor>, ModelError> {
        let mut all: HashMap<String, Tensor> = self
            .parameters
            .iter()
            .map(|(name, tensor)| (format!("{prefix}.{name}"), tensor.clone()))
            .collect();
        for (name, values) in [
            ("mean", &self.standardize.mean),
            ("scale", &self.standardize.scale),
        ] {
            let tensor = Tensor::from_slice(values, values.len(), &Device::Cpu)?;
            all.insert(format!("{prefix}.{name}"), tensor);
        }
        Ok(all)
    }

    /// [`Tower::embed`] of one input.
    ///
    /// # Errors
    /// The features are of another length.
    pub fn embed_one(&self, features: &[f32]) -> Result<Vec<f32>, ModelError> {
        let row = Tensor::from_slice(features, (1, features.len()), &Device::Cpu)?;
        Ok(self.embed(&row)?.squeeze(0)?.to_vec1()?)
    }

    /// Returns the unit vectors `[n, output]` of features `[n, input]` before standardization.
    ///
    /// # Errors
    /// The features are of another length.
    pub fn embed(&self, features: &Tensor) -> Result<Tensor, ModelError> {
        check_width(&self.shape, features)?;
        let x = self.standardize.apply(&features.to_dtype(DType::F32)?)?;
        forward(&self.parameters, &x, None)
    }
}

fn check_width(shape: &TowerShape, features: &Tensor) -> Result<(), ModelError> {
    let (width, expected) = (features.dim(1)?, shape.input);
    if width == expected {
        return Ok(());
    }
    let reason = format!("the heads expect {expected} features, got {width}");
    Err(ModelError::Compute(reason))
}
