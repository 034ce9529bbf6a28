//! A tower: the small network that takes one kind of features to the shared space. Training (`train`) and serving
//! run the same one.

use std::collections::{BTreeMap, HashMap};

use candle_core::{DType, Device, Tensor};
use rand::Rng;
use serde::{Deserialize, Serialize};

use crate::encode::ModelError;
use crate::encode::weights::Weights;

/// Standardised features beyond this many deviations are cut: one odd photo must not leave the space.
const CLAMP: f32 = 6.0;
/// Most components of an input or layer that a configuration may ask for.
const MAX_WIDTH: usize = 65_536;

/// Shape of a tower.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TowerShape {
    /// Components of the input.
    pub input: usize,
    /// Units of the GELU layer; 0: a linear head without one.
    pub hidden: usize,
    /// Whether the input also reaches the output through a linear map of its own, beside the hidden layer.
    pub shortcut: bool,
    /// Components of the output.
    pub output: usize,
}

impl TowerShape {
    /// Names and shapes of the parameters that are learned.
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

    /// What is wrong with it, if anything.
    pub fn fault(&self) -> Option<String> {
        let widths = [
            ("input", self.input, 1),
            ("hidden", self.hidden, 0),
            ("output", self.output, 1),
        ];
        widths.into_iter().find_map(|(name, width, least)| {
            (!(least..=MAX_WIDTH).contains(&width))
                .then(|| format!("`{name}` is {width}; must be {least} to {MAX_WIDTH}"))
        })
    }
}

/// How features are brought to mean 0 and deviation 1 before the first layer: `x -> (x - mean) * scale`.
#[derive(Debug, Clone, PartialEq)]
pub struct Standardise {
    /// Mean by component.
    pub mean: Vec<f32>,
    /// One over the deviation, by component.
    pub scale: Vec<f32>,
}

impl Standardise {
    /// Leaves features of `d` components as they are.
    pub fn none(d: usize) -> Self {
        Self {
            mean: vec![0.0; d],
            scale: vec![1.0; d],
        }
    }

    /// Of the rows of `features` `[n, d]`. Components that hardly vary are not blown up.
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
        let deviation: Vec<f64> = mean
            .iter()
            .zip(&square)
            .map(|(m, s)| (s - m * m).max(0.0).sqrt())
            .collect();
        let typical = deviation.iter().sum::<f64>() / d as f64;
        let floor = (0.05 * typical).max(1e-6);
        Ok(Self {
            scale: deviation
                .iter()
                .map(|x| (1.0 / x.max(floor)) as f32)
                .collect(),
            mean: mean.into_iter().map(|x| x as f32).collect(),
        })
    }

    /// Applies it to `features` `[n, d]`.
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

/// Parameters by name, as tensors that may be variables of a training.
pub type Parameters = BTreeMap<String, Tensor>;

/// Unit vectors `[n, output]` of standardised features `[n, input]`; `mask`, where given, multiplies the hidden
/// layer `[n, hidden]` (dropout).
///
/// # Errors
/// A parameter is missing or a shape does not fit.
pub fn forward(
    parameters: &Parameters,
    x: &Tensor,
    mask: Option<&Tensor>,
) -> Result<Tensor, ModelError> {
    let need = |name: &str| {
        let missing = || ModelError::Compute(format!("a head without `{name}`"));
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
    let sum = sum.ok_or_else(|| ModelError::Compute("a head without layers".to_owned()))?;
    match parameters.get("output.bias") {
        Some(bias) => unit(&sum.broadcast_add(bias)?),
        None => unit(&sum),
    }
}

/// Rows scaled to unit length.
///
/// # Errors
/// A computation failed.
pub fn unit(x: &Tensor) -> Result<Tensor, ModelError> {
    // The floor keeps the gradient of a zero row finite.
    let norm = (x.sqr()?.sum_keepdim(1)? + 1e-12)?.sqrt()?;
    Ok(x.broadcast_div(&norm)?)
}

/// A tower ready to be used.
pub struct Tower {
    shape: TowerShape,
    standardise: Standardise,
    parameters: Parameters,
}

impl Tower {
    /// Of its parts.
    pub fn new(shape: TowerShape, standardise: Standardise, parameters: Parameters) -> Self {
        Self {
            shape,
            standardise,
            parameters,
        }
    }

    /// Random weights, uniform within one over the root of a layer's inputs, as torch has them.
    ///
    /// # Errors
    /// A tensor cannot be made.
    pub fn fresh(
        shape: TowerShape,
        standardise: Standardise,
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
        Ok(Self::new(shape, standardise, parameters))
    }

    /// Takes the tensors `{prefix}.*` of a file.
    ///
    /// # Errors
    /// One is missing or of another shape.
    pub fn load(weights: &Weights, prefix: &str, shape: &TowerShape) -> Result<Self, ModelError> {
        let flat = |name: &str| weights.flat(&format!("{prefix}.{name}"), &[shape.input]);
        let standardise = Standardise {
            mean: flat("mean")?,
            scale: flat("scale")?,
        };
        let mut parameters = Parameters::new();
        for (name, dims) in shape.parameters() {
            let tensor = weights.get(&format!("{prefix}.{name}"), &dims)?;
            parameters.insert(name.to_owned(), tensor);
        }
        Ok(Self::new(shape.clone(), standardise, parameters))
    }

    /// Its shape.
    pub fn shape(&self) -> &TowerShape {
        &self.shape
    }

    /// How it standardises.
    pub fn standardise(&self) -> &Standardise {
        &self.standardise
    }

    /// Its learned parameters.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// Name of the first tensor that is not finite.
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
        let own = [
            ("mean", &self.standardise.mean),
            ("scale", &self.standardise.scale),
        ];
        let broken = |(_, values): &(&str, &Vec<f32>)| !values.iter().all(|v| v.is_finite());
        Ok(own
            .into_iter()
            .find(broken)
            .map(|(name, _)| name.to_owned()))
    }

    /// What [`Tower::load`] reads.
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
            ("mean", &self.standardise.mean),
            ("scale", &self.standardise.scale),
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

    /// Unit vectors `[n, output]` of features `[n, input]`, not standardised yet.
    ///
    /// # Errors
    /// The features are of another length.
    pub fn embed(&self, features: &Tensor) -> Result<Tensor, ModelError> {
        check_width(&self.shape, features)?;
        let x = self.standardise.apply(&features.to_dtype(DType::F32)?)?;
        forward(&self.parameters, &x, None)
    }
}

fn check_width(shape: &TowerShape, features: &Tensor) -> Result<(), ModelError> {
    let (found, wanted) = (features.dim(1)?, shape.input);
    if found == wanted {
        return Ok(());
    }
    let reason = format!("heads for {wanted} features were given {found}");
    Err(ModelError::Compute(reason))
}
