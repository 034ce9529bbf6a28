//! Duplicates, deletions, whole catalogs, types of attributes, and dry runs.

use super::*;
use crate::source::Catalog;

fn titles(shop: &Shop) -> Vec<(String, String)> {
    let items = shop.items().into_iter();
    items
        .map(|item| (item.id, item.title.unwrap_or_default()))
        .collect()
}

fn item(id: &str, title: &str) -> Value {
    json!({"id": id, "title": title})
}

#[test]
fn a_faulty_record_does_not_cost_an_earlier_good_one() {
    for batch in [1, 2, 3, 64] {
        let mut shop = Shop::new();
        shop.options.batch = batch;
        let wrong = json!({"text": [1.0]});
        let lines = [
            item("a", "Oak chair"),
            json!({"id": "a"}),
            item("b", "Pine table"),
            json!({"id": "b", "title": "Pine table", "created_at": "yesterday"}),
            item("c", "Lamp old"),
            item("c", "Lamp new"),
            item("d", "Mug"),
            json!("{\"id\": \"d\", \"title\": \"broken"),
            item("e", "first"),
            item("e", "second"),
            json!({"id": "e", "title": "third", "vectors": wrong}),
        ];
        let summary = shop.run(&lines);
        let wanted = [
            ("a", "Oak chair"),
            ("b", "Pine table"),
            ("c", "Lamp new"),
            ("d", "Mug"),
            ("e", "second"),
        ];
        let wanted = wanted.map(|(id, title)| (id.to_owned(), title.to_owned()));
        assert_eq!(titles(&shop), wanted, "batches of {batch}");
        assert_eq!(summary.rejected, 3, "batches of {batch}");
        assert_eq!(summary.refused_values["created_at"].line, 4);
        let rejects = shop.rejects();
        let mut lines: Vec<_> = rejects.iter().map(|r| (r.0, r.1.as_str())).collect();
        lines.sort_unstable();
        let wanted = [(2, "record"), (4, "field"), (8, "record"), (11, "write")];
        assert_eq!(lines, wanted, "batches of {batch}");
    }
}

#[test]
fn a_record_can_delete_its_item() {
    let shop = Shop::new();
    shop.run(&[item("a", "A"), item("b", "B"), item("c", "C")]);
    let lines = [
        json!({"id": "a", "_delete": true}),
        item("b", "B"),
        json!({"id": "c", "action": "delete"}),
        item("c", "C again"),
        item("d", "D"),
        json!({"id": "d", "deleted": 1}),
        json!({"id": "nowhere", "deleted": true}),
    ];
    let summary = shop.run(&lines);
    assert_eq!(summary.rejected, 0);
    let ids: Vec<_> = titles(&shop).into_iter().map(|(id, _)| id).collect();
    assert_eq!(ids, ["b", "c"]);
}

/// Runs the lines as a whole catalog.
fn full(shop: &mut Shop, max: Option<&str>, lines: &[Value]) -> Result<Summary, IndexError> {
    shop.options.full = Some(FullCatalog {
        max_removed: max.map(|max| max.parse().unwrap()),
    });
    shop.run_into(&mut shop.sink(), lines)
}

#[test]
fn a_whole_catalog_removes_what_it_lacks() {
    let mut shop = Shop::new();
    shop.run(&titled(0..20));
    // 4 of 20 are 20 %, which is allowed; 5 are not.
    assert_eq!(full(&mut shop, None, &titled(0..16)).unwrap().removed, 4);
    assert_eq!(shop.items().len(), 16);
    let error = full(&mut shop, None, &titled(0..12))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("4 of 16 items") && error.contains("--max-removed 100%"),
        "{error}"
    );
    assert_eq!(shop.items().len(), 16);
    assert_eq!(
        full(&mut shop, Some("25%"), &titled(0..12))
            .unwrap()
            .removed,
        4
    );
    assert_eq!(full(&mut shop, None, &titled(0..12)).unwrap().removed, 0);
    // Up to 3 items may always be removed.
    assert_eq!(
        full(&mut shop, Some("0"), &titled(0..9)).unwrap().removed,
        3
    );
    assert_eq!(
        full(&mut shop, Some("100%"), &titled(0..1))
            .unwrap()
            .removed,
        8
    );
    assert_eq!(shop.items().len(), 1);
}

#[test]
fn rejected_records_keep_their_items() {
    let mut shop = Shop::new();
    shop.run(&titled(0..6));
    let mut lines = titled(0..6);
    lines[1] = json!({"id": "001"});
    lines[2] = json!({"id": "002", "vectors": {"text": "none"}});
    lines.remove(5);
    assert_eq!(full(&mut shop, None, &lines).unwrap().removed, 1);
    assert_eq!(shop.items().len(), 5);
    // The broken line may be that of the missing item.
    lines[4] = json!("{broken");
    let error = full(&mut shop, Some("100%"), &lines)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("nothing was removed") && error.contains("line 5"),
        "{error}"
    );
    let error = full(&mut shop, None, &[]).unwrap_err().to_string();
    assert!(error.contains("no valid item"), "{error}");
    assert_eq!(shop.items().len(), 5);
}

#[test]
fn a_catalog_that_breaks_off_removes_nothing() {
    let mut shop = Shop::new();
    shop.run(&titled(0..6));
    shop.options.full = Some(FullCatalog::default());
    let one = Record::new(1, serde_json::from_value(item("000", "thing 0")).unwrap());
    let broken = SourceError::Temporary(std::io::Error::other("cut"));
    let records = [Ok(one), Err(broken)].into_iter();
    assert!(shop.run_records(records).is_err());
    assert_eq!(shop.items().len(), 6);
}

#[test]
fn types_widen_over_the_whole_file() {
    let values = [
        (json!([1, 2]), json!(2.5), AttributeType::Float),
        (json!(1), json!("one"), AttributeType::Keyword),
        (json!(true), json!("maybe"), AttributeType::Keyword),
        (json!(1), json!([2, 3]), AttributeType::Integer),
        (json!("a"), json!("x".repeat(2000)), AttributeType::Text),
    ];
    for (first, last, kind) in values {
        let mut shop = Shop::new();
        shop.options.batch = 1;
        let mut lines = titled(0..4);
        lines[0]["attributes"] = json!({"n": first});
        lines[3]["attributes"] = json!({"n": last});
        let mut guess = Guess::default();
        for line in &lines {
            guess.add(&serde_json::from_value(line.clone()).unwrap());
        }
        shop.options.guessed = guess.types();
        let summary = shop.run(&lines);
        assert_eq!(counts(&summary), [4, 4, 0, 0, 0]);
        assert!(summary.refused_values.is_empty(), "{summary:?}");
        assert_eq!(shop.attributes()["n"], kind);
    }
}

#[test]
fn a_declared_type_costs_the_values_that_do_not_fit() {
    let mut shop = Shop::new();
    shop.options.attributes = [("n".to_owned(), AttributeType::Integer)].into();
    let lines = [
        json!({"id": "1", "title": "x", "attributes": {"n": 1}}),
        json!({"id": "2", "title": "x", "attributes": {"n": 1.5}}),
        json!({"id": "3", "title": "x", "attributes": {"n": "7"}}),
        json!({"id": "4", "title": "x", "variants": [{"id": "v", "attributes": {"n": "red"}}]}),
    ];
    let summary = shop.run(&lines);
    assert_eq!(summary.rejected, 0);
    let refused = &summary.refused_values["n"];
    assert_eq!((refused.count, refused.line), (2, 2));
    assert!(
        refused
            .reason
            .contains("declares the attribute as \"integer\"")
    );
    let values: Vec<_> = shop
        .items()
        .into_iter()
        .map(|i| i.attributes.get("n").cloned())
        .collect();
    assert_eq!(values, [Some(json!(1)), None, Some(json!(7)), None]);
}

#[test]
fn a_dry_run_reports_and_writes_nothing() {
    let shop = Shop::new();
    let path = shop.path("catalog.csv");
    let csv = "id,title,price,color,item_group_id,created_at\n\
               1,Boot,\"12,99\",red,,2024-06-15\n\
               2,Hat,free,,,\n\
               1,Boot again,\"1.299,00\",blue,,\n\
               3,,5,,,\n\
               4,short\n\
               5,Cap M,7,,cap,\n\
               6,Cap L,8,,cap,\n";
    fs::write(&path, csv).unwrap();
    let catalog = Catalog::open(&path, None, &Mapping::default()).unwrap();
    let report = dry_run(
        &catalog,
        BTreeMap::new(),
        usize::MAX,
        &mut Rejects::default(),
    )
    .unwrap();
    assert_eq!(
        (report.items, report.variants, report.duplicates),
        (3, 2, 1)
    );
    assert_eq!((report.rejected, report.refused_values), (2, 1));
    let mut lines: Vec<_> = report.first_rejected.iter().map(|r| r.line).collect();
    lines.sort_unstable();
    assert_eq!(lines, [5, 6]);
    let price = &report.columns["price"];
    assert_eq!((price.values, price.empty, price.refused), (6, 0, 1));
    assert_eq!(
        (price.decimal_mark, price.example.as_deref()),
        (Some(','), Some("12,99"))
    );
    assert_eq!(report.columns["created_at"].kind, "datetime");
    assert_eq!(report.columns["color"].field.as_deref(), Some("color"));
    assert_eq!(
        report.columns["item_group_id"].field.as_deref(),
        Some("group")
    );
    assert_eq!(report.attributes["color"], AttributeType::Keyword);
    assert!(!shop.path("data").exists());
}
