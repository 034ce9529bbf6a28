//! Terms of the loss: pairs of text and image, and co-purchases of users, each with its own
//! batches.

use candle_core::Tensor;
use rand::{rngs::SmallRng, seq::SliceRandom};

use super::co_objective::CoObjective;
use super::objective::{Batch, Objective};
use super::{CoPurchase, CoPurchases, Pairs, Recipe, TrainError, TrainingSet};
use crate::space::heads::Heads;
use crate::space::tower::Parameters;

/// Maximum steps of an epoch over co-purchases: epochs are scored at their end, and there may be
/// millions of choices.
const MAX_CO_PURCHASE_STEPS: usize = 100;

/// Returns the terms of `sets`, each with the weight of its set; the first one sets the length of
/// an epoch.
///
/// # Errors
/// Features do not fit `start`, or the sets are empty.
pub(super) fn of<'a>(
    sets: &[(TrainingSet<'a>, f64)],
    recipe: &'a Recipe,
    start: &Heads,
) -> Result<Vec<Term<'a>>, TrainError> {
    let (mut terms, mut co_purchase_terms) = (Vec::new(), Vec::new());
    for (set, weight) in sets {
        if let Some(pairs) = set.pairs {
            let objective = Objective::new(recipe, start, pairs)?;
            let kind = LossKind::Pairs(Box::new(objective), pairs);
            terms.push(Term::new(kind, *weight));
        }
        if let Some(co_purchases) = set.co_purchases {
            let keeps_text = set.pairs.is_none();
            let objective = CoObjective::new(recipe, start, co_purchases, keeps_text)?;
            let weight = weight * recipe.co_purchase_weight;
            let kind = LossKind::CoPurchases(objective, co_purchases);
            co_purchase_terms.push(Term::new(kind, weight));
        }
    }
    terms.append(&mut co_purchase_terms);
    if terms.is_empty() {
        return Err(TrainError::TooFew {
            what: "pairs of text and image, or users who chose items together".to_owned(),
            found: 0,
            min: 1,
        });
    }
    Ok(terms)
}

/// A term of the loss with its remaining batches of the epoch.
pub(super) struct Term<'a> {
    kind: LossKind<'a>,
    weight: f64,
    remaining: Batches,
}

enum LossKind<'a> {
    Pairs(Box<Objective<'a>>, &'a Pairs),
    CoPurchases(CoObjective<'a>, &'a CoPurchases),
}

/// Batches of an epoch in reverse order.
enum Batches {
    Pairs(Vec<Vec<usize>>),
    CoPurchases(Vec<Vec<CoPurchase>>),
}

impl<'a> Term<'a> {
    fn new(kind: LossKind<'a>, weight: f64) -> Self {
        Self {
            kind,
            weight,
            remaining: Batches::Pairs(Vec::new()),
        }
    }

    /// Number of steps of one epoch over this term's data.
    pub fn steps(&self, recipe: &Recipe) -> usize {
        let examples = match &self.kind {
            LossKind::Pairs(_, pairs) => pairs.len(),
            LossKind::CoPurchases(_, set) => set
                .pairs_per_epoch()
                .min(MAX_CO_PURCHASE_STEPS * recipe.batch),
        };
        examples.div_ceil(recipe.batch).max(1)
    }

    /// Draws the batches of an epoch.
    pub fn begin(&mut self, recipe: &Recipe, rng: &mut SmallRng) {
        self.remaining = match &self.kind {
            LossKind::Pairs(_, pairs) => Batches::Pairs(batches(pairs, recipe, rng)),
            LossKind::CoPurchases(_, set) => {
                let pairs = set.draw(rng);
                Batches::CoPurchases(pairs.chunks(recipe.batch).map(<[_]>::to_vec).collect())
            }
        };
    }

    /// Returns the weighted loss of the next batch; after the last one it begins again.
    pub fn loss(
        &mut self,
        recipe: &Recipe,
        parameters: &Parameters,
        rng: &mut SmallRng,
    ) -> Result<Tensor, TrainError> {
        let is_over = match &self.remaining {
            Batches::Pairs(batches) => batches.is_empty(),
            Batches::CoPurchases(batches) => batches.is_empty(),
        };
        if is_over {
            self.begin(recipe, rng);
        }
        let loss = match (&self.kind, &mut self.remaining) {
            (LossKind::Pairs(objective, _), Batches::Pairs(batches)) => {
                let rows = batches.pop().unwrap_or_default();
                objective.loss(parameters, &Batch::draw(&rows, recipe, objective, rng)?)?
            }
            (LossKind::CoPurchases(objective, _), Batches::CoPurchases(batches)) => {
                objective.loss(parameters, &batches.pop().unwrap_or_default(), rng)?
            }
            _ => {
                let reason = "batches of another term".to_owned();
                return Err(TrainError::Features(reason));
            }
        };
        Ok((loss * self.weight)?)
    }
}

/// Returns the rows of an epoch in shuffled batches of equal size; a `hard_share` of the batches
/// consists of runs of one label.
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
