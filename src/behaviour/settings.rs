//! Models a collection can choose from, with their parameters and the memory they take to train.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use vitrine_schemas::ModelChoice;

use super::gathered::Gathered;
use crate::{
    Error, Result,
    cf::{EaseOptions, GraphFilterOptions, ItemKnnOptions, SessionKnnOptions, Settings},
};

/// Items up to which `auto` tries a model as cheap beside item-kNN.
const EASE_ITEMS: usize = 2_000;
const GRAPH_FILTER_ITEMS: usize = 20_000;

/// The models that a choice leaves open.
pub(super) fn candidates(
    choice: ModelChoice,
    parameters: &Map<String, Value>,
    items: usize,
) -> Result<Vec<Settings>> {
    let name = match choice {
        ModelChoice::ItemKnn => "item-knn",
        ModelChoice::GraphFilter => "graph-filter",
        ModelChoice::Ease => "ease",
        ModelChoice::Ials => "ials",
        ModelChoice::Auto if !parameters.is_empty() => {
            return Err(Error::invalid(
                "/model",
                "parameters are those of one model; choose one instead of auto",
            ));
        }
        ModelChoice::Auto => {
            let mut cheap = vec![Settings::ItemKnn(ItemKnnOptions::default())];
            if items <= GRAPH_FILTER_ITEMS {
                cheap.push(Settings::GraphFilter(GraphFilterOptions::default()));
            }
            if items <= EASE_ITEMS {
                cheap.push(Settings::Ease(EaseOptions::default()));
            }
            return Ok(cheap);
        }
    };
    let named = Map::from_iter([(name.to_owned(), Value::Object(parameters.clone()))]);
    let one = serde_json::from_value(Value::Object(named));
    Ok(vec![one.map_err(|e| {
        Error::invalid("/parameters", e.to_string())
    })?])
}

/// The settings of a stored model; the defaults where they are of another version.
pub(super) fn known(choice: ModelChoice, parameters: &BTreeMap<String, Value>) -> Settings {
    let parameters = parameters.clone().into_iter().collect();
    let settings = candidates(choice, &parameters, 0).unwrap_or_default();
    let plain = Settings::ItemKnn(ItemKnnOptions::default());
    settings.first().copied().unwrap_or(plain)
}

/// The choice that names these.
pub(super) fn choice(settings: &Settings) -> ModelChoice {
    match settings {
        Settings::GraphFilter(_) => ModelChoice::GraphFilter,
        Settings::Ease(_) => ModelChoice::Ease,
        Settings::Ials(_) => ModelChoice::Ials,
        // The other two are no choice; they are trained always.
        Settings::ItemKnn(_) | Settings::SessionKnn(_) | Settings::Popularity(_) => {
            ModelChoice::ItemKnn
        }
    }
}

/// All parameters by name.
pub(super) fn parameters(settings: &Settings) -> BTreeMap<String, Value> {
    let named = serde_json::to_value(settings).unwrap_or_default();
    let fields = named.get(settings.name()).and_then(Value::as_object);
    fields.cloned().unwrap_or_default().into_iter().collect()
}

/// Bytes that a training takes at its height, about: what was gathered, the matrix and its like, and the models.
pub(super) fn memory(settings: &Settings, data: &Gathered) -> u64 {
    let (items, people) = (data.names.len() as u64, u64::from(data.people));
    let entries = (data.touched.len() + data.bought.len()) as u64;
    let threads = rayon::current_num_threads() as u64;
    let neighbors = |kept: usize| items * (kept as u64).min(items) * 12 + threads * items * 16;
    let beside = neighbors(ItemKnnOptions::default().neighbors);
    let model = match settings {
        Settings::ItemKnn(options) => neighbors(options.neighbors),
        Settings::GraphFilter(options) => 12 * options.rank as u64 * (items + people) + beside,
        Settings::Ease(_) => 12 * items * items + beside,
        Settings::Ials(options) => 8 * options.factors as u64 * (items + people) + beside,
        Settings::SessionKnn(_) | Settings::Popularity(_) => 0,
    };
    // Items of each session, and sessions of each item in queues that double.
    let capacity = SessionKnnOptions::default().capacity as u64;
    let sessions = 32 * people.min(capacity) + 20 * data.touched.len() as u64;
    // Triples twice while they are sorted, then three matrices; 8 bytes a row.
    entries * (2 * 12 + 3 * 8) + people * 32 + model + sessions
}
