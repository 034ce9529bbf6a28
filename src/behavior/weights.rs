//! Weights of events.

use std::collections::HashMap;

use vitrine_schemas::{BehaviorConfig, Event, EventKind};

/// Configured weights by kind of event.
#[derive(Clone)]
pub(super) struct Weights {
    by_kind: HashMap<EventKind, f32>,
    /// Minimum rating that counts as positive.
    liked_rating: f32,
}

impl Default for Weights {
    fn default() -> Self {
        Self::new(&BehaviorConfig::default())
    }
}

impl Weights {
    pub fn new(config: &BehaviorConfig) -> Self {
        let mut by_kind = HashMap::from(BehaviorConfig::WEIGHTS);
        by_kind.extend(config.weights.iter().map(|(kind, weight)| (*kind, *weight)));
        Self {
            by_kind,
            liked_rating: config.liked_rating as f32,
        }
    }

    /// Returns the weight of a touch; None if it is negative feedback or no choice of an item.
    /// `value` is NaN if absent.
    pub fn of(&self, kind: EventKind, value: f32) -> Option<f32> {
        match kind {
            _ if !kind.is_choice() => None,
            EventKind::Rating if value < self.liked_rating => None,
            _ => Some(self.by_kind.get(&kind).copied().unwrap_or(1.0)),
        }
    }
}

/// Returns the default weight of an event; None if it is negative feedback on its items or no
/// choice of them.
pub fn event_weight(event: &Event) -> Option<f32> {
    let value = event.value.map_or(f32::NAN, |v| v as f32);
    Weights::default().of(event.kind, value)
}
