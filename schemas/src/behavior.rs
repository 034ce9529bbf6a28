//! Learning from events: settings, models and tasks.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::EventKind;

/// Collaborative filtering model.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ModelChoice {
    /// The best of the inexpensive models on held-out events; `item_knn` if there are too few
    /// events.
    #[default]
    Auto,
    /// Item neighborhoods (Deshpande and Karypis 2004).
    ItemKnn,
    /// Linear graph filter, GF-CF (Shen et al. 2021).
    GraphFilter,
    /// EASE (Steck 2019): small catalogs only.
    Ease,
    /// Implicit alternating least squares (Hu, Koren and Volinsky 2008).
    Ials,
}

/// Settings for learning from events.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BehaviorConfig {
    /// Weight of an event by kind, 0 to 1000; absent kinds have their default weight. `hide` is
    /// negative.
    pub weights: BTreeMap<EventKind, f32>,
    /// Minimum rating counted as positive; lower ratings are negative.
    pub liked_rating: f64,
    /// Half-life of popularity in days.
    pub half_life_days: f64,
    /// Age in days at which events are removed; absent: never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retention_days: Option<f64>,
    /// Age in days at which events of a kind are removed; `retention_days` applies to absent kinds.
    /// Not for `follow` and `unfollow`, which hold until the user unfollows.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub retention_days_by_kind: BTreeMap<EventKind, f64>,
    /// Model to train.
    pub model: ModelChoice,
    /// Number of trained models kept for rollback.
    pub keep_models: usize,
    /// Maximum number of event items held in memory and learned from, the latest; about 32 bytes
    /// each.
    pub max_touches: u64,
    /// Maximum memory of a training in MiB, as estimated beforehand.
    pub training_memory_mib: u64,
}

impl BehaviorConfig {
    /// Default weights.
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
            retention_days_by_kind: BTreeMap::new(),
            model: ModelChoice::Auto,
            keep_models: 3,
            max_touches: 30_000_000,
            training_memory_mib: 8192,
        }
    }
}

/// Changes to the settings for learning from events; absent fields stay.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs)]
pub struct BehaviorPatch {
    pub weights: BTreeMap<EventKind, f32>,
    pub liked_rating: Option<f64>,
    pub half_life_days: Option<f64>,
    /// Age in days at which events are removed; 0: never.
    pub retention_days: Option<f64>,
    /// Age in days at which events of a kind are removed; 0: `retention_days` applies.
    pub retention_days_by_kind: BTreeMap<EventKind, f64>,
    pub model: Option<ModelChoice>,
    pub keep_models: Option<usize>,
    pub max_touches: Option<u64>,
    pub training_memory_mib: Option<u64>,
}

impl BehaviorPatch {
    /// Applies the changes to a configuration.
    pub fn apply(self, config: &mut BehaviorConfig) {
        config.weights.extend(self.weights);
        set(&mut config.liked_rating, self.liked_rating);
        set(&mut config.half_life_days, self.half_life_days);
        if let Some(days) = self.retention_days {
            config.retention_days = Some(days).filter(|days| *days != 0.0);
        }
        let by_kind = &mut config.retention_days_by_kind;
        by_kind.extend(self.retention_days_by_kind);
        by_kind.retain(|_, days| *days != 0.0);
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

/// Event log and active model in memory.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BehaviorInfo {
    /// Number of event items.
    pub touches: u64,
    /// Number of users.
    pub users: u64,
    /// Number of sessions.
    pub sessions: u64,
    /// Number of items with events.
    pub items: u64,
    /// Bytes of the events in memory.
    pub memory_bytes: u64,
    /// Number of events removed since the start because of their age.
    pub expired: u64,
    /// Number of items of events since the start that are not learned from: they are not in the
    /// catalog, and too many such items have events.
    #[serde(default)]
    pub ignored: u64,
    /// Version of the active model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<u64>,
}

/// Accuracy of a model on held-out events: the last item of each user with three or more items,
/// ranked among all items.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HeldOut {
    /// The model.
    pub model: ModelChoice,
    /// Number of users tested.
    pub people: u64,
    /// Share of users whose item ranked among the first 20.
    pub recall_at_20: f64,
    /// Normalized discounted cumulative gain of the first 20.
    pub ndcg_at_20: f64,
}

/// Effect of events in other categories on the recommendations of one category, estimated on
/// held-out events.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CategoryTransfer {
    /// Top-level category; empty: the items without one.
    pub category: String,
    /// Weight of items of other categories in a history, 0 to 1; 0: recommendations of this
    /// category use its own events alone.
    pub weight: f32,
    /// Gain in NDCG of the best weight above 0 over 0.
    pub gain: f64,
    /// Lower bound of its 95 % interval.
    pub gain_low: f64,
    /// Upper bound of its 95 % interval.
    pub gain_high: f64,
    /// Number of users tested.
    pub people: u64,
}

/// A trained model and its training data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ModelInfo {
    /// Version, incremented with each training.
    pub version: u64,
    /// True if it is the active model.
    pub active: bool,
    /// Kind of the item-to-item model.
    pub model: ModelChoice,
    /// Parameters.
    pub parameters: BTreeMap<String, serde_json::Value>,
    /// Accuracy on held-out events of this model and of those it was compared with; empty if there
    /// were too few events.
    pub held_out: Vec<HeldOut>,
    /// Effect of other categories on each top-level category; absent for those with too few events,
    /// in which others count fully.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub transfers: Vec<CategoryTransfer>,
    /// Time of the training, RFC 3339.
    pub trained_at: String,
    /// Duration of the training in seconds.
    pub seconds: f64,
    /// Estimated memory of the training in bytes.
    pub estimated_bytes: u64,
    /// Size of the stored model in bytes.
    pub stored_bytes: u64,
    /// Number of items with events.
    pub items: u64,
    /// Number of users and anonymous sessions.
    pub people: u64,
    /// Number of event items.
    pub interactions: u64,
    /// Number of baskets: purchases of a user on a day.
    pub baskets: u64,
    /// Time of the first event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_event: Option<String>,
    /// Time of the last event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_event: Option<String>,
}

/// Response of `GET /v1/collections/{c}/models`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ModelsResponse {
    /// Models, newest first.
    pub models: Vec<ModelInfo>,
}

/// Query parameters of a training.
#[derive(Debug, Clone, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct TrainParams {
    /// `false`: respond immediately with a task to poll.
    #[serde(default = "default_true")]
    pub wait: bool,
}

fn default_true() -> bool {
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

/// A background task. Tasks are lost when the server stops.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Task {
    /// Task id.
    pub id: String,
    /// Collection of the task.
    pub collection: String,
    /// State.
    pub state: TaskState,
    /// The trained model, if the task is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelInfo>,
    /// Cause of the failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}
