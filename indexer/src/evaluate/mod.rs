//! Offline evaluation: some events are held out, models learn from the rest, and their
//! recommendations are compared with the held-out events. Models and metrics live in the engine
//! (`vitrine::cf`).

mod bins;
mod blend;
mod cold_items;
mod content;
mod dataset;
mod fitted;
mod hold_out;
mod html;
mod judgments;
mod load;
mod mapped;
mod measure;
mod model_spec;
mod plot;
pub mod policy;
mod private;
mod protocol;
mod random;
mod relevance;
mod report;
pub mod sequence;
mod table;
#[cfg(test)]
mod tests;

use std::time::Instant;

use chrono::DateTime;
use rayon::prelude::*;
use vitrine::cf::metrics::{Figures, Interval};

pub use self::{
    blend::{BlendOptions, Sources as BlendSources},
    dataset::{Dataset, Rejection, Vectors},
    hold_out::HoldOut,
    judgments::Judgments,
    model_spec::ModelSpec,
    protocol::{Protocol, Task, Trial, Weights},
    relevance::{Configuration, JudgedQuery, RelevanceReport},
    report::Report,
};
use self::{
    measure::{Answers, ListProperties},
    report::{
        AtDepth, Comparison, DataFacts, METRICS, ModelReport, ProtocolFacts, Ranking, Verdict,
    },
};

use crate::train::TrainError;

/// Errors of an evaluation.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum EvaluateError {
    #[error("{}, line {line}: {reason}", path.display())]
    Judgments {
        path: std::path::PathBuf,
        line: u64,
        reason: String,
    },
    #[error(
        "split {split} leaves none of {events} events to learn from; do the events have times? (random:0.2 needs none)"
    )]
    NothingToLearn { split: String, events: usize },
    #[error(
        "no users to test: of {candidates} users with events held out, {without_history} have fewer than {min_history} events before (--min-history) and {without_new} have nothing new (--relevant)"
    )]
    NobodyToTest {
        candidates: usize,
        without_history: usize,
        min_history: usize,
        without_new: usize,
    },
    #[error(
        "models `content` and `mapped` need vectors: use a collection that has some (--data, --collection)"
    )]
    NoVectors,
    #[error("no vector space `{space}` in the collection; expected one of: {known}")]
    UnknownSpace { space: String, known: String },
    #[error("{count} events have no time, which split {split} requires; random:0.2 needs none")]
    NoTimes { split: String, count: usize },
    #[error("a random split leaves no order of events; expected leave-last:N or temporal:SHARE")]
    NoOrder,
    #[error("there are no events")]
    NoEvents,
    #[error("there are no pages to evaluate: the log is empty, or none of its lines can be read")]
    NoPages,
    #[error(transparent)]
    Train(#[from] TrainError),
    #[error(transparent)]
    Engine(#[from] vitrine::Error),
}

/// Models to evaluate, and the protocol.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// Models, each with its name in the report; all are compared with the first.
    pub models: Vec<(String, ModelSpec)>,
    /// Protocol.
    pub protocol: Protocol,
    /// Depths of the lists; breakdowns use the first one.
    pub depths: Vec<usize>,
    /// Number of bootstrap resamples of the intervals.
    pub resamples: usize,
}

impl Evaluation {
    /// Runs the evaluation; `progress` receives a description of the current step.
    ///
    /// # Errors
    /// There is nothing to learn from or no user to test, or a model cannot be fitted.
    pub fn run(
        &self,
        data: &Dataset,
        progress: &mut dyn FnMut(&str),
    ) -> Result<Report, EvaluateError> {
        let trial = self.protocol.prepare(data)?;
        self.run_trial(data, &trial, progress)
    }

    /// Runs the evaluation on a trial that was prepared by other means.
    ///
    /// # Errors
    /// A model cannot be fitted.
    pub fn run_trial(
        &self,
        data: &Dataset,
        trial: &Trial,
        progress: &mut dyn FnMut(&str),
    ) -> Result<Report, EvaluateError> {
        let (mut models, mut figures) = (Vec::new(), Vec::new());
        for (name, spec) in &self.models {
            progress(&format!("{name}: {} users", trial.tasks.len()));
            let (report, own) = self.model(name, spec, data, trial)?;
            models.push(report);
            figures.push(own);
        }
        Ok(Report {
            data: facts(data),
            protocol: self.protocol_facts(trial),
            comparisons: self.comparisons(&figures),
            models,
        })
    }

    /// Returns the report of a model, and its metrics by depth, then user.
    fn model(
        &self,
        name: &str,
        spec: &ModelSpec,
        data: &Dataset,
        trial: &Trial,
    ) -> Result<(ModelReport, Vec<Vec<Figures>>), EvaluateError> {
        let start = Instant::now();
        let fitted = spec.fit(data, &trial.train, &self.protocol)?;
        let fit_seconds = start.elapsed().as_secs_f64();
        let deepest = self.depths.iter().max().copied().unwrap_or(0);
        let answers = Answers::of(fitted.model.as_ref(), data, &trial.tasks, deepest);
        let depths = self.depths.iter();
        let figures: Vec<_> = depths.map(|k| answers.figures(&trial.tasks, *k)).collect();
        let at = self.depths.iter().zip(&figures).map(|(k, figures)| {
            let means = METRICS.par_iter().map(|(name, metric)| {
                let values: Vec<_> = figures.iter().map(metric).collect();
                (*name, self.interval(&values))
            });
            let properties = ListProperties::of(&answers.lists, data, trial, *k);
            AtDepth {
                k: *k,
                figures: means.collect(),
                coverage: properties.coverage,
                novelty: properties.novelty,
                diversity: properties.diversity,
                cross_category: properties.cross_category,
            }
        });
        let report = ModelReport {
            model: name.to_owned(),
            settings: spec.to_string(),
            note: fitted.note,
            fit_seconds,
            users_per_second: answers.users_per_second,
            at: at.collect(),
            by_user: bins::by_user(&figures[0], trial, self.resamples, self.protocol.seed),
            by_item: bins::by_item(&answers, trial, self.depths[0]),
        };
        Ok((report, figures))
    }

    fn interval(&self, values: &[f64]) -> Interval {
        Interval::bootstrap(values, self.resamples, self.protocol.seed)
    }

    /// Compares each model with the first, at every depth by every metric.
    fn comparisons(&self, figures: &[Vec<Vec<Figures>>]) -> Vec<Comparison> {
        let Some((first, others)) = figures.split_first() else {
            return Vec::new();
        };
        let against = &self.models[0].0;
        let mut comparisons = Vec::new();
        for ((model, _), own) in self.models[1..].iter().zip(others) {
            for (n, k) in self.depths.iter().enumerate() {
                let pairs: Vec<_> = own[n].iter().zip(&first[n]).collect();
                comparisons.par_extend(METRICS.par_iter().map(|(metric, of)| {
                    let differences: Vec<_> = pairs.iter().map(|(a, b)| of(a) - of(b)).collect();
                    let difference = self.interval(&differences);
                    Comparison {
                        model: model.clone(),
                        against: against.clone(),
                        metric,
                        k: *k,
                        verdict: Verdict::of(&difference),
                        difference,
                    }
                }));
            }
        }
        comparisons
    }

    fn protocol_facts(&self, trial: &Trial) -> ProtocolFacts {
        let protocol = &self.protocol;
        ProtocolFacts {
            split: protocol.hold_out.to_string(),
            cut: trial.cut.and_then(rfc3339),
            weights: protocol.weights,
            new_only: protocol.new_only,
            ranking: protocol
                .negatives
                .map_or(Ranking::Full, Ranking::SampledNegatives),
            cold_items: protocol.cold_items,
            max_history: protocol.max_history,
            train: trial.train.len(),
            held_out: trial.held_out,
            users_tested: trial.tasks.len(),
            users_without_history: trial.without_history,
            users_without_new: trial.without_new,
            relevant: trial.tasks.iter().map(|t| t.relevant.len()).sum(),
            resamples: self.resamples,
            seed: protocol.seed,
        }
    }
}

fn facts(data: &Dataset) -> DataFacts {
    let times = || data.interactions.iter().map(|i| i.at);
    let items = || 0..data.items() as u32;
    DataFacts {
        source: data.name.clone(),
        interactions: data.interactions.len(),
        rejections: data.rejections.len(),
        refused: data.refused,
        users: data.users(),
        items: data.items(),
        items_with_category: items().filter(|i| data.category(*i).is_some()).count(),
        items_with_vector: items().filter(|i| data.vectors.get(*i).is_some()).count(),
        first_event: times()
            .min()
            .filter(|_| data.untimed == 0)
            .and_then(rfc3339),
        last_event: times()
            .max()
            .filter(|_| data.untimed == 0)
            .and_then(rfc3339),
    }
}

fn rfc3339(micros: i64) -> Option<String> {
    DateTime::from_timestamp_micros(micros).map(|time| time.to_rfc3339())
}
