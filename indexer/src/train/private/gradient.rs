//! Gradients of groups of pairs with respect to the trained layers.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor, Var};
use rand::{SeedableRng, rngs::SmallRng};

use crate::encode::ModelError;
use crate::space::heads::{Heads, Modality};
use crate::space::tower::{Parameters, Standardize, Tower};
use crate::train::objective::{Batch, Objective};
use crate::train::{Pairs, Recipe, TrainError};

/// Parameters that keep their random start: fewer trained ones get less noise in all.
const FROZEN: &str = "hidden.";

/// Heads in a private training.
pub struct Gradients<'a> {
    recipe: &'a Recipe,
    start: Heads,
    objective: Objective<'a>,
    /// Constants, and variables of `trained`.
    parameters: Parameters,
    trained: BTreeMap<String, Var>,
}

impl<'a> Gradients<'a> {
    /// Draws the start.
    pub fn new(encoders: &str, recipe: &'a Recipe, pairs: &'a Pairs) -> Result<Self, TrainError> {
        let tower = |modality, features: &Tensor| {
            let input = features.dim(1)?;
            let shape = recipe.tower_shape(modality, input);
            Ok::<_, ModelError>((modality, (shape, Standardize::none(input))))
        };
        let towers = [
            tower(Modality::Text, &pairs.text)?,
            tower(Modality::Image, &pairs.image)?,
        ];
        let start = Heads::random(encoders, towers.into(), recipe.seed)?;
        let (mut parameters, mut trained) = (Parameters::new(), BTreeMap::new());
        for (modality, tower) in &start.towers {
            for (name, tensor) in tower.parameters() {
                let full = format!("{}.{name}", modality.name());
                if name.starts_with(FROZEN) {
                    parameters.insert(full, tensor.clone());
                    continue;
                }
                let var = Var::from_tensor(&tensor.copy()?)?;
                parameters.insert(full.clone(), var.as_tensor().clone());
                trained.insert(full, var);
            }
        }
        let scale = Tensor::new(-recipe.temperature.ln(), &Device::Cpu)?;
        parameters.insert("scale".to_owned(), scale);
        Ok(Self {
            recipe,
            objective: Objective::new(recipe, &start, pairs)?,
            start,
            parameters,
            trained,
        })
    }

    /// Number of trained parameters.
    pub fn length(&self) -> usize {
        self.trained.values().map(|var| var.elem_count()).sum()
    }

    /// Returns the gradient of the loss of a group; zeros for a group of fewer than two pairs.
    pub fn of(&self, rows: &[usize]) -> Result<Vec<f32>, TrainError> {
        if rows.len() < 2 {
            return Ok(vec![0.0; self.length()]);
        }
        // Without dropout nothing is drawn.
        let mut rng = SmallRng::seed_from_u64(0);
        let batch = Batch::draw(rows, self.recipe, &self.objective, &mut rng)?;
        let loss = self.objective.loss(&self.parameters, &batch)?;
        let gradients = loss.backward()?;
        let mut all = Vec::with_capacity(self.length());
        for var in self.trained.values() {
            match gradients.get(var.as_tensor()) {
                Some(gradient) => all.extend(gradient.flatten_all()?.to_vec1::<f32>()?),
                None => all.resize(all.len() + var.elem_count(), 0.0),
            }
        }
        // A gradient that is not finite would undo the clipping.
        let is_finite = all.iter().all(|value| value.is_finite());
        Ok(if is_finite {
            all
        } else {
            vec![0.0; self.length()]
        })
    }

    /// Adds `change` to the trained parameters and returns them.
    pub fn change(&mut self, change: &[f64]) -> Result<Vec<f32>, TrainError> {
        let (mut all, mut rest) = (Vec::with_capacity(change.len()), change);
        for var in self.trained.values() {
            let (own, after) = rest.split_at(var.elem_count());
            rest = after;
            let mut values: Vec<f32> = var.as_tensor().flatten_all()?.to_vec1()?;
            values
                .iter_mut()
                .zip(own)
                .for_each(|(v, c)| *v += *c as f32);
            var.set(&Tensor::from_slice(&values, var.shape(), &Device::Cpu)?)?;
            all.extend(values);
        }
        Ok(all)
    }

    /// Returns heads with these trained parameters.
    pub fn heads(&self, values: &[f32]) -> Result<Heads, TrainError> {
        let (mut by_name, mut rest) = (BTreeMap::new(), values);
        for (name, var) in &self.trained {
            let (own, after) = rest.split_at(var.elem_count());
            rest = after;
            by_name.insert(
                name.clone(),
                Tensor::from_slice(own, var.shape(), &Device::Cpu)?,
            );
        }
        self.start.map(|modality, tower| {
            let mut parameters = tower.parameters().clone();
            for (name, tensor) in &mut parameters {
                if let Some(new) = by_name.get(&format!("{}.{name}", modality.name())) {
                    *tensor = new.clone();
                }
            }
            let standardize = tower.standardize().clone();
            Ok(Tower::new(tower.shape().clone(), standardize, parameters))
        })
    }
}
