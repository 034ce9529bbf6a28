use std::sync::Arc;

use super::{fit::heaviest, *};
use crate::cf::tests::{close, dense, random};

/// Similarities by the formula, in f64.
fn naive(matrix: &Matrix, options: &ItemKnnOptions) -> Vec<Vec<f64>> {
    let mut x = dense(matrix);
    let users = x.len();
    let counts: Vec<_> = x
        .iter()
        .map(|row| row.iter().filter(|v| **v > 0.0).count() as f64)
        .collect();
    if let Weighting::Bm25 { k1, b } = options.weighting {
        let (k1, b) = (f64::from(k1), f64::from(b));
        let lengths: Vec<f64> = x.iter().map(|row| row.iter().sum()).collect();
        let mean = lengths.iter().sum::<f64>() / users as f64;
        let had = |i: usize| x.iter().filter(|row| row[i] > 0.0).count() as f64;
        let idf: Vec<_> = (0..matrix.columns())
            .map(|i| (1.0 + users as f64 / had(i)).ln())
            .collect();
        for (row, length) in x.iter_mut().zip(&lengths) {
            for (value, idf) in row.iter_mut().zip(&idf).filter(|(v, _)| **v > 0.0) {
                *value = idf * *value * (k1 + 1.0) / (*value + k1 * (1.0 - b + b * length / mean));
            }
        }
    }
    let items = 0..matrix.columns();
    let (alpha, power) = (f64::from(options.alpha), f64::from(options.user_power));
    let similarity = |i: usize, j: usize| {
        let dot: f64 = x
            .iter()
            .zip(&counts)
            .map(|(row, n)| row[i] * row[j] / n.max(1.0).powf(power))
            .sum();
        let norm = |i: usize| x.iter().map(|row| row[i] * row[i]).sum::<f64>();
        let norms = norm(i).powf(alpha) * norm(j).powf(1.0 - alpha);
        if i == j || dot == 0.0 {
            0.0
        } else {
            dot / (norms + f64::from(options.shrinkage))
        }
    };
    items
        .clone()
        .map(|i| items.clone().map(|j| similarity(i, j)).collect())
        .collect()
}

#[test]
fn similarities_are_those_of_the_formula() {
    let weightings = [Weighting::Plain, Weighting::Bm25 { k1: 1.2, b: 0.75 }];
    for (seed, weighting) in (0..).zip(weightings.into_iter().cycle().take(8)) {
        let matrix = random(seed, 30, 20, 0.2);
        let (alpha, shrinkage, user_power) = (0.1 * seed as f32, seed as f32, 0.2 * seed as f32);
        let options = ItemKnnOptions {
            weighting,
            alpha,
            shrinkage,
            user_power,
            ..Default::default()
        };
        let model = ItemKnn::fit(&matrix, &options).expect("fits");
        let history = [(3, 1.0), (5, 2.0)];
        let similarity = naive(&matrix, &options);
        let expected: Vec<_> = (0..20)
            .map(|j| similarity[3][j] + 2.0 * similarity[5][j])
            .collect();
        let mut scores = Vec::new();
        model.scores(&history, &mut scores);
        close(&scores, &expected, 1e-4);
    }
}

#[test]
fn neighbors_carry_their_users_and_explain_scores() {
    let had = [(0, [0, 1]), (1, [0, 1]), (2, [0, 2])];
    let triples = had
        .into_iter()
        .flat_map(|(u, items)| items.map(|i| (u, i, 1.0)));
    let matrix = Matrix::from_triples(3, 4, triples).expect("valid");
    let model = ItemKnn::fit(&matrix, &ItemKnnOptions::default()).expect("fits");
    let users: Vec<_> = model
        .neighbors(0)
        .iter()
        .map(|n| (n.item, n.users))
        .collect();
    assert_eq!(users, [(1, 2), (2, 1)]);
    assert!(model.neighbors(3).is_empty() && model.neighbors(99).is_empty());
    let history = [(1, 1.0), (2, 0.5), (3, 1.0), (99, 1.0)];
    let reasons = model.reasons(&history, 0);
    assert_eq!(reasons.iter().map(|r| r.item).collect::<Vec<_>>(), [1, 2]);
    let mut scores = Vec::new();
    model.scores(&history, &mut scores);
    assert_eq!(scores[0], reasons.iter().map(|r| r.score).sum::<f32>());
}

#[test]
fn bots_are_limited_and_only_the_nearest_kept() {
    let triples = (0..40)
        .map(|i| (0, i, 1.0 + i as f32))
        .chain((0..40).map(|i| (1 + i % 3, i, 1.0)));
    let matrix = Matrix::from_triples(4, 40, triples).expect("valid");
    let options = ItemKnnOptions {
        history: 20,
        neighbors: 5,
        ..Default::default()
    };
    let model = ItemKnn::fit(&matrix, &options).expect("fits");
    assert!((0..40).all(|i| model.neighbors(i).len() == 5));
    let kept = heaviest(&matrix, 20).expect("valid");
    assert_eq!(kept.row(0).indices, (20..40).collect::<Vec<_>>());
}

#[test]
fn options_out_of_range_are_rejected() {
    let matrix = random(1, 3, 3, 0.5);
    let good = ItemKnnOptions::default();
    let bad = [
        ItemKnnOptions {
            neighbors: 0,
            ..good
        },
        ItemKnnOptions { alpha: 1.5, ..good },
        ItemKnnOptions {
            shrinkage: f32::NAN,
            ..good
        },
        ItemKnnOptions {
            user_power: -1.0,
            ..good
        },
        ItemKnnOptions {
            weighting: Weighting::Bm25 { k1: 1.0, b: 2.0 },
            ..good
        },
    ];
    assert!(
        bad.iter()
            .all(|options| ItemKnn::fit(&matrix, options).is_err())
    );
}

/// Users, items and weights in the order of time: users return, some to items they had.
fn events(seed: u64, users: u32, items: u32) -> Vec<(u32, u32, f32)> {
    let (first, again) = (
        random(seed, users, items, 0.2),
        random(seed + 1, users, items, 0.1),
    );
    let triples = |matrix: &Matrix| -> Vec<_> {
        let rows = (0..).zip(matrix.iter());
        let of_row = |(user, row): (u32, crate::cf::Row<'_>)| -> Vec<_> {
            row.iter()
                .map(|(item, weight)| (user, item as u32, weight))
                .collect()
        };
        rows.flat_map(of_row).collect()
    };
    [triples(&first), triples(&again)].concat()
}

fn fitted(
    events: &[(u32, u32, f32)],
    users: usize,
    items: usize,
    options: &ItemKnnOptions,
) -> ItemKnn {
    let matrix = Matrix::from_triples(users, items, events.iter().copied()).expect("valid");
    ItemKnn::fit(&matrix, options).expect("fits")
}

#[test]
fn events_count_as_in_a_new_fit() {
    for (seed, alpha, shrinkage) in [(0, 0.5, 0.0), (7, 0.7, 3.0), (20, 0.0, 10.0)] {
        let options = ItemKnnOptions {
            alpha,
            shrinkage,
            user_power: 0.0,
            ..Default::default()
        };
        let events = events(seed, 30, 20);
        let (known, new) = events.split_at(events.len() / 2);
        // The fit does not know the last items.
        let base: Vec<_> = known.iter().copied().filter(|e| e.1 < 15).collect();
        let mut live = LiveItemKnn::new(Arc::new(fitted(&base, 30, 15, &options)));
        live.grow(20);
        let mut had = base.clone();
        for (user, item, weight) in known.iter().filter(|e| e.1 >= 15).chain(new) {
            let before: Vec<_> = had
                .iter()
                .filter(|e| e.0 == *user)
                .map(|e| (e.1, e.2))
                .collect();
            live.add(&before, *item, *weight).expect("valid");
            had.push((*user, *item, *weight));
        }
        let again = fitted(&events, 30, 20, &options);
        let (mut scores, mut expected) = (Vec::new(), Vec::new());
        for item in 0..20 {
            let history = [(item, 1.0), ((item + 3) % 20, 2.0)];
            live.scores(&history, &mut scores);
            again.scores(&history, &mut expected);
            close(
                &scores,
                &expected.iter().map(|s| f64::from(*s)).collect::<Vec<_>>(),
                1e-5,
            );
            let users = |mut neighbors: Vec<ItemNeighbor>| {
                neighbors.sort_by_key(|n| n.item);
                neighbors
                    .iter()
                    .map(|n| (n.item, n.users))
                    .collect::<Vec<_>>()
            };
            assert_eq!(
                users(live.neighbors(item)),
                users(again.neighbors(item).to_vec())
            );
            let total: f32 = live.reasons(&history, 5).iter().map(|r| r.score).sum();
            assert!((total - scores[5]).abs() <= 1e-5 * scores[5].abs());
        }
    }
}

#[test]
fn rows_that_repeat_a_user_are_no_users() {
    // Row 1 is a session of row 0.
    let triples = [
        (0, 0, 1.0),
        (0, 1, 1.0),
        (1, 0, 1.0),
        (1, 1, 1.0),
        (2, 0, 1.0),
        (2, 1, 1.0),
    ];
    let matrix = Matrix::from_triples(3, 2, triples).expect("valid");
    let options = ItemKnnOptions::default();
    let all = ItemKnn::fit(&matrix, &options).expect("fits");
    let counted = ItemKnn::fit_counting(&matrix, &options, |row| row != 1).expect("fits");
    assert_eq!(all.neighbors(0)[0].users, 3);
    assert_eq!(counted.neighbors(0)[0].users, 2);
    let similarity = all.neighbors(0)[0].similarity;
    assert_eq!(counted.neighbors(0)[0].similarity, similarity);
    let mut live = LiveItemKnn::new(Arc::new(counted));
    live.add(&[(0, 1.0)], 1, 1.0).expect("valid");
    live.add_session(&[(0, 1.0)], 1, 1.0).expect("valid");
    assert_eq!(live.neighbors(0)[0].users, 3);
}

#[test]
fn events_that_cannot_be_counted_are_rejected() {
    let events = events(1, 10, 8);
    let bm25 = ItemKnnOptions {
        weighting: Weighting::Bm25 { k1: 1.0, b: 0.5 },
        ..Default::default()
    };
    let mut live = LiveItemKnn::new(Arc::new(fitted(&events, 10, 8, &bm25)));
    assert!(!live.counts_events() && live.add(&[(1, 1.0)], 0, 1.0).is_err());
    let plain = fitted(&events, 10, 8, &ItemKnnOptions::default());
    let mut live = LiveItemKnn::new(Arc::new(plain));
    live.grow(4);
    assert_eq!(live.items(), 8, "at least those of the fit");
    assert!(live.neighbors(8).is_empty());
    for (item, weight) in [(8, 1.0), (0, 0.0), (0, -1.0), (0, f32::NAN)] {
        assert!(live.add(&[(1, 1.0)], item, weight).is_err());
    }
    live.add(&[(u32::MAX, 1.0), (1, f32::NAN)], 0, 1.0)
        .expect("unknown items are ignored");
    assert_eq!(live.pairs(), 0);
    live.add(&[(1, 1.0), (2, 1.0)], 0, 1.0).expect("valid");
    live.add(&[(1, 1.0)], 0, 1.0).expect("valid");
    assert_eq!(live.pairs(), 4, "two, in both directions");
}
