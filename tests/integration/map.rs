//! The map of a space in two dimensions.

use std::collections::BTreeSet;

use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use vitrine::schemas::{MapParams, MapResponse};

use crate::support::{Fixture, messages, put};

fn params(value: Value) -> MapParams {
    serde_json::from_value(value).expect("parameters")
}

fn map(collection: &vitrine::Collection, value: Value) -> MapResponse {
    collection.map(&params(value)).expect("a map")
}

fn ids(map: &MapResponse) -> BTreeSet<&str> {
    map.points.iter().map(|p| p.id.as_str()).collect()
}

/// Points with a standard deviation of 4 along (2, 1, 0) and of 1 along (0, 0, 1), around (5, 5,
/// 5).
fn cloud(count: usize) -> Vec<Value> {
    let mut random = StdRng::seed_from_u64(7);
    let mut spread =
        move |size: f32| (0..12).map(|_| random.random_range(-0.5..0.5)).sum::<f32>() * size;
    let item = |n: usize| {
        let (along, across) = (spread(4.0), spread(1.0));
        let unit = 1.0 / 5_f32.sqrt();
        let vector = [5.0 + along * 2.0 * unit, 5.0 + along * unit, 5.0 + across];
        json!({"id": format!("p{n:04}"), "title": format!("{along}"), "category": format!("{across}"), "vectors": {"wide": vector}})
    };
    (0..count).map(item).collect()
}

fn space() -> (Fixture, std::sync::Arc<vitrine::Collection>) {
    let fixture = Fixture::new();
    let config = json!({"vectors": {"wide": {"dim": 3, "metric": "l2"}, "huge": {"dim": 2049}, "round": {"dim": 2}, "line": {"dim": 1, "metric": "l2"}}});
    let config = serde_json::from_value(config).expect("a config");
    let collection = fixture
        .db
        .create_collection("cloud", config)
        .expect("create");
    (fixture, collection)
}

#[test]
fn the_axes_are_those_of_the_greatest_spread() {
    let (_fixture, cloud_) = space();
    put(&cloud_, &cloud(1_000));
    let map = map(&cloud_, json!({"space": "wide", "sample": 1000}));
    assert_eq!((map.points.len(), map.matching), (1_000, 1_000));
    // 16 and 1 of 17; the third direction has none.
    assert!(
        (map.variance[0] - 16.0 / 17.0).abs() < 0.02,
        "{:?}",
        map.variance
    );
    assert!(
        (map.variance[0] + map.variance[1] - 1.0).abs() < 1e-3,
        "{:?}",
        map.variance
    );
    let mean = map.points.iter().map(|p| p.x).sum::<f32>() / 1_000.0;
    assert!(mean.abs() < 1e-2, "{mean}");
    for point in &map.points {
        let number = |text: &Option<String>| {
            text.as_deref()
                .and_then(|t| t.parse::<f32>().ok())
                .expect("a number")
        };
        let (along, across) = (number(&point.title), number(&point.category));
        assert!(
            (point.x - along).abs() < 0.6 && (point.y - across).abs() < 0.6,
            "{point:?}"
        );
    }
}

#[test]
fn the_sample_is_the_same_and_hardly_changes_with_the_catalog() {
    let (_fixture, cloud_) = space();
    let items = cloud(600);
    put(&cloud_, &items[..599]);
    let ask = json!({"space": "wide", "sample": 100});
    let first = map(&cloud_, ask.clone());
    let again = map(&cloud_, ask.clone());
    assert_eq!(
        (&first.points, first.points.len(), first.matching),
        (&again.points, 100, 599)
    );
    assert!(first.points.is_sorted_by(|a, b| a.id < b.id));
    put(&cloud_, &items);
    let rewritten = map(&cloud_, ask.clone());
    assert!(ids(&first).difference(&ids(&rewritten)).count() <= 1);
    let gone = rewritten.points[0].id.clone();
    cloud_.delete(std::slice::from_ref(&gone)).expect("deleted");
    let less = map(&cloud_, ask);
    let (before, after) = (ids(&rewritten), ids(&less));
    assert!(!after.contains(gone.as_str()) && after.len() == 100);
    assert_eq!(before.difference(&after).count(), 1);
}

#[test]
fn only_items_that_match_and_are_shown_are_on_it() {
    let (_fixture, cloud_) = space();
    put(
        &cloud_,
        &[
            json!({"id": "a", "brand": "Acme", "vectors": {"round": [1, 0]}}),
            json!({"id": "b", "brand": "Acme", "vectors": {"round": [2, 0]}}),
            json!({"id": "c", "brand": "Other", "vectors": {"round": [0, 3]}}),
            json!({"id": "hidden", "brand": "Acme", "hidden": true, "vectors": {"round": [0, 1]}}),
            json!({"id": "elsewhere", "brand": "Acme", "vectors": {"line": [1]}}),
        ],
    );
    let all = map(&cloud_, json!({"space": "round"}));
    assert_eq!(ids(&all), ["a", "b", "c"].into());
    // By cosine their lengths do not tell a and b apart.
    assert_eq!(
        (all.points[0].x, all.points[0].y),
        (all.points[1].x, all.points[1].y)
    );
    assert_ne!(all.points[0].x, all.points[2].x);
    let acme = map(&cloud_, json!({"space": "round", "filter": "brand = Acme"}));
    assert_eq!((ids(&acme), acme.variance), (["a", "b"].into(), [0.0, 0.0]));
    let line = map(&cloud_, json!({"space": "line"}));
    assert_eq!(
        (line.points.len(), line.points[0].x, line.points[0].y),
        (1, 0.0, 0.0)
    );
    let nothing = map(&cloud_, json!({"space": "wide"}));
    assert_eq!((nothing.points.len(), nothing.matching), (0, 0));
}

#[test]
fn a_line_has_one_axis() {
    let (_fixture, cloud_) = space();
    let items = [1, 2, 4].map(|n| json!({"id": n.to_string(), "vectors": {"line": [n]}}));
    put(&cloud_, &items);
    let map = map(&cloud_, json!({"space": "line"}));
    let x: Vec<_> = map.points.iter().map(|p| (p.x * 3.0).round()).collect();
    assert_eq!(x, [-4.0, -1.0, 5.0]);
    assert!(map.points.iter().all(|p| p.y == 0.0));
    assert_eq!(map.variance, [1.0, 0.0]);
}

#[test]
fn what_cannot_be_drawn_is_told() {
    let (_fixture, cloud_) = space();
    for (value, pointer) in [
        (json!({"space": "wide", "sample": 0}), "/sample"),
        (json!({"space": "wide", "sample": 10_001}), "/sample"),
        (json!({"space": "none"}), "/space"),
        (json!({"space": "huge"}), "/space"),
        (json!({"space": "wide", "filter": "brand ="}), "/filter"),
    ] {
        let error = cloud_.map(&params(value)).expect_err("refused");
        assert!(
            messages(&error).starts_with(&format!("{pointer} ")),
            "{error}"
        );
    }
}
