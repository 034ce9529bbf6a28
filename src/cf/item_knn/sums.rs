//! Sparse sums by item.

use roaring::RoaringBitmap;

use crate::cf::Scored;

/// A sum for each of a few items, filled and emptied many times.
pub(super) struct Sums {
    /// Sum by item; NaN if there is none.
    sums: Vec<f32>,
    touched: Vec<u32>,
}

impl Sums {
    pub fn new(items: usize) -> Self {
        Self {
            sums: vec![f32::NAN; items],
            touched: Vec::new(),
        }
    }

    pub fn add(&mut self, item: u32, value: f32) {
        let sum = &mut self.sums[item as usize];
        if sum.is_nan() {
            self.touched.push(item);
            *sum = 0.0;
        }
        *sum += value;
    }

    /// Empties the sums; returns the items that are not excluded and whose sum is finite.
    pub fn drain(&mut self, excluded: &RoaringBitmap) -> Vec<Scored> {
        let few_excluded = excluded.len() < self.touched.len() as u64;
        if few_excluded {
            for item in excluded {
                match self.sums.get_mut(item as usize) {
                    Some(sum) => *sum = f32::NAN,
                    None => break,
                }
            }
        }
        let mut scored = Vec::with_capacity(self.touched.len());
        for item in self.touched.drain(..) {
            let score = std::mem::replace(&mut self.sums[item as usize], f32::NAN);
            if score.is_finite() && (few_excluded || !excluded.contains(item)) {
                scored.push(Scored { item, score });
            }
        }
        scored
    }
}
