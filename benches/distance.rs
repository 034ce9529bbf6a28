//! Kernels compared with their scalar equivalent, at the dimensions of common encoders.
// criterion's macro generates a public function without docs.
#![allow(missing_docs)]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use vitrine::{
    distance::{distance, scalar},
    schemas::Metric,
};

/// Returns deterministic components in -1..1; their values do not affect the time.
fn vector(dim: usize, phase: f32) -> Vec<f32> {
    (0..dim).map(|i| (i as f32 * 0.37 + phase).sin()).collect()
}

fn distances(c: &mut Criterion) {
    for metric in [Metric::Dot, Metric::L2] {
        let mut group = c.benchmark_group(format!("{metric:?}").to_lowercase());
        for dim in [96, 384, 768, 784, 1280] {
            let (a, b) = (vector(dim, 0.0), vector(dim, 1.0));
            group.throughput(Throughput::Elements(dim as u64));
            group.bench_function(BenchmarkId::new("kernel", dim), |bench| {
                bench.iter(|| distance(metric, black_box(&a), black_box(&b)));
            });
            group.bench_function(BenchmarkId::new("scalar", dim), |bench| {
                bench.iter(|| match metric {
                    Metric::L2 => scalar::l2(black_box(&a), black_box(&b)),
                    Metric::Cosine | Metric::Dot => scalar::dot(black_box(&a), black_box(&b)),
                });
            });
        }
        group.finish();
    }
}

criterion_group!(benches, distances);
criterion_main!(benches);
