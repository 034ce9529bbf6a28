//! Training: the log is read in slices, so that events and questions go on, then models are fitted and stored.

use std::time::Instant;

use chrono::{DateTime, Utc};
use parking_lot::RwLock;
use serde_json::{Map, Value};
use vitrine_schemas::{BehaviorConfig, HeldOut, ModelChoice, ModelInfo};

use super::{
    Behaviour, Log, Model, NEW_SHARE, REST, REST_PER_WORK, gathered::Gathered, held_out::LastItems,
    settings,
};
use crate::{
    Error, Result,
    cf::{ItemKnn, ItemKnnOptions, Matrix, SessionKnn, SessionKnnOptions, Settings},
};

/// Neighbours kept of an item in baskets.
const BASKET_NEIGHBORS: usize = 100;

/// What is asked of a training beside the configuration.
#[derive(Debug, Clone, Default)]
pub struct Training {
    /// Another model than the configured one.
    pub model: Option<ModelChoice>,
    /// Parameters of the model that differ from the defaults.
    pub parameters: Map<String, Value>,
}

impl Behaviour {
    /// Learns from the log of now. Questions are answered by the model before until it is done.
    ///
    /// # Errors
    /// A parameter out of range, or more memory than `training_memory_mib` would be needed.
    pub fn train(&self, training: &Training) -> Result<ModelInfo> {
        let mut due = self.due.lock();
        self.train_under(&mut due, training)
    }

    /// Trains where enough is new, or where events were erased; whether it did.
    pub(super) fn train_if_due(&self) -> Result<bool> {
        let Some(mut due) = self.due.try_lock() else {
            return Ok(false);
        };
        let known = self.model().map_or(0, |m| m.touches());
        let touches = self.log.read().touches();
        let fresh = touches.abs_diff(known) as f64;
        let enough = fresh > 0.0 && fresh >= NEW_SHARE * known as f64;
        let resting = due.is_some_and(|due| Instant::now() < due);
        if !(enough && !resting || self.erased()) {
            return Ok(false);
        }
        self.train_under(&mut due, &Training::default())?;
        Ok(true)
    }

    fn train_under(&self, due: &mut Option<Instant>, training: &Training) -> Result<ModelInfo> {
        let started = Instant::now();
        // Also after a failure, which would come again at once.
        *due = Some(started + REST);
        let was_erased = self.erased();
        let data = {
            let _replacing = self.replacing.lock();
            Gathered::from_log(&self.log, &self.config.read())?
        };
        let names = data.names.clone();
        let config = self.config.read().clone();
        let model = fit(data, &config, training, started)?;
        let model = self.adopt(model, &names, was_erased)?;
        *due = Some(Instant::now() + (started.elapsed() * REST_PER_WORK).max(REST));
        Ok(ModelInfo {
            active: true,
            ..model.info().clone()
        })
    }

    /// Fits models to another log, by the settings of the model of now, without storing them.
    pub fn fit_alike(&self, log: &RwLock<Log>) -> Result<Model> {
        let data = Gathered::from_log(log, &self.config.read())?;
        let now = self.model();
        let settings = match now.as_ref().map(|m| m.info()) {
            Some(info) => settings::known(info.model, &info.parameters),
            None => Settings::ItemKnn(ItemKnnOptions::default()),
        };
        fitted(data, &[settings], &settings, Vec::new(), 0, Instant::now())
    }
}

fn fit(
    data: Gathered,
    config: &BehaviorConfig,
    training: &Training,
    started: Instant,
) -> Result<Model> {
    let choice = training.model.unwrap_or(config.model);
    let mut candidates = settings::candidates(choice, &training.parameters, data.names.len())?;
    let needed = candidates.iter().map(|s| settings::memory(s, &data));
    let bytes = needed.max().unwrap_or(0);
    let most = config.training_memory_mib << 20;
    if bytes > most {
        return Err(Error::invalid(
            "/behavior/training_memory_mib",
            format!(
                "training would take about {} MiB, {} are allowed; raise it, or lower max_touches or the parameters",
                bytes >> 20,
                config.training_memory_mib
            ),
        ));
    }
    let mut held_out = Vec::new();
    if let Some(last_items) = LastItems::of(&data)? {
        // Parameters that were given are meant.
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
    fitted(data, &candidates, &best, held_out, bytes, started)
}

/// Fits what was chosen to all there is.
fn fitted(
    data: Gathered,
    candidates: &[Settings],
    best: &Settings,
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
        people: u64::from(data.people),
        interactions: data.interactions,
        baskets: u64::from(data.baskets),
        first_event: data.first.and_then(time),
        last_event: data.last.and_then(time),
    };
    let items = data.names.len();
    let sessions = SessionKnn::fit(items, SessionKnnOptions::default(), data.sessions())?;
    let touched = Matrix::from_triples(data.people as usize, items, data.touched)?;
    // There always is one, as bridges and reasons need it.
    let item_knn = candidates.iter().find_map(|settings| match settings {
        Settings::ItemKnn(options) => Some(*options),
        _ => None,
    });
    let item_knn = ItemKnn::fit(&touched, &item_knn.unwrap_or_default())?;
    let chosen = match best {
        Settings::ItemKnn(_) => None,
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
    let behavior = (item_knn, baskets);
    Ok(Model::new(
        behavior,
        sessions,
        data.popularity,
        chosen,
        info,
    ))
}
