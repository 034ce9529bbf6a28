//! One training: epochs over pairs, the average weights of the epoch that is best on held-out pairs, checkpoints.

use std::collections::BTreeMap;
use std::time::Instant;

use candle_core::{Device, Tensor};
use rand::{SeedableRng, rngs::SmallRng};
use serde::{Deserialize, Serialize};

use super::adamw::AdamW;
use super::checkpoint::{Checkpoint, Progress};
use super::co_objective::SCALE;
use super::metrics::{Measured, Quality, mean, measure, measure_co_purchases};
use super::objective::tower;
use super::{CoPurchases, Pairs, Recipe, TrainError, term};
use crate::encode::ModelError;
use crate::space::heads::{Heads, View};
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
    /// NDCG@10 of what held-out people chose together; absent where there are too few.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub co_purchases: Option<f64>,
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

/// What is learned from, or judged by: pairs of text and photo, items that the same people chose, or both.
#[derive(Clone, Copy, Default)]
pub struct TrainingSet<'a> {
    /// Texts with their photos.
    pub pairs: Option<&'a Pairs>,
    /// Items with who chose them.
    pub co_purchases: Option<&'a CoPurchases>,
}

impl TrainingSet<'_> {
    /// What an epoch goes over: its pairs or, without any, choices.
    pub(super) fn size(&self) -> usize {
        let choices = || self.co_purchases.map_or(0, CoPurchases::choices);
        self.pairs.map_or_else(choices, Pairs::len)
    }
}

impl<'a> From<&'a Pairs> for TrainingSet<'a> {
    fn from(pairs: &'a Pairs) -> Self {
        Some(pairs).into()
    }
}

impl<'a> From<Option<&'a Pairs>> for TrainingSet<'a> {
    fn from(pairs: Option<&'a Pairs>) -> Self {
        Self {
            pairs,
            co_purchases: None,
        }
    }
}

/// A training about to run.
pub struct Session<'a> {
    /// How it goes.
    pub recipe: &'a Recipe,
    /// What it starts from; see [`Heads::fresh`].
    pub start: &'a Heads,
    /// What it learns from: L, or L_t of a joint training.
    pub from: TrainingSet<'a>,
    /// The source of a joint training, and lambda: L = L_s + lambda * L_t.
    pub joint: Option<(TrainingSet<'a>, f64)>,
    /// What it is judged by, apart from `from`; fewer than [`LEAST_HELD_OUT`] pairs or people do not count.
    pub held_out: TrainingSet<'a>,
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
        // The source first: its pairs set the pace.
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
            optimiser.restore(&weights, saved.steps)?;
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
            // Each epoch draws from a generator of its own, so that one resumed draws the same.
            let mut rng = SmallRng::seed_from_u64(recipe.seed ^ ((epoch as u64) << 32));
            let mut loss = 0.0;
            for term in &mut terms {
                term.begin(recipe, &mut rng);
            }
            let steps = terms[0].steps(recipe);
            for _ in 0..steps {
                let parameters = optimiser.parameters();
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
                optimiser.step(&sum.backward()?, rate(recipe, state.steps, total))?;
            }
            let kept = optimiser.averages()?;
            let (held_out, co_purchases) = self.judge(&kept)?;
            let scores = held_out.iter().map(|quality| quality.score);
            let scores: Vec<f64> = scores.chain(co_purchases).collect();
            // Without anything to judge by, the last epoch is kept.
            let score = match scores.is_empty() {
                true => epoch as f64,
                false => mean(scores.into_iter()),
            };
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
                co_purchases,
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
        let is_judged = self.judges().is_some() || self.co_judges().is_some();
        self.recipe.patience > 0 && is_judged && idle >= self.recipe.patience
    }

    fn judges(&self) -> Option<&Pairs> {
        let pairs = self.held_out.pairs;
        pairs.filter(|pairs| pairs.len() >= LEAST_HELD_OUT)
    }

    fn co_judges(&self) -> Option<&CoPurchases> {
        let bought = self.held_out.co_purchases;
        bought.filter(|bought| bought.people().len() >= LEAST_HELD_OUT)
    }

    /// Quality on held-out pairs, and NDCG@10 of held-out people, where there are enough.
    fn judge(&self, parameters: &Parameters) -> Result<(Option<Quality>, Option<f64>), TrainError> {
        let heads = self.heads(parameters);
        let quality = self.judges().map(|pairs| judge_pairs(&heads, pairs));
        let ndcg = self.co_judges().map(|bought| {
            let scores = measure_co_purchases(&bought.fused(&heads)?, bought)?;
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
        for (view, of) in &self.start.towers {
            let own = tower(parameters, &format!("{}.", view.name()));
            let tower = Tower::new(of.shape().clone(), of.standardise().clone(), own);
            heads.towers.insert(*view, tower);
        }
        heads
    }

    /// blake3 over all that decides the outcome.
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
                tensor(&mut hash, &pairs.photo)?;
                hash.update(format!("{:?}", pairs.labels).as_bytes());
            }
            if let Some(bought) = set.co_purchases {
                bought.hash_into(&mut hash)?;
            }
        }
        let lambda = self.joint.map(|(_, lambda)| lambda);
        hash.update(format!("{lambda:?}").as_bytes());
        Ok(hash.finalize().to_hex().to_string())
    }
}

/// Held-out pairs through heads.
///
/// # Errors
/// The heads lack a tower, or take other features.
pub fn judge_pairs(heads: &Heads, pairs: &Pairs) -> Result<Measured, ModelError> {
    let labels = pairs.has_labels().then_some(pairs.labels.as_slice());
    let text = heads.embed(View::Text, &pairs.text)?;
    let photo = heads.embed(View::Photo, &pairs.photo)?;
    measure(&text, &photo, labels)
}

/// The parameters of all towers and the scales, under one roof.
fn join(heads: &Heads, temperature: f32) -> Result<Parameters, TrainError> {
    let mut all = Parameters::new();
    for (view, tower) in &heads.towers {
        for (name, tensor) in tower.parameters() {
            all.insert(format!("{}.{name}", view.name()), tensor.clone());
        }
    }
    // Learned as logarithms (Radford et al. 2021).
    for name in ["scale", SCALE] {
        let scale = Tensor::new(-temperature.ln(), &Device::Cpu)?;
        all.insert(name.to_owned(), scale);
    }
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
