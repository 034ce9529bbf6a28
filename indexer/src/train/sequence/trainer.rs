//! The training loop: epochs over sequences until held-out choices are predicted no better.

use std::fmt;

use rand::{Rng, SeedableRng, rngs::SmallRng, seq::SliceRandom};
use rand_distr::{Distribution, Normal};
use rayon::prelude::*;
use serde::Serialize;
use vitrine::cf::{Gru, GruWeights, Recommender, SequenceModel};

use super::{
    SequenceRecipe,
    adam::{Moments, Step},
    backprop::{Layer, add_scaled},
    ranks::{Question, ndcg},
    softmax::{Gradients, Negatives, Network, Shared},
};
use crate::train::TrainError;

/// Depth of the NDCG that stops a training.
const DEPTH: usize = 10;

/// Minimum number of sequences for each one whose last item is held out to stop.
const HELD_OUT_EVERY: usize = 4;

/// Maximum number of held-out choices: enough to compare epochs at little cost.
const MAX_HELD_OUT: usize = 2_000;

/// Minimum number of held-out choices.
const MIN_HELD_OUT: usize = 20;

/// Minimum number of items of a sequence whose last one is held out.
const MIN_LENGTH: usize = 3;

/// Standard deviation of the numbers of item vectors at the start.
const DEVIATION: f32 = 0.05;

/// Final epochs with all items: one for so many epochs before.
const FINAL_SHARE: usize = 5;

/// Parts of a batch that are computed at once; fixed, so that results do not depend on the number
/// of threads.
const PARTS: usize = 4;

/// Figures of an epoch.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SequenceEpoch {
    /// Number of the epoch, from 1.
    pub epoch: usize,
    /// Mean loss of a choice.
    pub loss: f64,
    /// NDCG@10 of the held-out choices; absent in the final epochs, which have none.
    pub ndcg: Option<f64>,
}

impl fmt::Display for SequenceEpoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { epoch, loss, ndcg } = self;
        match ndcg {
            Some(ndcg) => write!(
                f,
                "epoch {epoch}: loss {loss:.4}, held-out ndcg@10 {ndcg:.4}"
            ),
            None => write!(f, "epoch {epoch} with all items: loss {loss:.4}"),
        }
    }
}

/// Result of a training.
pub struct TrainedSequence {
    /// Network, fitted to all sequences.
    pub model: SequenceModel,
    /// Epochs until the stop.
    pub curve: Vec<SequenceEpoch>,
    /// Number of the best epoch of the curve.
    pub best: usize,
}

/// A training of a GRU on sequences of items, the oldest first.
pub struct SequenceTrainer<'a> {
    /// Hyperparameters.
    pub recipe: &'a SequenceRecipe,
    /// Number of items.
    pub items: usize,
    /// Sequences of items below that number.
    pub sequences: &'a [Vec<u32>],
}

impl SequenceTrainer<'_> {
    /// Trains until the last items of some sequences are predicted no better, then goes on from the
    /// best epoch with all items for a few epochs.
    ///
    /// # Errors
    /// Hyperparameters out of range, too few sequences, or a loss that is not finite.
    pub fn run(
        &self,
        progress: &mut dyn FnMut(&SequenceEpoch),
    ) -> Result<TrainedSequence, TrainError> {
        self.recipe.check()?;
        let (learned, held_out) = self.split();
        if held_out.len() < MIN_HELD_OUT {
            return Err(TrainError::TooFew {
                what: format!("sequences of {MIN_LENGTH} items and more, one in {HELD_OUT_EVERY}"),
                found: held_out.len(),
                min: MIN_HELD_OUT,
            });
        }
        let mut curve: Vec<SequenceEpoch> = Vec::new();
        let (mut best, mut best_ndcg) = (1, f64::NEG_INFINITY);
        let mut state = State::new(self.recipe, self.items, learned);
        let mut best_state = state.clone();
        while curve.len() < self.recipe.epochs && curve.len() < best + self.recipe.patience {
            let loss = state.epoch()?;
            let epoch = curve.len() + 1;
            let found = ndcg(&state.model()?, &held_out, DEPTH);
            if found > best_ndcg {
                (best, best_ndcg) = (epoch, found);
                best_state = state.clone();
            }
            curve.push(SequenceEpoch {
                epoch,
                loss,
                ndcg: Some(found),
            });
            progress(&curve[epoch - 1]);
        }
        best_state.learn_from(self.sequences.iter().map(Vec::as_slice).collect());
        best_state.run(best.div_ceil(FINAL_SHARE), progress)?;
        Ok(TrainedSequence {
            model: best_state.model()?,
            curve,
            best,
        })
    }

    /// Trains with all items for a number of epochs that is known to be good.
    ///
    /// # Errors
    /// Hyperparameters out of range, no sequences, or a loss that is not finite.
    pub fn fit(
        &self,
        epochs: usize,
        progress: &mut dyn FnMut(&SequenceEpoch),
    ) -> Result<SequenceModel, TrainError> {
        self.recipe.check()?;
        let all = self.sequences.iter().map(Vec::as_slice).collect();
        let mut state = State::new(self.recipe, self.items, all);
        state.run(epochs, progress)?;
        state.model()
    }

    /// Returns the sequences to learn from, and held-out choices.
    fn split(&self) -> (Vec<&[u32]>, Vec<Question>) {
        let mut held_out = Vec::new();
        let every = HELD_OUT_EVERY.max(self.sequences.len().div_ceil(MAX_HELD_OUT));
        let sequences = self.sequences.iter().enumerate();
        let learned = sequences.map(|(number, sequence)| match sequence.split_last() {
            Some((last, before))
                if number.is_multiple_of(every)
                    && sequence.len() >= MIN_LENGTH
                    && !before.contains(last) =>
            {
                held_out.push(Question::new(before, *last));
                before
            }
            _ => sequence.as_slice(),
        });
        (learned.collect(), held_out)
    }
}

/// A network in training, with its optimizer.
#[derive(Clone)]
struct State<'a> {
    recipe: &'a SequenceRecipe,
    sequences: Vec<&'a [u32]>,
    network: Network,
    of_vectors: Moments,
    of_layer: [Moments; 4],
    /// Share of each item in all choices.
    shares: Vec<f32>,
    steps: usize,
    random: SmallRng,
}

impl<'a> State<'a> {
    fn new(recipe: &'a SequenceRecipe, items: usize, sequences: Vec<&'a [u32]>) -> Self {
        let mut random = SmallRng::seed_from_u64(recipe.seed);
        let dim = recipe.dim;
        let mut network = Network {
            vectors: vec![0.0; items * dim],
            layer: Layer::zeros(dim),
        };
        if let Ok(normal) = Normal::new(0.0, DEVIATION) {
            network.vectors.fill_with(|| normal.sample(&mut random));
        }
        let bound = 1.0 / (dim as f32).sqrt();
        for part in network.layer.parts_mut() {
            part.fill_with(|| random.random_range(-bound..bound));
        }
        let mut state = Self {
            of_vectors: Moments::new(network.vectors.len()),
            of_layer: network
                .layer
                .parts_mut()
                .map(|part| Moments::new(part.len())),
            recipe,
            sequences: Vec::new(),
            network,
            shares: vec![0.0; items],
            steps: 0,
            random,
        };
        state.learn_from(sequences);
        state
    }

    /// Sets the sequences to learn from.
    fn learn_from(&mut self, sequences: Vec<&'a [u32]>) {
        let length = self.recipe.length + 1;
        let sequences = sequences.into_iter().filter(|s| s.len() > 1);
        let latest = sequences.map(|s| &s[s.len().saturating_sub(length)..]);
        self.sequences = latest.collect();
        let choices: usize = self.sequences.iter().map(|s| s.len() - 1).sum();
        self.shares.fill(0.0);
        for item in self.sequences.iter().flat_map(|s| &s[1..]) {
            self.shares[*item as usize] += 1.0 / choices as f32;
        }
    }

    /// Goes over all sequences `epochs` times.
    fn run(
        &mut self,
        epochs: usize,
        progress: &mut dyn FnMut(&SequenceEpoch),
    ) -> Result<(), TrainError> {
        for epoch in 1..=epochs {
            let loss = self.epoch()?;
            progress(&SequenceEpoch {
                epoch,
                loss,
                ndcg: None,
            });
        }
        Ok(())
    }

    /// Goes over all sequences once; returns the mean loss of a choice.
    fn epoch(&mut self) -> Result<f64, TrainError> {
        let mut sequences = std::mem::take(&mut self.sequences);
        sequences.shuffle(&mut self.random);
        let (mut loss, mut choices) = (0.0, 0);
        for batch in sequences.chunks(self.recipe.batch) {
            loss += self.step(batch);
            choices += batch.iter().map(|s| s.len() - 1).sum::<usize>();
        }
        self.sequences = sequences;
        let loss = loss / choices.max(1) as f64;
        if !loss.is_finite() {
            let per_epoch = self.sequences.len().div_ceil(self.recipe.batch).max(1);
            return Err(TrainError::Diverged {
                epoch: self.steps / per_epoch,
            });
        }
        Ok(loss)
    }

    /// Learns from a batch; returns the sum of its losses.
    fn step(&mut self, batch: &[&[u32]]) -> f64 {
        let chosen: Vec<u32> = batch.iter().flat_map(|s| &s[1..]).copied().collect();
        let negatives = self.negatives(&chosen);
        let dropout = self.recipe.dropout;
        let shared = Shared::new(&self.network, &negatives, dropout, chosen.len());
        let seed = self.random.random::<u64>();
        let parts: Vec<_> = batch.chunks(batch.len().div_ceil(PARTS)).collect();
        let gradients: Vec<Gradients> = parts
            .into_par_iter()
            .enumerate()
            .map(|(n, part)| Gradients::of(&shared, part, seed.wrapping_add(n as u64)))
            .collect();
        let loss = gradients.iter().map(|part| part.loss).sum();
        self.apply(&negatives.items, gradients);
        loss
    }

    /// Draws the negatives of a batch.
    fn negatives(&mut self, chosen: &[u32]) -> Negatives {
        let (recipe, random, items) = (self.recipe, &mut self.random, self.shares.len());
        let mut drawn: Vec<u32> = (0..recipe.uniform)
            .map(|_| random.random_range(0..items as u32))
            .collect();
        drawn.extend((0..recipe.in_batch).map(|_| chosen[random.random_range(0..chosen.len())]));
        let uniform = recipe.uniform as f32 / items as f32;
        let log_count = |item: &u32| {
            let in_batch = recipe.in_batch as f32 * self.shares[*item as usize];
            (uniform + in_batch).ln()
        };
        Negatives {
            log_counts: drawn.iter().map(log_count).collect(),
            items: drawn,
        }
    }

    /// Adds up the gradients of the parts and applies them.
    fn apply(&mut self, negatives: &[u32], parts: Vec<Gradients>) {
        self.steps += 1;
        let step = Step::new(self.recipe.rate, self.steps);
        let dim = self.recipe.dim;
        let mut layer = Layer::zeros(dim);
        let mut rows: Vec<(u32, Vec<f32>)> = Vec::new();
        for mut part in parts {
            for (sum, part) in layer.parts_mut().into_iter().zip(part.layer.parts_mut()) {
                add_scaled(sum, 1.0, part);
            }
            let of_negatives = negatives.iter().zip(part.negatives.chunks_exact(dim));
            rows.extend(of_negatives.map(|(item, row)| (*item, row.to_vec())));
            rows.append(&mut part.items);
        }
        let weights = self.network.layer.parts_mut().into_iter();
        let gradients = layer.parts_mut().into_iter().zip(&mut self.of_layer);
        for (weights, (gradient, moments)) in weights.zip(gradients) {
            moments.apply(step, 0, weights, gradient);
        }
        // A stable sort, so that sums do not depend on the machine.
        rows.sort_by_key(|(item, _)| *item);
        for of_item in rows.chunk_by(|a, b| a.0 == b.0) {
            let mut sum = vec![0.0; dim];
            of_item
                .iter()
                .for_each(|(_, row)| add_scaled(&mut sum, 1.0, row));
            let at = of_item[0].0 as usize * dim;
            let vector = &mut self.network.vectors[at..at + dim];
            self.of_vectors.apply(step, at, vector, &sum);
        }
    }

    fn model(&self) -> Result<SequenceModel, TrainError> {
        let layer = &self.network.layer;
        let weights = GruWeights {
            dim: layer.dim,
            vectors: self.network.vectors.clone(),
            input: layer.input.clone(),
            input_bias: layer.input_bias.clone(),
            recurrent: layer.recurrent.clone(),
            recurrent_bias: layer.recurrent_bias.clone(),
        };
        let gru = Gru::new(weights).map_err(|e| TrainError::Features(e.to_string()))?;
        let model = SequenceModel::Gru(gru);
        debug_assert_eq!(model.items(), self.shares.len());
        Ok(model)
    }
}
