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
pub(super) struct Bits {
    words: Vec<u64>,
    /// How many there are.
    count: usize,
    /// Some positions, evenly spread over all.
    spread: Vec<u32>,
}

/// Positions held to be given by [`Bits::spread`].
const SPREAD: usize = 256;

impl Bits {
    /// Bits of `positions`, each less than `len`.
    pub fn of(len: usize, positions: impl Iterator<Item = u32>) -> Self {
        let mut words = vec![0; len.div_ceil(64)];
        let mut count = 0;
        for p in positions {
            words[p as usize / 64] |= 1 << (p % 64);
            count += 1;
        }
        let mut bits = Self {
            words,
            count,
            spread: Vec::new(),
        };
        let step = count.div_ceil(SPREAD).max(1);
        bits.spread = bits.positions().into_iter().step_by(step).collect();
        bits
    }

    /// All positions, rising.
    pub fn positions(&self) -> Vec<u32> {
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

    /// At most `count` of the positions, spread evenly over all.
    pub fn spread(&self, count: usize) -> impl Iterator<Item = u32> + '_ {
        let step = self.spread.len().div_ceil(count.max(1)).max(1);
        self.spread.iter().step_by(step).copied()
    }

    #[inline]
    pub fn contains(&self, position: u32) -> bool {
        self.words[position as usize / 64] >> (position % 64) & 1 == 1
    }
}
