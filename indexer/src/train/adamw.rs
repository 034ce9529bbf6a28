//! AdamW ([Loshchilov and Hutter 2019](https://arxiv.org/abs/1711.05101)) over candle variables,
//! with an exponential moving average of the weights. candle's own implementation does not expose
//! its moments, so a training with it could not resume exactly.

use std::collections::{BTreeMap, HashMap};

use candle_core::{Device, Tensor, Var, backprop::GradStore};

use crate::encode::ModelError;
use crate::encode::weights::Weights;
use crate::space::tower::Parameters;

const BETA1: f32 = 0.9;
const BETA2: f32 = 0.999;
const EPS: f32 = 1e-8;

/// State of one variable.
struct Slot {
    var: Var,
    first: Vec<f32>,
    second: Vec<f32>,
    average: Vec<f32>,
    /// Target of weight decay, if it is not zero.
    anchor: Option<Vec<f32>>,
    /// True if weight decay applies: for weights, not for biases and scales.
    decays: bool,
}

/// The optimizer and its variables.
pub struct AdamW {
    slots: BTreeMap<String, Slot>,
    weight_decay: f32,
    /// Momentum of the moving average.
    momentum: f32,
    step: i32,
}

impl AdamW {
    /// Returns an optimizer of the parameters `start`. `momentum` is that of the moving average of
    /// the weights, 0 to 1; with 0 the average is the weights themselves. Weight decay pulls to
    /// zero, or to the start if it is `anchored`.
    ///
    /// # Errors
    /// A tensor cannot be copied.
    pub fn new(
        start: &Parameters,
        weight_decay: f32,
        momentum: f32,
        anchored: bool,
    ) -> Result<Self, ModelError> {
        let mut slots = BTreeMap::new();
        for (name, tensor) in start {
            let values: Vec<f32> = tensor.flatten_all()?.to_vec1()?;
            let slot = Slot {
                // A copy: a variable shares the memory of its tensor, and `start` must not change.
                var: Var::from_tensor(&Tensor::from_slice(&values, tensor.shape(), &Device::Cpu)?)?,
                first: vec![0.0; values.len()],
                second: vec![0.0; values.len()],
                anchor: anchored.then(|| values.clone()),
                average: values,
                decays: name.ends_with(".weight"),
            };
            slots.insert(name.clone(), slot);
        }
        Ok(Self {
            slots,
            weight_decay,
            momentum,
            step: 0,
        })
    }

    /// Returns the current variables, to compute a loss with.
    pub fn parameters(&self) -> Parameters {
        let each = self.slots.iter();
        each.map(|(name, slot)| (name.clone(), slot.var.as_tensor().clone()))
            .collect()
    }

    /// Returns the averaged weights: the result of a training.
    ///
    /// # Errors
    /// A tensor cannot be created.
    pub fn averages(&self) -> Result<Parameters, ModelError> {
        let each = self.slots.iter();
        each.map(|(name, slot)| Ok((name.clone(), shaped(&slot.average, &slot.var)?)))
            .collect()
    }

    /// Does one step of gradient descent; a variable without a gradient does not change.
    ///
    /// # Errors
    /// A gradient cannot be read.
    pub fn step(&mut self, gradients: &GradStore, rate: f32) -> Result<(), ModelError> {
        self.step += 1;
        let correct1 = 1.0 - BETA1.powi(self.step);
        let correct2 = 1.0 - BETA2.powi(self.step);
        // In the first steps the average follows faster, so that it is not biased toward the start.
        let keep = self
            .momentum
            .min((1.0 + self.step as f32) / (10.0 + self.step as f32));
        for slot in self.slots.values_mut() {
            let Some(gradient) = gradients.get(slot.var.as_tensor()) else {
                continue;
            };
            let gradient: Vec<f32> = gradient.flatten_all()?.to_vec1()?;
            let mut values: Vec<f32> = slot.var.as_tensor().flatten_all()?.to_vec1()?;
            let pull = if slot.decays {
                rate * self.weight_decay
            } else {
                0.0
            };
            let state = slot.first.iter_mut().zip(&mut slot.second);
            let state = state.zip(&mut slot.average);
            for (i, ((value, g), ((first, second), average))) in
                values.iter_mut().zip(&gradient).zip(state).enumerate()
            {
                *first = BETA1 * *first + (1.0 - BETA1) * g;
                *second = BETA2 * *second + (1.0 - BETA2) * g * g;
                let step = (*first / correct1) / ((*second / correct2).sqrt() + EPS);
                let anchor = slot.anchor.as_ref().map_or(0.0, |anchor| anchor[i]);
                *value -= pull * (*value - anchor) + rate * step;
                *average = keep * *average + (1.0 - keep) * *value;
            }
            slot.var.set(&shaped(&values, &slot.var)?)?;
        }
        Ok(())
    }

    /// Returns the state needed to resume, by name.
    ///
    /// # Errors
    /// A tensor cannot be created.
    pub fn state(&self) -> Result<HashMap<String, Tensor>, ModelError> {
        let mut all = HashMap::new();
        for (name, slot) in &self.slots {
            all.insert(format!("value/{name}"), slot.var.as_tensor().copy()?);
            for (prefix, values) in [
                ("first", &slot.first),
                ("second", &slot.second),
                ("average", &slot.average),
            ] {
                all.insert(format!("{prefix}/{name}"), shaped(values, &slot.var)?);
            }
        }
        Ok(all)
    }

    /// Restores the result of [`AdamW::state`] after `step` steps.
    ///
    /// # Errors
    /// A tensor is missing or of another shape.
    pub fn restore(&mut self, state: &Weights, step: usize) -> Result<(), ModelError> {
        for (name, slot) in &mut self.slots {
            let dims = slot.var.as_tensor().dims().to_vec();
            slot.var.set(&state.get(&format!("value/{name}"), &dims)?)?;
            slot.first = state.flat(&format!("first/{name}"), &dims)?;
            slot.second = state.flat(&format!("second/{name}"), &dims)?;
            slot.average = state.flat(&format!("average/{name}"), &dims)?;
        }
        self.step = i32::try_from(step).unwrap_or(i32::MAX);
        Ok(())
    }
}

fn shaped(values: &[f32], like: &Var) -> Result<Tensor, ModelError> {
    Ok(Tensor::from_slice(
        values,
        like.as_tensor().shape(),
        &Device::Cpu,
    )?)
}
