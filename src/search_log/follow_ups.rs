//! Events that refer to searches, joined to them by the request id.

use std::collections::HashMap;

use vitrine_schemas::{Event, SearchEvent, SearchFollowUp, SearchOutcome};

use crate::{
    Result,
    storage::{EventRef, Store},
};

/// Time by which the clock of a client may be behind, in microseconds.
const CLOCK_SLACK: i64 = 3_600 * 1_000_000;

/// Items of events by the hash of the request id, in the order of time.
#[derive(Default)]
pub(crate) struct FollowUps(HashMap<[u8; 16], Vec<SearchFollowUp>>);

impl FollowUps {
    /// Reads the events of searches from a time on, in microseconds since 1970, that are permitted.
    pub fn read(
        store: &Store,
        collection: u32,
        from: i64,
        is_permitted: impl Fn(&Event) -> bool,
    ) -> Result<Self> {
        let mut all = Self::default();
        let from = from.saturating_sub(CLOCK_SLACK);
        store.scan_follow_ups(collection, from, |_, event| {
            if is_permitted(&event) {
                all.add(event);
            }
            Ok(())
        })?;
        Ok(all)
    }

    fn add(&mut self, event: Event) {
        let Some(request_id) = event.request_id else {
            return;
        };
        let hash = EventRef::new(0, &request_id).hash;
        let share = event.items.len().max(1) as f64;
        let items = event.items.into_iter().map(|item| SearchFollowUp {
            kind: event.kind,
            item,
            position: event.position,
            ts: event.ts.clone().unwrap_or_default(),
            value: event.value.map(|value| value / share),
        });
        self.0.entry(hash).or_default().extend(items);
    }

    /// Joins a search with its events; an event is joined once. A position that the event does not
    /// tell is that among the shown items.
    pub fn join(&mut self, at: EventRef, search: SearchEvent) -> SearchOutcome {
        let mut events = self.0.remove(&at.hash).unwrap_or_default();
        for event in events.iter_mut().filter(|e| e.position.is_none()) {
            let shown = search.shown.iter().position(|id| *id == event.item);
            event.position = shown.map(|index| index as u32 + 1);
        }
        SearchOutcome { search, events }
    }
}
