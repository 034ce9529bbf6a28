//! Internal ids of the items of an event log, remembered from one request to the next.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

/// Bytes per item: an internal id, and up to two slots.
pub(super) const BYTES_PER_ITEM: u64 = 4 + 2 * 8;

/// No internal id.
const NONE: u32 = u32::MAX;

/// A slot without a pair.
const EMPTY: u64 = u64::MAX;

/// Pairs of the internal id and the log id of an item.
///
/// Neither id is reused, so a pair never becomes wrong; its internal id may be that of an earlier
/// version of the item. Looking up a pair takes no lock and reads no item id.
#[derive(Default)]
pub(crate) struct IdMemo {
    /// Internal ids by log id.
    internal_ids: Vec<AtomicU32>,
    /// Pairs, each in the slot that its internal id has: the internal id in the upper half, the
    /// log id in the lower. The number of slots is a power of two.
    pairs: Vec<AtomicU64>,
}

impl IdMemo {
    /// Makes room for items with log ids below `items`.
    pub(super) fn grow(&mut self, items: usize) {
        if items > self.internal_ids.len() {
            self.internal_ids.resize_with(items, || NONE.into());
        }
        if items > self.pairs.len() {
            // The pairs have other slots now; requests remember them again.
            let empty = std::iter::repeat_with(|| EMPTY.into());
            self.pairs = empty.take(items.next_power_of_two()).collect();
        }
    }

    /// Returns the bytes of memory.
    pub(super) fn memory(&self) -> usize {
        size_of_val(self.internal_ids.as_slice()) + size_of_val(self.pairs.as_slice())
    }

    /// Remembers the ids of an item.
    pub fn remember(&self, internal_id: u32, log_id: u32) {
        if let Some(known) = self.internal_ids.get(log_id as usize) {
            known.store(internal_id, Relaxed);
        }
        if let Some(slot) = self.slot(internal_id) {
            slot.store(u64::from(internal_id) << 32 | u64::from(log_id), Relaxed);
        }
    }

    /// Returns the internal id that an item was last seen with.
    pub fn internal_id(&self, log_id: u32) -> Option<u32> {
        let known = self.internal_ids.get(log_id as usize)?.load(Relaxed);
        (known != NONE).then_some(known)
    }

    /// Returns the log id of an item, if it is remembered.
    pub fn log_id(&self, internal_id: u32) -> Option<u32> {
        let pair = self.slot(internal_id)?.load(Relaxed);
        (pair != EMPTY && (pair >> 32) as u32 == internal_id).then_some(pair as u32)
    }

    fn slot(&self, internal_id: u32) -> Option<&AtomicU64> {
        let mask = self.pairs.len().checked_sub(1)?;
        self.pairs.get(internal_id as usize & mask)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_found_both_ways_until_another_takes_the_slot() {
        let mut memo = IdMemo::default();
        memo.remember(1, 0);
        assert_eq!(
            (memo.log_id(1), memo.internal_id(0)),
            (None, None),
            "no room"
        );

        memo.grow(3);
        memo.remember(7, 0);
        memo.remember(5, 2);
        assert_eq!((memo.log_id(7), memo.log_id(5)), (Some(0), Some(2)));
        assert_eq!(
            (memo.internal_id(0), memo.internal_id(2)),
            (Some(7), Some(5))
        );
        assert_eq!((memo.log_id(3), memo.internal_id(1)), (None, None));

        // The next version of the first item, in the slot of the other one.
        memo.remember(9, 0);
        assert_eq!((memo.log_id(9), memo.log_id(5)), (Some(0), None));
        assert_eq!(memo.internal_id(0), Some(9));

        memo.grow(5);
        assert_eq!((memo.log_id(9), memo.internal_id(0)), (None, Some(9)));
    }

    #[test]
    fn the_greatest_ids_are_remembered() {
        let mut memo = IdMemo::default();
        memo.grow(1);
        memo.remember(u32::MAX - 1, 0);
        assert_eq!(
            (memo.log_id(u32::MAX - 1), memo.log_id(u32::MAX)),
            (Some(0), None)
        );
    }
}
