//! The training loop: epochs over a training set, selection of the averaged weights of the epoch
//! that is best on held-out data, and checkpoints.

use std::collections::BTreeMap;
use std::time::Instant;

use candle_core::{Device, Tensor};
use rand::{SeedableRng, rngs::SmallRng};

use super::adamw::AdamW;
use super::checkpoint::{Checkpoint, Progress};
use super::co_objective::SCALE;
use super::metrics::{Measured, Quality, mean, measure, measure_co_purchases};
use super::objective::tower;
use super::{CoPurchases, Epoch, Pairs, Recipe, TrainError, TrainingSet, term};
use crate::encode::ModelError;
use crate::space::heads::{Heads, Modality};
use crate::space::tower::{Parameters, Tower};

/// Minimum number of held-out pairs, or users, to score an epoch.
pub const MIN_HELD_OUT: usize = 20;

/// Result of a training.
pub struct Trained {
    /// Heads of the best epoch.
    pub heads: Heads,
    /// All epochs that ran.
    pub curve: Vec<Epoch>,
    /// Number of the best epoch; 0 is the start.
    pub best: usize,
}

/// A training that is ready to run.
pub struct Trainer<'a> {
    /// Hyperparameters.
    pub recipe: &'a Recipe,
    /// Initial heads; see [`Heads::random`].
    pub start: &'a Heads,
    /// Training data: that of L, or of L_t in a joint training.
    pub from: TrainingSet<'a>,
    /// Data of the source in a joint training, and lambda: L = L_s + lambda * L_t.
    pub joint: Option<(TrainingSet<'a>, f64)>,
    /// Data that scores epochs, disjoint from `from`; fewer than [`MIN_HELD_OUT`] pairs or users
    /// are ignored.
    pub held_out: TrainingSet<'a>,
    /// True if weight decay pulls toward the start instead of to zero (L2-SP,
    /// [Li et al. 2018](https://arxiv.org/abs/1802.01483)).
    pub anchored: bool,
}

impl Trainer<'_> {
    /// Trains. With a `checkpoint` an interrupted training resumes; `progress` is called with each
    /// epoch.
    ///
    /// # Errors
    /// The features do not fit the start, a computation failed, the loss became NaN or infinite, or
    /// the checkpoint cannot be read or written.
    pub fn run(
        &self,
        checkpoint: Option<&Checkpoint>,
        progress: &mut dyn FnMut(&Epoch),
    ) -> Result<Trained, TrainError> {
        let recipe = self.recipe;
        let start = join(self.start, recipe.temperature)?;
        let mut optimizer =
            AdamW::new(&start, recipe.weight_decay, recipe.momentum, self.anchored)?;
        // The source comes first: it sets the length of an epoch.
        let mut sets = vec![(self.from, 1.0)];
        if let Some((source, lambda)) = self.joint {
            sets = vec![(source, 1.0), (self.from, lambda)];
        }
        let mut terms = term::of(&sets, recipe, self.start)?;
        let mut state = Progress {
            key: self.key()?,
            steps: 0,
            curve: Vec::new(),
            best: 0,
            best_score: f64::NEG_INFINITY,
        };
        let mut best = start.clone();
        if let Some(checkpoint) = checkpoint
            && let Some((saved, weights)) = checkpoint.load(&state.key)?
        {
            optimizer.restore(&weights, saved.steps)?;
            for (name, tensor) in &mut best {
                *tensor = weights.get(&format!("best/{name}"), tensor.dims())?;
            }
            saved.curve.iter().for_each(&mut *progress);
            state = saved;
        }
        let total = terms[0].steps(recipe) * recipe.epochs;
        let mut saved_at = Instant::now();
        while state.curve.len() < recipe.epochs && !self.is_over(&state) {
            let epoch = state.curve.len() + 1;
            // Each epoch has its own random generator, so that a resumed one draws the same.
            let mut rng = SmallRng::seed_from_u64(recipe.seed ^ ((epoch as u64) << 32));
            let mut loss = 0.0;
            for term in &mut terms {
                term.begin(recipe, &mut rng);
            }
            let steps = terms[0].steps(recipe);
            for _ in 0..steps {
                let parameters = optimizer.parameters();
                let mut sum = terms[0].loss(recipe, &parameters, &mut rng)?;
                for term in &mut terms[1..] {
                    sum = (sum + term.loss(recipe, &parameters, &mut rng)?)?;
                }
                let value = f64::from(sum.to_scalar::<f32>()?);
                if !value.is_finite() {
                    return Err(TrainError::Diverged { epoch });
                }
                loss += value / steps as f64;
                state.steps += 1;
                optimizer.step(&sum.backward()?, rate(recipe, state.steps, total))?;
            }
            let averages = optimizer.averages()?;
            let (held_out, co_purchases) = self.evaluate(&averages)?;
            let scores = held_out.iter().map(|quality| quality.score);
            let scores: Vec<f64> = scores.chain(co_purchases).collect();
            // Without held-out data, the last epoch is the best one.
            let score = if scores.is_empty() {
                epoch as f64
            } else {
                mean(scores.into_iter())
            };
            if score > state.best_score {
                (state.best, state.best_score, best) = (epoch, score, averages);
            }
            state.curve.push(Epoch {
                epoch,
                loss,
                temperature: f64::from(
                    (-optimizer.parameters()["scale"].to_scalar::<f32>()?).exp(),
                ),
                held_out,
                co_purchases,
            });
            if let Some(checkpoint) = checkpoint
                && checkpoint.is_due(saved_at)
            {
                checkpoint.save(&state, optimizer.state()?, &best)?;
                saved_at = Instant::now();
            }
            progress(&state.curve[epoch - 1]);
        }
        if let Some(checkpoint) = checkpoint {
            checkpoint.remove()?;
        }
        Ok(Trained {
            heads: self.heads(&best),
            curve: state.curve,
            best: state.best,
        })
    }

    fn is_over(&self, state: &Progress) -> bool {
        let without_gain = state.curve.len() - state.best;
        let is_scored = self.held_out_pairs().is_some() || self.held_out_co_purchases().is_some();
        self.recipe.patience > 0 && is_scored && without_gain >= self.recipe.patience
    }

    fn held_out_pairs(&self) -> Option<&Pairs> {
        let pairs = self.held_out.pairs;
        pairs.filter(|pairs| pairs.len() >= MIN_HELD_OUT)
    }

    fn held_out_co_purchases(&self) -> Option<&CoPurchases> {
        let co_purchases = self.held_out.co_purchases;
        co_purchases.filter(|set| set.users().len() >= MIN_HELD_OUT)
    }

    /// Returns the quality on held-out pairs and the NDCG@10 of held-out users, if there are
    /// enough.
    fn evaluate(
        &self,
        parameters: &Parameters,
    ) -> Result<(Option<Quality>, Option<f64>), TrainError> {
        let heads = self.heads(parameters);
        let quality = self
            .held_out_pairs()
            .map(|pairs| evaluate_pairs(&heads, pairs));
        let ndcg = self.held_out_co_purchases().map(|set| {
            let scores = measure_co_purchases(&set.fused(&heads)?, set)?;
            Ok::<_, TrainError>(mean(scores.into_iter()))
        });
        Ok((
            quality.transpose()?.map(|measured| measured.quality),
            ndcg.transpose()?,
        ))
    }

    fn heads(&self, parameters: &Parameters) -> Heads {
        let mut heads = Heads {
            towers: BTreeMap::new(),
            behavior: self.start.behavior.clone(),
            encoders: self.start.encoders.clone(),
        };
        for (modality, start) in &self.start.towers {
            let trained = tower(parameters, &format!("{}.", modality.name()));
            let tower = Tower::new(start.shape().clone(), start.standardize().clone(), trained);
            heads.towers.insert(*modality, tower);
        }
        heads
    }

    /// blake3 over everything that decides the result.
    fn key(&self) -> Result<String, TrainError> {
        let mut hash = blake3::Hasher::new();
        hash.update(format!("{:?} {}", self.recipe, self.anchored).as_bytes());
        let tensor = |hash: &mut blake3::Hasher, tensor: &Tensor| -> Result<(), TrainError> {
            for value in tensor.flatten_all()?.to_vec1::<f32>()? {
                hash.update(&value.to_le_bytes());
            }
            Ok(())
        };
        for start in join(self.start, self.recipe.temperature)?.values() {
            tensor(&mut hash, start)?;
        }
        let joint = self.joint.map(|(source, _)| source).unwrap_or_default();
        for set in [self.from, joint, self.held_out] {
            if let Some(pairs) = set.pairs {
                tensor(&mut hash, &pairs.text)?;
                tensor(&mut hash, &pairs.image)?;
                hash.update(format!("{:?}", pairs.labels).as_bytes());
            }
            if let Some(co_purchases) = set.co_purchases {
                co_purchases.hash_into(&mut hash)?;
            }
        }
        let lambda = self.joint.map(|(_, lambda)| lambda);
        hash.update(format!("{lambda:?}").as_bytes());
        Ok(hash.finalize().to_hex().to_string())
    }
}

/// Measures heads on held-out pairs.
///
/// # Errors
/// The heads lack a tower, or expect other features.
pub fn evaluate_pairs(heads: &Heads, pairs: &Pairs) -> Result<Measured, ModelError> {
    let labels = pairs.has_labels().then_some(pairs.labels.as_slice());
    let text = heads.embed(Modality::Text, &pairs.text)?;
    let image = heads.embed(Modality::Image, &pairs.image)?;
    measure(&text, &image, labels)
}

/// Joins the parameters of all towers and the scales.
fn join(heads: &Heads, temperature: f32) -> Result<Parameters, TrainError> {
    let mut all = Parameters::new();
    for (modality, tower) in &heads.towers {
        for (name, tensor) in tower.parameters() {
            all.insert(format!("{}.{name}", modality.name()), tensor.clone());
        }
    }
    // Trained as logarithms (Radford et al. 2021).
    for name in ["scale", SCALE] {
        let scale = Tensor::new(-temperature.ln(), &Device::Cpu)?;
        all.insert(name.to_owned(), scale);
    }
    Ok(all)
}

/// Returns the learning rate of a step: linear warm-up over the first tenth of all steps, with
/// cosine decay to 0.
fn rate(recipe: &Recipe, step: usize, total: usize) -> f32 {
    if !recipe.schedule {
        return recipe.rate;
    }
    let done = step as f32 / total.max(1) as f32;
    recipe.rate * (done * 10.0).min(1.0) * 0.5 * (1.0 + (std::f32::consts::PI * done).cos())
}
