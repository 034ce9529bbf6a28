//! JSON Lines.

use serde_json::json;

use super::*;

#[test]
fn lines_are_items_and_faulty_ones_are_rejected_alone() {
    let mut lines = b"\xef\xbb\xbf{\"id\":\"1\",\"attributes\":{\"n\":[1,2]}}\r\n\n{\"id\":\"2\",\"tilte\":\"x\"}\n".to_vec();
    lines.extend(b"{\"id\":\"3\",\"title\":5}\n{\"title\":\"x\"}\nnothing\n{\"id\":\"4\",\"title\":\"\xff\"}\n");
    lines.extend(
        b"{\"id\":\"5\",\"price\":{\"amount\":\"1\"}}\n{\"id\":\"6\",\"id\":\"7\"}\n{\"id\":\"8\"}",
    );
    let records = catalog("a.jsonl", lines).read();
    let found = outcomes(&records);
    let begins = [
        (1, "1", ""),
        (3, "2", ""),
        (4, "3", ""),
        (5, "?", "column `id`: is empty; every item needs an id"),
        (6, "?", "expected a JSON object: expected"),
        (
            7,
            "?",
            "the line is not UTF-8 from byte 19 on; set --encoding if the file is in another encoding",
        ),
        (8, "5", ""),
        (9, "7", ""),
        (10, "8", ""),
    ];
    assert_eq!(found.len(), begins.len());
    for (found, begins) in found.iter().zip(begins) {
        assert_eq!(
            (found.0, found.1, found.2.is_empty()),
            (begins.0, begins.1, begins.2.is_empty())
        );
        assert!(found.2.starts_with(begins.2), "{found:?}");
    }
    assert_eq!(
        items(records.into_iter().take(1).collect())[0].attributes["n"],
        json!([1, 2])
    );
}

#[test]
fn a_line_beyond_the_limit_is_rejected_and_the_next_one_read() {
    let fits = format!("{{\"id\":\"1\"}}{}\n", " ".repeat((16 << 20) - 10));
    let long = format!("{{\"id\":\"2\",\"title\":\"{}\"}}\n", "x".repeat(20 << 20));
    let mut records = catalog(
        "a.jsonl",
        format!("{fits}{long}{{\"id\":\"3\"}}\n{}", "y".repeat(17 << 20)),
    )
    .read();
    records.sort_by_key(|record| record.line);
    let long = "the line is longer than 16 MiB";
    assert_eq!(
        outcomes(&records),
        [(1, "1", ""), (2, "?", long), (3, "3", ""), (4, "?", long)]
    );
}

#[test]
fn keys_are_columns_of_a_mapping() {
    let mapping = mapping(
        "id = 'sku'\ntitle = 'name'\nimages = 'pics'\n[attributes]\nsize = { column = 'sz', type = 'integer' }\nlabel = 'label'",
    );
    let lines = r#"{"sku": 7, "name": "Boot", "pics": ["a.jpg", "b.jpg"], "sz": [41, "42"], "label": null, "more": {}}
{"sku": "8", "name": ["a", "b"]}
{"sku": "9", "sz": {"eu": 1}}
{"sku": "10", "sz": 1.5}
[1]
"#;
    let records = catalog("a.jsonl", lines).read_as(None, &mapping).unwrap();
    let errors = outcomes(&records);
    assert_eq!(
        notes(&records),
        [
            (
                2,
                "column `name`: expected one value, got a list; the first is used"
            ),
            (
                3,
                "column `sz`: expected a scalar or a list of scalars, got nested values"
            ),
            (4, "column `sz`: expected a 64-bit integer, got `1.5`"),
        ]
    );
    assert_eq!(errors[3], (4, "10", ""));
    assert!(errors[4].2.starts_with("expected a JSON object"));
    let item = items(records.into_iter().take(1).collect()).remove(0);
    assert_eq!((item.id.as_str(), item.images.len()), ("7", 2));
    assert_eq!(json!(item.attributes), json!({"size": [41, 42]}));
}

#[test]
fn a_name_with_dots_names_a_field_of_nested_objects() {
    let line = r#"{"@type": "Product", "sku": "1", "name": "Anvil", "brand": {"name": "ACME"}, "offers": [{"price": "1,299.00", "priceCurrency": "USD", "availability": "https://schema.org/SoldOut"}]}"#;
    let mapping = mapping(
        "id = \"sku\"\ntitle = \"name\"\nbrand = \"brand.name\"\navailability = \"offers.availability\"\n\
         price = { amount = \"offers.price\", currency = \"offers.priceCurrency\" }",
    );
    let records = catalog("a.jsonl", line).read_as(None, &mapping).unwrap();
    let item = &items(records)[0];
    assert_eq!(item.brand.as_deref(), Some("ACME"));
    let price = item.price.as_ref().unwrap();
    assert_eq!(
        (price.amount, price.currency.as_deref()),
        (1299.0, Some("USD"))
    );
    assert_eq!(
        item.availability,
        Some(vitrine_schemas::Availability::OutOfStock)
    );
}
