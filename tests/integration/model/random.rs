//! Random items, and filters with the predicate that each stands for.

use rand::{Rng, rngs::StdRng, seq::IndexedRandom};
use serde_json::{Value, json};
use vitrine::schemas::Item;

use super::IDS;

pub const COLORS: [&str; 3] = ["red", "green", "blue"];
const CATEGORIES: [&str; 4] = ["Shoes", "Shoes > Boots", "Shoes > Boots > Winter", "Hats"];
pub const WORDS: [&str; 4] = ["kettle", "lamp", "chair", "mug"];

pub type Predicate = Box<dyn Fn(&Item) -> bool>;

pub fn random_item(rng: &mut StdRng) -> Value {
    let mut value = json!({"id": format!("{}", rng.random_range(0..IDS)), "attributes": {}});
    if rng.random_bool(0.8) {
        let words: Vec<_> = WORDS.choose_multiple(rng, 2).copied().collect();
        value["title"] = json!(words.join(" "));
    }
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

/// Returns a filter, and the same as a predicate.
pub fn random_filter(rng: &mut StdRng, depth: usize) -> (Value, Predicate) {
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
