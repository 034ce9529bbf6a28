//! The numbers that answers may have.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use parking_lot::Mutex;
use roaring::RoaringBitmap;

/// A set of numbers that many searches share, with what walks need of it.
#[derive(Default)]
pub struct Allowed {
    numbers: RoaringBitmap,
    /// Whether a walk has asked before: what is used once is not worth making bits for.
    asked: AtomicBool,
    /// By the serial number of a sealed index.
    bits: Mutex<Vec<(u64, Arc<Bits>)>>,
}

impl Allowed {
    /// The set.
    pub fn numbers(&self) -> &RoaringBitmap {
        &self.numbers
    }

    /// A bit for each position of the sealed index `serial`, that `make` makes; None at the first time.
    pub(super) fn bits(&self, serial: u64, make: impl FnOnce() -> Bits) -> Option<Arc<Bits>> {
        if !self.asked.swap(true, Ordering::Relaxed) {
            return None;
        }
        let mut known = self.bits.lock();
        let found = known.iter().find(|(s, _)| *s == serial);
        if let Some((_, bits)) = found {
            return Some(bits.clone());
        }
        let bits = Arc::new(make());
        known.push((serial, bits.clone()));
        Some(bits)
    }
}

impl From<RoaringBitmap> for Allowed {
    fn from(numbers: RoaringBitmap) -> Self {
        Self {
            numbers,
            ..Self::default()
        }
    }
}

/// A bit a position. A walk asks for single ones, in no order, several times as fast as of a compressed set of numbers.
pub(super) struct Bits(Vec<u64>);

impl Bits {
    /// Bits of `positions`, each less than `len`.
    pub fn of(len: usize, positions: impl Iterator<Item = u32>) -> Self {
        let mut words = vec![0; len.div_ceil(64)];
        for p in positions {
            words[p as usize / 64] |= 1 << (p % 64);
        }
        Self(words)
    }

    #[inline]
    pub fn contains(&self, position: u32) -> bool {
        self.0[position as usize / 64] >> (position % 64) & 1 == 1
    }
}
