//! What a loss is a sum of: pairs of text and photo, and what people chose together, each with batches of its own.

use candle_core::Tensor;
use rand::{rngs::SmallRng, seq::SliceRandom};

use super::co_objective::CoObjective;
use super::objective::{Batch, Objective};
use super::session::TrainingSet;
use super::{CoPurchase, CoPurchases, Pairs, Recipe, TrainError};
use crate::space::heads::Heads;
use crate::space::tower::Parameters;

/// Steps of an epoch over what people chose: its end is where it is judged, and there may be millions of choices.
const MOST_STEPS: usize = 100;

/// The terms of `sets`, each with the weight of its set; the first sets the length of an epoch.
///
/// # Errors
/// Features do not fit `start`, or there is nothing to learn from.
pub(super) fn of<'a>(
    sets: &[(TrainingSet<'a>, f64)],
    recipe: &'a Recipe,
    start: &Heads,
) -> Result<Vec<Term<'a>>, TrainError> {
    let (mut terms, mut behind) = (Vec::new(), Vec::new());
    for (set, weight) in sets {
        if let Some(pairs) = set.pairs {
            let objective = Objective::new(recipe, start, pairs)?;
            terms.push(Term::new(What::Pairs(Box::new(objective), pairs), *weight));
        }
        if let Some(bought) = set.co_purchases {
            let keeps_text = set.pairs.is_none();
            let objective = CoObjective::new(recipe, start, bought, keeps_text)?;
            let weight = weight * recipe.co_purchase_weight;
            behind.push(Term::new(What::CoPurchases(objective, bought), weight));
        }
    }
    terms.append(&mut behind);
    if terms.is_empty() {
        return Err(TrainError::TooFew {
            what: "pairs of text and photo, or people who chose items together".to_owned(),
            found: 0,
            least: 1,
        });
    }
    Ok(terms)
}

/// A part of the loss with the batches that are left of it.
pub(super) struct Term<'a> {
    what: What<'a>,
    weight: f64,
    left: Batches,
}

enum What<'a> {
    Pairs(Box<Objective<'a>>, &'a Pairs),
    CoPurchases(CoObjective<'a>, &'a CoPurchases),
}

/// Of an epoch, the next one last.
enum Batches {
    Rows(Vec<Vec<usize>>),
    Bought(Vec<Vec<CoPurchase>>),
}

impl<'a> Term<'a> {
    fn new(what: What<'a>, weight: f64) -> Self {
        let left = Batches::Rows(Vec::new());
        Self { what, weight, left }
    }

    /// Steps of an epoch that goes once over it.
    pub fn steps(&self, recipe: &Recipe) -> usize {
        let each = match &self.what {
            What::Pairs(_, pairs) => pairs.len(),
            What::CoPurchases(_, bought) => bought.choices().min(MOST_STEPS * recipe.batch),
        };
        each.div_ceil(recipe.batch).max(1)
    }

    pub fn begin(&mut self, recipe: &Recipe, rng: &mut SmallRng) {
        self.left = match &self.what {
            What::Pairs(_, pairs) => Batches::Rows(batches(pairs, recipe, rng)),
            What::CoPurchases(_, bought) => {
                let pairs = bought.draw(rng);
                Batches::Bought(pairs.chunks(recipe.batch).map(<[_]>::to_vec).collect())
            }
        };
    }

    /// Of the next batch, weighted; where none is left it begins again.
    pub fn loss(
        &mut self,
        recipe: &Recipe,
        parameters: &Parameters,
        rng: &mut SmallRng,
    ) -> Result<Tensor, TrainError> {
        let is_over = match &self.left {
            Batches::Rows(left) => left.is_empty(),
            Batches::Bought(left) => left.is_empty(),
        };
        if is_over {
            self.begin(recipe, rng);
        }
        let loss = match (&self.what, &mut self.left) {
            (What::Pairs(objective, _), Batches::Rows(left)) => {
                let rows = left.pop().unwrap_or_default();
                objective.loss(parameters, &Batch::draw(&rows, recipe, objective, rng)?)?
            }
            (What::CoPurchases(objective, _), Batches::Bought(left)) => {
                objective.loss(parameters, &left.pop().unwrap_or_default(), rng)?
            }
            _ => return Err(TrainError::Features("batches of another kind".to_owned())),
        };
        Ok((loss * self.weight)?)
    }
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
