//! Impressions of each item, and the clicks that followed them.
//!
//! A click without an impression of the same user or session does not count: it may come from a
//! search, for which no impressions are sent, and would make the click rate too high.

use vitrine_schemas::EventKind;

/// Impressions and clicks of an item, or of all items.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Exposure {
    pub impressions: u32,
    pub clicks: u32,
}

/// Exposures of all items, 8 bytes each. Counts fit into 32 bits, since a log has fewer rows.
#[derive(Default)]
pub(crate) struct Exposures {
    items: Vec<Exposure>,
    total: Exposure,
}

impl Exposure {
    fn count_of(&mut self, kind: EventKind) -> Option<&mut u32> {
        match kind {
            EventKind::Impression => Some(&mut self.impressions),
            EventKind::Click => Some(&mut self.clicks),
            _ => None,
        }
    }
}

impl Exposures {
    /// Counts an event; kinds other than impressions and clicks are ignored.
    pub fn add(&mut self, item: u32, kind: EventKind) {
        let Some(total) = self.total.count_of(kind) else {
            return;
        };
        *total += 1;
        let item = item as usize;
        if item >= self.items.len() {
            self.items.resize(item + 1, Exposure::default());
        }
        if let Some(count) = self.items[item].count_of(kind) {
            *count += 1;
        }
    }

    /// Subtracts an event that was counted.
    pub fn remove(&mut self, item: u32, kind: EventKind) {
        let item = self.items.get_mut(item as usize);
        let counts = item.and_then(|item| item.count_of(kind));
        if let Some((count, total)) = counts.zip(self.total.count_of(kind)) {
            *count -= 1;
            *total -= 1;
        }
    }

    /// Returns the exposure of an item.
    pub fn of(&self, item: u32) -> Exposure {
        self.items.get(item as usize).copied().unwrap_or_default()
    }

    /// Returns the sum over all items.
    pub fn total(&self) -> Exposure {
        self.total
    }

    /// Returns the bytes of memory.
    pub fn memory(&self) -> usize {
        self.items.capacity() * size_of::<Exposure>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn impressions_and_clicks_are_counted_by_item() {
        let mut exposures = Exposures::default();
        let events = [
            (2, EventKind::Impression),
            (2, EventKind::Impression),
            (2, EventKind::Click),
            (0, EventKind::Click),
            (5, EventKind::Purchase),
        ];
        for (item, kind) in events {
            exposures.add(item, kind);
        }
        let counts = |exposure: Exposure| (exposure.impressions, exposure.clicks);
        assert_eq!(counts(exposures.of(2)), (2, 1));
        assert_eq!(counts(exposures.of(0)), (0, 1));
        assert_eq!(counts(exposures.of(5)), (0, 0));
        assert_eq!(counts(exposures.total()), (2, 2));
        exposures.remove(2, EventKind::Impression);
        exposures.remove(7, EventKind::Click);
        assert_eq!(counts(exposures.of(2)), (1, 1));
        assert_eq!(counts(exposures.total()), (1, 2));
    }
}
