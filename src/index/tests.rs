mod maintain;

use std::{
    fs,
    time::{Duration, Instant},
};

use proptest::prelude::*;
use rand::{Rng, SeedableRng, rngs::StdRng};
use roaring::RoaringBitmap;
use vitrine_schemas::Metric;

use super::{unsealed::UnsealedVectors, *};
use crate::{Error, distance};

/// Clustered unit vectors, as embeddings are.
fn vectors(n: usize, dim: usize, seed: u64) -> Vec<Vec<f32>> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut random =
        |scale: f32| -> Vec<f32> { (0..dim).map(|_| rng.random_range(-scale..scale)).collect() };
    let centers: Vec<_> = (0..20).map(|_| random(1.0)).collect();
    (0..n)
        .map(|i| {
            let mut v: Vec<f32> = random(0.6);
            v.iter_mut()
                .zip(&centers[i % 20])
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

fn check_form(neighbors: &[Neighbor], expected: usize, allowed: &RoaringBitmap) {
    assert_eq!(neighbors.len(), expected);
    assert!(neighbors.is_sorted_by(|a, b| order(a, b).is_lt()));
    assert!(neighbors.iter().all(|n| allowed.contains(n.id)));
    let distinct: RoaringBitmap = neighbors.iter().map(|n| n.id).collect();
    assert_eq!(distinct.len() as usize, expected);
}

/// Searches the vectors that `allowed` has.
fn search(
    index: &SpaceIndex,
    query: &[f32],
    allowed: &RoaringBitmap,
    params: SearchParams,
) -> (Vec<Neighbor>, SearchStats) {
    let filter = CandidateFilter::from(allowed.clone());
    let filter = Some(&filter);
    index
        .search(query, &SearchParams { filter, ..params })
        .expect("valid search")
}

fn top(k: usize) -> SearchParams<'static> {
    SearchParams {
        k,
        ..SearchParams::default()
    }
}

fn with_ef(k: usize, ef: usize) -> SearchParams<'static> {
    SearchParams {
        ef: Some(ef),
        ..top(k)
    }
}

fn exact(k: usize) -> SearchParams<'static> {
    SearchParams {
        exact: true,
        ..top(k)
    }
}

fn graph_search(segment: &SealedSegment, vector: &[f32], k: usize, ef: usize) -> Vec<Neighbor> {
    let query = SegmentQuery {
        vector,
        k,
        ef: Some(ef),
        deadline: None,
    };
    segment.graph_search(&query).unwrap().0
}

const ALL_CODES: [Codes; 3] = [Codes::None, Codes::Int8, Codes::RaBitQ];

/// Leaves one sealed segment without the dead vectors.
fn seal(index: &SpaceIndex, dead: &RoaringBitmap) {
    if let Some(job) = index.plan(dead, JobKind::All, MemoryBudget::UNLIMITED) {
        let built = index.build(&job, None, &Progress::default()).unwrap();
        index.finish(job, built);
    }
}

fn seal_all(index: &SpaceIndex) {
    seal(index, &RoaringBitmap::new());
}

/// Adds all vectors of the growing segment to its graph.
fn extend_graph(index: &SpaceIndex) {
    while index.extend_growing_graph(2) {}
}

#[test]
fn recall_and_filters() {
    // Batches of four after which it is sealed: never, all, growing vectors scanned, growing
    // vectors in a graph of their own, merged.
    let seals = [&[][..], &[4], &[3], &[2], &[2, 4]];
    let metrics = [Metric::Cosine, Metric::L2, Metric::Dot];
    for (metric, codes, seals) in metrics
        .into_iter()
        .flat_map(|m| ALL_CODES.map(|c| (m, c)))
        .flat_map(|(m, c)| seals.map(|s| (m, c, s)))
    {
        if seals.len() != 1 && codes != Codes::Int8 || seals.is_empty() && metric == Metric::Dot {
            continue;
        }
        // 1-bit codes of 48 components are a coarse estimate.
        let ef = if codes == Codes::RaBitQ { 128 } else { 64 };
        // Queries of the same distribution as the data, as an encoder's are.
        let mut all = vectors(6_060, 48, 1);
        if metric != Metric::Cosine {
            // Different norms.
            let lengths = (0..).map(|i| 1.0 + (i % 7) as f32 / 10.0);
            for (v, length) in all.iter_mut().zip(lengths) {
                v.iter_mut().for_each(|x| *x *= length);
            }
        }
        let queries = all.split_off(6_000);
        let index = SpaceIndex::new(48, metric, codes);
        for (batch, n) in rows(&all).chunks(1_500).zip(1..) {
            index.insert(batch);
            if seals.contains(&n) {
                seal_all(&index);
            }
            // The last batch is not in the graph, and is compared.
            if n < 4 {
                extend_graph(&index);
            }
        }
        let members = index.members();
        // Everything, half at random, whole clusters (correlated with the query), and decreasing
        // numbers.
        let some = |pass: fn(u32) -> bool| members.iter().filter(|i| pass(*i)).collect();
        for allowed in [
            members.clone(),
            some(|i| i % 2 == 0),
            some(|i| i % 20 < 8),
            some(|i| i % 20 == 3),
            some(|i| i % 97 == 5),
            some(|i| i == 17),
        ] {
            let (mut hits, mut total) = (0, 0);
            for query in &queries {
                let (found, _) = search(&index, query, &allowed, with_ef(10, ef));
                check_form(&found, 10.min(allowed.len() as usize), &allowed);
                let truth = naive(metric, query, 10, &all, &allowed);
                hits += truth.iter().filter(|t| found.contains(t)).count();
                total += truth.len();
            }
            assert!(
                hits * 100 >= total * 98,
                "{metric:?} {codes:?}, sealed after {seals:?}, {} allowed: {hits} of {total}",
                allowed.len(),
            );
        }
    }
}

#[test]
fn duplicates_never_cut_an_answer_short() {
    let mut all = vectors(500, 8, 3);
    all.extend(std::iter::repeat_n(all[0].clone(), 3_000));
    for codes in ALL_CODES {
        let index = SpaceIndex::new(8, Metric::Cosine, codes);
        index.insert(&rows(&all));
        let members = index.members();
        for sealed in [false, true] {
            if sealed {
                seal_all(&index);
            } else {
                extend_graph(&index);
            }
            for k in [1, 10, 1_000, 3_500, 5_000] {
                let (found, _) = search(&index, &all[7], &members, with_ef(k, 1));
                check_form(&found, k.min(3_500), &members);
            }
        }
    }
}

#[test]
fn a_sealed_graph_reaches_every_vector() {
    let mut all = vectors(3_000, 8, 7);
    all.extend(std::iter::repeat_n(all[0].clone(), 500));
    for codes in ALL_CODES {
        let progress = Progress::default();
        let sealed = SealedSegment::build(Metric::L2, 8, &rows(&all), codes, &progress).unwrap();
        assert_eq!(progress.done(), 3_500);
        let found = graph_search(&sealed, &all[9], 3_500, 3_500);
        let members = (0..3_500).collect();
        let truth = naive(Metric::L2, &all[9], 3_500, &all, &members);
        assert!(found == truth, "{codes:?}: {} of 3500", found.len());
    }
}

#[test]
fn what_8_bits_cannot_tell_apart_is_searched_by_its_vectors() {
    let mut all = vectors(3_000, 8, 8);
    all.push(vec![1e15; 8]);
    for codes in ALL_CODES {
        let index = SpaceIndex::new(8, Metric::L2, codes);
        index.insert(&rows(&all));
        seal_all(&index);
        let members = index.members();
        // Without the outlier: all others are equally far from it.
        let (mut hits, mut total) = (0, 0);
        for query in all[..3_000].iter().step_by(60) {
            let (found, stats) = search(&index, query, &members, top(5));
            assert_eq!(stats.plan, Plan::Graph);
            let truth = naive(Metric::L2, query, 5, &all, &members);
            hits += truth.iter().filter(|t| found.contains(t)).count();
            total += truth.len();
        }
        assert!(hits * 100 >= total * 99, "{codes:?}: {hits} of {total}");
    }
}

#[test]
fn plans() {
    let all = vectors(3_000, 8, 4);
    let plan = |index: &SpaceIndex, exact, allowed: &RoaringBitmap| {
        let params = SearchParams { exact, ..top(5) };
        search(index, &all[0], allowed, params).1.plan.as_str()
    };
    let new = |metric| SpaceIndex::new(8, metric, Codes::Int8);
    let (small, dot, large) = (new(Metric::Cosine), new(Metric::Dot), new(Metric::L2));
    small.insert(&rows(&all)[..100]);
    dot.insert(&rows(&all));
    large.insert(&rows(&all));
    let members = large.members();
    for index in [&small, &dot, &large] {
        assert_eq!(plan(index, false, &members), "exact");
        extend_graph(index);
    }
    assert_eq!(plan(&small, false, &members), "exact", "not worth a graph");
    assert_eq!(plan(&dot, false, &members), "exact", "no graph for it");
    assert_eq!(plan(&large, false, &members), "graph");
    assert_eq!(plan(&large, true, &members), "exact");
    assert_eq!(plan(&large, false, &(0..100).collect()), "exact");
    seal_all(&dot);
    seal_all(&large);
    for index in [&dot, &large] {
        assert_eq!(plan(index, false, &members), "graph");
        assert_eq!(plan(index, true, &members), "exact");
        assert_eq!(plan(index, false, &(0..700).collect()), "scan");
        assert_eq!(plan(index, false, &(0..100).collect()), "exact");
    }
}

#[test]
fn bad_input_is_answered() {
    let index = SpaceIndex::new(2, Metric::L2, Codes::Int8);
    assert!(index.search(&[0.0, 0.0], &top(3)).unwrap().0.is_empty());
    index.insert(&[(7, &[1.0, 0.0]), (7, &[5.0, 5.0])]);
    index.insert(&[(7, &[9.0, 9.0])]);
    assert_eq!(index.vector(7), Some(vec![1.0, 0.0]));
    assert_eq!(index.vector(8), None);
    assert_eq!(index.members().len(), 1);
    assert!(matches!(
        index.search(&[0.0], &top(3)),
        Err(Error::Invalid(_))
    ));
    let past = Instant::now().checked_sub(Duration::from_secs(1));
    let params = SearchParams {
        deadline: past.or(Some(Instant::now())),
        ..top(3)
    };
    assert!(matches!(
        index.search(&[0.0, 0.0], &params),
        Err(Error::DeadlineExceeded)
    ));
}

proptest! {
    #[test]
    fn scans_are_exact(
        n in 0_usize..400,
        k in 0_usize..50,
        seed in any::<u64>(),
        keep in 1_u32..4,
    ) {
        let all = vectors(n, 7, seed);
        let allowed: RoaringBitmap = (0..450).filter(|i| i % keep == 0).collect();
        for metric in [Metric::Cosine, Metric::Dot, Metric::L2] {
            let unsealed = UnsealedVectors::default();
            unsealed.insert(&rows(&all));
            let query = &vectors(1, 7, seed ^ 1)[0];
            let truth = naive(metric, query, k, &all, &allowed);
            let found = unsealed.rows().scan(metric, query, k, &allowed, None).unwrap();
            prop_assert_eq!(&found, &truth);
            let index = SpaceIndex::new(7, metric, Codes::Int8);
            index.insert(&rows(&all));
            seal_all(&index);
            let (found, _) = search(&index, query, &allowed, exact(k));
            prop_assert_eq!(&found, &truth);
        }
    }
}

#[test]
fn large_scans_share_the_work() {
    let all = vectors(20_000, 256, 6);
    let unsealed = UnsealedVectors::default();
    unsealed.insert(&rows(&all));
    let allowed = (0..20_000).collect();
    let scan = |query| unsealed.rows().scan(Metric::L2, query, 20, &allowed, None);
    let found = scan(&all[9]).unwrap();
    assert_eq!(found, naive(Metric::L2, &all[9], 20, &all, &allowed));
}
