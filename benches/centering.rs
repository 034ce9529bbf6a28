//! Cost of the first cross-category query: the fit of the category centroids to the maximum number
//! of sampled vectors of a large catalog.
// The macro of criterion defines a public function without docs.
#![allow(missing_docs)]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use vitrine::cross::{CategorySample, Centering};

const DIM: usize = 384;
const ITEMS: u64 = 55_000;
const SAMPLED: u32 = 32_768;

/// Deterministic vectors: a component that the category shares, and one of the item.
fn vector(category: u32, number: u32) -> Vec<f32> {
    let share = |offset: u32, step: u32, period: u32| {
        (offset + step) as f32 % period as f32 / period as f32
    };
    let component = |i: u32| share(category * 31, i * 17, 97) + share(number * 19, i * 29, 1013);
    (0..DIM as u32).map(component).collect()
}

fn fit(c: &mut Criterion) {
    let mut group = c.benchmark_group("fit");
    group.sample_size(10);
    for categories in [500_u32, 4_096] {
        let each = SAMPLED / categories;
        let vectors: Vec<_> = (0..categories * each)
            .map(|number| vector(number / each, number))
            .collect();
        let samples: Vec<_> = (0..categories)
            .map(|category| CategorySample {
                path: format!("{} > {category}", category % 20),
                size: ITEMS / u64::from(categories),
                sample: (category * each..(category + 1) * each).collect(),
            })
            .collect();
        group.bench_function(format!("{categories} categories"), |b| {
            b.iter(|| {
                let vector = |number: u32| vectors.get(number as usize).cloned();
                black_box(Centering::fit(DIM, black_box(&samples), vector))
            });
        });
    }
    group.finish();
}

criterion_group!(benches, fit);
criterion_main!(benches);
