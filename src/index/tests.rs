use std::time::{Duration, Instant};

use proptest::prelude::*;
use rand::{Rng, SeedableRng, rngs::StdRng};
use roaring::RoaringBitmap;
use vitrine_schemas::Metric;

use super::*;
use crate::distance;

/// Clustered unit vectors, as embeddings are.
fn vectors(n: usize, dim: usize, seed: u64) -> Vec<Vec<f32>> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut random =
        |scale: f32| -> Vec<f32> { (0..dim).map(|_| rng.random_range(-scale..scale)).collect() };
    let centres: Vec<_> = (0..20).map(|_| random(1.0)).collect();
    (0..n)
        .map(|i| {
            let mut v: Vec<f32> = random(0.6);
            v.iter_mut()
                .zip(&centres[i % 20])
                .for_each(|(x, c)| *x += c);
            assert!(distance::normalize(&mut v));
            v
        })
        .collect()
}

fn rows(vectors: &[Vec<f32>]) -> Vec<(u32, &[f32])> {
    vectors
        .iter()
        .enumerate()
        .map(|(i, v)| (i as u32, v.as_slice()))
        .collect()
}

fn naive(
    metric: Metric,
    query: &[f32],
    k: usize,
    all: &[Vec<f32>],
    allowed: &RoaringBitmap,
) -> Vec<Neighbor> {
    let mut found: Vec<_> = allowed
        .iter()
        .filter_map(|id| {
            let distance = distance::distance(metric, query, all.get(id as usize)?);
            Some(Neighbor { id, distance })
        })
        .collect();
    found.sort_by(order);
    found.truncate(k);
    found
}

fn check_form(found: &[Neighbor], wanted: usize, allowed: &RoaringBitmap) {
    assert_eq!(found.len(), wanted);
    assert!(found.is_sorted_by(|a, b| order(a, b).is_lt()));
    assert!(found.iter().all(|n| allowed.contains(n.id)));
    assert_eq!(
        found.iter().map(|n| n.id).collect::<RoaringBitmap>().len() as usize,
        wanted
    );
}

#[test]
fn graph_recall_and_filters() {
    // Sealed after so many: never, all, the tail scanned, the tail in a graph of its own, two sealed parts.
    for (metric, seals) in [
        (Metric::Cosine, &[][..]),
        (Metric::L2, &[]),
        (Metric::Cosine, &[4]),
        (Metric::L2, &[4]),
        (Metric::Cosine, &[3]),
        (Metric::L2, &[2]),
        (Metric::Cosine, &[2, 4]),
    ] {
        // Queries of the same making as the data, as an encoder's are.
        let mut all = vectors(6_060, 48, 1);
        let queries = all.split_off(6_000);
        let index = SpaceIndex::new(48, metric);
        for (batch, n) in rows(&all).chunks(1_500).zip(1..) {
            index.insert(batch);
            if seals.contains(&n) {
                index.seal();
            }
        }
        let members = index.members();
        // Everything, half at random, and whole clusters (correlated with the query).
        let halves: RoaringBitmap = members.iter().filter(|i| i % 2 == 0).collect();
        let clusters: RoaringBitmap = members.iter().filter(|i| i % 20 < 8).collect();
        for allowed in [&members, &halves, &clusters] {
            let (mut hits, mut total) = (0, 0);
            for query in &queries {
                let (found, plan) = index
                    .search(query, 10, Some(64), false, allowed, None)
                    .unwrap();
                assert_eq!(plan, Plan::Graph);
                check_form(&found, 10, allowed);
                let truth = naive(metric, query, 10, &all, allowed);
                hits += truth.iter().filter(|t| found.contains(t)).count();
                total += truth.len();
            }
            assert!(
                hits * 100 >= total * 98,
                "{metric:?}, sealed after {seals:?}: {hits} of {total}"
            );
        }
    }
}

#[test]
fn duplicates_never_cut_an_answer_short() {
    let mut all = vectors(500, 8, 3);
    all.extend(std::iter::repeat_n(all[0].clone(), 3_000));
    let index = SpaceIndex::new(8, Metric::Cosine);
    index.insert(&rows(&all));
    let members = index.members();
    for seal in [false, true] {
        if seal {
            index.seal();
        }
        for k in [1, 10, 1_000, 3_500, 5_000] {
            let (found, _) = index
                .search(&all[7], k, Some(1), false, &members, None)
                .unwrap();
            check_form(&found, k.min(3_500), &members);
        }
    }
}

#[test]
fn a_sealed_graph_reaches_every_vector() {
    let mut all = vectors(3_000, 8, 7);
    all.extend(std::iter::repeat_n(all[0].clone(), 500));
    let (flat, growing) = (FlatIndex::new(8, Metric::L2), GrowingIndex::new(Metric::L2));
    flat.insert(&rows(&all));
    growing.insert(&rows(&all));
    let sealed = SealedIndex::freeze(&growing, &flat, 8, Metric::L2);
    let members = (0..3_500).collect();
    let found = sealed
        .search(&all[9], 3_500, 3_500, &members, None)
        .unwrap();
    assert_eq!(found, naive(Metric::L2, &all[9], 3_500, &all, &members));
}

#[test]
fn what_8_bits_cannot_tell_apart_is_walked_by_its_vectors() {
    let mut all = vectors(3_000, 8, 8);
    all.push(vec![1e30; 8]);
    let index = SpaceIndex::new(8, Metric::L2);
    index.insert(&rows(&all));
    index.seal();
    let members = index.members();
    // Not the outlier: all others are equally far from it.
    for query in all[..3_000].iter().step_by(60) {
        let (found, plan) = index.search(query, 5, None, false, &members, None).unwrap();
        assert_eq!(plan, Plan::Graph);
        assert_eq!(found, naive(Metric::L2, query, 5, &all, &members));
    }
}

#[test]
fn plans() {
    let all = vectors(3_000, 8, 4);
    let plan = |index: &SpaceIndex, exact, allowed: &RoaringBitmap| {
        index
            .search(&all[0], 5, None, exact, allowed, None)
            .unwrap()
            .1
    };
    let (small, dot, large) = (
        SpaceIndex::new(8, Metric::Cosine),
        SpaceIndex::new(8, Metric::Dot),
        SpaceIndex::new(8, Metric::L2),
    );
    small.insert(&rows(&all)[..100]);
    dot.insert(&rows(&all));
    large.insert(&rows(&all));
    let members = large.members();
    assert_eq!(plan(&small, false, &members), Plan::Exact);
    assert_eq!(plan(&dot, false, &members), Plan::Exact);
    assert_eq!(plan(&large, false, &members).as_str(), "graph");
    assert_eq!(plan(&large, true, &members).as_str(), "exact");
    assert_eq!(plan(&large, false, &(0..100).collect()), Plan::Exact);
}

#[test]
fn bad_input_is_answered() {
    let index = SpaceIndex::new(2, Metric::L2);
    let all = RoaringBitmap::full();
    assert!(
        index
            .search(&[0.0, 0.0], 3, None, false, &all, None)
            .unwrap()
            .0
            .is_empty()
    );
    index.insert(&[(7, &[1.0, 0.0]), (7, &[5.0, 5.0])]);
    index.insert(&[(7, &[9.0, 9.0])]);
    assert_eq!(index.vector(7), Some(vec![1.0, 0.0]));
    assert_eq!(index.vector(8), None);
    assert_eq!(index.members().len(), 1);
    assert!(matches!(
        index.search(&[0.0], 3, None, false, &all, None),
        Err(crate::Error::Invalid(_))
    ));
    let past = Instant::now().checked_sub(Duration::from_secs(1));
    assert!(matches!(
        index.search(
            &[0.0, 0.0],
            3,
            None,
            false,
            &all,
            past.or(Some(Instant::now()))
        ),
        Err(crate::Error::DeadlineExceeded)
    ));
}

#[test]
fn searches_while_it_grows_and_is_sealed() {
    let all = vectors(4_000, 16, 5);
    let index = SpaceIndex::new(16, Metric::Cosine);
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for batch in rows(&all).chunks(97) {
                index.insert(batch);
                if index.members().len() % 1_000 < 97 {
                    index.seal();
                }
            }
        });
        while !writer.is_finished() {
            let members = index.members();
            let (found, _) = index
                .search(&all[3], 10, None, false, &members, None)
                .unwrap();
            check_form(&found, 10.min(members.len() as usize), &members);
        }
    });
    assert_eq!(index.members().len(), 4_000);
}

proptest! {
    #[test]
    fn flat_is_exact(
        n in 0_usize..400,
        k in 0_usize..50,
        seed in any::<u64>(),
        keep in 1_u32..4,
    ) {
        let all = vectors(n, 7, seed);
        let allowed: RoaringBitmap = (0..450).filter(|i| i % keep == 0).collect();
        for metric in [Metric::Cosine, Metric::Dot, Metric::L2] {
            let flat = FlatIndex::new(7, metric);
            flat.insert(&rows(&all));
            let query = &vectors(1, 7, seed ^ 1)[0];
            let found = flat.search(query, k, 0, &allowed, None).unwrap();
            prop_assert_eq!(found, naive(metric, query, k, &all, &allowed));
        }
    }
}

#[test]
fn large_scans_share_the_work() {
    let all = vectors(20_000, 256, 6);
    let flat = FlatIndex::new(256, Metric::L2);
    flat.insert(&rows(&all));
    let allowed = (0..20_000).collect();
    let found = flat.search(&all[9], 20, 0, &allowed, None).unwrap();
    assert_eq!(found, naive(Metric::L2, &all[9], 20, &all, &allowed));
}
