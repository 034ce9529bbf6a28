//! Internal ids that a search may return.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use parking_lot::Mutex;
use roaring::RoaringBitmap;

/// A set of internal ids shared by many searches, with a cache of its bitmaps by point offset.
#[derive(Default)]
pub struct CandidateFilter {
    internal_ids: RoaringBitmap,
    /// True once a graph search used the filter: bitmaps do not pay for a filter that is used once.
    used_before: AtomicBool,
    /// By the serial number of a sealed segment.
    bitmaps: Mutex<Vec<(u64, Arc<PointBitmap>)>>,
}

impl CandidateFilter {
    /// Internal ids that pass the filter.
    pub fn internal_ids(&self) -> &RoaringBitmap {
        &self.internal_ids
    }

    /// Returns the approximate bytes of memory.
    pub fn bytes(&self) -> u64 {
        let bitmaps = self.bitmaps.lock();
        let words: usize = bitmaps.iter().map(|(_, bitmap)| bitmap.words.len()).sum();
        self.internal_ids.serialized_size() as u64 + 8 * words as u64
    }

    /// Returns the bitmap for the sealed segment `serial`, made by `make` if it is not cached. None
    /// at the first use of the filter.
    pub(super) fn bitmap(
        &self,
        serial: u64,
        make: impl FnOnce() -> PointBitmap,
    ) -> Option<Arc<PointBitmap>> {
        if !self.used_before.swap(true, Ordering::Relaxed) {
            return None;
        }
        let mut bitmaps = self.bitmaps.lock();
        let cached = bitmaps.iter().find(|(s, _)| *s == serial);
        if let Some((_, bitmap)) = cached {
            return Some(bitmap.clone());
        }
        let bitmap = Arc::new(make());
        bitmaps.push((serial, bitmap.clone()));
        Some(bitmap)
    }
}

impl From<RoaringBitmap> for CandidateFilter {
    fn from(internal_ids: RoaringBitmap) -> Self {
        Self {
            internal_ids,
            ..Self::default()
        }
    }
}

/// One bit per point of a segment. Random look-ups, as a graph search makes them, are several times
/// as fast as in a compressed set of internal ids.
pub(super) struct PointBitmap {
    words: Vec<u64>,
    /// Number of bits set.
    count: usize,
    /// Some of the point offsets, evenly spread over all.
    sample: Vec<u32>,
}

/// Maximum number of point offsets kept for [`PointBitmap::sample_evenly`], roughly.
const SAMPLE_SIZE: usize = 256;

impl PointBitmap {
    /// Sets the bits of `offsets`, each less than `len`.
    pub fn of(len: usize, offsets: impl Iterator<Item = u32>) -> Self {
        let mut words = vec![0; len.div_ceil(64)];
        let mut count = 0;
        for p in offsets {
            words[p as usize / 64] |= 1 << (p % 64);
            count += 1;
        }
        let mut bitmap = Self {
            words,
            count,
            sample: Vec::new(),
        };
        let step = count.div_ceil(SAMPLE_SIZE).max(1);
        bitmap.sample = bitmap.offsets().into_iter().step_by(step).collect();
        bitmap
    }

    /// Returns all point offsets, in ascending order.
    pub fn offsets(&self) -> Vec<u32> {
        let mut all = Vec::with_capacity(self.count);
        for (word, start) in self.words.iter().zip((0..).step_by(64)) {
            let mut left = *word;
            while left != 0 {
                all.push(start + left.trailing_zeros());
                // Clears the lowest bit.
                left &= left - 1;
            }
        }
        all
    }

    /// Returns at most `count` of the point offsets, spread evenly over all.
    pub fn sample_evenly(&self, count: usize) -> impl Iterator<Item = u32> + '_ {
        let step = self.sample.len().div_ceil(count.max(1)).max(1);
        self.sample.iter().step_by(step).copied()
    }

    #[inline]
    pub fn contains(&self, offset: u32) -> bool {
        self.words[offset as usize / 64] >> (offset % 64) & 1 == 1
    }
}
