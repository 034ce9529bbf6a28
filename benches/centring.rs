//! What the first question across categories pays: the fit of what categories have in common, to the most vectors that are sampled of a
//! large catalog.
// criterion's macro makes a public function without docs.
#![allow(missing_docs)]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use vitrine::cross::{Centring, Kind};

const DIM: usize = 384;
const ITEMS: u64 = 55_000;
const SAMPLED: u32 = 32_768;

/// Deterministic: a part that the category's vectors share and one of its own.
fn vector(kind: u32, number: u32) -> Vec<f32> {
    let share = |at: u32, step: u32, of: u32| (at + step) as f32 % of as f32 / of as f32;
    let component = |i: u32| share(kind * 31, i * 17, 97) + share(number * 19, i * 29, 1013);
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
        let kinds: Vec<_> = (0..categories)
            .map(|kind| Kind {
                path: format!("{} > {kind}", kind % 20),
                size: ITEMS / u64::from(categories),
                sample: (kind * each..(kind + 1) * each).collect(),
            })
            .collect();
        group.bench_function(format!("{categories} categories"), |b| {
            b.iter(|| {
                let vector = |number: u32| vectors.get(number as usize).cloned();
                black_box(Centring::fit(DIM, black_box(&kinds), vector))
            });
        });
    }
    group.finish();
}

criterion_group!(benches, fit);
criterion_main!(benches);
