//! Properties of every model, and small data for the tests of each.

use rand::{Rng, SeedableRng, rngs::StdRng};
use roaring::RoaringBitmap;

use super::*;

/// Users x items, each entry present with probability `density` and a weight of 1 to 3.
pub(super) fn random(seed: u64, users: u32, items: u32, density: f64) -> Matrix {
    let mut rng = StdRng::seed_from_u64(seed);
    let entries = (0..users).flat_map(|u| (0..items).map(move |i| (u, i)));
    let triples: Vec<_> = entries
        .filter_map(|(u, i)| {
            if rng.random_bool(density) {
                Some((u, i, rng.random_range(1..4) as f32))
            } else {
                None
            }
        })
        .collect();
    Matrix::from_triples(users as usize, items as usize, triples).expect("valid")
}

pub(super) fn dense(matrix: &Matrix) -> Vec<Vec<f64>> {
    let mut rows = vec![vec![0.0; matrix.columns()]; matrix.rows()];
    for (r, row) in matrix.iter().enumerate() {
        row.iter().for_each(|(c, v)| rows[r][c] = f64::from(v));
    }
    rows
}

/// Asserts equality within `tolerance` times the largest expected value.
pub(super) fn close(actual: &[f32], expected: &[f64], tolerance: f64) {
    assert_eq!(actual.len(), expected.len());
    let largest = expected.iter().fold(1e-9_f64, |l, e| l.max(e.abs()));
    for (n, (a, e)) in actual.iter().zip(expected).enumerate() {
        assert!(
            (f64::from(*a) - e).abs() <= tolerance * largest,
            "{n}: {a} is not {e}"
        );
    }
}

type Fit = fn(&Matrix) -> Model;

/// A small model of every kind.
pub(super) fn models() -> Vec<(&'static str, Fit)> {
    fn popularity(matrix: &Matrix) -> Model {
        let mut model = Popularity::new(matrix.columns(), 1.0).expect("valid");
        for row in matrix.iter() {
            row.iter()
                .for_each(|(item, weight)| model.add(item as u32, weight, 0.0).expect("valid"));
        }
        Model::Popularity(model)
    }
    fn item_knn(matrix: &Matrix) -> Model {
        Model::ItemKnn(ItemKnn::fit(matrix, &ItemKnnOptions::default()).expect("fits"))
    }
    fn bm25(matrix: &Matrix) -> Model {
        let weighting = Weighting::Bm25 { k1: 1.2, b: 0.75 };
        let options = ItemKnnOptions {
            weighting,
            ..Default::default()
        };
        Model::ItemKnn(ItemKnn::fit(matrix, &options).expect("fits"))
    }
    fn ease(matrix: &Matrix) -> Model {
        let options = EaseOptions {
            regularization: 2.0,
            ..Default::default()
        };
        Model::Ease(Ease::fit(matrix, &options).expect("fits"))
    }
    fn session_knn(matrix: &Matrix) -> Model {
        let mut model =
            SessionKnn::new(matrix.columns(), SessionKnnOptions::default()).expect("valid");
        matrix
            .iter()
            .for_each(|row| model.push(row.indices).expect("known items"));
        Model::SessionKnn(model)
    }
    fn sequential_rules(matrix: &Matrix) -> Model {
        let settings: ModelSettings = "sequential-rules".parse().expect("a kind");
        settings.fit_matrix(matrix).expect("fits")
    }
    fn graph_filter(matrix: &Matrix) -> Model {
        let options = GraphFilterOptions {
            rank: 8,
            ..Default::default()
        };
        Model::GraphFilter(GraphFilter::fit(matrix, &options).expect("fits"))
    }
    fn ials(matrix: &Matrix) -> Model {
        let options = IalsOptions {
            factors: 8,
            ..Default::default()
        };
        Model::Ials(Ials::fit(matrix, &options).expect("fits"))
    }
    vec![
        ("popularity", popularity),
        ("ease", ease),
        ("session_knn", session_knn),
        ("sequential_rules", sequential_rules),
        ("item_knn", item_knn),
        ("bm25", bm25),
        ("graph_filter", graph_filter),
        ("ials", ials),
    ]
}

fn history(matrix: &Matrix, user: usize) -> Vec<(u32, f32)> {
    matrix
        .row(user)
        .iter()
        .map(|(i, v)| (i as u32, v))
        .collect()
}

fn items(found: &[Scored]) -> Vec<u32> {
    found.iter().map(|s| s.item).collect()
}

#[test]
fn the_withheld_square_of_a_checkerboard_comes_first() {
    const SIZE: u32 = 50;
    // Users have the items of their parity, except the item of their own number.
    let entries = (0..SIZE).flat_map(|u| (0..SIZE).map(move |i| (u, i, 1.0)));
    let board = entries.filter(|(u, i, _)| u % 2 == i % 2 && u != i);
    let board = Matrix::from_triples(SIZE as usize, SIZE as usize, board).expect("valid");
    for (name, fit) in models()
        .into_iter()
        .filter(|(name, _)| *name != "popularity")
    {
        let model = fit(&board);
        for user in 0..SIZE {
            let seen = board.row(user as usize).indices.iter().collect();
            let best = model.recommend(&history(&board, user as usize), 1, &seen);
            assert_eq!(items(&best), [user], "{name}");
        }
    }
}

#[test]
fn odd_input_gives_sensible_answers() {
    let shapes = [(0, 0), (0, 5), (5, 0), (1, 1), (1, 6), (6, 1), (7, 9)];
    let histories: [&[(u32, f32)]; 7] = [
        &[],
        &[(u32::MAX, 1.0)],
        &[(0, f32::NAN), (0, f32::INFINITY)],
        &[(0, 0.0)],
        &[(0, -1.0)],
        &[(0, 1.0), (0, 1.0), (3, 1e30), (3, 1e-30)],
        &[(0, 1.0), (70, 1.0), (4, 2.0)],
    ];
    for (name, fit) in models() {
        for (users, columns) in shapes {
            for density in [0.0, 0.5, 1.0] {
                let model = fit(&random(3, users, columns, density));
                assert_eq!(model.items(), columns as usize);
                for history in histories {
                    let mut scores = vec![7.0; 3];
                    model.scores(history, &mut scores);
                    assert_eq!(scores.len(), columns as usize, "{name}");
                    assert!(
                        scores.iter().all(|s| s.is_finite()),
                        "{name} {users} {columns} {density} {history:?}: {scores:?}"
                    );
                    let found = model.recommend(history, 4, &RoaringBitmap::new());
                    assert_eq!(found.len(), 4.min(columns as usize), "{name}");
                }
            }
        }
    }
}

#[test]
fn excluded_items_are_never_recommended_and_the_rest_fills_up() {
    let matrix = random(5, 40, 30, 0.2);
    for (name, fit) in models() {
        let model = fit(&matrix);
        for user in 0..40 {
            let excluded: RoaringBitmap = matrix
                .row(user)
                .indices
                .iter()
                .copied()
                .chain([999])
                .collect();
            let candidates = (0..30).filter(|i| !excluded.contains(*i)).count();
            for k in [0, 1, 10, 30, 1000] {
                let found = model.recommend(&history(&matrix, user), k, &excluded);
                assert_eq!(found.len(), k.min(candidates), "{name}");
                assert!(
                    items(&found).iter().all(|i| !excluded.contains(*i)),
                    "{name}"
                );
                assert!(
                    found.is_sorted_by(|a, b| rank::order(a, b).is_lt()),
                    "{name}: {found:?}"
                );
            }
        }
    }
}

#[test]
fn many_users_get_the_same_as_one_by_one_and_every_time() {
    let matrix = random(7, 150, 40, 0.15);
    let histories: Vec<_> = (0..150).map(|u| history(&matrix, u)).collect();
    let excluded: Vec<RoaringBitmap> = matrix
        .iter()
        .map(|row| row.indices.iter().collect())
        .collect();
    let requests = histories
        .iter()
        .zip(&excluded)
        .map(|(history, excluded)| Request { history, excluded });
    let requests: Vec<_> = requests.collect();
    for (name, fit) in models() {
        let model = fit(&matrix);
        let many = model.recommend_many(&requests, 5);
        for (request, found) in requests.iter().zip(&many) {
            let one = model.recommend(request.history, 5, request.excluded);
            for (a, b) in one.iter().zip(found) {
                // Products of many rows may be summed in another order.
                assert!(
                    (a.score - b.score).abs() <= 1e-4 * a.score.abs().max(1e-2),
                    "{name}: {one:?} {found:?}"
                );
            }
            assert_eq!(one.len(), found.len(), "{name}");
        }
        assert_eq!(fit(&matrix).recommend_many(&requests, 5), many, "{name}");
    }
}

#[test]
fn a_new_event_counts_at_once() {
    let matrix = random(9, 60, 20, 0.3);
    for (name, fit) in models()
        .into_iter()
        .filter(|(name, _)| *name != "popularity")
    {
        let model = fit(&matrix);
        let (mut before, mut after) = (Vec::new(), Vec::new());
        model.scores(&[(1, 1.0)], &mut before);
        model.scores(&[(1, 1.0), (2, 1.0)], &mut after);
        assert_ne!(before, after, "{name}");
    }
}
