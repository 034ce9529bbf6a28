//! Models a collection can choose from, with their parameters and the memory they take to train.

use std::collections::BTreeMap;

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use vitrine_schemas::ModelChoice;

use super::gathered::Gathered;
use crate::{
    Error, Result,
    cf::{
        self, Ease, EaseOptions, GraphFilter, GraphFilterOptions, Ials, IalsOptions, ItemKnn,
        ItemKnnOptions, Matrix,
    },
};

/// Items up to which `auto` tries a model as cheap beside item-kNN.
const EASE_ITEMS: usize = 2_000;
const GRAPH_FILTER_ITEMS: usize = 20_000;

/// A model and what it is fitted by.
#[derive(Debug, Clone, Copy)]
pub(super) enum Settings {
    ItemKnn(ItemKnnOptions),
    GraphFilter(GraphFilterOptions),
    Ease(EaseOptions),
    Ials(IalsOptions),
}

/// The models that a choice leaves open.
pub(super) fn candidates(
    choice: ModelChoice,
    parameters: &Map<String, Value>,
    items: usize,
) -> Result<Vec<Settings>> {
    let one = match choice {
        ModelChoice::ItemKnn => Settings::ItemKnn(options(parameters)?),
        ModelChoice::GraphFilter => Settings::GraphFilter(options(parameters)?),
        ModelChoice::Ease => Settings::Ease(options(parameters)?),
        ModelChoice::Ials => Settings::Ials(options(parameters)?),
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
    Ok(vec![one])
}

fn options<T: DeserializeOwned>(parameters: &Map<String, Value>) -> Result<T> {
    serde_json::from_value(Value::Object(parameters.clone()))
        .map_err(|e| Error::invalid("/parameters", e.to_string()))
}

impl Settings {
    pub fn choice(&self) -> ModelChoice {
        match self {
            Self::ItemKnn(_) => ModelChoice::ItemKnn,
            Self::GraphFilter(_) => ModelChoice::GraphFilter,
            Self::Ease(_) => ModelChoice::Ease,
            Self::Ials(_) => ModelChoice::Ials,
        }
    }

    pub fn parameters(&self) -> BTreeMap<String, Value> {
        match self {
            Self::ItemKnn(options) => named(options),
            Self::GraphFilter(options) => named(options),
            Self::Ease(options) => named(options),
            Self::Ials(options) => named(options),
        }
    }

    /// Fits to people x items.
    pub fn fit(&self, matrix: &Matrix) -> Result<cf::Model> {
        Ok(match self {
            Self::ItemKnn(options) => cf::Model::ItemKnn(ItemKnn::fit(matrix, options)?),
            Self::GraphFilter(options) => {
                cf::Model::GraphFilter(GraphFilter::fit(matrix, options)?)
            }
            Self::Ease(options) => cf::Model::Ease(Ease::fit(matrix, options)?),
            Self::Ials(options) => cf::Model::Ials(Ials::fit(matrix, options)?),
        })
    }

    /// Bytes that a training takes at its height, about: what was gathered, the matrix and its like, and the model.
    pub fn memory(&self, data: &Gathered) -> u64 {
        let (items, people) = (data.names.len() as u64, u64::from(data.people));
        let entries = (data.touched.len() + data.bought.len()) as u64;
        let threads = rayon::current_num_threads() as u64;
        let neighbors = |kept: usize| items * (kept as u64).min(items) * 12 + threads * items * 16;
        let model = match self {
            Self::ItemKnn(options) => neighbors(options.neighbors),
            Self::GraphFilter(options) => 12 * options.rank as u64 * (items + people),
            Self::Ease(_) => 12 * items * items,
            Self::Ials(options) => 8 * options.factors as u64 * (items + people),
        };
        let beside = match self {
            Self::ItemKnn(_) => 0,
            _ => neighbors(ItemKnnOptions::default().neighbors),
        };
        // Triples twice while they are sorted, then three matrices; 8 bytes a row.
        entries * (2 * 12 + 3 * 8) + people * 24 + model + beside
    }
}

fn named(options: &impl Serialize) -> BTreeMap<String, Value> {
    match serde_json::to_value(options) {
        Ok(Value::Object(fields)) => fields.into_iter().collect(),
        _ => BTreeMap::new(),
    }
}
