use rand::{Rng, SeedableRng, rngs::StdRng};
use rand_distr::{Distribution, StandardNormal};
use roaring::RoaringBitmap;
use vitrine_schemas::Metric;

use super::{mips::squared_norm, *};
use crate::{
    Error, distance,
    index::{CandidateFilter, Neighbor, Progress},
};

const DIM: usize = 128;
const COUNT: usize = 6_000;

/// Vectors near a subspace of fewer components, as those of encoders are: mapped into [`DIM`]
/// components, plus noise.
struct Source {
    random: StdRng,
    turn: Vec<[f32; DIM]>,
    noise: f32,
}

impl Source {
    fn new(inner: usize, noise: f32) -> Self {
        let mut random = StdRng::seed_from_u64(inner as u64);
        let turn = (0..inner)
            .map(|_| std::array::from_fn(|_| StandardNormal.sample(&mut random)))
            .collect();
        Self {
            random,
            turn,
            noise,
        }
    }

    fn normal(&mut self) -> f32 {
        StandardNormal.sample(&mut self.random)
    }

    fn vector(&mut self, metric: Metric) -> Vec<f32> {
        let mut v: Vec<f32> = (0..DIM).map(|_| self.noise * self.normal()).collect();
        for at in 0..self.turn.len() {
            let weight = self.normal();
            v.iter_mut()
                .zip(&self.turn[at])
                .for_each(|(x, t)| *x += weight * t);
        }
        if metric == Metric::Cosine {
            distance::normalize(&mut v);
        }
        v
    }

    fn vectors(&mut self, metric: Metric, count: usize) -> Vec<Vec<f32>> {
        (0..count).map(|_| self.vector(metric)).collect()
    }
}

fn graph_search(segment: &SealedSegment, vector: &[f32], ef: usize) -> Vec<Neighbor> {
    let query = SegmentQuery {
        vector,
        k: 10,
        ef: Some(ef),
        deadline: None,
    };
    segment.graph_search(&query).unwrap().0
}

fn build(metric: Metric, vectors: &[Vec<f32>], codes: Codes) -> SealedSegment {
    let rows: Vec<_> = (0..).zip(vectors.iter().map(Vec::as_slice)).collect();
    SealedSegment::build(metric, DIM, &rows, codes, &Progress::default()).unwrap()
}

fn scan(
    segment: &SealedSegment,
    vector: &[f32],
    matching: &RoaringBitmap,
    by_codes: bool,
) -> Vec<Neighbor> {
    let query = SegmentQuery {
        vector,
        k: 10,
        ef: Some(10),
        deadline: None,
    };
    segment.scan(&query, matching, None, by_codes).unwrap()
}

/// Returns the share of the 10 nearest, ties counted, that graph searches find.
fn recall(index: &SealedSegment, queries: &[Vec<f32>], ef: usize) -> f64 {
    let mut hits = 0;
    for query in queries {
        let truth = scan(index, query, index.members(), false);
        let found = graph_search(index, query, ef);
        assert_eq!(found.len(), 10);
        hits += found
            .iter()
            .filter(|n| n.distance <= truth[9].distance)
            .count();
    }
    hits as f64 / (10 * queries.len()) as f64
}

#[test]
fn leading_components_suffice_where_others_are_noise() {
    for metric in [Metric::Cosine, Metric::Dot, Metric::L2] {
        let mut source = Source::new(12, 0.1);
        let mut all = source.vectors(metric, COUNT);
        // Colors of one product: near-duplicates.
        for at in 0..500 {
            all[at + 1_000] = all[at % 50].iter().map(|x| x * 1.0001).collect();
        }
        let index = build(metric, &all, Codes::Projected);
        assert_eq!(index.codes(), Codes::Projected, "{metric:?}");
        assert!(index.points.bytes() < DIM);
        let queries = source.vectors(metric, 200);
        let found = recall(&index, &queries, 64);
        let bytes = recall(&build(metric, &all, Codes::Int8), &queries, 64);
        assert!(
            found >= 0.95 && found >= bytes - 0.01,
            "{metric:?}: {found} {bytes}"
        );
        for size in [1e-3, 1e3] {
            let scaled = |q: &Vec<f32>| q.iter().map(|x| x * size).collect();
            let queries: Vec<Vec<f32>> = queries.iter().map(scaled).collect();
            if metric == Metric::Dot {
                assert_eq!(recall(&index, &queries, 64), found, "of any length");
            }
        }
        let matching = (0..COUNT as u32).filter(|n| n % 3 == 0).collect();
        let nearest = |by_codes| scan(&index, &queries[0], &matching, by_codes);
        assert_eq!(nearest(true), nearest(false));
    }
}

/// A flat spectrum has no leading components: the chosen codes find about as much as one byte per
/// component.
#[test]
fn noise_is_not_projected_at_the_cost_of_recall() {
    for metric in [Metric::L2, Metric::Cosine] {
        let mut source = Source::new(0, 1.0);
        let all = source.vectors(metric, COUNT);
        let queries = source.vectors(metric, 100);
        let projected = recall(&build(metric, &all, Codes::Projected), &queries, 200);
        let bytes = recall(&build(metric, &all, Codes::Int8), &queries, 200);
        assert!(projected >= bytes - 0.01, "{projected} {bytes}");
    }
}

/// Queries with large residuals, as texts have in a space of images.
#[test]
fn queries_from_elsewhere_are_answered() {
    for metric in [Metric::L2, Metric::Cosine, Metric::Dot] {
        let mut source = Source::new(12, 0.1);
        let all = source.vectors(metric, COUNT);
        let index = build(metric, &all, Codes::Projected);
        let mut queries = source.vectors(metric, 200);
        for query in &mut queries {
            let size = squared_norm(query).sqrt();
            for x in query.iter_mut() {
                *x += 0.1 * size * source.random.random_range(-1.0..1.0);
            }
            if metric == Metric::Cosine {
                distance::normalize(query);
            }
        }
        let found = recall(&index, &queries, 64);
        assert!(found >= 0.95, "{metric:?}: {found}");
    }
}

/// Unit vectors in clusters, as those of departments.
fn clustered(count: usize) -> Vec<Vec<f32>> {
    let mut source = Source::new(16, 0.02);
    let centers: Vec<_> = (0..200).map(|_| source.vector(Metric::L2)).collect();
    let vectors = (0..count).map(|n| {
        let noise = source.vector(Metric::L2);
        let center = centers[n % centers.len()].iter();
        let mut v: Vec<f32> = center.zip(noise).map(|(c, n)| c + 0.35 * n).collect();
        distance::normalize(&mut v);
        v
    });
    vectors.collect()
}

fn clusters_and_directions() -> (Vec<Vec<f32>>, Vec<Vec<f32>>) {
    let directions = Source::new(0, 1.0).vectors(Metric::Cosine, 60);
    (clustered(20_000), directions)
}

fn default_query(vector: &[f32]) -> SegmentQuery<'_> {
    SegmentQuery {
        vector,
        k: 10,
        ef: None,
        deadline: None,
    }
}

#[test]
fn queries_far_from_all_vectors_are_answered() {
    let (vectors, directions) = clusters_and_directions();
    for codes in [Codes::Int8, Codes::Projected, Codes::RaBitQ] {
        let index = build(Metric::Cosine, &vectors, codes);
        let (mut hits, mut hits_of_fixed_width) = (0, 0);
        for query in &directions {
            let truth = scan(&index, query, index.members(), false);
            let hit = |n: &&Neighbor| n.distance <= truth[9].distance;
            let found = index.graph_search(&default_query(query)).unwrap().0;
            hits += found.iter().filter(hit).count();
            let found = graph_search(&index, query, 64);
            hits_of_fixed_width += found.iter().filter(hit).count();
        }
        let recall = hits as f64 / 600.0;
        assert!(recall >= 0.95, "{codes:?}: {recall}");
        assert!(
            hits > hits_of_fixed_width,
            "{codes:?}: {hits_of_fixed_width}"
        );
    }
}

#[test]
fn matches_far_from_the_query_are_found() {
    let vectors = clustered(60_000);
    let index = build(Metric::Cosine, &vectors, Codes::Int8);
    let mut hits = 0;
    let queries = vectors.iter().step_by(2_000);
    for query in queries.clone() {
        // The half that is nearer to the vector farthest from the query.
        let from = |from: &[f32]| {
            let distance = |v: &Vec<f32>| distance::distance(Metric::Cosine, from, v);
            let mut distances: Vec<_> = (0..).zip(vectors.iter().map(distance)).collect();
            distances.sort_by(|a, b| a.1.total_cmp(&b.1));
            distances.into_iter().map(|(n, _)| n).collect::<Vec<u32>>()
        };
        let farthest = from(query)[vectors.len() - 1] as usize;
        let nearer_half = from(&vectors[farthest])[..vectors.len() / 2].to_vec();
        let far = nearer_half.into_iter();
        let matching: RoaringBitmap = far.collect();
        let filter = CandidateFilter::from(matching.clone());
        let truth = scan(&index, query, &matching, false);
        let found = index.filtered_graph_search(&default_query(query), &matching, &filter);
        let (found, compared) = found.unwrap().expect("too many matches for a scan");
        assert!(compared < vectors.len() / 2, "{compared}");
        let hit = |n: &&Neighbor| n.distance <= truth[9].distance;
        hits += found.iter().filter(hit).count();
    }
    let recall = hits as f64 / (10 * queries.len()) as f64;
    assert!(recall >= 0.95, "{recall}");
}

#[test]
fn few_matches_far_from_the_query_are_left_to_a_scan() {
    let (vectors, _) = clusters_and_directions();
    let index = build(Metric::Cosine, &vectors, Codes::Int8);
    let query = &vectors[0];
    let opposite = |v: &Vec<f32>| distance::distance(Metric::Cosine, query, v) > 1.0;
    let far = (0..).zip(&vectors).filter(|(_, v)| opposite(v));
    let far: RoaringBitmap = far.map(|(n, _)| n).collect();
    let near: RoaringBitmap = (0..15_000).collect();
    let by_graph = |matching: RoaringBitmap| {
        let filter = CandidateFilter::from(matching.clone());
        let found = index.filtered_graph_search(&default_query(query), &matching, &filter);
        found.unwrap().is_some()
    };
    assert!(far.len() > 1_000);
    assert!(!by_graph(far));
    assert!(by_graph(near));
}

#[test]
fn a_file_keeps_the_clusters() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("segment.seg");
    let (vectors, directions) = clusters_and_directions();
    let built = build(Metric::Cosine, &vectors, Codes::Int8);
    built.save(&path).unwrap();
    let opened = SealedSegment::open(&path).unwrap();
    assert!(opened.clusters.is_some());
    for query in &directions {
        let found = |segment: &SealedSegment| segment.graph_search(&default_query(query)).unwrap();
        assert_eq!(found(&opened), found(&built));
    }
}

#[test]
fn few_or_equal_vectors_are_not_projected() {
    let few = Source::new(12, 0.1).vectors(Metric::L2, 100);
    assert_eq!(
        build(Metric::L2, &few, Codes::Projected).codes(),
        Codes::Int8
    );
    let equal = vec![few[0].clone(); 5_000];
    let index = build(Metric::L2, &equal, Codes::Projected);
    assert_eq!(index.codes(), Codes::None);
    assert_eq!(recall(&index, &few[..5], 64), 1.0);
}

#[test]
fn a_file_keeps_the_projection_and_damage_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("segment.seg");
    let mut source = Source::new(12, 0.1);
    let all = source.vectors(Metric::Dot, COUNT);
    let built = build(Metric::Dot, &all, Codes::Projected);
    built.save(&path).unwrap();
    let opened = SealedSegment::open(&path).unwrap();
    assert_eq!(opened.codes(), Codes::Projected);
    for query in source.vectors(Metric::Dot, 20) {
        let found = |segment: &SealedSegment| graph_search(segment, &query, 40);
        assert_eq!(found(&opened), found(&built));
    }
    let whole = std::fs::read(&path).unwrap();
    for at in (0..40).map(|i| whole.len() / 40 * i + 5) {
        let mut torn = whole.clone();
        torn[at] ^= 0x41;
        std::fs::write(&path, &torn).unwrap();
        match SealedSegment::open(&path) {
            Err(Error::Corrupt { .. }) => {}
            // The byte is padding between two arrays.
            Ok(_) => assert!(whole[at] == 0, "{at}"),
            Err(e) => panic!("{at}: {e}"),
        }
    }
}
