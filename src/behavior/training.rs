//! Training: reads the log in slices, so that events and queries are not blocked, then fits and
//! stores models.

use std::{sync::Arc, time::Instant};

use chrono::{DateTime, Utc};
use parking_lot::RwLock;
use serde_json::{Map, Value};
use vitrine_schemas::{BehaviorConfig, HeldOut, ModelChoice, ModelInfo};

use super::{
    Behavior, Log, MIN_NEW_SHARE, MIN_TRAINING_PAUSE, Model, PAUSE_PER_TRAINING_TIME,
    held_out::LastItems, live::Live, settings, training_data::TrainingData,
};
use crate::{
    Error, Result,
    cf::{
        ItemKnn, ItemKnnOptions, Matrix, ModelSettings, SequenceModel, SessionKnn,
        SessionKnnOptions,
    },
};

/// Number of neighbors kept per item in baskets.
const BASKET_NEIGHBORS: usize = 100;

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
    pub fn train(&self, training: &Training) -> Result<ModelInfo> {
        let mut due = self.due.lock();
        self.train_under(&mut due, training)
    }

    /// Trains if enough events are new, or if events were erased or withdrawn; returns true if it
    /// did.
    pub(super) fn train_if_due(&self) -> Result<bool> {
        if self.is_private() {
            return Ok(false);
        }
        let Some(mut due) = self.due.try_lock() else {
            return Ok(false);
        };
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
        let trained = self.train_under(&mut due, &Training::default());
        match trained {
            Err(Error::Cancelled) => return Err(Error::Cancelled),
            Err(e) if self.has_erased_events() => {
                // They were trained on what was erased, and nothing replaces them.
                self.drop_models()?;
                tracing::error!(
                    "models with erased events were dropped, since the training that replaces them failed: {e}"
                );
                return Err(e);
            }
            trained => trained?,
        };
        Ok(true)
    }

    fn train_under(&self, due: &mut Option<Instant>, training: &Training) -> Result<ModelInfo> {
        let started = Instant::now();
        // Also pauses after a failure, which would recur immediately.
        *due = Some(started + MIN_TRAINING_PAUSE);
        let removed = self.removed();
        let data = {
            let _replacing = self.replacing.lock();
            TrainingData::from_log(&self.log, &self.config.read())?
        };
        let names = data.names.clone();
        let config = self.config.read().clone();
        let model = fit(data, &config, training, started)?;
        // A network that was trained on erased events is not kept. One with withdrawn events stays
        // until another one is trained, since that is not done here.
        let active = self.model().filter(|_| !removed.erased);
        let kept = active.and_then(|active| active.network().cloned());
        let model = model.with_network(training.network.clone().or(kept));
        let model = self.adopt(model, &names, removed)?;
        *due = Some(
            Instant::now() + (started.elapsed() * PAUSE_PER_TRAINING_TIME).max(MIN_TRAINING_PAUSE),
        );
        Ok(ModelInfo {
            active: true,
            ..model.info().clone()
        })
    }

    /// Fits models to another log with the settings of the active model, without storing them.
    pub fn fit_with_active_settings(&self, log: &RwLock<Log>) -> Result<Model> {
        let data = TrainingData::from_log(log, &self.config.read())?;
        let active = self.model();
        let settings = match active.as_ref().map(|m| m.info()) {
            Some(info) => settings::of_stored(info.model, &info.parameters),
            None => ModelSettings::ItemKnn(ItemKnnOptions::default()),
        };
        fit_all(data, &[settings], &settings, Vec::new(), 0, Instant::now())
    }
}

fn fit(
    data: TrainingData,
    config: &BehaviorConfig,
    training: &Training,
    started: Instant,
) -> Result<Model> {
    let choice = training.model.unwrap_or(config.model);
    let mut candidates = settings::candidates(choice, &training.parameters, data.names.len())?;
    let needed = candidates.iter().map(|s| settings::memory(s, &data));
    let bytes = needed.max().unwrap_or(0);
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
    fit_all(data, &candidates, &best, held_out, bytes, started)
}

/// Fits the chosen models to all data.
fn fit_all(
    data: TrainingData,
    candidates: &[ModelSettings],
    best: &ModelSettings,
    held_out: Vec<HeldOut>,
    bytes: u64,
    started: Instant,
) -> Result<Model> {
    let time = |micros| DateTime::<Utc>::from_timestamp_micros(micros).map(|t| t.to_rfc3339());
    let mut info = ModelInfo {
        version: 0,
        active: false,
        model: settings::choice(best),
        parameters: settings::parameters(best),
        held_out,
        trained_at: Utc::now().to_rfc3339(),
        seconds: 0.0,
        estimated_bytes: bytes,
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
    // Item-kNN is always trained: cross-category recommendations and reasons need it.
    let item_knn = candidates.iter().find_map(|settings| match settings {
        ModelSettings::ItemKnn(options) => Some(*options),
        _ => None,
    });
    let item_knn = ItemKnn::fit(&touched, &item_knn.unwrap_or_default())?;
    let chosen = match best {
        ModelSettings::ItemKnn(_) => None,
        other => Some(other.fit_matrix(&touched)?),
    };
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
