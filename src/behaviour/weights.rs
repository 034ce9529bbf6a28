//! What an event says for its items.

use std::collections::HashMap;

use vitrine_schemas::{BehaviorConfig, Event, EventKind};

/// Weights of kinds, as configured.
#[derive(Clone)]
pub(super) struct Weights {
    by_kind: HashMap<EventKind, f32>,
    liked: f32,
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
            liked: config.liked_rating as f32,
        }
    }

    /// The weight of a touch; none where it speaks against the item. `value` is NaN where there is none.
    pub fn of(&self, kind: EventKind, value: f32) -> Option<f32> {
        match kind {
            EventKind::Hide => None,
            EventKind::Rating if value < self.liked => None,
            _ => Some(self.by_kind.get(&kind).copied().unwrap_or(1.0)),
        }
    }
}

/// What an event says for its items by the default weights; None where it speaks against them.
pub fn event_weight(event: &Event) -> Option<f32> {
    let value = event.value.map_or(f32::NAN, |v| v as f32);
    Weights::default().of(event.kind, value)
}
