//! Searches without a query, sorted hits, their pages, and the matches of hybrid searches.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use vitrine::{
    Collection, LexicalQuery, Search, Shopper, Target, Training,
    schemas::{Event, FacetSpec, Hit, Rule, SearchResponse, SortSpec, TotalRelation},
};

use crate::support::{Fixture, filter, messages, put};

fn sorted(keys: Value) -> Search {
    let sort: Vec<SortSpec> = serde_json::from_value(keys).expect("sort keys");
    Search {
        sort,
        limit: 100,
        space: "shared".into(),
        ..Search::default()
    }
}

pub fn find(shop: &Collection, search: &Search) -> SearchResponse {
    shop.search(search, &Shopper::default()).expect("an answer")
}

fn ids(hits: &[Hit]) -> Vec<&str> {
    hits.iter().map(|hit| hit.id.as_str()).collect()
}

fn order(shop: &Collection, keys: Value) -> Vec<String> {
    let answer = find(shop, &sorted(keys));
    answer.hits.into_iter().map(|hit| hit.id).collect()
}

pub fn words(text: &str) -> Option<LexicalQuery> {
    Some(LexicalQuery {
        text: text.into(),
        ..LexicalQuery::default()
    })
}

/// Chairs with and without prices, ratings and colors.
fn chairs() -> Fixture {
    let fixture = Fixture::new();
    put(
        &fixture.shop(),
        &[
            json!({"id": "dear", "title": "Chair", "price": {"amount": 90}, "created_at": "2026-03-01", "brand": "B",
                   "attributes": {"rating": 4.5, "stock": 3, "color": ["red", "blue"]}}),
            json!({"id": "cheap", "title": "Chair", "price": {"amount": 5}, "created_at": "2026-01-01T00:00:00Z", "brand": "A",
                   "attributes": {"rating": 4.5, "stock": [9, 1], "color": "green"}}),
            json!({"id": "none", "title": "Chair", "attributes": {"color": "amber", "since": "2026-06-15"}}),
            json!({"id": "middle", "title": "Chair", "price": {"amount": 30}, "brand": "B", "attributes": {"rating": 3.0, "sale": true}}),
            json!({"id": "free", "title": "Chair", "price": {"amount": 0}, "created_at": "9999-12-31", "brand": "A",
                   "attributes": {"stock": -2, "sale": false, "since": "2026-06-15T12:00:00Z"}}),
            json!({"id": "also", "title": "Chair", "brand": "B"}),
        ],
    );
    fixture
}

#[test]
fn every_type_of_field_sorts_with_missing_values_last() {
    let fixture = chairs();
    let shop = fixture.db.collection("shop").expect("open");
    for (keys, wanted) in [
        (json!(["price:asc"]), "free cheap middle dear also none"),
        (json!(["price:desc"]), "dear middle cheap free also none"),
        (json!(["price"]), "free cheap middle dear also none"),
        (
            json!([{"field": "price", "order": "desc"}]),
            "dear middle cheap free also none",
        ),
        (
            json!(["created_at:desc"]),
            "free dear cheap also middle none",
        ),
        (json!(["stock:asc"]), "free cheap dear also middle none"),
        (json!(["stock:desc"]), "cheap dear free also middle none"),
        (json!(["color:asc"]), "none dear cheap also free middle"),
        (json!(["color:desc"]), "dear cheap none also free middle"),
        (json!(["sale"]), "free middle also cheap dear none"),
        (json!(["since:desc"]), "free none also cheap dear middle"),
        (
            json!(["brand", "price:desc"]),
            "cheap free dear middle also none",
        ),
        (
            json!(["rating:desc", "price"]),
            "cheap dear middle free also none",
        ),
        (
            json!(["attributes.rating:asc", "brand:desc"]),
            "middle dear cheap also free none",
        ),
        (json!(["popularity"]), "also cheap dear free middle none"),
    ] {
        let wanted: Vec<_> = wanted.split(' ').collect();
        assert_eq!(order(&shop, keys.clone()), wanted, "{keys}");
        let of_text = Search {
            lexical: words("chair"),
            ..sorted(keys.clone())
        };
        assert_eq!(ids(&find(&shop, &of_text).hits), wanted, "{keys}");
    }
}

#[test]
fn keys_that_do_not_sort_are_refused_with_those_that_do() {
    let fixture = chairs();
    let shop = fixture.db.collection("shop").expect("open");
    let refused = |keys: Value, search: Search| {
        let search = Search {
            sort: serde_json::from_value(keys).expect("keys"),
            ..search
        };
        messages(
            &shop
                .search(&search, &Shopper::default())
                .expect_err("refused"),
        )
    };
    let plain = || sorted(json!([]));
    let unknown = refused(json!(["prize:asc"]), plain());
    assert!(unknown.starts_with("/sort/0 no field `prize`"), "{unknown}");
    assert!(
        unknown.contains("price") && unknown.contains("rating"),
        "{unknown}"
    );
    let order = refused(json!(["price:up"]), plain());
    assert!(order.contains("`price:asc` or `price:desc`"), "{order}");
    let relevance = refused(json!(["price", "relevance"]), plain());
    assert!(relevance.starts_with("/sort/1"), "{relevance}");
    let many = refused(json!(vec!["price"; 9]), plain());
    assert!(many.contains("at most 8 keys, got 9"), "{many}");
    let far = Search {
        offset: 9_990,
        ..plain()
    };
    assert!(refused(json!(["price"]), far).starts_with("/offset"));
    let both = Search {
        offset: 1,
        cursor: Some("x".into()),
        ..plain()
    };
    assert!(refused(json!(["price"]), both).starts_with("/offset"));
    let foreign = Search {
        cursor: Some("e30".into()),
        ..plain()
    };
    assert!(refused(json!(["price"]), foreign).starts_with("/cursor"));
    assert!(
        serde_json::from_value::<SortSpec>(json!({"field": "price", "direction": "asc"})).is_err()
    );
}

/// 600 items with few prices, so that most are tied.
fn many() -> Fixture {
    let fixture = Fixture::new();
    let items: Vec<Value> = (0..600_u32)
        .map(|n| {
            json!({"id": format!("i{n}"), "title": "thing", "hidden": n % 100 == 7,
                   "price": (n % 5 != 0).then(|| json!({"amount": n % 7})),
                   "brand": format!("b{}", n % 3), "attributes": {"stock": n / 2}})
        })
        .collect();
    let items: Vec<Value> = items
        .into_iter()
        .map(|mut item| {
            if item["price"].is_null() {
                item.as_object_mut().expect("an object").remove("price");
            }
            item
        })
        .collect();
    put(&fixture.shop(), &items);
    fixture
}

pub fn pages(
    shop: &Collection,
    search: &Search,
    limit: usize,
    between: impl Fn(usize),
) -> Vec<String> {
    let (mut all, mut cursor) = (Vec::new(), None);
    for page in 0.. {
        let answer = find(
            shop,
            &Search {
                limit,
                cursor,
                ..search.clone()
            },
        );
        all.extend(answer.hits.into_iter().map(|hit| hit.id));
        cursor = answer.next_cursor;
        if cursor.is_none() {
            break;
        }
        between(page);
    }
    all
}

#[test]
fn pages_and_page_numbers_make_up_the_whole_order() {
    let fixture = many();
    let shop = fixture.db.collection("shop").expect("open");
    for keys in [
        json!(["price"]),
        json!(["price:desc"]),
        json!(["brand:desc", "price", "stock:desc"]),
        json!(["stock"]),
        json!(["popularity"]),
        json!([]),
    ] {
        for text in [None, words("thing")] {
            if text.is_some() && keys == json!([]) {
                continue;
            }
            let search = Search {
                lexical: text,
                limit: 1000,
                ..sorted(keys.clone())
            };
            let whole = find(&shop, &search);
            assert_eq!(whole.total.expect("a total").value, 594);
            assert_eq!(whole.total.expect("a total").relation, TotalRelation::Eq);
            let whole = ids(&whole.hits);
            assert_eq!(whole.len(), 594, "{keys}");
            for limit in [7, 100, 594] {
                assert_eq!(
                    pages(&shop, &search, limit, |_| {}),
                    whole,
                    "{keys} {limit}"
                );
            }
            for offset in [0, 1, 100, 590] {
                let limit = 50;
                let page = Search {
                    offset,
                    limit,
                    ..search.clone()
                };
                let page = find(&shop, &page);
                let end = whole.len().min(offset + limit);
                assert_eq!(ids(&page.hits), whole[offset..end], "{keys} {offset}");
            }
        }
    }
}

#[test]
fn a_changed_cursor_is_refused_and_never_a_panic() {
    let fixture = many();
    let shop = fixture.db.collection("shop").expect("open");
    let mut search = Search {
        limit: 5,
        ..sorted(json!(["price"]))
    };
    let cursor = find(&shop, &search).next_cursor.expect("more");
    let json = URL_SAFE_NO_PAD.decode(cursor).expect("base64");
    let json = String::from_utf8(json).expect("a JSON object");
    assert!(json.contains("\"shown\":5,"), "{json}");
    for shown in [u64::MAX, u64::MAX - 5, u64::from(u32::MAX) + 1] {
        let changed = json.replace("\"shown\":5,", &format!("\"shown\":{shown},"));
        search.cursor = Some(URL_SAFE_NO_PAD.encode(changed));
        let error = shop.search(&search, &Shopper::default());
        let error = error.expect_err("no collection has so many items");
        assert!(messages(&error).contains("next_cursor"), "{error}");
    }
    let largest = json.replace("\"shown\":5,", &format!("\"shown\":{},", u32::MAX));
    search.cursor = Some(URL_SAFE_NO_PAD.encode(largest));
    assert_eq!(find(&shop, &search).hits.len(), 5);
}

#[test]
fn nothing_is_lost_or_twice_while_items_are_written() {
    let fixture = many();
    let shop = fixture.db.collection("shop").expect("open");
    let search = sorted(json!(["price:desc", "brand"]));
    let old: BTreeSet<String> = pages(&shop, &search, 1000, |_| {}).into_iter().collect();
    let write = |page: usize| {
        let n = page * 11 % 600;
        put(
            &shop,
            &[
                json!({"id": format!("new{page}"), "title": "thing", "price": {"amount": page % 9}}),
                // Written again as it was.
                json!({"id": format!("i{}", n - n % 5 + 1), "title": "thing", "price": {"amount": (n - n % 5 + 1) % 7},
                       "brand": format!("b{}", (n - n % 5 + 1) % 3)}),
            ],
        );
    };
    let paged = pages(&shop, &search, 13, write);
    let distinct: BTreeSet<String> = paged.iter().cloned().collect();
    assert_eq!(paged.len(), distinct.len(), "no item twice");
    let missing: Vec<_> = old.difference(&distinct).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn a_category_page_has_facets_filters_and_rules() {
    let fixture = many();
    let shop = fixture.db.collection("shop").expect("open");
    let rule: Rule = serde_json::from_value(json!({
        "id": "r", "when": {},
        "then": {"pin": [{"id": "i599", "position": 2}], "hide": ["i0"], "bury": "brand = b1",
                 "boost": [{"items": "brand = b2", "factor": 3.0}]}
    }))
    .expect("a rule");
    shop.put_setting(rule).expect("stored");
    let facet: FacetSpec = serde_json::from_value(json!({"field": "brand"})).expect("a facet");
    let search = Search {
        facets: vec![facet],
        filter: Some(filter(json!("stock >= 100"))),
        ..sorted(json!(["price"]))
    };
    let whole = find(
        &shop,
        &Search {
            limit: 1000,
            ..search.clone()
        },
    );
    let total = whole.total.expect("a total").value;
    assert_eq!(whole.hits.len() as u64, total);
    assert_eq!(whole.hits[1].id, "i599", "the pin has its place");
    assert_eq!(
        whole.hits[1].reason.as_ref().expect("a reason").code,
        "pinned"
    );
    let facets = whole.facets.as_ref().expect("facets");
    let counted: u64 = facets.fields[0].values.iter().map(|v| v.count).sum();
    assert_eq!((counted, facets.items), (total, total));
    assert!(whole.rules[0].boosts_ignored && whole.rules[0].boosted == 0);
    let brands: Vec<_> = whole.hits.iter().filter(|h| h.id != "i599").collect();
    let first_buried = brands
        .iter()
        .position(|h| h.item.brand.as_deref() == Some("b1"));
    let after = &brands[first_buried.expect("buried items")..];
    assert!(
        after.iter().all(|h| h.item.brand.as_deref() == Some("b1")),
        "buried items are last"
    );
    let whole: Vec<String> = whole.hits.into_iter().map(|hit| hit.id).collect();
    for limit in [1, 9, 50] {
        assert_eq!(
            pages(&shop, &search, limit, |_| {}),
            whole,
            "pages of {limit}"
        );
    }
    let second = Search {
        offset: 9,
        limit: 9,
        ..search
    };
    assert_eq!(ids(&find(&shop, &second).hits), whole[9..18]);
}

#[test]
fn the_default_order_is_popularity_then_the_latest() {
    let fixture = chairs();
    let shop = fixture.db.collection("shop").expect("open");
    let latest = ["free", "dear", "cheap", "also", "middle", "none"];
    assert_eq!(order(&shop, json!([])), latest);
    for (user, item) in [("u1", "none"), ("u2", "none"), ("u3", "middle")] {
        let event =
            json!({"kind": "purchase", "collection": "shop", "user": user, "items": [item]});
        let event: Event = serde_json::from_value(event).expect("an event");
        fixture.db.append_events(&[event]).expect("stored");
    }
    let popular = ["none", "middle", "free", "dear", "cheap", "also"];
    assert_eq!(order(&shop, json!([])), popular);
}

fn price(hit: &vitrine::schemas::Hit) -> f64 {
    hit.item.price.as_ref().map_or(0.0, |price| price.amount)
}

#[test]
fn a_group_is_shown_once_in_a_sorted_list() {
    let fixture = many();
    let shop = fixture.db.collection("shop").expect("open");
    let shopper = Shopper {
        diversify: Some(serde_json::from_value(json!({"group_by": "brand"})).expect("a spec")),
        ..Shopper::default()
    };
    let answer = shop
        .search(&sorted(json!(["price"])), &shopper)
        .expect("an answer");
    assert_eq!(answer.hits.len(), 3);
    let prices: Vec<_> = answer.hits.iter().map(price).collect();
    assert!(prices.is_sorted(), "{prices:?}");
    let dearest = shop.search(&sorted(json!(["price:desc"])), &shopper);
    let prices: Vec<_> = dearest.expect("an answer").hits.iter().map(price).collect();
    assert!(prices.is_sorted_by(|a, b| a >= b), "{prices:?}");
    let mmr = Shopper {
        diversify: Some(serde_json::from_value(json!({"mmr": 0.5})).expect("a spec")),
        ..Shopper::default()
    };
    let refused = shop
        .search(&sorted(json!(["price"])), &mmr)
        .expect_err("refused");
    assert!(messages(&refused).starts_with("/diversify/mmr"));
}

#[test]
fn scrolls_are_sorted_with_hidden_items() {
    let fixture = many();
    let shop = fixture.db.collection("shop").expect("open");
    let sort: Vec<SortSpec> = serde_json::from_value(json!(["price:desc"])).expect("keys");
    let (mut all, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let page = shop.scroll_sorted(None, &sort, 77, cursor.as_deref(), false);
        let (items, next) = page.expect("a page");
        all.extend(items);
        cursor = next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(all.len(), 600);
    let key = |item: &vitrine::schemas::Item| item.price.as_ref().map_or(-1.0, |p| p.amount);
    let ordered = all.is_sorted_by(|a, b| key(a) > key(b) || (key(a) == key(b) && a.id < b.id));
    assert!(ordered, "by price, then by id");
}

#[test]
fn pages_of_every_mode_are_in_the_order_of_one_long_page() {
    let fixture = Fixture::new();
    let colors = ["red", "blue", "green", "steel", "wooden", "large", "small"];
    let items: Vec<Value> = (0..400_usize)
        .map(|n| {
            json!({"id": format!("i{n}"), "title": format!("{} {} bottle", colors[n % 7], colors[n / 7 % 7]),
                   "vectors": {"shared": [(n % 23) as f64, (n % 17) as f64]}})
        })
        .collect();
    put(&fixture.shop(), &items);
    let shop = fixture.db.collection("shop").expect("open");
    for (target, lexical) in [
        (None, words("red steel bottle")),
        (
            Some(Target::Vector(vec![3.0, 4.0])),
            words("red steel bottle"),
        ),
        (Some(Target::Vector(vec![3.0, 4.0])), None),
    ] {
        let search = Search {
            target,
            lexical,
            relevance: Some(0.0),
            limit: 1000,
            space: "shared".into(),
            ..Search::default()
        };
        let whole = find(&shop, &search);
        let scores: Vec<f32> = whole.hits.iter().map(|hit| hit.score).collect();
        assert!(scores.is_sorted_by(|a, b| a >= b));
        let whole = ids(&whole.hits);
        assert_eq!(whole.len(), 400);
        for limit in [1, 7, 25, 100] {
            if limit > 1 {
                assert_eq!(pages(&shop, &search, limit, |_| {}), whole, "{limit}");
            }
            let second = Search {
                limit,
                offset: limit,
                ..search.clone()
            };
            assert_eq!(
                ids(&find(&shop, &second).hits),
                whole[limit..2 * limit],
                "{limit}"
            );
        }
    }
}

#[test]
fn sorted_searches_go_on_while_models_are_trained() {
    let fixture = chairs();
    let shop = fixture.shop();
    let event =
        json!({"kind": "purchase", "collection": "shop", "user": "u", "items": ["cheap", "dear"]});
    let event: Event = serde_json::from_value(event).expect("an event");
    fixture.db.append_events(&[event]).expect("stored");
    let is_done = Arc::new(AtomicBool::new(false));
    let (trainer, trained) = (shop.clone(), is_done.clone());
    std::thread::spawn(move || {
        while !trained.load(Relaxed) {
            trainer.train(&Training::default()).expect("a model");
        }
    });
    let (sender, searched) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for _ in 0..3_000 {
            find(&shop, &sorted(json!(["price"])));
        }
        sender.send(()).expect("a receiver");
    });
    let finished = searched.recv_timeout(Duration::from_secs(60));
    is_done.store(true, Relaxed);
    if finished.is_err() {
        // It would wait for the training, too.
        std::mem::forget(fixture);
        panic!("a search waits for a training that waits for it");
    }
}
