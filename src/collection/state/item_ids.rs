//! Internal ids of items in the event log, and log ids of live items.

use roaring::RoaringBitmap;

use crate::{behavior::Log, collection::State};

/// The ids of the items of a collection and of its event log.
#[derive(Clone, Copy)]
pub(in crate::collection) struct ItemIds<'a> {
    pub state: &'a State,
    pub log: &'a Log,
}

impl<'a> ItemIds<'a> {
    /// Returns the log id of a live item; None without events.
    pub fn log_id(self, internal_id: u32) -> Option<u32> {
        if !self.state.live.contains(internal_id) {
            return None;
        }
        let memo = self.log.ids();
        if let Some(known) = memo.log_id(internal_id) {
            return Some(known);
        }
        let log_id = self.log.number(self.state.ids.get(&internal_id)?)?;
        memo.remember(internal_id, log_id);
        Some(log_id)
    }

    /// Returns the internal id of an item of the log; None if the item is not live.
    pub fn internal_id(self, log_id: u32) -> Option<u32> {
        let memo = self.log.ids();
        if let Some(known) = memo
            .internal_id(log_id)
            .filter(|id| self.state.live.contains(*id))
        {
            return Some(known);
        }
        let internal_id = *self.state.internal_ids.get(self.log.name(log_id))?;
        memo.remember(internal_id, log_id);
        Some(internal_id)
    }

    /// Returns the internal id and the log id of the items that have events.
    pub fn logged(self, items: &'a RoaringBitmap) -> impl Iterator<Item = (u32, u32)> + 'a {
        let items = items.iter();
        items.filter_map(move |internal_id| Some((internal_id, self.log_id(internal_id)?)))
    }
}
