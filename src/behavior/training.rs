//! Training: reads the log in slices, so that events and queries are not blocked, then fits and
//! stores models.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Instant,
};

use chrono::{DateTime, Utc};
use parking_lot::RwLock;
use serde_json::{Map, Value};
use vitrine_schemas::{BehaviorConfig, ModelChoice, ModelInfo};

use super::{
    Behavior, Categories, Log, MAX_FAILED_TRAININGS, MIN_NEW_SHARE, MIN_TRAINING_PAUSE, Model,
    PAUSE_PER_TRAINING_TIME, held_out::LastItems, live::Live, model::Chosen, settings,
    training_data::TrainingData,
};
use crate::{
    Error, Result,
    cf::{
        self, DomainModel, ItemKnn, ItemKnnOptions, Matrix, ModelSettings, SequenceModel,
        SessionKnn, SessionKnnOptions, TransferEstimate,
    },
};

/// Number of neighbors kept per item in baskets.
const BASKET_NEIGHBORS: usize = 100;

/// Seed of the held-out items on which the transfer between categories is estimated.
const TRANSFER_SEED: u64 = 1;

/// Returns the top-level categories of items by their ids.
pub(crate) type CategoriesOf<'a> = dyn Fn(&[String]) -> Result<Categories> + 'a;

/// Options of one training, which override the configuration.
#[derive(Debug, Clone, Default)]
pub struct Training {
    /// Model to train instead of the configured one.
    pub model: Option<ModelChoice>,
    /// Parameters of the model that differ from the defaults.
    pub parameters: Map<String, Value>,
    /// Network to use, whose items have the numbers of
    /// [`Collection::sequences`](crate::Collection::sequences).
    pub network: Option<Arc<SequenceModel>>,
}

impl Behavior {
    /// Trains on the current log. The previous model stays active until training is complete.
    ///
    /// # Errors
    /// A parameter out of range, or training would take more memory than `training_memory_mib`.
    pub fn train(&self, training: &Training, categories: &CategoriesOf<'_>) -> Result<ModelInfo> {
        let mut due = self.due.lock();
        self.train_under(&mut due, training, categories)
    }

    /// Trains if enough events are new, or if events were erased or withdrawn; returns true if it
    /// did.
    pub(super) fn train_if_due(&self, categories: &CategoriesOf<'_>) -> Result<bool> {
        if self.is_private() {
            return Ok(false);
        }
        let Some(mut due) = self.due.try_lock() else {
            return Ok(false);
        };
        self.note_withdrawal_by_events();
        let trained = self.model().map_or(0, |m| m.touches());
        let touches = self.log.read().touches();
        let fresh = touches.abs_diff(trained) as f64;
        let removed = self.removed();
        let enough = fresh > 0.0 && fresh >= MIN_NEW_SHARE * trained as f64
            || removed.withdrawn && touches > 0;
        let pausing = due.is_some_and(|due| Instant::now() < due);
        if !(enough && !pausing || removed.erased) {
            return Ok(false);
        }
        match self.train_under(&mut due, &Training::default(), categories) {
            Ok(_) => Ok(true),
            Err(Error::Cancelled) => Err(Error::Cancelled),
            Err(e) => {
                let failed = self.failed_trainings.fetch_add(1, Relaxed) + 1;
                let removed = self.removed();
                if removed.erased || removed.withdrawn && failed >= MAX_FAILED_TRAININGS {
                    // They were trained on what was removed, and nothing replaces them.
                    self.drop_models()?;
                    tracing::error!(
                        "models with erased or withdrawn events were dropped, since the training that replaces them failed: {e}"
                    );
                }
                Err(e)
            }
        }
    }

    fn train_under(
        &self,
        due: &mut Option<Instant>,
        training: &Training,
        categories: &CategoriesOf<'_>,
    ) -> Result<ModelInfo> {
        let started = Instant::now();
        // Also pauses after a failure, which would recur immediately.
        *due = Some(started + MIN_TRAINING_PAUSE);
        self.note_withdrawal_by_events();
        let removed = self.removed();
        let data = {
            let _replacing = self.replacing.lock();
            TrainingData::from_log(&self.log, &self.config.read())?
        };
        let names = data.names.clone();
        let config = self.config.read().clone();
        let categories = categories(&names)?;
        let model = fit(data, &config, training, &categories, started)?;
        // A network that was trained on erased events is not kept. One with withdrawn events stays
        // until another one is trained, since that is not done here.
        let active = self.model().filter(|_| !removed.erased);
        let kept = active.and_then(|active| Some(active.network()?.model().clone()));
        let model = model.with_network(training.network.clone().or(kept));
        let model = self.adopt(model, &names, removed)?;
        self.failed_trainings.store(0, Relaxed);
        *due = Some(
            Instant::now() + (started.elapsed() * PAUSE_PER_TRAINING_TIME).max(MIN_TRAINING_PAUSE),
        );
        Ok(ModelInfo {
            active: true,
            ..model.info().clone()
        })
    }

    /// Fits models to another log with the settings of the active model, without storing them.
    pub fn fit_with_active_settings(
        &self,
        log: &RwLock<Log>,
        categories: &CategoriesOf<'_>,
    ) -> Result<Model> {
        let data = TrainingData::from_log(log, &self.config.read())?;
        let categories = categories(&data.names)?;
        let active = self.model();
        let info = active.as_ref().map(|m| m.info());
        let (settings, weights) = match info {
            Some(info) => (
                settings::of_stored(info.model, &info.parameters),
                categories.weights(&info.transfers),
            ),
            None => (ModelSettings::ItemKnn(ItemKnnOptions::default()), None),
        };
        let fit = Fit {
            best: &settings,
            item_knn: item_knn_options(&[settings]),
            categories: &categories,
            weights,
        };
        fit.all(data, Instant::now())
    }
}

fn fit(
    data: TrainingData,
    config: &BehaviorConfig,
    training: &Training,
    categories: &Categories,
    started: Instant,
) -> Result<Model> {
    let choice = training.model.unwrap_or(config.model);
    let mut candidates = settings::candidates(choice, &training.parameters, data.names.len())?;
    let memory = |s: &ModelSettings| settings::memory(s, &data, categories.is_single());
    let bytes = candidates.iter().map(memory).max().unwrap_or(0);
    let limit = config.training_memory_mib << 20;
    if bytes > limit {
        return Err(Error::invalid(
            "/behavior/training_memory_mib",
            format!(
                "training would take about {} MiB, the limit is {}; raise it, or lower max_touches or the parameters",
                bytes >> 20,
                config.training_memory_mib
            ),
        ));
    }
    let mut held_out = Vec::new();
    if let Some(last_items) = LastItems::of(&data)? {
        // Explicit parameters are not tuned.
        if training.parameters.is_empty() {
            for candidate in &mut candidates {
                *candidate = last_items.tuned(candidate)?;
            }
        }
        held_out = last_items.compare(&candidates)?;
    }
    let best = held_out
        .iter()
        .zip(&candidates)
        .max_by(|a, b| a.0.ndcg_at_20.total_cmp(&b.0.ndcg_at_20))
        .map_or(candidates[0], |(_, settings)| *settings);
    let transfers = categories.transfers(&estimates(&data, categories, &best)?);
    let fit = Fit {
        best: &best,
        item_knn: item_knn_options(&candidates),
        weights: categories.weights(&transfers),
        categories,
    };
    let model = fit.all(data, started)?;
    Ok(model.with_estimates(bytes, held_out, transfers))
}

/// Estimates how much other categories count for each, on held-out items of users and of sessions
/// without a known user.
fn estimates(
    data: &TrainingData,
    categories: &Categories,
    settings: &ModelSettings,
) -> Result<Vec<TransferEstimate>> {
    if categories.is_single() {
        return Ok(Vec::new());
    }
    // Without sessions of known users: they would leak what is held out.
    let touched = data.touched.iter().copied();
    let distinct = touched.filter(|t| !data.repeats_user[t.0 as usize]);
    let distinct = Matrix::from_triples(data.subjects as usize, data.names.len(), distinct)?;
    DomainModel::estimate(&distinct, &categories.domains, settings, TRANSFER_SEED)
}

/// Item-kNN is always trained: cross-category recommendations and reasons need it.
fn item_knn_options(candidates: &[ModelSettings]) -> ItemKnnOptions {
    let options = candidates.iter().find_map(|settings| match settings {
        ModelSettings::ItemKnn(options) => Some(*options),
        _ => None,
    });
    options.unwrap_or_default()
}

/// Models that are fitted to all data.
struct Fit<'a> {
    best: &'a ModelSettings,
    item_knn: ItemKnnOptions,
    categories: &'a Categories,
    /// Weight of other categories for each; None if all are 1.
    weights: Option<Vec<f32>>,
}

impl Fit<'_> {
    fn all(self, data: TrainingData, started: Instant) -> Result<Model> {
        let time = |micros| DateTime::<Utc>::from_timestamp_micros(micros).map(|t| t.to_rfc3339());
        let mut info = ModelInfo {
            version: 0,
            active: false,
            model: settings::choice(self.best),
            parameters: settings::parameters(self.best),
            held_out: Vec::new(),
            transfers: Vec::new(),
            trained_at: Utc::now().to_rfc3339(),
            seconds: 0.0,
            estimated_bytes: 0,
            stored_bytes: 0,
            items: data.names.len() as u64,
            people: u64::from(data.subjects),
            interactions: data.interactions,
            baskets: u64::from(data.baskets),
            first_event: data.first.and_then(time),
            last_event: data.last.and_then(time),
        };
        let items = data.names.len();
        let sessions = SessionKnn::fit(items, SessionKnnOptions::default(), data.session_rows())?;
        let touched = Matrix::from_triples(data.subjects as usize, items, data.touched)?;
        let chosen = self.chosen(&touched)?;
        let is_person = |row: usize| !data.repeats_user[row];
        let item_knn = ItemKnn::fit_counting(&touched, &self.item_knn, is_person)?;
        drop(touched);
        let bought = Matrix::from_triples(data.baskets as usize, items, data.bought)?;
        let options = ItemKnnOptions {
            neighbors: BASKET_NEIGHBORS,
            ..Default::default()
        };
        let baskets = ItemKnn::fit(&bought, &options)?;
        info.seconds = started.elapsed().as_secs_f64();
        Ok(Model::new(
            Live::new(item_knn, baskets, data.rules, data.popularity),
            sessions,
            chosen,
            info,
        ))
    }

    /// Fits the chosen model, by category if some count less than fully for others; None if it is
    /// the item-kNN that is always fitted.
    fn chosen(&self, touched: &Matrix) -> Result<Option<Chosen>> {
        let Some(weights) = self.weights.clone() else {
            return match self.best {
                ModelSettings::ItemKnn(_) => Ok(None),
                best => Ok(Some(Chosen::One(Box::new(best.fit_matrix(touched)?)))),
            };
        };
        let domains = self.categories.domains.clone();
        let model = DomainModel::fit(touched, domains, weights, self.best, self.best)?;
        // Similar items need the neighbors in all categories, so these stay apart.
        Ok(Some(match model.to_item_knn() {
            Some(item_knn) => Chosen::One(Box::new(cf::Model::ItemKnn(item_knn))),
            None => Chosen::ByDomain(Box::new(model)),
        }))
    }
}
