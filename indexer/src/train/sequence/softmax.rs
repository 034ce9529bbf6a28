//! Gradients of a part of a batch: sampled softmax over the next item and shared negatives.

use pulp::Arch;
use rand::{Rng, SeedableRng, rngs::SmallRng};

use super::backprop::{Layer, Trace, add_scaled, product, transposed};

/// Logit of a negative that is the chosen item.
const NEVER: f32 = -1e9;

/// Gradients below this part of the greatest are left out.
const MIN_PROBABILITY: f32 = 1e-9;

/// Parameters of a network.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Network {
    /// Items x `dim`.
    pub vectors: Vec<f32>,
    pub layer: Layer,
}

impl Network {
    /// Returns the vector of an item.
    #[inline(always)]
    pub fn vector(&self, item: u32) -> &[f32] {
        let dim = self.layer.dim;
        &self.vectors[item as usize * dim..][..dim]
    }
}

/// Negatives of a batch.
pub(super) struct Negatives {
    pub items: Vec<u32>,
    /// Logarithm of the expected number of times that each is drawn, subtracted from its logit, so
    /// that the sum estimates that over all items (logQ, Yi et al. 2019).
    pub log_counts: Vec<f32>,
}

/// Data that all parts of a batch read.
pub(super) struct Shared<'a> {
    network: &'a Network,
    negatives: &'a Negatives,
    /// Vectors of the negatives, by row and by column.
    rows: Vec<f32>,
    columns: Vec<f32>,
    input_t: Vec<f32>,
    recurrent_t: Vec<f32>,
    dropout: f32,
    /// Factor of each loss: the loss of a batch is a mean.
    share: f32,
}

impl<'a> Shared<'a> {
    /// Prepares a batch with `choices` choices to predict.
    pub fn new(
        network: &'a Network,
        negatives: &'a Negatives,
        dropout: f32,
        choices: usize,
    ) -> Self {
        let dim = network.layer.dim;
        let vectors = negatives.items.iter();
        let rows: Vec<f32> = vectors
            .flat_map(|item| network.vector(*item).to_vec())
            .collect();
        Self {
            columns: transposed(&rows, dim),
            rows,
            input_t: transposed(&network.layer.input, 3 * dim),
            recurrent_t: transposed(&network.layer.recurrent, 3 * dim),
            network,
            negatives,
            dropout,
            share: 1.0 / choices.max(1) as f32,
        }
    }
}

/// Loss and gradients of a part of a batch.
pub(super) struct Gradients {
    /// Sum of the losses of the choices.
    pub loss: f64,
    pub layer: Layer,
    /// Negatives x `dim`.
    pub negatives: Vec<f32>,
    /// Gradients of item vectors; an item may occur several times.
    pub items: Vec<(u32, Vec<f32>)>,
}

impl Gradients {
    /// Returns the gradients of sequences, of which each item but the first is predicted.
    pub fn of(shared: &Shared<'_>, sequences: &[&[u32]], seed: u64) -> Self {
        Arch::new().dispatch(|| {
            let dim = shared.network.layer.dim;
            let mut gradients = Self {
                loss: 0.0,
                layer: Layer::zeros(dim),
                negatives: vec![0.0; shared.rows.len()],
                items: Vec::new(),
            };
            let mut random = SmallRng::seed_from_u64(seed);
            let mut trace = Trace::default();
            for sequence in sequences {
                gradients.add(shared, sequence, &mut trace, &mut random);
            }
            gradients
        })
    }

    #[inline(always)]
    fn add(
        &mut self,
        shared: &Shared<'_>,
        sequence: &[u32],
        trace: &mut Trace,
        random: &mut SmallRng,
    ) {
        let Some((_, read)) = sequence.split_last() else {
            return;
        };
        let layer = &shared.network.layer;
        let dim = layer.dim;
        let size = read.len() * dim;
        let kept = mask(size, shared.dropout, random);
        let mut inputs: Vec<f32> = Vec::with_capacity(size);
        for item in read {
            inputs.extend_from_slice(shared.network.vector(*item));
        }
        multiply(&mut inputs, &kept);
        trace.forward(layer, &inputs);
        let kept_states = mask(size, shared.dropout, random);
        let mut states = trace.states[dim..].to_vec();
        multiply(&mut states, &kept_states);
        let mut of_states = vec![0.0; size];
        let steps = states
            .chunks_exact(dim)
            .zip(of_states.chunks_exact_mut(dim));
        for ((state, of_state), chosen) in steps.zip(&sequence[1..]) {
            self.predict(shared, state, *chosen, of_state);
        }
        multiply(&mut of_states, &kept_states);
        let transposed = (dim, &*shared.input_t, &*shared.recurrent_t);
        let mut of_inputs = trace.backward(transposed, &inputs, &of_states, &mut self.layer);
        multiply(&mut of_inputs, &kept);
        let of_items = read.iter().zip(of_inputs.chunks_exact(dim));
        self.items
            .extend(of_items.map(|(item, of)| (*item, of.to_vec())));
    }

    /// Adds the loss of a choice; `of_state` becomes the gradient of the state.
    #[inline(always)]
    fn predict(&mut self, shared: &Shared<'_>, state: &[f32], chosen: u32, of_state: &mut [f32]) {
        let Negatives { items, log_counts } = shared.negatives;
        let vector = shared.network.vector(chosen);
        let mut logits: Vec<f32> = log_counts.iter().map(|log| -log).collect();
        product(state, &shared.columns, &mut logits);
        for (logit, item) in logits.iter_mut().zip(items) {
            if *item == chosen {
                *logit = NEVER;
            }
        }
        let of_chosen: f32 = state.iter().zip(vector).map(|(a, b)| a * b).sum();
        let greatest = logits.iter().copied().fold(of_chosen, f32::max);
        let chosen_part = (of_chosen - greatest).exp();
        logits
            .iter_mut()
            .for_each(|logit| *logit = (*logit - greatest).exp());
        let sum = chosen_part + logits.iter().sum::<f32>();
        self.loss -= f64::from((chosen_part / sum).max(f32::MIN_POSITIVE).ln());
        let pull = (chosen_part / sum - 1.0) * shared.share;
        add_scaled(of_state, pull, vector);
        self.items
            .push((chosen, state.iter().map(|x| x * pull).collect()));
        let dim = state.len();
        let rows = shared.rows.chunks_exact(dim);
        let of_rows = self.negatives.chunks_exact_mut(dim);
        for ((part, row), of_row) in logits.iter().zip(rows).zip(of_rows) {
            let probability = part / sum;
            if probability > MIN_PROBABILITY {
                add_scaled(of_state, probability * shared.share, row);
                add_scaled(of_row, probability * shared.share, state);
            }
        }
    }
}

/// Returns the factors of dropout: 0, or what keeps the mean.
fn mask(len: usize, dropout: f32, random: &mut SmallRng) -> Vec<f32> {
    let keep = 1.0 / (1.0 - dropout);
    let factor = |_| {
        if random.random::<f32>() < dropout {
            0.0
        } else {
            keep
        }
    };
    (0..len).map(factor).collect()
}

#[inline(always)]
fn multiply(values: &mut [f32], factors: &[f32]) {
    values
        .iter_mut()
        .zip(factors)
        .for_each(|(x, factor)| *x *= factor);
}
