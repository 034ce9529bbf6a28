//! Variants and sales: a filter holds for one variant, facets count items, a hit offers the variant
//! that matched at the price that is asked now.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering::Relaxed},
};

use serde_json::json;
use vitrine::{
    Clock, Collection, Database, LexicalQuery, Options, Search, Shopper,
    schemas::{FacetsRequest, FilterSpec, Hit, RecommendRequest},
};

use crate::support::{Fixture, item, messages, put};

fn config() -> vitrine::schemas::CollectionConfig {
    serde_json::from_value(json!({
        "attributes": {"size": "keyword", "color": "keyword", "sku": "keyword", "gtin": "keyword"},
        "vectors": {"shared": {"dim": 2}},
    }))
    .expect("a config")
}

/// A shirt whose size M is sold out, a hat without variants, a coat that is sold out in all sizes.
fn stock(shop: &Collection) {
    let shirt = |size: &str, color: &str, availability: &str, amount: f64| {
        json!({"id": format!("SHIRT-{size}-{color}"), "price": {"amount": amount, "currency": "EUR"},
            "availability": availability,
            "attributes": {"size": size, "color": color, "sku": format!("SHIRT-{size}-{color}")}})
    };
    put(
        shop,
        &[
            json!({"id": "shirt", "title": "Linen shirt", "brand": "Nord", "price": {"amount": 20},
            "variants": [
                shirt("S", "blue", "in_stock", 20.0), shirt("M", "blue", "out_of_stock", 20.0),
                shirt("L", "red", "in_stock", 35.0),
            ]}),
            json!({"id": "hat", "title": "Linen hat", "price": {"amount": 12}, "availability": "in_stock",
                "attributes": {"size": "M", "color": "blue", "gtin": "4006381333962"}}),
            json!({"id": "coat", "title": "Linen coat", "variants": [
                {"id": "c1", "availability": "out_of_stock", "attributes": {"size": "M"}},
                {"id": "c2", "availability": "out_of_stock", "attributes": {"size": "L"}},
            ]}),
        ],
    );
}

fn shop() -> (Fixture, Arc<Collection>) {
    let fixture = Fixture::new();
    let shop = fixture
        .db
        .create_collection("shop", config())
        .expect("create");
    stock(&shop);
    (fixture, shop)
}

fn search(shop: &Collection, text: &str, filter: Option<&str>) -> Vec<Hit> {
    let request = Search {
        lexical: Some(LexicalQuery {
            text: text.into(),
            ..LexicalQuery::default()
        }),
        text: Some(text.into()),
        filter: filter.map(|text| FilterSpec::Text(text.into())),
        limit: 10,
        ..Search::default()
    };
    let response = shop.search(&request, &Shopper::default());
    response.expect("search").hits
}

fn matching(shop: &Collection, filter: &str) -> Vec<String> {
    let filter = FilterSpec::Text(filter.into());
    let page = shop
        .scroll(Some(&filter), 100, None, false)
        .expect("scroll");
    let count = shop.count(Some(&filter)).expect("count");
    assert_eq!(count, page.0.len() as u64, "{filter:?}");
    page.0.into_iter().map(|item| item.id).collect()
}

fn variant(hit: &Hit) -> Option<&str> {
    let offer = hit.offer.as_ref()?;
    Some(offer.variant.as_ref()?.id.as_str())
}

#[test]
fn a_filter_holds_for_one_variant() {
    let (_fixture, shop) = shop();
    let cases: [(&str, &[&str]); 13] = [
        ("size = M", &["coat", "hat", "shirt"]),
        ("size = M AND availability = in_stock", &["hat"]),
        ("size = L AND availability = in_stock", &["shirt"]),
        ("size = S AND color = red", &[]),
        ("size = L AND price > 30", &["shirt"]),
        ("size = S AND price > 30", &[]),
        ("brand = Nord AND size = S", &["shirt"]),
        ("NOT availability = out_of_stock", &["hat", "shirt"]),
        ("availability = out_of_stock", &["coat"]),
        ("size = M AND availability != out_of_stock", &["hat"]),
        ("availability IS EMPTY", &[]),
        ("(size = S OR size = M) AND color = blue", &["hat", "shirt"]),
        ("sku = 'SHIRT-L-red'", &["shirt"]),
    ];
    for (filter, expected) in cases {
        assert_eq!(matching(&shop, filter), expected, "{filter}");
    }
}

#[test]
fn a_variant_is_found_by_its_sku_and_barcode() {
    let (_fixture, shop) = shop();
    let hits = search(&shop, "SHIRT-L-red", None);
    assert_eq!(hits[0].id, "shirt");
    assert_eq!(variant(&hits[0]), Some("SHIRT-L-red"));
    let offer = hits[0].offer.as_ref().expect("an offer");
    assert_eq!(offer.price.as_ref().map(|p| p.amount), Some(35.0));
    assert_eq!(search(&shop, "4006381333962", None)[0].id, "hat");
    let hits = search(&shop, "linen shirt", Some("size = M"));
    assert_eq!(variant(&hits[0]), Some("SHIRT-M-blue"));
    let hits = search(&shop, "linen shirt", None);
    assert_eq!(
        variant(&hits[0]),
        Some("SHIRT-S-blue"),
        "the first in stock"
    );
}

#[test]
fn facets_count_items() {
    let (_fixture, shop) = shop();
    let facets = |filter: Option<&str>| {
        let request: FacetsRequest = serde_json::from_value(json!({
            "filter": filter, "facets": [{"field": "size"}, {"field": "color"}],
        }))
        .expect("a request");
        let response = shop.facets(&request).expect("facets");
        let fields = response.facets.into_iter().map(|facet| {
            let counts = facet.values.into_iter().map(|v| (v.value, v.count));
            (counts.collect::<Vec<_>>(), facet.missing)
        });
        (response.matching, fields.collect::<Vec<_>>())
    };
    let counts = |pairs: &[(&str, u64)]| -> Vec<(String, u64)> {
        pairs.iter().map(|(v, n)| ((*v).to_owned(), *n)).collect()
    };
    let (matching, fields) = facets(None);
    assert_eq!(matching, 3);
    assert_eq!(fields[0], (counts(&[("M", 3), ("L", 2), ("S", 1)]), 0));
    assert_eq!(fields[1], (counts(&[("blue", 2), ("red", 1)]), 1));
    let (matching, fields) = facets(Some("availability = in_stock"));
    assert_eq!(matching, 2);
    assert_eq!(fields[0], (counts(&[("L", 1), ("M", 1), ("S", 1)]), 0));
}

#[test]
fn replaced_and_deleted_items_leave_no_variants() {
    let (_fixture, shop) = shop();
    put(
        &shop,
        &[json!({"id": "shirt", "title": "Linen shirt", "attributes": {"size": "XL"}})],
    );
    assert_eq!(matching(&shop, "size = S"), Vec::<String>::new());
    assert_eq!(matching(&shop, "size = XL"), ["shirt"]);
    assert!(
        search(&shop, "SHIRT-L-red", None)
            .iter()
            .all(|hit| hit.id != "shirt" || variant(hit).is_none())
    );
    shop.delete(&["coat".to_owned()]).expect("deleted");
    assert_eq!(matching(&shop, "size = L"), Vec::<String>::new());
    put(
        &shop,
        &[
            json!({"id": "sock", "variants": [{"id": "1", "attributes": {"size": "L"}}, {"id": "2"}]}),
        ],
    );
    assert_eq!(
        matching(&shop, "size = L"),
        ["sock"],
        "freed rows belong to the new item"
    );
}

#[test]
fn invalid_variants_are_refused_by_name() {
    let (_fixture, shop) = shop();
    let cases = [
        (json!([{"id": ""}]), "/variants/0/id expected an id"),
        (
            json!([{"id": "a"}, {"id": "a"}]),
            "/variants/1/id expected an id",
        ),
        (
            json!([{"id": "a", "price": {"amount": -1}}]),
            "/variants/0/price/amount expected a finite number",
        ),
        (
            json!([{"id": "a", "attributes": {"weight": 1}}]),
            "/variants/0/attributes/weight is not declared",
        ),
        (
            json!([{"id": "a", "attributes": {"size": 1}}]),
            "/variants/0/attributes/size is 1",
        ),
        (
            json!([{"id": "a", "sale_price": {"amount": 1, "starts_at": "monday"}}]),
            "/variants/0/sale_price/starts_at expected an RFC 3339 time",
        ),
        (
            json!([{"id": "a", "sale_price": {"amount": 1, "starts_at": "2026-01-02T00:00:00Z", "ends_at": "2026-01-01T00:00:00Z"}}]),
            "/variants/0/sale_price/ends_at expected a time after",
        ),
    ];
    for (variants, expected) in cases {
        let item = item(json!({"id": "x", "variants": variants}));
        let outcome = shop.upsert(vec![item]).expect("write").remove(0);
        let found = messages(&outcome.expect_err("refused"));
        assert!(found.starts_with(expected), "{found}");
    }
}

#[test]
fn a_sale_begins_and_ends_without_a_write() {
    let now = Arc::new(AtomicI64::new(0));
    let dir = tempfile::tempdir().expect("a folder");
    let clock = now.clone();
    let options = || Options {
        clock: Clock::new({
            let clock = clock.clone();
            move || clock.load(Relaxed)
        }),
        ..Options::default()
    };
    let set_time = |time: &str| {
        let time = chrono::DateTime::parse_from_rfc3339(time).expect("a time");
        now.store(time.timestamp_micros(), Relaxed);
    };
    set_time("2026-06-01T00:00:00Z");
    let db = Database::open(dir.path(), options()).expect("open");
    let shop = db.create_collection("shop", config()).expect("create");
    let price = json!({"amount": 100, "currency": "EUR"});
    let sale = json!({"amount": 60, "starts_at": "2026-06-10T00:00:00Z", "ends_at": "2026-06-20T00:00:00Z"});
    put(
        &shop,
        &[
            json!({"id": "plain", "title": "tent", "price": price, "sale_price": sale}),
            json!({"id": "variants", "title": "tent", "variants": [{"id": "v", "price": price, "sale_price": sale}]}),
            json!({"id": "inherited", "title": "tent", "price": price, "sale_price": sale, "variants": [{"id": "v"}]}),
            json!({"id": "always", "title": "tent", "price": price, "sale_price": {"amount": 50}}),
            json!({"id": "reduced", "title": "tent", "price": {"amount": 99}, "original_price": price}),
        ],
    );
    let asked = |shop: &Collection| -> Vec<(String, f64)> {
        let hits = search(shop, "tent", None).into_iter();
        let mut asked: Vec<_> = hits
            .map(|hit| {
                let offer = hit.offer.expect("an offer");
                (hit.id, offer.price.expect("a price").amount)
            })
            .collect();
        asked.sort_by(|a, b| a.0.cmp(&b.0));
        asked
    };
    let wait = |shop: &Collection, filter: &str, expected: &[&str]| {
        for _ in 0..100 {
            if matching(shop, filter) == expected {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        panic!("{filter}: {:?}", matching(shop, filter));
    };
    wait(&shop, "price <= 70", &["always"]);
    wait(&shop, "on_sale = true", &["always", "reduced"]);
    set_time("2026-06-15T00:00:00Z");
    wait(
        &shop,
        "price <= 70",
        &["always", "inherited", "plain", "variants"],
    );
    wait(&shop, "on_sale = false", &[]);
    let prices = [
        ("always", 50.0),
        ("inherited", 60.0),
        ("plain", 60.0),
        ("reduced", 99.0),
        ("variants", 60.0),
    ];
    assert_eq!(
        asked(&shop),
        prices.map(|(id, price)| (id.to_owned(), price))
    );
    drop((shop, db));
    set_time("2026-06-25T00:00:00Z");
    let db = Database::open(dir.path(), options()).expect("open");
    let shop = db.collection("shop").expect("there");
    assert_eq!(
        matching(&shop, "price <= 70"),
        ["always"],
        "after a restart"
    );
    put(
        &shop,
        &[json!({"id": "plain", "title": "tent", "price": price})],
    );
    assert_eq!(
        matching(&shop, "price = 100"),
        ["inherited", "plain", "variants"]
    );
}

#[test]
fn what_is_sold_out_in_all_variants_is_not_recommended() {
    let (_fixture, shop) = shop();
    let request = json!({"positives": ["hat"], "exclude_out_of_stock": true, "limit": 10});
    let request: RecommendRequest = serde_json::from_value(request).expect("a request");
    let response = shop.recommend(&request, None).expect("recommendations");
    let hits: Vec<_> = response.hits.into_iter().map(|hit| hit.id).collect();
    assert!(
        hits.contains(&"shirt".to_owned()),
        "a size is in stock: {hits:?}"
    );
    assert!(!hits.contains(&"coat".to_owned()), "{hits:?}");
}
