//! Random operations, restarts, seals and merges among them, against a plain map with exact search.
//! The seed is printed and taken from `VITRINE_SEED`.

use std::collections::BTreeMap;

use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use serde_json::{Value, json};
use vitrine::{Collection, Database, Options, schemas::Item};

use crate::support::{config, filter, item, near};

const OPERATIONS: usize = 20_000;
const IDS: u32 = 300;
const COLORS: [&str; 3] = ["red", "green", "blue"];
const CATEGORIES: [&str; 4] = ["Shoes", "Shoes > Boots", "Shoes > Boots > Winter", "Hats"];

type Model = BTreeMap<String, Item>;
type Predicate = Box<dyn Fn(&Item) -> bool>;

fn random_item(rng: &mut StdRng) -> Value {
    let mut value = json!({"id": format!("{}", rng.random_range(0..IDS)), "attributes": {}});
    if rng.random_bool(0.8) {
        value["category"] = json!(CATEGORIES.choose(rng));
    }
    if rng.random_bool(0.8) {
        value["price"] = json!({"amount": f64::from(rng.random_range(0..20))});
    }
    if rng.random_bool(0.7) {
        let many = rng.random_range(1..3);
        value["attributes"]["color"] = json!(COLORS.choose_multiple(rng, many).collect::<Vec<_>>());
    }
    value["hidden"] = json!(rng.random_bool(0.05));
    if rng.random_bool(0.9) {
        // Whole numbers: distances are exact, so ties are real ones.
        value["vectors"] = json!({"shared": [rng.random_range(0..12), rng.random_range(0..12)]});
    }
    value
}

/// A filter and the same as a predicate.
fn random_filter(rng: &mut StdRng, depth: usize) -> (Value, Predicate) {
    match rng.random_range(0..if depth == 0 { 4 } else { 6 }) {
        0 => {
            let color = *COLORS.choose(rng).unwrap();
            let tree = json!({"key": "color", "match": {"value": color}});
            let has = move |i: &Item| {
                i.attributes
                    .get("color")
                    .is_some_and(|c| c.as_array().unwrap().contains(&json!(color)))
            };
            (tree, Box::new(has))
        }
        1 => {
            let most = f64::from(rng.random_range(0..20));
            let tree = json!({"key": "price", "range": {"lte": most}});
            (
                tree,
                Box::new(move |i| i.price.as_ref().is_some_and(|p| p.amount <= most)),
            )
        }
        2 => {
            let category = *CATEGORIES.choose(rng).unwrap();
            let tree = json!({"key": "category", "match": {"value": category}});
            let below = move |i: &Item| {
                i.category
                    .as_deref()
                    .is_some_and(|c| c == category || c.starts_with(&format!("{category} > ")))
            };
            (tree, Box::new(below))
        }
        3 => {
            let tree = json!({"is_empty": {"key": "color"}});
            (tree, Box::new(|i| !i.attributes.contains_key("color")))
        }
        4 => {
            let (a, pa) = random_filter(rng, depth - 1);
            let (b, pb) = random_filter(rng, depth - 1);
            (
                json!({"must": [a], "must_not": [b]}),
                Box::new(move |i| pa(i) && !pb(i)),
            )
        }
        _ => {
            let (a, pa) = random_filter(rng, depth - 1);
            let (b, pb) = random_filter(rng, depth - 1);
            (json!({"should": [a, b]}), Box::new(move |i| pa(i) || pb(i)))
        }
    }
}

fn check_search(shop: &Collection, model: &Model, rng: &mut StdRng) {
    let query = [rng.random_range(0..12), rng.random_range(0..12)];
    let (tree, passes) = random_filter(rng, 2);
    let mut search = near(&query.map(|x| x as f32), rng.random_range(1..30));
    search.filter = Some(filter(json!({"must": [tree]})));
    search.exact = rng.random_bool(0.5);
    let mut expected: Vec<_> = model
        .values()
        .filter(|i| !i.hidden && passes(i))
        .filter_map(|i| {
            let v = i.vectors.get("shared")?;
            Some((
                (v[0] as i32 - query[0]).pow(2) + (v[1] as i32 - query[1]).pow(2),
                i.id.clone(),
            ))
        })
        .collect();
    expected.sort();
    expected.truncate(search.limit);
    let hits = shop.search_vectors(&search).unwrap().hits;
    let found: Vec<_> = hits.iter().map(|h| &h.id).collect();
    assert_eq!(
        found,
        expected.iter().map(|(_, id)| id).collect::<Vec<_>>(),
        "{tree} near {query:?}"
    );
}

fn check_all(shop: &Collection, model: &Model) {
    let (mut items, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let (page, next) = shop.scroll(None, 100, cursor.as_deref(), true).unwrap();
        items.extend(page);
        cursor = next;
        if cursor.is_none() {
            break;
        }
    }
    assert!(items.iter().eq(model.values()), "the items differ");
}

#[test]
fn random_operations_match_a_plain_map() {
    let seed = std::env::var("VITRINE_SEED")
        .ok()
        .and_then(|s| s.parse().ok())
        .unwrap_or_else(rand::random::<u64>);
    println!("VITRINE_SEED={seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    let dir = tempfile::tempdir().unwrap();
    let open = || {
        let db = Database::open(dir.path(), Options::default()).unwrap();
        let shop = db.create_collection("shop", config()).unwrap();
        (db, shop)
    };
    let (mut db, mut shop) = open();
    let mut model = Model::new();
    for _ in 0..OPERATIONS {
        match rng.random_range(0..100) {
            0..35 => {
                let items: Vec<_> = (0..rng.random_range(1..20))
                    .map(|_| item(random_item(&mut rng)))
                    .collect();
                for outcome in shop.upsert(items.clone()).unwrap() {
                    outcome.unwrap();
                }
                model.extend(items.into_iter().map(|i| (i.id.clone(), i)));
            }
            35..50 => {
                let ids: Vec<_> = (0..rng.random_range(1..10))
                    .map(|_| rng.random_range(0..IDS).to_string())
                    .collect();
                let there = ids.iter().filter(|id| model.remove(*id).is_some()).count();
                assert_eq!(shop.delete(&ids).unwrap(), there as u64);
            }
            50..53 => {
                let (tree, passes) = random_filter(&mut rng, 1);
                let before = model.len();
                model.retain(|_, i| !passes(i));
                let deleted = shop
                    .delete_matching(&filter(json!({"must": [tree]})))
                    .unwrap();
                assert_eq!(deleted as usize, before - model.len());
            }
            53..60 => {
                let Some(id) = model.keys().nth(rng.random_range(0..IDS as usize)).cloned() else {
                    continue;
                };
                let changed = item(random_item(&mut rng));
                let mut patch = json!({"price": changed.price, "category": changed.category});
                if rng.random_bool(0.5) {
                    patch["vectors"] = json!({"shared": [rng.random_range(0..12), 3]});
                }
                let after = shop.patch(&id, patch.as_object().unwrap()).unwrap();
                assert_eq!(after.price, changed.price);
                model.insert(id, after);
            }
            60..61 => {
                drop((shop, db));
                (db, shop) = open();
                check_all(&shop, &model);
            }
            61..62 => {
                // Seals and merges: the answers stay what they are.
                db.optimize("shop").unwrap();
            }
            62..70 => {
                let (tree, passes) = random_filter(&mut rng, 2);
                let counted = shop.count(Some(&filter(json!({"must": [tree]})))).unwrap();
                assert_eq!(
                    counted as usize,
                    model.values().filter(|i| passes(i)).count()
                );
            }
            _ => check_search(&shop, &model, &mut rng),
        }
    }
    check_all(&shop, &model);
    assert_eq!(db.info("shop").unwrap().items as usize, model.len());
}
