//! Sums of few of many items.

use roaring::RoaringBitmap;

use crate::cf::Scored;

/// A sum for each item that has one, to be filled and emptied many times.
pub(super) struct Sums {
    /// NaN where there is none.
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

    /// Empties it into items with their sums, without those excluded and without sums that are not finite.
    pub fn drain(&mut self, excluded: &RoaringBitmap) -> Vec<Scored> {
        let few = excluded.len() < self.touched.len() as u64;
        if few {
            for item in excluded {
                match self.sums.get_mut(item as usize) {
                    Some(sum) => *sum = f32::NAN,
                    None => break,
                }
            }
        }
        let mut found = Vec::with_capacity(self.touched.len());
        for item in self.touched.drain(..) {
            let score = std::mem::replace(&mut self.sums[item as usize], f32::NAN);
            if score.is_finite() && (few || !excluded.contains(item)) {
                found.push(Scored { item, score });
            }
        }
        found
    }
}
