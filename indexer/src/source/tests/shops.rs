//! Exports of shop systems.

use serde_json::{Value, json};
use vitrine_schemas::{ImageRef, Price, Variant};

use super::*;

fn variant(id: &str, amount: f64, attributes: Value) -> Variant {
    Variant {
        id: id.to_owned(),
        price: Some(Price {
            amount,
            currency: None,
        }),
        attributes: attributes.as_object().cloned().unwrap(),
        ..Variant::default()
    }
}

const SHOPIFY: &str = "\
Handle,Title,Body (HTML),Vendor,Product Category,Type,Tags,Published,Option1 Name,Option1 Value,Option2 Name,Option2 Value,Variant Price,Image Src,Status
boot,Boot,\"<p>Warm &amp;
dry</p>\",Acme,Apparel & Accessories > Shoes,Boots,\"winter, leather\",true,Size,41,Title,a,25.00,https://cdn.example/1.jpg,active
boot,,,,,,,,,42,,b,19.50,https://cdn.example/2.jpg,
boot,,,,,,,,,,,,,https://cdn.example/2.jpg,
card,Gift Card,,Acme,,Cards,,true,Title,Default Title,,,10.00,,draft
cap,Cap,,Acme,,,,false,Title,Default Title,,,x,,active
hat,Hat,,,,,,,,,,,1,,active
hat,,,,,,,,,,,,2
bag,Bag,,,,,,FALSE,,,,,1,,active
";

#[test]
fn shopify_rows_are_grouped_by_handle() {
    let records = catalog("a.csv", SHOPIFY)
        .read_as(Some(Format::Shopify), &Mapping::default())
        .unwrap();
    let fields =
        "expected 15 fields as in the header, got 13; quote fields that contain the separator";
    assert_eq!(
        outcomes(&records),
        [
            (2, "boot", ""),
            (6, "card", ""),
            (7, "cap", ""),
            (9, "hat", fields),
            (8, "hat", ""),
            (10, "bag", ""),
        ]
    );
    let reason = "column `Variant Price`: expected a price like `15.00`, `15.00 USD` or `€ 1.299,00`, got `x`";
    assert_eq!(notes(&records), [(7, reason)]);
    let link = |n: u8| ImageRef::Uri(format!("https://cdn.example/{n}.jpg"));
    let boot = Item {
        id: "boot".into(),
        title: Some("Boot".into()),
        description: Some("Warm & dry".into()),
        category: Some("Apparel & Accessories > Shoes".into()),
        brand: Some("Acme".into()),
        price: Some(Price { amount: 19.5, currency: None }),
        images: vec![link(1), link(2)],
        attributes: json!({"tags": ["winter", "leather"], "type": "Boots", "Size": ["41", "42"], "Title": ["a", "b"]})
            .as_object()
            .cloned()
            .unwrap(),
        variants: vec![
            variant("41 / a", 25.0, json!({"Size": "41", "Title": "a"})),
            variant("42 / b", 19.5, json!({"Size": "42", "Title": "b"})),
        ],
        ..Item::default()
    };
    assert_eq!(records[0].item.as_ref(), Ok(&boot));
    let card = records[1].item.as_ref().unwrap();
    assert!(card.hidden && card.category.as_deref() == Some("Cards"));
    assert_eq!(json!(card.attributes), json!({"type": "Cards"}));
    assert!(records[5].item.as_ref().unwrap().hidden);
    let error = catalog("a.csv", "id,Title\n").read_as(Some(Format::Shopify), &Mapping::default());
    assert!(
        error
            .unwrap_err()
            .to_string()
            .contains("has no column `Handle`")
    );
}

// Padded as the sample shop of @vendure/create is.
const VENDURE: &str = r#"name   ,slug  ,description       ,assets      ,facets                                               ,optionGroups     ,optionValues ,sku ,price  ,taxCategory,stockOnHand,trackInventory,variantAssets,variantFacets
Laptop ,laptop,"Fast, <b>thin</b>",a.jpg|b.jpg ,category:Electronics|category:Computers|brand:Apple  ,"screen size|RAM","13 inch|8GB",L1  ,1299.00,standard   ,100        ,              ,             ,
       ,      ,                  ,            ,                                                     ,                 ,"15 inch|8GB",L2  ,1199.00,standard   ,100        ,              ,c.jpg        ,color:silver
Orchid, the ,     ,                  ,            ,plant type:indoor                                    ,                 ,             ,O1  ,5      ,standard   ,100        ,              ,
"Écran 4K!",,,,,,,S1,3,standard,1,,,
Desk   ,desk  ,,,oak,,,D1,1,standard,1,,,
       ,,,,,,,D2,1,standard,1,,,
"#;

#[test]
fn vendure_rows_without_a_name_continue_the_product() {
    let records = catalog("a.csv", VENDURE)
        .read_as(Some(Format::Vendure), &Mapping::default())
        .unwrap();
    let errors = outcomes(&records);
    assert_eq!(errors[0], (2, "laptop", ""));
    assert_eq!(errors[2], (5, "\u{e9}cran-4k", ""));
    assert_eq!(errors[3], (6, "desk", ""));
    // The comma in the name of line 4 is not quoted, so its cells are shifted.
    let columns: Vec<_> = records.iter().flat_map(|r| &r.notes).collect();
    let columns: Vec<_> = columns
        .iter()
        .map(|n| (n.line, n.column.as_str()))
        .collect();
    assert_eq!(
        columns,
        [(4, "trackInventory"), (4, "price"), (6, "facets")]
    );
    let image = |name| ImageRef::Path(format!("images/{name}.jpg"));
    let laptop = Item {
        id: "laptop".into(),
        title: Some("Laptop".into()),
        description: Some("Fast, thin".into()),
        category: Some("Electronics > Computers".into()),
        brand: Some("Apple".into()),
        price: Some(Price {
            amount: 1199.0,
            currency: None,
        }),
        images: vec![image("a"), image("b"), image("c")],
        attributes: json!({"color": "silver", "screen_size": ["13 inch", "15 inch"], "RAM": "8GB"})
            .as_object()
            .cloned()
            .unwrap(),
        variants: vec![
            variant("L1", 1299.0, json!({"screen_size": "13 inch", "sku": "L1"})),
            Variant {
                images: vec![image("c")],
                ..variant(
                    "L2",
                    1199.0,
                    json!({"color": "silver", "screen_size": "15 inch", "sku": "L2"}),
                )
            },
        ],
        ..Item::default()
    };
    assert_eq!(records[0].item.as_ref(), Ok(&laptop));
}
