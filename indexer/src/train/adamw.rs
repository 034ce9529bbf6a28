//! AdamW ([Loshchilov and Hutter 2019](https://arxiv.org/abs/1711.05101)) over candle variables, with an exponential
//! moving average of the weights. candle's own keeps its moments to itself, so a training with it cannot go on after
//! a kill as if nothing had been.

use std::collections::{BTreeMap, HashMap};

use candle_core::{Device, Tensor, Var, backprop::GradStore};

use crate::encode::ModelError;
use crate::encode::weights::Weights;
use crate::space::tower::Parameters;

const BETA1: f32 = 0.9;
const BETA2: f32 = 0.999;
const EPS: f32 = 1e-8;

/// What is kept of one variable.
struct Slot {
    var: Var,
    first: Vec<f32>,
    second: Vec<f32>,
    average: Vec<f32>,
    /// Where weight decay pulls to, if not to zero.
    anchor: Option<Vec<f32>>,
    /// Whether weight decay applies: weights, not biases and scales.
    decays: bool,
}

/// The optimiser and its variables.
pub struct AdamW {
    slots: BTreeMap<String, Slot>,
    weight_decay: f32,
    /// How much of the average stays at a step.
    momentum: f32,
    step: i32,
}

impl AdamW {
    /// Over `start`, by name. `momentum` is that of the moving average of the weights, 0 to 1; 0: the weights
    /// themselves. Weight decay pulls to zero, or to the start where it is `anchored`.
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
                // A copy: a variable made of a tensor shares its memory, and `start` must stay as it is.
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

    /// The variables as they are, to compute a loss with.
    pub fn parameters(&self) -> Parameters {
        let each = self.slots.iter();
        each.map(|(name, slot)| (name.clone(), slot.var.as_tensor().clone()))
            .collect()
    }

    /// Averaged weights: what is kept of a training.
    ///
    /// # Errors
    /// A tensor cannot be made.
    pub fn averages(&self) -> Result<Parameters, ModelError> {
        let each = self.slots.iter();
        each.map(|(name, slot)| Ok((name.clone(), shaped(&slot.average, &slot.var)?)))
            .collect()
    }

    /// One step down `gradients`; a variable without one stays where it is.
    ///
    /// # Errors
    /// A gradient cannot be read.
    pub fn step(&mut self, gradients: &GradStore, rate: f32) -> Result<(), ModelError> {
        self.step += 1;
        let correct1 = 1.0 - BETA1.powi(self.step);
        let correct2 = 1.0 - BETA2.powi(self.step);
        // Early on the average would hang at the start, so it follows faster.
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
            for (at, ((value, g), ((first, second), average))) in
                values.iter_mut().zip(&gradient).zip(state).enumerate()
            {
                *first = BETA1 * *first + (1.0 - BETA1) * g;
                *second = BETA2 * *second + (1.0 - BETA2) * g * g;
                let step = (*first / correct1) / ((*second / correct2).sqrt() + EPS);
                let anchor = slot.anchor.as_ref().map_or(0.0, |anchor| anchor[at]);
                *value -= pull * (*value - anchor) + rate * step;
                *average = keep * *average + (1.0 - keep) * *value;
            }
            slot.var.set(&shaped(&values, &slot.var)?)?;
        }
        Ok(())
    }

    /// Everything needed to go on, by name.
    ///
    /// # Errors
    /// A tensor cannot be made.
    pub fn state(&self) -> Result<HashMap<String, Tensor>, ModelError> {
        let mut all = HashMap::new();
        for (name, slot) in &self.slots {
            all.insert(format!("value/{name}"), slot.var.as_tensor().copy()?);
            for (part, values) in [
                ("first", &slot.first),
                ("second", &slot.second),
                ("average", &slot.average),
            ] {
                all.insert(format!("{part}/{name}"), shaped(values, &slot.var)?);
            }
        }
        Ok(all)
    }

    /// Takes over what [`AdamW::state`] gave after `step` steps.
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
