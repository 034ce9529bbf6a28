//! Keys of mapping files for what shops write in ways of their own.

use serde_json::json;
use vitrine_schemas::Price;

use super::*;

#[test]
fn blank_cells_repeat_the_product_above() {
    let csv = "Product,Name,SKU,Size\n\
               p1,Apron,a1,S\n\
               ,,a2,L\n\
               p2,,b1,S\n";
    let mapping = mapping(
        "id = \"SKU\"\ntitle = \"Name\"\ngroup = \"Product\"\nfill_down = [\"Product\", \"Name\"]\n\
         [attributes]\nsize = \"Size\"\n",
    );
    let found = items(catalog("a.csv", csv).read_as(None, &mapping).unwrap());
    assert_eq!(found.len(), 2);
    assert_eq!(found[0].title.as_deref(), Some("Apron"));
    let variants: Vec<_> = found[0].variants.iter().map(|v| v.id.as_str()).collect();
    assert_eq!(variants, ["a1", "a2"]);
    // A new product does not take the name of the one above.
    assert_eq!((found[1].id.as_str(), &found[1].title), ("p2", &None));
}

#[test]
fn rows_below_a_refused_product_are_refused() {
    let csv = "Product,SKU,Name\np1,a1,Apron\np2,b1,Board,more\n,b2,\np3,c1,Cup\n,c2,\n";
    let mapping = mapping(
        "id = \"SKU\"\ntitle = \"Name\"\ngroup = \"Product\"\nfill_down = [\"Product\", \"Name\"]\n",
    );
    let records = catalog("a.csv", csv).read_as(None, &mapping).unwrap();
    let refused: Vec<_> = records
        .iter()
        .filter(|r| r.item.is_err())
        .map(|r| r.line)
        .collect();
    assert_eq!(refused, [3, 4]);
}

#[test]
fn nested_and_repeated_values_are_prepared_too() {
    let jsonl = r#"{"id": "1", "title": "A", "offer": {"stock": "bald"}}
{"id": "2", "title": "B", "offer": {"stock": ["bald", "x"]}}"#;
    let mapping = mapping(
        "id = \"id\"\ntitle = \"title\"\navailability = \"offer.stock\"\n[values.\"offer.stock\"]\n\"bald\" = \"backorder\"\n",
    );
    let found = items(catalog("a.jsonl", jsonl).read_as(None, &mapping).unwrap());
    assert_eq!(json!(found[0].availability), "backorder");
    assert_eq!(json!(found[1].availability), "backorder");
}

#[test]
fn values_are_translated_and_visible_is_the_opposite_of_hidden() {
    let csv = "id,title,Stock,Visible,Path\n\
               1,A,2-3 Days,Yes,Home/Women / Tops\n\
               2,B,2-3 DAYS,No,Home\n\
               3,C,5,,\n";
    let mapping = mapping(
        "id = \"id\"\ntitle = \"title\"\navailability = \"Stock\"\nvisible = \"Visible\"\n\
         category = { column = \"Path\", separator = \"/\" }\n\
         [values.Stock]\n\"2-3 Days\" = \"backorder\"\n",
    );
    let found = items(catalog("a.csv", csv).read_as(None, &mapping).unwrap());
    let summary: Vec<_> = found
        .iter()
        .map(|item| {
            let category = item.category.as_deref().unwrap_or("");
            (json!(item.availability), item.hidden, category)
        })
        .collect();
    let expected = [
        (json!("backorder"), false, "Home > Women > Tops"),
        (json!("backorder"), true, "Home"),
        (json!("in_stock"), false, ""),
    ];
    assert_eq!(summary, expected);
}

#[test]
fn the_first_column_with_a_value_counts() {
    let csv = "id,Titel,Name,title\n1,,Bea,\n2,Ava,Bea,\n";
    let mapping = mapping("id = \"id\"\ntitle = [\"Titel\", \"Name\"]\n");
    let catalog = catalog("a.csv", csv);
    let titles = |records: Vec<Record>| -> Vec<_> {
        let titles = items(records).into_iter().map(|item| item.title);
        titles.map(Option::unwrap_or_default).collect()
    };
    let mapped = titles(catalog.read_as(None, &mapping).unwrap());
    assert_eq!(mapped, ["Bea", "Ava"]);
    // Without a mapping too; what stands in stays an attribute.
    let found = items(catalog.read());
    assert_eq!(found[0].title.as_deref(), Some("Bea"));
    assert_eq!(found[0].attributes["Name"], "Bea");
}

#[test]
fn lists_are_split_with_and_without_a_mapping() {
    let csv =
        "id,title,Farbe,Schlagworte,Pfad,note\n1,A,rot|blau,\"a, b\",Food|Frozen > Peas,\"x|y\"\n";
    let mapping = mapping(
        "id = \"id\"\ntitle = \"title\"\n[attributes]\ncolor = \"Farbe\"\ntags = \"Schlagworte\"\n\
         path = { column = \"Pfad\", type = \"category\" }\nnote = { column = \"note\", type = \"text\" }\n",
    );
    let found = items(catalog("a.csv", csv).read_as(None, &mapping).unwrap());
    let expected = json!({
        "color": ["rot", "blau"], "tags": ["a", "b"], "path": ["Food", "Frozen > Peas"], "note": "x|y"
    });
    assert_eq!(json!(found[0].attributes), expected);
}

#[test]
fn columns_that_a_mapping_prepares_must_exist() {
    let catalog = catalog("a.csv", "id,title\n1,A\n");
    for key in [
        "fill_down = [\"none\"]",
        "visible = \"none\"",
        "category = { column = \"none\", separator = \"/\" }",
        "[values.none]\n\"a\" = \"b\"",
    ] {
        let error = catalog.error(&mapping(&format!(
            "id = \"id\"\ntitle = \"title\"\n{key}\n"
        )));
        assert!(error.contains("`none`"), "{key}: {error}");
    }
}

#[test]
fn a_header_in_between_is_refused_and_true_is_no_id() {
    let records = catalog("a.csv", "id,title\n1,A\nid,title\n2,B\n").read();
    let repeated = "repeats the names of the columns; remove the line";
    assert_eq!(
        outcomes(&records),
        [(2, "1", ""), (3, "id", repeated), (4, "2", "")]
    );
    let records = catalog("a.jsonl", "{\"id\": true, \"name\": \"A\"}\n").read();
    let refused = "column `id`: expected a text or a number, got `true`";
    assert_eq!(outcomes(&records)[0].2, refused);
}

#[test]
fn variants_without_a_price_have_that_of_the_product() {
    let csv = "id,parent,title,price\np,,Shirt,39.95\ns,p,,\nm,p,,44.95\nl,p,,41.50\n";
    let mapping = mapping(
        "id = \"id\"\ntitle = \"title\"\ngroup = \"parent\"\nprice = { amount = \"price\", currency_fixed = \"EUR\" }\n",
    );
    let amount = |price: &Option<Price>| price.as_ref().map(|p| p.amount);
    let found = items(catalog("a.csv", csv).read_as(None, &mapping).unwrap());
    assert_eq!(amount(&found[0].price), Some(39.95));
    // Also where another variant is cheaper.
    let dear = csv.replace("39.95", "50");
    let found = items(catalog("a.csv", dear).read_as(None, &mapping).unwrap());
    let amounts = found[0].variants.iter().map(|v| amount(&v.price));
    assert!(amounts.eq([Some(50.0), Some(44.95), Some(41.5)]));
    assert_eq!(amount(&found[0].price), Some(41.5));
    let csv = csv.replace("s,p,,\n", "s,p,,50\n");
    let found = items(catalog("a.csv", csv).read_as(None, &mapping).unwrap());
    let lowest = amount(&found[0].price);
    assert_eq!(lowest, Some(41.5), "all variants have prices of their own");
}

#[test]
fn few_letters_are_western() {
    let text = b"id,title\n1,Na\xefve vase \x80 5\n";
    let found = items(catalog("a.csv", text).read());
    assert_eq!(
        found[0].title.as_deref(),
        Some("Na\u{ef}ve vase \u{20ac} 5")
    );
}

#[test]
fn polish_stays_polish() {
    let text = b"id,title\n1,\xa3y\xbfka sto\xb3owa\n2,Szklanka bia\xb3a\n3,M\xb3ynek \xbfarna\n";
    let found = items(catalog("a.csv", text).read());
    assert_eq!(
        found[0].title.as_deref(),
        Some("\u{141}y\u{17c}ka sto\u{142}owa")
    );
}

#[test]
fn markup_of_attributes_goes() {
    let csv =
        "id,title,description,care\n1,A,<![CDATA[<b>Kept</b> text]]>,<i>Wash</i> &le; 30&deg;\n";
    let found = items(catalog("a.csv", csv).read());
    assert_eq!(found[0].description.as_deref(), Some("Kept text"));
    assert_eq!(found[0].attributes["care"], "Wash \u{2264} 30\u{b0}");
    // Angle brackets that are not markup stay.
    let csv = "id,title,material,note\n1,A,<unknown>,size <M and >S &amp; L\n";
    let found = items(catalog("a.csv", csv).read());
    assert_eq!(found[0].attributes["material"], "<unknown>");
    assert_eq!(found[0].attributes["note"], "size <M and >S & L");
}
