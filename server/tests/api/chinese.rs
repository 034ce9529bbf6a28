//! 100 Chinese titles and a query for each, written down before any search was run.

use serde_json::{Value, json};

use crate::harness::{Setup, ids, with};

/// Minimum share of the right titles on the first page of ten.
const MIN_ON_PAGE: f64 = 0.95;

/// Minimum share of the right titles in first place.
const MIN_FIRST: f64 = 0.85;

fn pairs() -> Vec<Value> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/chinese/pairs.jsonl");
    let text = std::fs::read_to_string(path).expect(path);
    let pairs = text
        .lines()
        .map(|line| serde_json::from_str(line).expect(line));
    pairs.collect()
}

fn item(pair: &Value) -> Value {
    json!({
        "id": pair["id"], "title": pair["title"], "category": pair["category"], "brand": pair["brand"],
        "price": {"amount": pair["price"]}, "attributes": {"color": pair["color"]}
    })
}

#[actix_web::test]
async fn every_query_with_a_right_title_finds_it_by_words_and_understood() {
    let setup = Setup {
        models: false,
        ..Setup::default()
    };
    let api = with(setup).await;
    let pairs = pairs();
    assert_eq!(pairs.len(), 100);
    let config = json!({"attributes": {"color": "keyword"}, "vectors": {"shared": {"dim": 2}}});
    api.put("/v1/collections/shop", config).await.ok();
    let items: Vec<_> = pairs.iter().map(item).collect();
    api.put("/v1/collections/shop/items", json!(items))
        .await
        .ok();
    for (how, more) in [
        ("by words", json!({})),
        ("understood", json!({"understand": {}})),
    ] {
        let (mut first, mut on_page, mut later, mut missed) = (0, 0, Vec::new(), Vec::new());
        for pair in &pairs {
            let mut body =
                json!({"query": {"text": pair["query"]}, "mode": "lexical", "limit": 100});
            body.as_object_mut()
                .unwrap()
                .extend(more.as_object().unwrap().clone());
            let found = api.post("/v1/collections/shop/search", body).await.ok();
            let place = ids(&found).iter().position(|id| *id == pair["id"]);
            match place {
                None => missed.push(format!("{} ({} hits)", pair["query"], ids(&found).len())),
                Some(place) => {
                    first += usize::from(place == 0);
                    on_page += usize::from(place < 10);
                    if place > 0 {
                        later.push(format!("{} at {}", pair["query"], place + 1));
                    }
                }
            }
        }
        println!(
            "{how}: {first} first, {on_page} of the first ten; later: {later:?}; not found: {missed:?}"
        );
        assert!(missed.is_empty(), "{how}: not found: {missed:?}");
        let all = pairs.len() as f64;
        assert!(
            on_page as f64 / all >= MIN_ON_PAGE,
            "{how}: {on_page}; {later:?}"
        );
        assert!(first as f64 / all >= MIN_FIRST, "{how}: {first}; {later:?}");
    }
}
