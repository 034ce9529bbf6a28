//! CSV, and mappings.

use std::path::Path;

use serde_json::json;
use vitrine_schemas::{AttributeType, Availability, ImageRef, Price};

use super::*;

#[test]
fn csv_columns_go_by_their_names() {
    let csv = "\u{feff}id,title,category,price,currency,images,availability,hidden,Main Color,2nd,\r\n\
               1,Boot,Shoes>Boots,19.90,eur,a.jpg|https://x.org/b.jpg,In Stock,no,red,x,drop\r\n\
               2,\"Two\r\nlines, one \"\"title\"\"\",,,,,,true,,,\r\n\
               \r\n,,,\r\n\n3,Cap,,5,,,,,,,";
    let records = catalog("a.csv", csv).read();
    assert_eq!(
        outcomes(&records),
        [(2, "1", ""), (3, "2", ""), (8, "3", "")]
    );
    let items = items(records);
    let expected = Item {
        id: "1".into(),
        title: Some("Boot".into()),
        category: Some("Shoes > Boots".into()),
        price: Some(Price {
            amount: 19.9,
            currency: Some("EUR".into()),
        }),
        images: vec![
            ImageRef::Path("a.jpg".into()),
            ImageRef::Uri("https://x.org/b.jpg".into()),
        ],
        availability: Some(Availability::InStock),
        attributes: json!({"Main_Color": "red", "x_2nd": "x"})
            .as_object()
            .cloned()
            .unwrap(),
        ..Item::default()
    };
    assert_eq!(items[0], expected);
    assert_eq!(
        items[1].title.as_deref(),
        Some("Two\r\nlines, one \"title\"")
    );
    assert!(items[1].hidden);
    assert_eq!(
        items[2].price,
        Some(Price {
            amount: 5.0,
            currency: None
        })
    );
}

#[test]
fn a_faulty_row_is_rejected_alone() {
    let csv = b"id,title,price\n1,ok,\n2,br\xffken,\n3,short\n4,long,,more\n,no id,\n5,dear,1.2.3\n6,dear,12 bucks\n7,ok,3\n8,ok,3,,\n";
    let records = catalog("a.csv", csv).read();
    let fields = |n| {
        format!(
            "expected 3 fields as in the header, got {n}; quote fields that contain the separator"
        )
    };
    assert_eq!(
        outcomes(&records),
        [
            (2, "1", ""),
            (
                3,
                "2",
                "column `title`: not valid UTF-8; set --encoding, or save the file in one encoding"
            ),
            (4, "3", &fields(2)),
            (5, "4", &fields(4)),
            (6, "?", "column `id`: is empty; every item needs an id"),
            (7, "5", ""),
            (8, "6", ""),
            (9, "7", ""),
            (10, "8", ""),
        ]
    );
    assert_eq!(
        notes(&records),
        [
            (
                7,
                "column `price`: expected a price like `15.00`, `15.00 USD` or `€ 1.299,00`, got `1.2.3`"
            ),
            (
                8,
                "column `price`: expected a price like `15.00`, `15.00 USD` or `€ 1.299,00`, got `12 bucks`"
            ),
        ]
    );
}

#[test]
fn columns_in_other_alphabets_become_attributes() {
    let csv = "id,title,颜色,尺寸,Größe,цвет\n1,A,红,大,38,x\n";
    let items = items(catalog("a.csv", csv).read());
    let names: Vec<_> = items[0].attributes.keys().map(String::as_str).collect();
    assert_eq!(names, ["Chi_Cun", "Grosse", "Yan_Se", "tsvet"]);
}

#[test]
fn columns_of_one_name_are_a_list() {
    let csv = "id,title,images,images,note,note\n1,A,a.jpg,b.jpg,,x\n2,B,,c.jpg,x,y\n";
    let items = items(catalog("a.csv", csv).read());
    let paths = |item: &Item| item.images.len();
    assert_eq!([paths(&items[0]), paths(&items[1])], [2, 1]);
    assert_eq!(items[0].attributes["note"], json!("x"));
    assert_eq!(items[1].attributes["note"], json!(["x", "y"]));
}

#[test]
fn a_header_that_cannot_be_used_is_an_error() {
    let error = |csv: &[u8]| catalog("a.csv", csv).error(&Mapping::default());
    assert!(error(b"").contains("the file is empty; its first line must name the columns"));
    assert!(error(b"sku,title\n1,x\n").contains("has no column `id`; its columns are: sku, title"));
    assert!(
        error(b"id,a b,a_b\n")
            .contains("the columns `a b` and `a_b` both map to the attribute `a_b`")
    );
    assert!(error(b"id,\xff\n").contains("the name of column 2 is not UTF-8"));
    let error = error(b"sku,title\n");
    assert!(
        error.ends_with("it was read with encoding UTF-8, separator `,`, quote `\"`, line ends LF; if that is wrong, set --delimiter, --quote or --encoding"),
        "{error}"
    );
}

#[test]
fn an_open_quote_does_not_gather_the_file() {
    let mut csv = b"id,title\n1,ok\n2,\"open\n3,".to_vec();
    csv.resize(40 << 20, b'x');
    csv.extend_from_slice(b"\n4,ok\n");
    let records = catalog("a.csv", csv).read();
    let long = "expected a line of at most 16777216 bytes, got a longer one; shorten it";
    assert_eq!(
        outcomes(&records),
        [(2, "1", ""), (3, "2", ""), (4, "?", long), (5, "4", "")]
    );
    assert_eq!(
        records[1].item.as_ref().unwrap().title.as_deref(),
        Some("\"open")
    );
}

#[test]
fn a_mapping_renames_and_types_columns() {
    let mapping = mapping(
        r#"
        id = "sku"
        title = "name"
        category = ["a", "b"]
        images = "images/{sku}_{n}.jpg"
        hidden = "off"
        [price]
        amount = "cost"
        currency_fixed = "EUR"
        [attributes]
        color = "c"
        tags = { column = "t", separator = ";" }
        year = { column = "y", type = "integer" }
        weight = { column = "w", type = "float", separator = "|" }
        sale = { column = "s", type = "bool" }
        "#,
    );
    let declared = [
        ("color", AttributeType::Keyword),
        ("sale", AttributeType::Bool),
        ("tags", AttributeType::Keyword),
        ("weight", AttributeType::Float),
        ("year", AttributeType::Integer),
    ];
    assert!(
        mapping
            .attributes()
            .into_iter()
            .eq(declared.map(|(n, t)| (n.to_owned(), t)))
    );
    let csv = "sku,name,a,b,n,off,cost,c,t,y,w,s,rest\n\
               1,Boot,Shoes,Boots,2,0,3.50,red,a; b;,2011.0,1.5|2,yes,x\n\
               2,,,Caps,,,,,,,,,\n\
               3,,,,,,,,,20x1,,,\n\
               4,,,,,maybe,,,,,,,\n";
    let records = catalog("a.csv", csv).read_as(None, &mapping).unwrap();
    let expected = Item {
        id: "1".into(),
        title: Some("Boot".into()),
        category: Some("Shoes > Boots".into()),
        price: Some(Price { amount: 3.5, currency: Some("EUR".into()) }),
        images: vec![ImageRef::Path("images/1_2.jpg".into())],
        attributes: json!({"color": "red", "sale": true, "tags": ["a", "b"], "weight": [1.5, 2.0], "year": 2011})
            .as_object()
            .cloned()
            .unwrap(),
        ..Item::default()
    };
    assert_eq!(records[0].item.as_ref(), Ok(&expected));
    let bare = Item {
        id: "2".into(),
        category: Some("Caps".into()),
        ..Item::default()
    };
    assert_eq!(records[1].item.as_ref(), Ok(&bare));
    assert_eq!(outcomes(&records)[2..], [(4, "3", ""), (5, "4", "")]);
    assert_eq!(
        notes(&records),
        [
            (4, "column `y`: expected a 64-bit integer, got `20x1`"),
            (5, "column `off`: expected true or false, got `maybe`"),
        ]
    );
}

#[test]
fn a_faulty_mapping_names_its_error() {
    let error = |text: &str| Mapping::parse(text).unwrap_err();
    assert!(error("id = 'a'\ntitel = 'b'").contains("unknown field `titel`"));
    assert!(error("title = 'b'").contains("missing field `id`"));
    assert!(error("id = 'a'\n[price]\namount = 'p'\nsum = 'x'").contains("unknown field `sum`"));
    assert!(
        error("id = 'a'\n[price]\namount = 'p'\ncurrency_fixed = 'Taler'")
            .contains("ISO 4217 currency code like `EUR` or a sign like `€`, got `Taler`")
    );
    let attribute = error("id = 'a'\n[attributes]\nx = { colum = 'y' }");
    assert!(attribute.contains("unknown field `colum`"), "{attribute}");
    assert!(
        error("id = 'a'\n[attributes]\nx = { column = 'y', type = 'int' }")
            .contains("unknown variant `int`")
    );
    assert!(error("id = 'a'\n[attributes]\nprice = 'y'").contains("attribute `price`"));
    assert!(error("id = 'a'\n[attributes]\n'a b' = 'y'").contains("attribute `a b`"));
    let missing = Mapping::load(Path::new("/nowhere/m.toml"))
        .unwrap_err()
        .to_string();
    assert!(missing.starts_with("cannot open /nowhere/m.toml"));
}

#[test]
fn a_mapped_column_that_is_not_there_ends_it_at_once() {
    let file = catalog("a.csv", "id,name\n1,x\n");
    for (rules, column) in [
        ("id = 'sku'", "sku"),
        ("id = 'id'\ntitle = 'titel'", "titel"),
        ("id = 'id'\nimages = 'i/{no}.jpg'", "no"),
        ("id = 'id'\ncategory = ['name', 'sub']", "sub"),
        ("id = 'id'\n[attributes]\nx = 'color'", "color"),
    ] {
        let error = file.error(&mapping(rules));
        assert!(
            error.contains(&format!(
                "has no column `{column}`; its columns are: id, name"
            )),
            "{error}"
        );
    }
    let error = open(&file.path, Some(Format::Shopify), &mapping("id = 'id'"))
        .err()
        .unwrap();
    assert!(
        error
            .to_string()
            .starts_with("format shopify has a fixed mapping")
    );
}

#[test]
fn the_fashion_examples_read_the_real_file() {
    let data = std::env::var("VITRINE_DATA").unwrap_or_else(|_| "../../shared/data".to_owned());
    let source = Path::new(&data).join("fashion/styles.csv");
    if !source.is_file() {
        eprintln!("skipped: no {}", source.display());
        return;
    }
    let read = |example: &str| {
        let mapping = Mapping::load(&Path::new("examples").join(example)).unwrap();
        assert_eq!(mapping.attributes()["year"], AttributeType::Integer);
        let records = open(&source, None, &mapping).unwrap();
        items(records.collect::<Result<Vec<_>, _>>().unwrap())
    };
    let (titled, images) = (read("fashion.toml"), read("fashion-images.toml"));
    assert!(titled.len() > 1000 && titled.len() == images.len());
    for (titled, image) in titled.iter().zip(&images) {
        assert!(
            titled.title.is_some()
                && titled.category.is_some()
                && titled.attributes.contains_key("article_type")
        );
        let expected = vec![ImageRef::Path(format!("images/{}.jpg", titled.id))];
        assert_eq!(titled.images, expected);
        assert_eq!(
            image,
            &Item {
                title: None,
                ..titled.clone()
            }
        );
    }
}
