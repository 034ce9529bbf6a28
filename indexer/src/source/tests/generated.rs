//! Catalogs of a generator, in ten forms: each reads to the same items, and every broken row is
//! named.
//!
//! `VITRINE_CATALOGS` is the number of catalogs (`make catalogs`: 10,000).

use std::collections::{BTreeMap, BTreeSet};

use rand::{
    Rng, SeedableRng,
    rngs::SmallRng,
    seq::{IndexedRandom, SliceRandom},
};
use serde_json::{Value, json};
use vitrine_schemas::Availability;

use super::*;

const CATALOGS: u64 = 200;
const FORMS: [Form; 10] = [
    Form::Csv,
    Form::QuotedCsv,
    Form::MappedCsv,
    Form::Tsv,
    Form::Rss,
    Form::Atom,
    Form::ApiLines,
    Form::LooseLines,
    Form::MappedLines,
    Form::Shopify,
];
const WORDS: [&str; 12] = [
    "Kettle",
    "red",
    "24\" screen",
    "caf\u{e9}",
    "Salt & pepper",
    "50% wool",
    "H&M",
    "chair, oak",
    "a;b",
    "\u{65e5}\u{672c}",
    "size 10.50",
    "00123",
];
const MAPPING: &str = "id = 'sku'\ntitle = 'name'\nbrand = 'maker'\navailability = 'stock state'\n\
    price = { amount = 'cost', currency_fixed = 'EUR' }\n";

#[derive(Debug, Clone, Copy, PartialEq)]
enum Form {
    Csv,
    QuotedCsv,
    MappedCsv,
    Tsv,
    Rss,
    Atom,
    ApiLines,
    LooseLines,
    MappedLines,
    Shopify,
}

/// Product, as it must be read.
#[derive(Debug, Clone, PartialEq)]
struct Product {
    id: String,
    title: String,
    brand: Option<String>,
    cents: u64,
    is_available: bool,
}

/// Entry of a catalog.
enum Entry {
    Product(Product),
    /// Row that no reader can use.
    Broken,
}

fn text(random: &mut SmallRng) -> String {
    let count = random.random_range(1..4);
    let words: Vec<&str> = WORDS.choose_multiple(random, count).copied().collect();
    words.join(" ")
}

fn product(random: &mut SmallRng, id: String) -> Product {
    let cents = match random.random_range(0..3) {
        // Whole thousands are written with a separator that has two readings.
        0 => random.random_range(1..1000) * 100_000,
        1 => random.random_range(1..500) * 100,
        _ => random.random_range(1..500_000),
    };
    Product {
        id,
        title: text(random),
        brand: random.random_bool(0.7).then(|| text(random)),
        cents,
        is_available: random.random_bool(0.6),
    }
}

/// Returns the entries of a catalog: duplicates and broken rows between products.
fn entries(random: &mut SmallRng) -> Vec<Entry> {
    let count = random.random_range(1..12);
    let mut entries = Vec::new();
    for n in 0..count {
        if random.random_bool(0.2) {
            entries.push(Entry::Broken);
        }
        let id = match n > 0 && random.random_bool(0.2) {
            true => random.random_range(0..n),
            false => n,
        };
        entries.push(Entry::Product(product(random, format!("0{id}"))));
    }
    // Its price has one reading, so the column shows its decimal mark.
    let clear = Product {
        cents: 1234,
        ..product(random, "clear".to_owned())
    };
    entries.push(Entry::Product(clear));
    entries
}

/// Writes an amount with a decimal mark.
fn price(random: &mut SmallRng, cents: u64, mark: char) -> String {
    let (whole, rest) = (cents / 100, cents % 100);
    let groups = match mark {
        ',' => ['.', ' ', '\u{a0}'],
        _ => [',', '\'', '\u{2009}'],
    };
    let group = *groups.choose(random).unwrap_or(&' ');
    let whole = if whole >= 1000 && random.random_bool(0.8) {
        let (thousands, units) = (whole / 1000, whole % 1000);
        format!("{thousands}{group}{units:03}")
    } else {
        whole.to_string()
    };
    let number = if rest == 0 && random.random_bool(0.7) {
        whole
    } else {
        format!("{whole}{mark}{rest:02}")
    };
    match random.random_range(0..6) {
        0 => format!("{number} EUR"),
        1 => format!("EUR {number}"),
        2 => format!("\u{20ac}{number}"),
        3 => format!("{number} \u{20ac}"),
        4 => format!("{number}EUR"),
        _ => format!("eur {number}"),
    }
}

fn stock(random: &mut SmallRng, is_available: bool) -> &'static str {
    let words = match is_available {
        true => [
            "in stock",
            "in_stock",
            "https://schema.org/InStock",
            "yes",
            "12",
            "auf Lager",
        ],
        false => [
            "out of stock",
            "out_of_stock",
            "SoldOut",
            "no",
            "0",
            "ausverkauft",
        ],
    };
    words.choose(random).copied().unwrap_or_default()
}

/// Catalog as written.
struct Written {
    text: String,
    /// Lines of the broken rows.
    broken: BTreeSet<u64>,
}

fn write(random: &mut SmallRng, form: Form, entries: &[Entry]) -> Written {
    let mark = *[',', '.'].choose(random).unwrap_or(&'.');
    match form {
        Form::Csv | Form::QuotedCsv | Form::MappedCsv | Form::Tsv | Form::Shopify => {
            table(random, form, entries, mark)
        }
        Form::Rss | Form::Atom => feed(random, form, entries, mark),
        Form::ApiLines | Form::LooseLines | Form::MappedLines => lines(random, form, entries, mark),
    }
}

fn table(random: &mut SmallRng, form: Form, entries: &[Entry], mark: char) -> Written {
    let mut columns = match form {
        Form::MappedCsv => vec!["sku", "name", "maker", "cost", "stock state", "more"],
        Form::Shopify => vec![
            "Handle",
            "Title",
            "Vendor",
            "Variant Price",
            "Variant Inventory Qty",
            "Variant SKU",
        ],
        Form::Tsv => vec!["ID", "Title", "Brand", "Price", "Availability", "g:link"],
        _ => vec!["id", "title", "brand", "price", "availability", "note"],
    };
    let kinds: Vec<usize> = {
        let mut kinds: Vec<usize> = (0..columns.len()).collect();
        kinds.shuffle(random);
        kinds
    };
    columns = kinds.iter().map(|kind| columns[*kind]).collect();
    let separator = if form == Form::Tsv { "\t" } else { "," };
    let cell = |text: &str| match form {
        Form::Tsv => text.to_owned(),
        Form::QuotedCsv => format!("\"{}\"", text.replace('"', "\"\"")),
        _ if text.contains([',', '"', '\n']) => format!("\"{}\"", text.replace('"', "\"\"")),
        _ => text.to_owned(),
    };
    let mut written = Written {
        text: format!("{}\n", columns.join(separator)),
        broken: BTreeSet::new(),
    };
    for (at, entry) in entries.iter().enumerate() {
        let row = match entry {
            Entry::Broken => {
                written.broken.insert(at as u64 + 2);
                "x".to_owned()
            }
            Entry::Product(p) => {
                let quantity = if p.is_available { "3" } else { "0" };
                let state = match form {
                    Form::Shopify => quantity,
                    _ => stock(random, p.is_available),
                };
                let values = [
                    p.id.clone(),
                    p.title.clone(),
                    p.brand.clone().unwrap_or_default(),
                    price(random, p.cents, mark),
                    state.to_owned(),
                    "7".to_owned(),
                ];
                let cells: Vec<_> = kinds.iter().map(|kind| cell(&values[*kind])).collect();
                cells.join(separator)
            }
        };
        written.text.push_str(&row);
        written.text.push('\n');
    }
    written
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('"', "&quot;")
}

fn feed(random: &mut SmallRng, form: Form, entries: &[Entry], mark: char) -> Written {
    let (head, tail, tag) = match form {
        Form::Rss => (
            "<rss xmlns:g=\"http://base.google.com/ns/1.0\"><channel>",
            "</channel></rss>",
            "item",
        ),
        _ => (
            "<feed xmlns=\"http://www.w3.org/2005/Atom\" xmlns:g=\"http://base.google.com/ns/1.0\">",
            "</feed>",
            "entry",
        ),
    };
    let mut written = Written {
        text: format!("{head}\n"),
        broken: BTreeSet::new(),
    };
    for (at, entry) in entries.iter().enumerate() {
        let mut fields = match entry {
            Entry::Broken => {
                written.broken.insert(at as u64 + 2);
                vec!["<title>without an id</title>".to_owned()]
            }
            Entry::Product(p) => {
                let price = escape(&price(random, p.cents, mark));
                let brand = p.brand.as_deref().map(escape).unwrap_or_default();
                vec![
                    format!("<g:id>{}</g:id>", p.id),
                    format!("<title><![CDATA[{}]]></title>", p.title),
                    format!("<g:brand>{brand}</g:brand>"),
                    format!("<g:price>{price}</g:price>"),
                    format!(
                        "<g:availability>{}</g:availability>",
                        stock(random, p.is_available)
                    ),
                ]
            }
        };
        fields.shuffle(random);
        written
            .text
            .push_str(&format!("<{tag}>{}</{tag}>\n", fields.concat()));
    }
    written.text.push_str(tail);
    written
}

fn lines(random: &mut SmallRng, form: Form, entries: &[Entry], mark: char) -> Written {
    let mut written = Written {
        text: String::new(),
        broken: BTreeSet::new(),
    };
    for (at, entry) in entries.iter().enumerate() {
        let line = match entry {
            Entry::Broken => {
                written.broken.insert(at as u64 + 1);
                "{broken".to_owned()
            }
            Entry::Product(p) => line(random, form, p, mark).to_string(),
        };
        written.text.push_str(&line);
        written.text.push('\n');
    }
    written
}

fn line(random: &mut SmallRng, form: Form, p: &Product, mark: char) -> Value {
    let amount = p.cents as f64 / 100.0;
    match form {
        Form::ApiLines => {
            let state = if p.is_available {
                "in_stock"
            } else {
                "out_of_stock"
            };
            json!({"title": p.title, "id": p.id, "brand": p.brand, "availability": state,
                "price": {"amount": amount, "currency": "EUR"}})
        }
        Form::LooseLines => {
            let price = match p.id == "clear" || random.random_bool(0.5) {
                true => json!(price(random, p.cents, mark)),
                false => json!({"amount": amount.to_string(), "currency": "\u{20ac}"}),
            };
            json!({"price": price, "id": p.id, "brand": p.brand, "extra": null, "title": p.title,
                "availability": stock(random, p.is_available)})
        }
        _ => json!({"cost": amount, "sku": p.id, "name": p.title, "maker": p.brand,
            "stock state": stock(random, p.is_available), "more": {"x": 1}}),
    }
}

fn read(form: Form, written: &Written) -> Vec<Record> {
    let (name, format, rules) = match form {
        Form::Csv | Form::QuotedCsv => ("a.csv", None, None),
        Form::MappedCsv => ("a.csv", None, Some(MAPPING)),
        Form::Tsv => ("a.tsv", None, None),
        Form::Rss | Form::Atom => ("a.xml", None, None),
        Form::ApiLines | Form::LooseLines => ("a.jsonl", None, None),
        Form::MappedLines => ("a.jsonl", None, Some(MAPPING)),
        Form::Shopify => ("a.csv", Some(Format::Shopify), None),
    };
    let rules = rules.map_or_else(Mapping::default, mapping);
    catalog(name, &written.text)
        .read_as(format, &rules)
        .unwrap()
}

fn as_product(item: Item) -> Product {
    let price = item.price.unwrap();
    assert_eq!(price.currency.as_deref(), Some("EUR"), "{}", item.id);
    Product {
        id: item.id,
        title: item.title.unwrap(),
        brand: item.brand,
        cents: (price.amount * 100.0).round() as u64,
        is_available: item.availability == Some(Availability::InStock),
    }
}

#[test]
fn any_catalog_reads_to_the_same_items_in_ten_forms() {
    let count = std::env::var("VITRINE_CATALOGS")
        .ok()
        .and_then(|n| n.parse().ok());
    for seed in 0..count.unwrap_or(CATALOGS) {
        let mut random = SmallRng::seed_from_u64(seed);
        let entries = entries(&mut random);
        let mut wanted = BTreeMap::new();
        for entry in &entries {
            if let Entry::Product(product) = entry {
                wanted.insert(product.id.clone(), product.clone());
            }
        }
        for form in FORMS {
            let written = write(&mut random, form, &entries);
            let place = || format!("catalog {seed} as {form:?}:\n{}", written.text);
            let (mut found, mut broken) = (BTreeMap::new(), BTreeSet::new());
            for record in read(form, &written) {
                assert_eq!(record.notes, [], "{}", place());
                match record.item {
                    Ok(item) => {
                        found.insert(item.id.clone(), as_product(item));
                    }
                    Err(_) => {
                        broken.insert(record.line);
                    }
                }
            }
            assert_eq!(found, wanted, "{}", place());
            assert_eq!(broken, written.broken, "{}", place());
        }
    }
}
