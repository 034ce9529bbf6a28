//! Matches of hybrid searches: items with the words, and those as near.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use vitrine::{Search, Shopper, Target, schemas::TotalRelation};

use crate::{
    browse::{find, pages, words},
    support::{Fixture, filter, put},
};

/// Kettles among other things; the vectors of kettles are near to one another.
fn kettles() -> Fixture {
    let fixture = Fixture::new();
    let mut items: Vec<Value> = (0..10_u32)
        .map(|n| {
            json!({"id": format!("k{n}"), "title": "Electric kettle", "brand": if n < 6 { "Boil" } else { "Hot" },
                   "vectors": {"shared": [f64::from(n) / 100.0, 0.0]}})
        })
        .collect();
    items.extend((0..300_u32).map(|n| {
        json!({"id": format!("x{n}"), "title": "Bedroom lamp", "brand": format!("b{}", n % 3),
               "vectors": {"shared": [5.0 + f64::from(n) / 100.0, 1.0]}})
    }));
    items.push(json!({"id": "samovar", "title": "Samovar", "brand": "Hot", "vectors": {"shared": [0.01, 0.0]}}));
    put(&fixture.shop(), &items);
    fixture
}

fn hybrid(text: &str) -> Search {
    Search {
        target: Some(Target::Vector(vec![0.0, 0.0])),
        lexical: words(text),
        facets: vec![serde_json::from_value(json!({"field": "brand"})).expect("a facet")],
        limit: 10,
        space: "shared".into(),
        ..Search::default()
    }
}

#[test]
fn a_hybrid_search_counts_what_has_the_words_or_is_as_near() {
    let fixture = kettles();
    let shop = fixture.db.collection("shop").expect("open");
    let answer = find(&shop, &hybrid("kettle"));
    let total = answer.total.expect("a total");
    assert_eq!(
        (total.value, total.relation),
        (11, TotalRelation::Eq),
        "kettles and the samovar"
    );
    let facets = answer.facets.expect("facets");
    let counted: Vec<(String, u64)> = facets.fields[0]
        .values
        .iter()
        .map(|v| (v.value.clone(), v.count))
        .collect();
    assert_eq!(counted, [("Boil".to_owned(), 6), ("Hot".to_owned(), 5)]);
    for (brand, count) in counted {
        let chosen = Search {
            filter: Some(filter(json!(format!("brand = {brand}")))),
            ..hybrid("kettle")
        };
        assert_eq!(
            find(&shop, &chosen).total.expect("a total").value,
            count,
            "{brand}"
        );
    }
    assert_eq!(pages(&shop, &hybrid("kettle"), 4, |_| {}).len(), 11);
}

#[test]
fn a_hybrid_search_without_the_words_finds_what_stands_out() {
    let fixture = kettles();
    let shop = fixture.db.collection("shop").expect("open");
    let answer = find(&shop, &hybrid("boiler"));
    let total = answer.total.expect("a total");
    assert_eq!((total.value, total.relation), (11, TotalRelation::Eq));
    assert_eq!(answer.hits[0].id, "k0");
    assert_eq!(pages(&shop, &hybrid("boiler"), 4, |_| {}).len(), 11);
}

#[test]
fn all_items_match_if_no_relevance_is_asked_for() {
    let fixture = kettles();
    let shop = fixture.db.collection("shop").expect("open");
    let all = |text: &str| Search {
        relevance: Some(0.0),
        ..hybrid(text)
    };
    let answer = find(&shop, &all("boiler"));
    assert_eq!(answer.total.expect("a total").value, 311);
    assert_eq!(answer.hits[0].id, "k0");
    let all = pages(&shop, &all("boiler"), 150, |_| {});
    let distinct: BTreeSet<_> = all.iter().collect();
    assert_eq!((all.len(), distinct.len()), (311, 311));
}

#[test]
fn a_match_needs_a_share_of_the_best_score() {
    let fixture = kettles();
    let shop = fixture.db.collection("shop").expect("open");
    let total = |relevance: f32| {
        let search = Search {
            relevance: Some(relevance),
            target: None,
            ..hybrid("bedroom kettle")
        };
        find(&shop, &search).total.expect("a total").value
    };
    assert_eq!(total(0.0), 310);
    assert_eq!(total(0.5), 10, "kettles: the rarer word counts more");
    let wrong = Search {
        relevance: Some(1.5),
        ..hybrid("kettle")
    };
    let error = shop
        .search(&wrong, &Shopper::default())
        .expect_err("refused");
    assert!(
        error.to_string().contains("expected 0 to 1, got 1.5"),
        "{error}"
    );
}
