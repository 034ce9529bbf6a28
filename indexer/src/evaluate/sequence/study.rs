//! Ranks of the held-out items by each model and by blends of them.

use std::{sync::Arc, time::Instant};

use rayon::prelude::*;
use vitrine::cf::{ModelSettings, Recommender, metrics::Interval};

use super::{
    data::{HeldOutItems, SequenceData},
    report::{Gain, NextItemReport, RankedModel},
};
use crate::{
    evaluate::{EvaluateError, HoldOut},
    train::sequence::{Question, SequenceRecipe, SequenceTrainer, TrainedSequence, gain},
};

/// Models that only count, in the order of the table.
const COUNTING: [(&str, &str); 4] = [
    ("popularity", "popularity"),
    ("item-knn", "item-knn"),
    ("sequential-rules", "sequential-rules"),
    ("vs-knn", "session-knn"),
];

/// Places in [`COUNTING`] of the models that are blended.
const BLENDED: [usize; 2] = [2, 3];

/// Depth of the gains of the network.
const DEPTH: usize = 10;

/// Comparison of models on held-out next items.
#[derive(Clone, Debug)]
pub struct NextItemStudy {
    /// Held-out items.
    pub hold_out: HoldOut,
    /// Hyperparameters of the network; None leaves it out.
    pub recipe: Option<SequenceRecipe>,
    /// Number of bootstrap resamples.
    pub resamples: usize,
    /// Seed of the bootstrap.
    pub seed: u64,
}

/// A fitted model.
struct Fitted {
    name: &'static str,
    model: Arc<dyn Recommender>,
    seconds: f64,
}

impl NextItemStudy {
    /// Fits all models and ranks the held-out items; `progress` receives the current step.
    ///
    /// # Errors
    /// There is nothing to learn from or to predict, or a training fails.
    pub fn run(
        &self,
        data: &SequenceData,
        progress: &mut dyn FnMut(&str),
    ) -> Result<NextItemReport, EvaluateError> {
        let held_out = data.hold_out(self.hold_out)?;
        let mut models = Vec::new();
        for (name, settings) in COUNTING {
            progress(&format!("{name}: fitting"));
            models.push(counted(name, settings, data, &held_out)?);
        }
        let (mut curve, mut epochs) = (Vec::new(), 0);
        if let Some(recipe) = &self.recipe {
            let (fitted, trained) = network(recipe, data, &held_out, progress)?;
            models.push(fitted);
            (curve, epochs) = (trained.curve, trained.best);
        }
        progress(&format!("ranking for {} users", held_out.questions.len()));
        Ok(NextItemReport {
            curve,
            epochs,
            ..self.report(data, &held_out, &models)
        })
    }

    fn report(
        &self,
        data: &SequenceData,
        held_out: &HeldOutItems,
        models: &[Fitted],
    ) -> NextItemReport {
        let ranks = ranks(models, &held_out.questions);
        let of = |place: usize| -> Vec<Option<usize>> { ranks.iter().map(|r| r[place]).collect() };
        let mut rows: Vec<RankedModel> = models
            .iter()
            .enumerate()
            .map(|(place, fitted)| RankedModel::of(fitted.name, Some(fitted.seconds), &of(place)))
            .collect();
        let without = of(models.len());
        rows.push(RankedModel::of("blend: rules + vs-knn", None, &without));
        let mut gains = Vec::new();
        if self.recipe.is_some() {
            let with = of(models.len() + 1);
            rows.push(RankedModel::of("blend: rules + vs-knn + gru", None, &with));
            gains = self.gains(&with, &without);
        }
        NextItemReport {
            name: data.name.clone(),
            split: self.hold_out.to_string(),
            users: data.users,
            items: data.items,
            interactions: data.interactions.len(),
            refused: data.refused,
            questions: held_out.questions.len(),
            without_new: held_out.without_new,
            without_history: held_out.without_history,
            curve: Vec::new(),
            epochs: 0,
            models: rows,
            gains,
        }
    }

    /// Returns what the network adds to the blend, with paired intervals.
    fn gains(&self, with: &[Option<usize>], without: &[Option<usize>]) -> Vec<Gain> {
        let hit = |depth: usize| {
            move |rank: &Option<usize>| f64::from(u8::from(rank.is_some_and(|rank| rank < depth)))
        };
        let ndcg = |rank: &Option<usize>| gain(*rank, DEPTH);
        let metrics: [(&str, RankMetric<'_>); 3] = [
            ("recall@10", &hit(10)),
            ("ndcg@10", &ndcg),
            ("recall@20", &hit(20)),
        ];
        let each = metrics.into_iter().map(|(metric, of)| {
            let values = |ranks: &[Option<usize>]| ranks.iter().map(of).collect::<Vec<f64>>();
            let (with, without) = (values(with), values(without));
            Gain {
                metric: metric.to_owned(),
                interval: Interval::of_difference(&with, &without, self.resamples, self.seed),
            }
        });
        each.collect()
    }
}

/// Metric of the rank of a held-out item; None if it is not ranked.
type RankMetric<'a> = &'a dyn Fn(&Option<usize>) -> f64;

fn counted(
    name: &'static str,
    settings: &str,
    data: &SequenceData,
    held_out: &HeldOutItems,
) -> Result<Fitted, EvaluateError> {
    let started = Instant::now();
    let settings: ModelSettings = settings.parse()?;
    let model = settings.fit(&held_out.train, data.users, data.items)?;
    Ok(Fitted {
        name,
        model: Arc::new(model),
        seconds: started.elapsed().as_secs_f64(),
    })
}

fn network(
    recipe: &SequenceRecipe,
    data: &SequenceData,
    held_out: &HeldOutItems,
    progress: &mut dyn FnMut(&str),
) -> Result<(Fitted, TrainedSequence), EvaluateError> {
    let started = Instant::now();
    let sequences = data.by_user(&held_out.train);
    let trainer = SequenceTrainer {
        recipe,
        items: data.items,
        sequences: &sequences,
    };
    let trained = trainer.run(&mut |epoch| progress(&format!("gru: {epoch}")))?;
    let fitted = Fitted {
        name: "gru",
        model: Arc::new(trained.model.clone()),
        seconds: started.elapsed().as_secs_f64(),
    };
    Ok((fitted, trained))
}

/// Returns for each question the ranks by each model, by the blend of the counting models, and by
/// that with the network.
fn ranks(models: &[Fitted], questions: &[Question]) -> Vec<Vec<Option<usize>>> {
    let one = |question: &Question| {
        let scores: Vec<Vec<f32>> = models
            .iter()
            .map(|fitted| {
                let mut scores = Vec::new();
                fitted.model.scores(&question.history, &mut scores);
                scores
            })
            .collect();
        let mut ranks: Vec<_> = scores.iter().map(|s| question.rank(s)).collect();
        let mut blend = vec![0.0; scores.first().map_or(0, Vec::len)];
        for place in BLENDED {
            add(&mut blend, scores[place].clone(), question);
        }
        ranks.push(question.rank(&blend));
        if let Some(network) = scores.get(COUNTING.len()) {
            add(&mut blend, network.clone(), question);
        }
        ranks.push(question.rank(&blend));
        ranks
    };
    questions.par_iter().map(one).collect()
}

/// Adds the square root of the scores, relative to the best of those that are ranked.
fn add(blend: &mut [f32], mut scores: Vec<f32>, question: &Question) {
    question.mask(&mut scores);
    let best = scores.iter().copied().fold(0.0, f32::max);
    if best > 0.0 {
        for (sum, score) in blend.iter_mut().zip(&scores) {
            *sum += (score.max(0.0) / best).sqrt();
        }
    }
}
