//! One training: epochs over pairs, the average weights of the epoch that is best on held-out pairs, checkpoints.

use std::time::Instant;

use candle_core::{Device, Tensor};
use rand::{Rng, SeedableRng, rngs::SmallRng, seq::SliceRandom};
use serde::{Deserialize, Serialize};

use super::adamw::AdamW;
use super::checkpoint::{Checkpoint, Progress};
use super::metrics::{Quality, measure};
use super::objective::{Batch, Objective};
use super::{Pairs, Recipe, TrainError};
use crate::space::heads::Heads;
use crate::space::tower::{Parameters, Tower};

/// Fewest held-out pairs that an epoch is judged by.
pub const LEAST_HELD_OUT: usize = 20;

/// A line of the loss curve.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// From 1.
    pub epoch: usize,
    /// Mean training loss.
    pub loss: f64,
    /// Temperature at its end.
    pub temperature: f64,
    /// Quality on the held-out pairs; absent where there are too few to tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_out: Option<Quality>,
}

/// What a training gave.
pub struct Trained {
    /// The heads of the epoch kept.
    pub heads: Heads,
    /// All epochs run.
    pub curve: Vec<Epoch>,
    /// The epoch kept; 0: the start.
    pub best: usize,
}

/// A training about to run.
pub struct Session<'a> {
    /// How it goes.
    pub recipe: &'a Recipe,
    /// What it starts from; see [`Heads::fresh`].
    pub start: &'a Heads,
    /// What it learns from: L, or L_t of a joint training.
    pub pairs: &'a Pairs,
    /// Pairs of the source of a joint training, and lambda: L = L_s + lambda * L_t.
    pub joint: Option<(&'a Pairs, f64)>,
    /// What it is judged by, apart from `pairs`; fewer than [`LEAST_HELD_OUT`] do not count.
    pub held_out: Option<&'a Pairs>,
    /// Whether weight decay pulls towards the start instead of to zero (L2-SP, [Li et al. 2018](https://arxiv.org/abs/1802.01483)).
    pub anchored: bool,
}

impl Session<'_> {
    /// Trains. With a `checkpoint` a training that was killed goes on where it was; `progress` is told of each epoch.
    ///
    /// # Errors
    /// The features do not fit the start, a computation failed, the loss is no number any more, or the checkpoint cannot
    /// be read or written.
    pub fn run(
        &self,
        checkpoint: Option<&Checkpoint>,
        progress: &mut dyn FnMut(&Epoch),
    ) -> Result<Trained, TrainError> {
        let recipe = self.recipe;
        let start = join(self.start, recipe.temperature)?;
        let mut optimiser =
            AdamW::new(&start, recipe.weight_decay, recipe.momentum, self.anchored)?;
        let objective = Objective::new(recipe, self.start, self.pairs)?;
        let source = self
            .joint
            .map(|(pairs, lambda)| {
                Ok::<_, TrainError>((Objective::new(recipe, self.start, pairs)?, pairs, lambda))
            })
            .transpose()?;
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
            optimiser.restore(&weights, saved.steps)?;
            for (name, tensor) in &mut best {
                *tensor = weights.get(&format!("best/{name}"), tensor.dims())?;
            }
            saved.curve.iter().for_each(&mut *progress);
            state = saved;
        }
        let main = source.as_ref().map_or(self.pairs, |(_, pairs, _)| *pairs);
        let per_epoch = main.len().div_ceil(recipe.batch).max(1);
        let total = per_epoch * recipe.epochs;
        let mut saved_at = Instant::now();
        while state.curve.len() < recipe.epochs && !self.is_over(&state) {
            let epoch = state.curve.len() + 1;
            // Each epoch draws from a generator of its own, so that one resumed draws the same.
            let mut rng = SmallRng::seed_from_u64(recipe.seed ^ ((epoch as u64) << 32));
            let mut loss = 0.0;
            let order = batches(main, recipe, &mut rng);
            let mut target = Cycle::new(self.pairs.len());
            for rows in &order {
                let parameters = optimiser.parameters();
                let sum = match &source {
                    None => objective.loss(
                        &parameters,
                        &Batch::draw(rows, recipe, &objective, &mut rng)?,
                    )?,
                    Some((source, _, lambda)) => {
                        let other = target.take(recipe.batch, &mut rng);
                        let s = source
                            .loss(&parameters, &Batch::draw(rows, recipe, source, &mut rng)?)?;
                        let t = objective.loss(
                            &parameters,
                            &Batch::draw(&other, recipe, &objective, &mut rng)?,
                        )?;
                        (s + (t * *lambda)?)?
                    }
                };
                let value = f64::from(sum.to_scalar::<f32>()?);
                if !value.is_finite() {
                    return Err(TrainError::Diverged { epoch });
                }
                loss += value / order.len() as f64;
                state.steps += 1;
                optimiser.step(&sum.backward()?, rate(recipe, state.steps, total))?;
            }
            let kept = optimiser.averages()?;
            let held_out = self.judge(&kept)?;
            // Without anything to judge by, the last epoch is kept.
            let score = held_out.map_or(epoch as f64, |quality| quality.score);
            if score > state.best_score {
                (state.best, state.best_score, best) = (epoch, score, kept);
            }
            state.curve.push(Epoch {
                epoch,
                loss,
                temperature: f64::from(
                    (-optimiser.parameters()["scale"].to_scalar::<f32>()?).exp(),
                ),
                held_out,
            });
            if let Some(checkpoint) = checkpoint
                && checkpoint.is_due(saved_at)
            {
                checkpoint.save(&state, optimiser.state()?, &best)?;
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
        let idle = state.curve.len() - state.best;
        self.recipe.patience > 0 && self.judges().is_some() && idle >= self.recipe.patience
    }

    fn judges(&self) -> Option<&Pairs> {
        self.held_out.filter(|pairs| pairs.len() >= LEAST_HELD_OUT)
    }

    fn judge(&self, parameters: &Parameters) -> Result<Option<Quality>, TrainError> {
        let Some(pairs) = self.judges() else {
            return Ok(None);
        };
        let heads = self.heads(parameters);
        let labels = pairs.has_labels().then_some(pairs.labels.as_slice());
        let text = heads.text.embed(&pairs.text)?;
        let photo = heads.photo.embed(&pairs.photo)?;
        Ok(Some(measure(&text, &photo, labels)?.quality))
    }

    fn heads(&self, parameters: &Parameters) -> Heads {
        let tower = |of: &Tower, prefix: &str| {
            let own = parameters.iter().filter_map(|(name, tensor)| {
                Some((name.strip_prefix(prefix)?.to_owned(), tensor.clone()))
            });
            Tower::new(of.shape().clone(), of.standardise().clone(), own.collect())
        };
        Heads {
            text: tower(&self.start.text, "text."),
            photo: tower(&self.start.photo, "photo."),
            encoders: self.start.encoders.clone(),
        }
    }

    /// blake3 over all that decides the outcome.
    fn key(&self) -> Result<String, TrainError> {
        let mut hash = blake3::Hasher::new();
        hash.update(format!("{:?} {}", self.recipe, self.anchored).as_bytes());
        let mut tensor = |tensor: &Tensor| -> Result<(), TrainError> {
            for value in tensor.flatten_all()?.to_vec1::<f32>()? {
                hash.update(&value.to_le_bytes());
            }
            Ok(())
        };
        for start in join(self.start, self.recipe.temperature)?.values() {
            tensor(start)?;
        }
        let joint = self.joint.map(|(pairs, _)| pairs);
        for pairs in [Some(self.pairs), joint, self.held_out]
            .into_iter()
            .flatten()
        {
            tensor(&pairs.text)?;
            tensor(&pairs.photo)?;
        }
        let lambda = self.joint.map(|(_, lambda)| lambda);
        let labels = &self.pairs.labels;
        hash.update(format!("{lambda:?} {labels:?}").as_bytes());
        Ok(hash.finalize().to_hex().to_string())
    }
}

/// The parameters of both towers and the scale, under one roof.
fn join(heads: &Heads, temperature: f32) -> Result<Parameters, TrainError> {
    let mut all = Parameters::new();
    for (prefix, tower) in [("text", &heads.text), ("photo", &heads.photo)] {
        for (name, tensor) in tower.parameters() {
            all.insert(format!("{prefix}.{name}"), tensor.clone());
        }
    }
    // Learned as a logarithm (Radford et al. 2021).
    let scale = Tensor::new(-temperature.ln(), &Device::Cpu)?;
    all.insert("scale".to_owned(), scale);
    Ok(all)
}

/// Rises over the first tenth of all steps, then falls to 0 as a cosine.
fn rate(recipe: &Recipe, step: usize, total: usize) -> f32 {
    if !recipe.schedule {
        return recipe.rate;
    }
    let done = step as f32 / total.max(1) as f32;
    recipe.rate * (done * 10.0).min(1.0) * 0.5 * (1.0 + (std::f32::consts::PI * done).cos())
}

/// The rows of an epoch in batches of like size, shuffled; a `hard_share` of the batches holds runs of one label.
fn batches(pairs: &Pairs, recipe: &Recipe, rng: &mut SmallRng) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..pairs.len()).collect();
    order.shuffle(rng);
    let hard = (recipe.hard_share * order.len() as f32) as usize;
    order[..hard.min(pairs.len())].sort_by_key(|row| pairs.labels[*row]);
    let size = order.len().div_ceil(order.len().div_ceil(recipe.batch));
    let mut batches: Vec<Vec<usize>> = order.chunks(size).map(<[usize]>::to_vec).collect();
    batches.shuffle(rng);
    batches
}

/// Rows in random order, again and again.
struct Cycle {
    rows: Vec<usize>,
    next: usize,
}

impl Cycle {
    fn new(n: usize) -> Self {
        Self {
            rows: (0..n).collect(),
            next: n,
        }
    }

    /// At most `n` different rows.
    fn take(&mut self, n: usize, rng: &mut impl Rng) -> Vec<usize> {
        let n = n.min(self.rows.len());
        if self.next + n > self.rows.len() {
            self.rows.shuffle(rng);
            self.next = 0;
        }
        self.next += n;
        self.rows[self.next - n..self.next].to_vec()
    }
}
