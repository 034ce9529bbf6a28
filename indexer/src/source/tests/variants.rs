//! Rows of one product, adjacent or not, as items with variants.

use serde_json::{Value, json};
use vitrine_schemas::Availability;

use super::*;

fn shopify(rows: &str) -> Vec<Record> {
    let head = "Handle,Title,Vendor,Option1 Name,Option1 Value,Variant SKU,Variant Barcode,Variant Price,\
                Variant Compare At Price,Variant Inventory Tracker,Variant Inventory Qty,\
                Variant Inventory Policy,Image Src,Variant Image\n";
    let file = catalog("a.csv", format!("{head}{rows}"));
    file.read_as(Some(Format::Shopify), &Mapping::default())
        .unwrap()
}

fn ids(item: &Item) -> Vec<&str> {
    item.variants.iter().map(|v| v.id.as_str()).collect()
}

#[test]
fn rows_of_a_handle_need_not_be_adjacent() {
    let records = shopify(
        "oak,Oak chair,Holz,Finish,Oiled,OC-1,,120,,,,,a.jpg,\n\
         pine,Pine table,Holz,Title,Default Title,PT-1,400,300,,,,,p.jpg,\n\
         oak,,,,Lacquered,OC-2,401,140,150,,,,b.jpg,\n\
         elm,Elm bench,Holz,,,,,90,,,,,,\n\
         oak,,,,Waxed,,,99.5,,,,,,w.jpg\n",
    );
    assert!(
        outcomes(&records)
            .iter()
            .all(|(_, _, error)| error.is_empty())
    );
    let items = items(records);
    let oak = items.iter().find(|item| item.id == "oak").unwrap();
    assert_eq!(oak.title.as_deref(), Some("Oak chair"));
    assert_eq!(ids(oak), ["OC-1", "OC-2", "Waxed"]);
    assert_eq!(
        oak.attributes["Finish"],
        json!(["Oiled", "Lacquered", "Waxed"])
    );
    assert_eq!(oak.price.as_ref().unwrap().amount, 99.5);
    assert_eq!(oak.images.len(), 3);
    assert_eq!(
        oak.variants[1].original_price.as_ref().unwrap().amount,
        150.0
    );
    assert_eq!(oak.variants[1].attributes["gtin"], "401");
    assert_eq!(oak.attributes.get("sku"), None);
    let pine = items.iter().find(|item| item.id == "pine").unwrap();
    assert_eq!(
        json!(pine.attributes),
        json!({"sku": "PT-1", "gtin": "400"})
    );
    assert!(pine.variants.is_empty());
}

#[test]
fn stock_is_that_of_the_variants() {
    use Availability::{InStock, OutOfStock};
    for (variants, wanted) in [
        (vec!["shopify,0,deny"], OutOfStock),
        (vec!["shopify,-1,deny"], OutOfStock),
        (vec!["shopify,0,continue"], InStock),
        (vec![",0,deny"], InStock),
        (vec!["shopify,3,deny"], InStock),
        (vec!["shopify,0,deny", "shopify,1,deny"], InStock),
        (vec!["shopify,0,deny", "shopify,-2,deny"], OutOfStock),
        (vec!["shopify,0,deny", "shopify,0,continue"], InStock),
        (vec!["shopify,0,deny", ",,"], InStock),
        (vec!["fulfillment-app,0,DENY"], OutOfStock),
    ] {
        let rows: Vec<_> = variants
            .iter()
            .enumerate()
            .map(|(n, stock)| {
                format!(
                    "h,{},,Size,{n},S{n},,5,,{stock},,\n",
                    if n == 0 { "T" } else { "" }
                )
            })
            .collect();
        let records = shopify(&rows.concat());
        let item = records[0].item.as_ref().unwrap();
        assert_eq!(item.availability, Some(wanted), "{variants:?}");
    }
}

#[test]
fn a_broken_variant_costs_itself() {
    let records = shopify(
        "a,A,,Size,S,S1,,5,,,,,,\n\
         a,,,,M,S2,,5\n\
         a,,,,L,S3,,six,,,,,,\n\
         b,B,,,,,,5,,,,,,\n",
    );
    let broken: Vec<_> = outcomes(&records)
        .into_iter()
        .filter(|(_, _, error)| !error.is_empty())
        .map(|(line, id, _)| (line, id))
        .collect();
    assert_eq!(broken, [(3, "a")]);
    assert_eq!(notes(&records).len(), 1);
    let a = records.iter().find_map(|r| r.item.as_ref().ok()).unwrap();
    assert_eq!(ids(a), ["S1", "S3"]);
}

#[test]
fn variants_have_ids_of_their_own() {
    let records = shopify(
        "a,A,,Size,S,X,,5,,,,,,\n\
         a,,,,M,X,,6,,,,,,\n\
         a,,,,M,X,,7,,,,,,\n",
    );
    let item = records[0].item.as_ref().unwrap();
    assert_eq!(ids(item), ["X", "X M"]);
    assert_eq!(item.variants[1].price.as_ref().unwrap().amount, 7.0);
    assert_eq!(records[0].superseded, [3]);
}

#[test]
fn groups_of_google_are_items() {
    let tsv = "id\ttitle\titem_group_id\tcolor\tsize\tprice\tsale_price\tavailability\tlink\tgtin\timage_link\n\
        1\tShirt red M\tshirt\tred\tM\t20 EUR\t\tout of stock\thttps://x.org/1\t401\thttps://x.org/r.jpg\n\
        9\tMug\t\twhite\t\t5 EUR\t\tin stock\thttps://x.org/9\t409\t\n\
        2\tShirt blue M\tshirt\tblue\tM\t20 EUR\t15 EUR\tin stock\thttps://x.org/2\t402\thttps://x.org/b.jpg\n";
    let file = catalog("a.tsv", tsv);
    let all = items(file.read());
    assert_eq!(all.len(), 2);
    let shirt = all.iter().find(|item| item.id == "shirt").unwrap();
    assert_eq!(ids(shirt), ["1", "2"]);
    assert_eq!(shirt.availability, Some(Availability::InStock));
    assert_eq!(shirt.images.len(), 2);
    assert_eq!(
        json!(shirt.attributes),
        json!({"size": "M", "color": ["red", "blue"], "link": "https://x.org/1"})
    );
    let blue = &shirt.variants[1];
    assert_eq!(blue.title.as_deref(), Some("Shirt blue M"));
    assert_eq!(blue.sale_price.as_ref().unwrap().amount, 15.0);
    assert_eq!(
        json!(blue.attributes),
        json!({"color": "blue", "link": "https://x.org/2", "gtin": "402"})
    );
    let mapping = Mapping::default().without_variants();
    let flat = items(file.read_as(None, &mapping).unwrap());
    let flat: Vec<_> = flat.iter().map(|item| item.id.as_str()).collect();
    assert_eq!(flat, ["1", "9", "2"]);
}

#[test]
fn a_parent_row_gives_the_item_its_fields() {
    let csv = "id,title,description,item_group_id,price,size\n\
               p,Boot,Warm,,,\n\
               p-41,Boot 41,,p,30,41\n\
               x,Hat,,,5,\n\
               p-42,Boot 42,,p,25,42\n\
               q-1,Cap,,q,9,\n";
    let all = items(catalog("a.csv", csv).read());
    assert_eq!(all.len(), 3);
    let cap = all.iter().find(|item| item.id == "q").unwrap();
    assert_eq!((ids(cap), cap.title.as_deref()), (vec!["q-1"], Some("Cap")));
    let boot = all.iter().find(|item| item.id == "p").unwrap();
    assert_eq!(
        (boot.title.as_deref(), boot.description.as_deref()),
        (Some("Boot"), Some("Warm"))
    );
    assert_eq!(ids(boot), ["p-41", "p-42"]);
    assert_eq!(boot.price.as_ref().unwrap().amount, 25.0);
}

#[test]
fn a_mapping_names_the_column_of_groups() {
    let csv = "sku,name,parent,cost,d\n1,A red,A,5,\n2,A blue,A,4,\n3,B,,7,\n4,,,,delete\n";
    let rules = "id = 'sku'\ntitle = 'name'\nprice = 'cost'\ngroup = 'parent'\ndelete = 'd'\n";
    let file = catalog("a.csv", csv);
    let records = file.read_as(None, &mapping(rules)).unwrap();
    let read: Vec<_> = records
        .iter()
        .map(|r| {
            (
                r.id.as_deref().unwrap(),
                r.is_delete,
                r.item.as_ref().unwrap().variants.len(),
            )
        })
        .collect();
    assert_eq!(read, [("A", false, 2), ("3", false, 0), ("4", true, 0)]);
    let flat = format!("{rules}variants = false\n");
    assert_eq!(file.read_as(None, &mapping(&flat)).unwrap().len(), 4);
}

#[test]
fn many_scattered_rows_are_held_in_files() {
    const PRODUCTS: usize = 55_000;
    let mut csv = "id,title,item_group_id\n".to_owned();
    for half in ["a", "b"] {
        for n in 0..PRODUCTS {
            csv.push_str(&format!("{half}{n},T{n},g{n}\n"));
        }
    }
    let records = catalog("a.csv", csv).read();
    assert_eq!(records.len(), PRODUCTS);
    let mut seen = std::collections::HashSet::new();
    for item in items(records) {
        let n = item.id.strip_prefix('g').unwrap().to_owned();
        assert_eq!(ids(&item), [format!("a{n}"), format!("b{n}")]);
        assert!(seen.insert(n));
    }
}

#[test]
fn rows_can_delete_items() {
    for (csv, deleted) in [
        ("id,title,_delete\n1,A,\n2,,true\n", vec!["2"]),
        ("id,title,deleted\n1,A,0\n2,,1\n", vec!["2"]),
        ("id,title,action\n1,A,update\n2,,delete\n", vec!["2"]),
        ("id,title,Action\n1,A,upsert\n2,B,REMOVE\n", vec!["2"]),
        ("id,title,action\n1,A,adventure\n", vec![]),
    ] {
        let records = catalog("a.csv", csv).read();
        let gone = records.iter().filter(|r| r.is_delete);
        let gone: Vec<_> = gone.map(|r| r.id.as_deref().unwrap()).collect();
        assert_eq!(gone, deleted, "{csv}");
        if deleted.is_empty() {
            assert_eq!(
                records[0].item.as_ref().unwrap().attributes["action"],
                "adventure"
            );
        }
    }
    let lines = "{\"id\":\"1\",\"title\":\"A\"}\n{\"id\":\"1\",\"_delete\":true}\n";
    let records = catalog("a.jsonl", lines).read();
    assert_eq!(
        records.iter().map(|r| r.is_delete).collect::<Vec<_>>(),
        [false, true]
    );
}

#[test]
fn json_items_come_in_loose_forms() {
    let lines = r#"{"id": 7, "title": "Boot", "price": 12.5, "images": "a.jpg", "brand": null, "link": "https://x.org/7"}
{"id": "8", "title": "Hat", "price": "1.299,00 €", "images": ["a.jpg", {"url": "https://x.org/b.jpg"}], "size": [1, 2.5]}
{"id": "9", "title": "Cap", "price": -1, "created_at": "2024-06-15", "availability": "SoldOut", "x": {"y": 1}}
{"id": "10", "title": "Set", "attributes": {"color": "red", "n": null}, "variants": [{"sku": "s1", "price": 5, "size": "M"}, 7]}
{"id": "11", "title": "Bag", "vectors": {"shared": "no"}}
"#;
    let records = catalog("a.jsonl", lines).read();
    let item = |n: usize| records[n].item.as_ref().unwrap();
    assert_eq!((item(0).id.as_str(), item(0).images.len()), ("7", 1));
    assert_eq!(
        json!(item(0).attributes),
        json!({"link": "https://x.org/7"})
    );
    assert_eq!(item(1).price.as_ref().unwrap().amount, 1299.0);
    assert_eq!(item(1).images.len(), 2);
    assert_eq!(item(1).attributes["size"], json!([1, 2.5]));
    assert_eq!(item(2).price, None);
    assert_eq!(item(2).created_at.as_deref(), Some("2024-06-15T00:00:00Z"));
    assert_eq!(item(2).availability, Some(Availability::OutOfStock));
    assert_eq!(json!(item(3).attributes), json!({"color": "red"}));
    assert_eq!(item(3).variants[0].price.as_ref().unwrap().amount, 5.0);
    assert_eq!(
        json!(item(3).variants[0].attributes),
        json!({"sku": "s1", "size": "M"})
    );
    assert!(
        records[4]
            .item
            .as_ref()
            .unwrap_err()
            .contains("field `vectors`")
    );
    let lines: Vec<u64> = notes(&records).iter().map(|(line, _)| *line).collect();
    assert_eq!(lines, [3, 3, 4]);
}

#[test]
fn sale_prices_need_a_readable_time() {
    let csv = "id,title,price,sale_price,sale_price_effective_date\n\
               1,A,100,60,\n\
               2,A,100,60,2020-01-01T00:00-0800/2099-01-01T00:00-0800\n\
               3,A,100,60,soon\n\
               4,A,100,0,\n\
               5,A,,60,\n";
    let records = catalog("a.csv", csv).read();
    let sale = |n: usize| {
        let sale = records[n].item.as_ref().unwrap().sale_price.as_ref();
        sale.map(|sale| {
            (
                sale.amount,
                sale.starts_at.is_some(),
                sale.ends_at.is_some(),
            )
        })
    };
    assert_eq!(sale(0), Some((60.0, false, false)));
    assert_eq!(sale(1), Some((60.0, true, true)));
    assert_eq!((sale(2), sale(3), sale(4)), (None, None, None));
    assert_eq!(
        records[4]
            .item
            .as_ref()
            .unwrap()
            .price
            .as_ref()
            .unwrap()
            .amount,
        60.0
    );
    let lines: Vec<u64> = notes(&records).iter().map(|(line, _)| *line).collect();
    assert_eq!(lines, [4, 4, 5]);
}

#[test]
fn html_and_lists_in_any_field() {
    let row = json!({"id": "1", "title": "Cerv&eacute;lo &amp; co", "brand": "Black &amp; Decker",
        "description": "<p>Light</p><p>&amp; stiff</p>", "category": "Home &amp; Garden &gt; Tools",
        "color": "Black &amp; White", "sizes": "[\"S\", \"M\"]", "link": "https://x.org/?a=1&amp=2"});
    let record = catalog("a.jsonl", row.to_string()).read().remove(0);
    let item = record.item.unwrap();
    assert_eq!(item.title.as_deref(), Some("Cerv\u{e9}lo & co"));
    assert_eq!(item.brand.as_deref(), Some("Black & Decker"));
    assert_eq!(item.description.as_deref(), Some("Light & stiff"));
    assert_eq!(item.category.as_deref(), Some("Home & Garden > Tools"));
    assert_eq!(item.attributes["color"], "Black & White");
    assert_eq!(item.attributes["sizes"], json!(["S", "M"]));
    assert_eq!(
        item.attributes["link"],
        Value::from("https://x.org/?a=1&amp=2")
    );
}
