//! How a collection learns from events, and what it has learned.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::EventKind;

/// The model that answers "who chose these items, chose those too".
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ModelChoice {
    /// The best of the cheap ones on held-out events; `item_knn` where there are too few to tell.
    #[default]
    Auto,
    /// Item neighbourhoods (Deshpande and Karypis 2004).
    ItemKnn,
    /// Linear graph filter, GF-CF (Shen et al. 2021).
    GraphFilter,
    /// EASE (Steck 2019): small catalogs only.
    Ease,
    /// Implicit alternating least squares (Hu, Koren and Volinsky 2008).
    Ials,
}

/// How a collection learns from events.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BehaviorConfig {
    /// What an event of a kind says for its items, 0 to 1000; kinds left out keep their weight. `hide` speaks against.
    pub weights: BTreeMap<EventKind, f32>,
    /// A rating from which an item was liked; lower ones speak against it.
    pub liked_rating: f64,
    /// Days in which the popularity of an event halves.
    pub half_life_days: f64,
    /// Events older than this are removed; absent: kept for ever.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retention_days: Option<f64>,
    /// The model trained.
    pub model: ModelChoice,
    /// Trained models kept, to go back to.
    pub keep_models: usize,
    /// Items in events held in memory and learned from, the latest; about 32 bytes each.
    pub max_touches: u64,
    /// Memory that a training may take, as it is estimated beforehand.
    pub training_memory_mib: u64,
}

impl BehaviorConfig {
    /// Weights of kinds that the configuration does not give.
    pub const WEIGHTS: [(EventKind, f32); 6] = [
        (EventKind::View, 1.0),
        (EventKind::Click, 1.0),
        (EventKind::AddToCart, 3.0),
        (EventKind::Purchase, 5.0),
        (EventKind::Rating, 3.0),
        (EventKind::Like, 3.0),
    ];
}

impl Default for BehaviorConfig {
    fn default() -> Self {
        Self {
            weights: Self::WEIGHTS.into(),
            liked_rating: 3.0,
            half_life_days: 30.0,
            retention_days: None,
            model: ModelChoice::Auto,
            keep_models: 3,
            max_touches: 30_000_000,
            training_memory_mib: 8192,
        }
    }
}

/// Changes to how a collection learns: what is left out stays.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs)]
pub struct BehaviorPatch {
    pub weights: BTreeMap<EventKind, f32>,
    pub liked_rating: Option<f64>,
    pub half_life_days: Option<f64>,
    /// 0: kept for ever.
    pub retention_days: Option<f64>,
    pub model: Option<ModelChoice>,
    pub keep_models: Option<usize>,
    pub max_touches: Option<u64>,
    pub training_memory_mib: Option<u64>,
}

impl BehaviorPatch {
    /// The configuration with the changes in it.
    pub fn apply(self, config: &mut BehaviorConfig) {
        config.weights.extend(self.weights);
        set(&mut config.liked_rating, self.liked_rating);
        set(&mut config.half_life_days, self.half_life_days);
        if let Some(days) = self.retention_days {
            config.retention_days = Some(days).filter(|days| *days != 0.0);
        }
        set(&mut config.model, self.model);
        set(&mut config.keep_models, self.keep_models);
        set(&mut config.max_touches, self.max_touches);
        set(&mut config.training_memory_mib, self.training_memory_mib);
    }
}

fn set<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}

/// What of the events is in memory.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BehaviorInfo {
    /// Items in events.
    pub touches: u64,
    /// Users.
    pub users: u64,
    /// Visits.
    pub sessions: u64,
    /// Items that anybody touched.
    pub items: u64,
    /// Bytes of the events in memory.
    pub memory_bytes: u64,
    /// Events removed since the start because they were older than `retention_days`.
    pub expired: u64,
    /// Version of the model that answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<u64>,
}

/// How well a model foretold held-out events: the last item of people who have three or more, ranked among all items.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HeldOut {
    /// The model.
    pub model: ModelChoice,
    /// People tested.
    pub people: u64,
    /// Share of them whose item was among the first 20.
    pub recall_at_20: f64,
    /// Normalised discounted cumulative gain of the first 20.
    pub ndcg_at_20: f64,
}

/// What the models of a collection were learned from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ModelInfo {
    /// Number of the training, counted up.
    pub version: u64,
    /// Whether it is the one that answers.
    pub active: bool,
    /// The model from items to items.
    pub model: ModelChoice,
    /// Its parameters.
    pub parameters: BTreeMap<String, serde_json::Value>,
    /// How well it foretold held-out events, and those it was compared to; none where there were too few.
    pub held_out: Vec<HeldOut>,
    /// When, RFC 3339.
    pub trained_at: String,
    /// How long it took.
    pub seconds: f64,
    /// Memory that the training was estimated to take.
    pub estimated_bytes: u64,
    /// Bytes stored.
    pub stored_bytes: u64,
    /// Items that anybody touched.
    pub items: u64,
    /// Users and visits.
    pub people: u64,
    /// Items in events.
    pub interactions: u64,
    /// Purchases of a person on a day.
    pub baskets: u64,
    /// Time of the first event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_event: Option<String>,
    /// Time of the last event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_event: Option<String>,
}

/// Answer of `GET /v1/collections/{c}/models`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ModelsResponse {
    /// The newest first.
    pub models: Vec<ModelInfo>,
}

/// Query string of a training.
#[derive(Debug, Clone, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct TrainParams {
    /// `false`: answer at once with a task to ask for.
    #[serde(default = "yes")]
    pub wait: bool,
}

fn yes() -> bool {
    true
}

/// State of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum TaskState {
    Running,
    Done,
    Failed,
}

/// Work that goes on after its request was answered. Tasks are forgotten when the server ends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Task {
    /// Its id.
    pub id: String,
    /// The collection it works on.
    pub collection: String,
    /// How far it is.
    pub state: TaskState,
    /// What was trained, once it is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelInfo>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}
