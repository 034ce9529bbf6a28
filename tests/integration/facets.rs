//! Facets: counts of values, category levels and ranges among the matches.

use std::collections::BTreeMap;

use rand::{Rng, SeedableRng, rngs::StdRng, seq::IteratorRandom};
use serde_json::{Value, json};
use vitrine::schemas::{Facet, FacetsRequest};

use crate::support::{Fixture, messages, put};

fn facets(collection: &vitrine::Collection, request: Value) -> (u64, Vec<Facet>) {
    let request: FacetsRequest = serde_json::from_value(request).expect("a request");
    let answer = collection.facets(&request).expect("counted");
    (answer.matching, answer.facets)
}

fn listed(facet: &Facet) -> Vec<(&str, u64)> {
    let values = facet.values.iter();
    values.map(|v| (v.value.as_str(), v.count)).collect()
}

#[test]
fn values_ranges_and_levels_are_counted() {
    let fixture = Fixture::new();
    let shop = fixture.shop();
    put(
        &shop,
        &[
            json!({"id": "a", "category": "Clothing > Shoes > Boots", "price": {"amount": 10}, "attributes": {"color": ["red", "blue"], "stock": 3, "since": "2026-01-01T00:00:00Z"}}),
            json!({"id": "b", "category": "Clothing > Hats", "price": {"amount": 20}, "attributes": {"color": "red", "stock": -2, "since": "2026-02-01T01:00:00+01:00"}}),
            json!({"id": "c", "category": "Home", "price": {"amount": 30.5}, "attributes": {"sale": true}}),
            json!({"id": "d", "hidden": true, "category": "Home", "attributes": {"color": "red"}}),
        ],
    );
    let (matching, found) = facets(
        &shop,
        json!({"facets": [
            {"field": "color"}, {"field": "color", "limit": 1, "sort": "value"}, {"field": "category"},
            {"field": "category", "under": "Clothing", "depth": 2}, {"field": "sale"}, {"field": "stock"},
            {"field": "price", "ranges": [{"to": 20}, {"from": 20}, {"from": 20, "to": 30.5}, {}]}, {"field": "since"}
        ]}),
    );
    assert_eq!(matching, 3);
    assert_eq!(listed(&found[0]), [("red", 2), ("blue", 1)]);
    assert_eq!((found[0].missing, found[0].more_values), (1, 0));
    assert_eq!(listed(&found[1]), [("blue", 1)]);
    assert_eq!(found[1].more_values, 1);
    assert_eq!(listed(&found[2]), [("Clothing", 2), ("Home", 1)]);
    let below = [
        ("Clothing > Hats", 1),
        ("Clothing > Shoes", 1),
        ("Clothing > Shoes > Boots", 1),
    ];
    assert_eq!(listed(&found[3]), below);
    assert_eq!(listed(&found[4]), [("true", 1)]);
    let extremes = |f: &Facet| serde_json::to_value((&f.min, &f.max)).expect("JSON");
    assert_eq!(extremes(&found[5]), json!([-2, 3]));
    assert_eq!(extremes(&found[6]), json!([10.0, 30.5]));
    let counts: Vec<_> = found[6].ranges.iter().map(|r| r.count).collect();
    assert_eq!(counts, [1, 2, 1, 3]);
    assert_eq!(
        extremes(&found[7]),
        json!(["2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"])
    );
    let (matching, found) = facets(
        &shop,
        json!({"filter": "price > 15", "facets": [{"field": "color"}]}),
    );
    assert_eq!((matching, listed(&found[0])), (2, vec![("red", 1)]));
}

#[test]
fn counts_are_those_of_counting_one_by_one() {
    let seed = rand::random();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let fixture = Fixture::new();
    let shop = fixture.shop();
    let colors = ["red", "green", "blue", "black"];
    let mut expected: BTreeMap<&str, u64> = BTreeMap::new();
    let (mut missing, mut dear) = (0, 0);
    for id in 0..500 {
        let own: Vec<_> = colors.into_iter().choose_multiple(&mut random, id % 4);
        let price = random.random_range(0..100);
        put(
            &shop,
            &[
                json!({"id": id.to_string(), "price": {"amount": price}, "attributes": {"color": own}}),
            ],
        );
        // Half of them are written over.
        if id % 2 == 0 {
            put(
                &shop,
                &[json!({"id": id.to_string(), "price": {"amount": price}})],
            );
        }
        if price >= 50 {
            dear += 1;
            let counted = if id % 2 == 0 { &[][..] } else { &own };
            missing += u64::from(counted.is_empty());
            counted
                .iter()
                .for_each(|c| *expected.entry(c).or_default() += 1);
        }
    }
    let (matching, found) = facets(
        &shop,
        json!({"filter": "price >= 50", "facets": [{"field": "color", "sort": "value"}]}),
    );
    assert_eq!((matching, found[0].missing), (dear, missing));
    assert_eq!(listed(&found[0]), expected.into_iter().collect::<Vec<_>>());
}

#[test]
fn what_cannot_be_counted_is_said() {
    let fixture = Fixture::new();
    let shop = fixture.shop();
    for (facets, pointer, word) in [
        (json!([]), "/facets", "1 to 50"),
        (json!([{"field": "colr"}]), "/facets/0/field", "color"),
        (
            json!([{"field": "color"}, {"field": "color", "limit": 0}]),
            "/facets/1/limit",
            "1000",
        ),
        (
            json!([{"field": "color", "under": "x"}]),
            "/facets/0/under",
            "categories",
        ),
        (
            json!([{"field": "color", "ranges": [{"to": 1}]}]),
            "/facets/0/ranges",
            "numbers",
        ),
        (
            json!([{"field": "price", "ranges": [{"to": "x"}]}]),
            "/facets/0/ranges/0",
            "number",
        ),
        (
            json!([{"field": "category", "depth": 99}]),
            "/facets/0/depth",
            "16",
        ),
    ] {
        let request = serde_json::from_value(json!({"facets": facets})).expect("a request");
        let said = messages(&shop.facets(&request).expect_err("refused"));
        assert!(
            said.starts_with(&format!("{pointer} ")) && said.contains(word),
            "{said}"
        );
    }
}
