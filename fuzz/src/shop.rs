//! A database with a small shop, whose items have values of all kinds.

use std::sync::{Arc, LazyLock};

use serde_json::{Value, json};
use tempfile::TempDir;
use vitrine::{
    Collection, Database, Options,
    schemas::{CollectionConfig, Event, Item},
};

/// Kinds of things that the shop sells: category, title, two colors.
const THINGS: [(&str, &str, [&str; 2]); 8] = [
    (
        "Shoes > Running Shoes",
        "running shoes",
        ["red", "navy blue"],
    ),
    ("Shoes > Boots", "leather boots", ["black", "brown"]),
    ("Clothing > Dresses", "summer dress", ["red", "white"]),
    (
        "Electronics > Laptops",
        "gaming laptop 16 GB 1 TB",
        ["grey", "silver"],
    ),
    ("Home > Lamps", "desk lamp 60 cm", ["white", "gold"]),
    ("鞋 > 跑鞋", "跑鞋", ["红色", "蓝色"]),
    ("服装 > 羽绒服", "羽绒服", ["黑色", "白色"]),
    ("数码 > 手机", "手机 256GB", ["金色", "银色"]),
];

/// Brands of the items.
const BRANDS: [&str; 6] = ["Nike", "The North Face", "Levi's", "Apple", "李宁", "华为"];

const GENDERS: [&str; 4] = ["men", "women", "男", "女"];
const MATERIALS: [&str; 3] = ["leather", "cotton", "wool"];
const SIZES: [[&str; 2]; 2] = [["38", "39"], ["M", "L"]];
const EVENT_KINDS: [&str; 4] = ["view", "click", "add_to_cart", "purchase"];

/// The shop of most targets. It is never written to after it was made.
pub static SHOP: LazyLock<Shop> = LazyLock::new(Shop::new);

/// A collection in a database of its own.
pub struct Shop {
    /// The collection.
    pub collection: Arc<Collection>,
    _database: Database,
    _folder: TempDir,
}

/// Returns options without maintenance, so that equal inputs do the same.
pub fn options() -> Options {
    Options {
        index_threads: 0,
        canary: false,
        ..Options::default()
    }
}

/// Returns the schema of the shop.
pub fn config() -> CollectionConfig {
    let config = json!({
        "attributes": {
            "color": "keyword", "gender": "keyword", "size": "keyword", "material": "keyword",
            "stock": "integer", "rating": "float", "sale": "bool", "since": "datetime",
            "author": "keyword", "kind": "category",
        },
        "vectors": {"shared": {"dim": 2, "metric": "l2"}},
    });
    serde_json::from_value(config).expect("a valid schema")
}

/// Returns the items of the shop.
pub fn items() -> Vec<Item> {
    let item = |n: usize| {
        let (category, title, colors) = THINGS[n % THINGS.len()];
        let color = colors[n / THINGS.len() % 2];
        let mut item = json!({
            "id": format!("i{n}"),
            "title": format!("{color} {title}"),
            "description": format!("{title} for {}", GENDERS[n % 4]),
            "brand": BRANDS[n % BRANDS.len()],
            "category": category,
            "price": {"amount": (n * 37 % 300) as f64 + 0.99, "currency": "USD"},
            "attributes": {
                "color": color,
                "gender": GENDERS[n % 4],
                "size": SIZES[n % 2],
                "material": MATERIALS[n % 3],
                "stock": n % 5, "rating": (n % 50) as f64 / 10.0, "sale": n.is_multiple_of(2),
                "since": format!("2026-01-{:02}T00:00:00Z", n % 28 + 1),
                "author": format!("a{}", n % 3),
                "kind": "Wear > Outdoor",
            },
            "vectors": {"shared": [n % 7, n % 11]},
        });
        if n.is_multiple_of(9) {
            let variant = |k: usize| {
                json!({
                    "id": format!("i{n}v{k}"),
                    "attributes": {"size": format!("{}", 38 + k), "color": colors[k % 2]},
                    "price": {"amount": 20 + k, "currency": "USD"},
                })
            };
            item["variants"] = Value::Array((0..3).map(variant).collect());
        }
        serde_json::from_value(item).expect("a valid item")
    };
    (0..48).map(item).collect()
}

/// Returns events of a few users.
pub fn events() -> Vec<Event> {
    let event = |n: usize| {
        let event = json!({
            "id": format!("e{n}"), "collection": "shop", "user": format!("u{}", n % 6),
            "kind": EVENT_KINDS[n % 4],
            "items": [format!("i{}", n * 7 % 48)],
            "ts": format!("2026-02-{:02}T12:00:00Z", n % 28 + 1),
        });
        serde_json::from_value(event).expect("a valid event")
    };
    (0..120).map(event).collect()
}

impl Shop {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let database = Database::open(folder.path(), options()).expect("a new database");
        let collection = fill(&database);
        Self {
            collection,
            _database: database,
            _folder: folder,
        }
    }
}

/// Creates and fills the collection `shop`.
pub fn fill(database: &Database) -> Arc<Collection> {
    let collection = database
        .create_collection("shop", config())
        .expect("a new collection");
    for outcome in collection.upsert(items()).expect("a write") {
        outcome.expect("an accepted item");
    }
    database.append_events(&events()).expect("accepted events");
    let training = vitrine::Training::default();
    collection.train(&training).expect("a model");
    collection
}
