//! Models that a collection can choose, their parameters, and the memory that training takes.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use vitrine_schemas::ModelChoice;

use super::training_data::TrainingData;
use crate::{
    Error, Result,
    cf::{ItemKnnOptions, ModelSettings, SessionKnnOptions, TRIAL_BYTES},
};

/// Returns the models to compare for a choice, for a catalog of `items` items.
///
/// # Errors
/// Unknown or invalid parameters, or parameters without the choice of one model.
pub(super) fn candidates(
    choice: ModelChoice,
    parameters: &Map<String, Value>,
    items: usize,
) -> Result<Vec<ModelSettings>> {
    if choice != ModelChoice::Auto {
        let parameters = Value::Object(parameters.clone());
        let settings = ModelSettings::from_options(&kind(choice), parameters);
        let settings = settings.map_err(|detail| Error::invalid("/parameters", detail))?;
        return Ok(vec![settings]);
    }
    if parameters.is_empty() {
        return Ok(ModelSettings::auto_candidates(items));
    }
    Err(Error::invalid(
        "/model",
        "parameters belong to one model; choose one instead of auto",
    ))
}

/// Returns the settings of a stored model; the defaults if they are of another version.
pub(super) fn of_stored(
    choice: ModelChoice,
    parameters: &BTreeMap<String, Value>,
) -> ModelSettings {
    let parameters = parameters.clone().into_iter().collect();
    let settings = candidates(choice, &parameters, 0).unwrap_or_default();
    let default = ModelSettings::ItemKnn(ItemKnnOptions::default());
    settings.first().copied().unwrap_or(default)
}

/// Returns the kind of a choice: `graph-filter` for `graph_filter`.
fn kind(choice: ModelChoice) -> String {
    let name = serde_json::to_value(choice).unwrap_or_default();
    name.as_str().unwrap_or_default().replace('_', "-")
}

/// Returns the choice of these settings. Popularity and session-kNN, which are always trained, are
/// not choices; they count as item-kNN.
pub(super) fn choice(settings: &ModelSettings) -> ModelChoice {
    let name = Value::from(settings.name().replace('-', "_"));
    serde_json::from_value(name).unwrap_or(ModelChoice::ItemKnn)
}

/// Returns all parameters by name.
pub(super) fn parameters(settings: &ModelSettings) -> BTreeMap<String, Value> {
    match settings.options() {
        Value::Object(parameters) => parameters.into_iter().collect(),
        _ => BTreeMap::new(),
    }
}

/// Returns the approximate bytes at the peak of a training: its data, the matrices, and the models.
/// If there are several categories, models of each alone are fitted as well.
pub(super) fn memory(settings: &ModelSettings, data: &TrainingData, is_single: bool) -> u64 {
    let (items, subjects) = (data.names.len() as u64, u64::from(data.subjects));
    let entries = (data.touched.len() + data.bought.len()) as u64;
    let mut models = settings.training_memory(subjects, items);
    if !matches!(settings, ModelSettings::ItemKnn(_)) {
        // Item-kNN is always trained as well.
        let item_knn = ModelSettings::ItemKnn(ItemKnnOptions::default());
        models += item_knn.training_memory(subjects, items);
    }
    if !is_single {
        // The models of all categories, those of each alone, and rows of scores of test users.
        models = 2 * models + rayon::current_num_threads() as u64 * TRIAL_BYTES as u64;
    }
    // Items of each session, and sessions of each item in queues that double.
    let capacity = SessionKnnOptions::default().capacity as u64;
    let sessions = 32 * subjects.min(capacity) + 20 * data.touched.len() as u64;
    // Triples twice while they are sorted, then three matrices; 8 bytes per row.
    entries * (2 * 12 + 3 * 8) + subjects * 32 + models + sessions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_choice_is_a_kind_and_back() {
        for model in [
            ModelChoice::ItemKnn,
            ModelChoice::GraphFilter,
            ModelChoice::Ease,
            ModelChoice::Ials,
        ] {
            let settings = candidates(model, &Map::new(), 0).expect("a kind");
            assert_eq!(settings.iter().map(choice).collect::<Vec<_>>(), [model]);
        }
    }

    #[test]
    fn the_automatic_choice_compares_models_that_are_cheap_for_the_catalog() {
        let names = |items| -> Vec<_> {
            let candidates = candidates(ModelChoice::Auto, &Map::new(), items).expect("models");
            candidates.iter().map(ModelSettings::name).collect()
        };
        assert_eq!(names(2_000), ["item-knn", "graph-filter", "ease"]);
        assert_eq!(names(20_000), ["item-knn", "graph-filter"]);
        assert_eq!(names(20_001), ["item-knn"]);
    }
}
