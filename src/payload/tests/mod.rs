//! Tests of the payload index.

mod facets;
mod naive;

use proptest::{collection::vec, prelude::*};
use roaring::RoaringBitmap;
use serde_json::{Value, json};
use vitrine_schemas::{filter::*, *};

use self::naive::{as_variants, filters, items, passes};
use crate::{Error, payload::*};

fn config() -> CollectionConfig {
    let types = json!({
        "color": "keyword", "stock": "integer", "weight": "float", "sale": "bool",
        "seen": "datetime", "note": "text", "brand": "keyword",
    });
    CollectionConfig {
        attributes: serde_json::from_value(types).unwrap(),
        ..CollectionConfig::default()
    }
}

fn item(value: Value) -> Item {
    serde_json::from_value(value).unwrap()
}

fn build(items: &[Item]) -> PayloadIndex {
    let mut index = PayloadIndex::new(&config());
    for (n, item) in items.iter().enumerate() {
        index.insert(n as u32, item);
    }
    index
}

fn shop() -> Vec<Item> {
    vec![
        item(
            json!({"id": "a", "category": "Clothing>Shoes > Boots", "brand": "Nike",
            "price": {"amount": 99.5, "currency": "EUR"}, "availability": "in_stock",
            "attributes": {"color": ["red", "blue"], "stock": 9007199254740993_i64, "sale": true}}),
        ),
        item(
            json!({"id": "b", "category": "Clothing > Hats", "price": {"amount": 300},
            "attributes": {"color": "red", "stock": 9007199254740992_i64, "brand": "own", "note": "x"}}),
        ),
        item(json!({"id": "c", "created_at": "2026-01-01T01:00:00+01:00",
            "attributes": {"stock": [0, 5], "weight": -0.0, "sale": false, "color": []}})),
    ]
}

fn evaluate(index: &PayloadIndex, spec: FilterSpec) -> crate::Result<Vec<u32>> {
    let universe = (0..3).collect();
    let ids = |id: &str| {
        ["a", "b", "c"]
            .iter()
            .position(|i| *i == id)
            .map(|n| n as u32)
    };
    Ok(index.evaluate(&spec, &universe, &ids)?.iter().collect())
}

fn text(filter: &str) -> crate::Result<Vec<u32>> {
    evaluate(&build(&shop()), FilterSpec::Text(filter.to_owned()))
}

fn tree(filter: Value) -> crate::Result<Vec<u32>> {
    evaluate(&build(&shop()), serde_json::from_value(filter).unwrap())
}

fn error<T: std::fmt::Debug>(result: crate::Result<T>) -> (String, String) {
    match result {
        Err(Error::Invalid(e)) => (e[0].pointer.clone(), e[0].detail.clone()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn string_form() {
    for (filter, expected) in [
        ("category = Clothing", vec![0, 1]),
        ("category IN ['Clothing >Shoes', \"None\"]", vec![0]),
        (
            "price <= 300 and not category = \"Clothing > Hats\"",
            vec![0],
        ),
        ("price<300", vec![0]),
        ("brand = Nike OR attributes.brand = own", vec![0, 1]),
        ("brand != Nike", vec![1, 2]),
        ("NOT NOT brand = Nike", vec![0]),
        ("NOT (brand = Nike OR color = red)", vec![2]),
        ("color NOT IN [blue]", vec![1, 2]),
        ("color EXISTS", vec![0, 1]),
        ("color IS EMPTY", vec![2]),
        ("color is not empty AND color not exists", vec![]),
        ("note EXISTS", vec![1]),
        ("stock > 9007199254740992", vec![0]),
        (
            "stock >= 9007199254740992 AND stock < 9007199254740993",
            vec![1],
        ),
        ("stock = 5 OR stock = 5.5", vec![2]),
        ("stock > 4.5 AND stock <= 5", vec![2]),
        ("stock < 1e300", vec![0, 1, 2]),
        ("weight = 0", vec![2]),
        ("sale = TRUE", vec![0]),
        ("created_at = 2026-01-01T00:00:00Z", vec![2]),
        ("created_at > '2026-01-01T00:00:00Z'", vec![]),
        ("availability = in_stock AND currency = EUR", vec![0]),
    ] {
        assert_eq!(text(filter).unwrap(), expected, "{filter}");
    }
}

#[test]
fn tree_form() {
    for (filter, expected) in [
        (json!({}), vec![0, 1, 2]),
        (json!({"must": [{"has_id": ["c", "a", "z"]}]}), vec![0, 2]),
        (
            json!({"must": [{"key": "color", "match": {"except": ["red"]}}]}),
            vec![0],
        ),
        (
            json!({"must": [{"key": "category", "match": {"except": ["Clothing > Shoes"]}}]}),
            vec![1],
        ),
        (
            json!({"must": [{"key": "stock", "match": {"except": [0]}}]}),
            vec![0, 1, 2],
        ),
        (
            json!({"must": [{"key": "stock", "match": {"any": []}}]}),
            vec![],
        ),
        (
            json!({"must": [{"key": "price", "range": {"gt": 5, "lt": 1}}]}),
            vec![],
        ),
        (
            json!({"should": [{"is_empty": {"key": "price"}}, {"must": [{"key": "brand", "match": {"value": "Nike"}}]}],
            "must_not": [{"has_id": ["a"]}]}),
            vec![2],
        ),
    ] {
        assert_eq!(tree(filter.clone()).unwrap(), expected, "{filter}");
    }
}

#[test]
fn faults_name_the_place() {
    for (filter, pointer, says) in [
        (
            json!({"must": [{"key": "colr", "match": {"value": "red"}}]}),
            "/must/0/key",
            "created_at, currency, expires_at, on_sale, price, brand, color",
        ),
        (
            json!({"should": [{"must": [{"key": "brand", "range": {"gt": 1}}]}]}),
            "/should/0/must/0/range",
            "does not support ranges",
        ),
        (
            json!({"must": [{"key": "price", "match": {"value": "x"}}]}),
            "/must/0/match/value",
            "a number",
        ),
        (
            json!({"must": [{"key": "color", "match": {"any": ["x", 1]}}]}),
            "/must/0/match/any/1",
            "quotes",
        ),
        (
            json!({"must_not": [{"key": "note", "match": {"value": "x"}}]}),
            "/must_not/0/key",
            "text",
        ),
        (
            json!({"must": [{"key": "price", "range": {}}]}),
            "/must/0/range",
            "no bound",
        ),
        (
            json!({"must": [{"key": "seen", "range": {"lt": "soon"}}]}),
            "/must/0/range/lt",
            "RFC 3339",
        ),
        // Refused although no candidate is left.
        (
            json!({"must": [{"has_id": []}, {"is_empty": {"key": "?"}}]}),
            "/must/1/is_empty/key",
            "no field `?`",
        ),
    ] {
        let (at, detail) = error(tree(filter));
        assert_eq!(at, pointer);
        assert!(detail.contains(says), "{detail}");
    }
    for (filter, says) in [
        ("", "at character 1: expected a field name, got the end"),
        ("price < ", "at character 9: expected a value"),
        ("préço % 3", "at character 7: expected =,"),
        ("color IN red", "at character 10: expected `[`"),
        ("(price < 3", "at character 11: expected `)`"),
        (
            "price < 3 4",
            "at character 11: expected AND, OR or the end, got `4`",
        ),
        (
            "color = 'red",
            "at character 9: the string has no closing '",
        ),
        ("color = 'r\\x'", "at character 11: unknown escape"),
        (
            "price < 1e999",
            "at character 9: the number is out of range",
        ),
        ("price ! 3", "at character 7: unexpected `!`"),
        ("colr = red", "no field `colr`"),
    ] {
        let (at, detail) = error(text(filter));
        assert_eq!(at, "");
        assert!(detail.contains(says), "{filter}: {detail}");
    }
}

#[test]
fn caps() {
    let nested = |n: usize| (1..n).fold(json!({}), |inner, _| json!({"must": [inner]}));
    assert!(tree(nested(16)).is_ok());
    assert!(error(tree(nested(17))).1.contains("16 deep"));
    assert!(
        error(tree(json!({"must": vec![json!({"has_id": []}); 1001]})))
            .1
            .contains("1000 conditions")
    );
    assert!(error(text(&"(".repeat(9_000))).1.contains("16 deep"));
    assert!(
        error(text(&"NOT ".repeat(4_000)))
            .1
            .contains("a field name")
    );
    assert!(error(text(&" ".repeat(20_000))).1.contains("16384"));
}

#[test]
fn removal_leaves_nothing() {
    let mut index = build(&shop());
    for (n, item) in shop().iter().enumerate() {
        index.remove(n as u32, item);
    }
    for field in index.built_in.values().chain(index.attributes.values()) {
        assert!(field.present.is_empty());
        let any = match &field.column {
            Column::Numeric(column) => column.except(&[]),
            Column::Keyword(column) => column.except(&[]),
            Column::Text => RoaringBitmap::new(),
        };
        assert!(any.is_empty());
    }
}

#[test]
fn added_attributes() {
    let mut index = PayloadIndex::new(&CollectionConfig::default());
    index.add_attribute("size", AttributeType::Integer);
    index.insert(0, &item(json!({"id": "a", "attributes": {"size": 4}})));
    index.add_attribute("size", AttributeType::Integer);
    assert_eq!(
        evaluate(&index, FilterSpec::Text("size = 4".into())).unwrap(),
        [0]
    );
}

#[test]
fn value_types() {
    use AttributeType::*;
    for (ty, good, bad) in [
        (Keyword, json!(["a"]), json!(1)),
        (Text, json!("a"), json!(true)),
        (Category, json!("a > b"), json!(" > ")),
        (Integer, json!([1, -2]), json!(1.5)),
        (Integer, json!([]), json!(u64::MAX)),
        (Float, json!([1, 2.5]), json!("1")),
        (Bool, json!(true), json!("true")),
        (Datetime, json!("2026-01-01T00:00:00Z"), json!("2026-13-01")),
        (Keyword, json!("x"), json!(null)),
        (Keyword, json!(["x", "y"]), json!([["x"]])),
        (Keyword, json!(""), json!({})),
    ] {
        assert_eq!(check_value(ty, &good), Ok(()));
        assert!(check_value(ty, &bad).is_err(), "{ty:?} {bad}");
    }
    assert!(
        check_value(Integer, &json!([1, "x"]))
            .unwrap_err()
            .starts_with("value 1 is \"x\"")
    );
}

proptest! {
    #[test]
    fn agrees_with_the_naive_evaluator(items in items(), filter in filters(), keep in 1_u32..4) {
        let index = build(&items);
        let universe: RoaringBitmap = (0..items.len() as u32).filter(|n| n % keep == 0).collect();
        let number_of = |id: &str| id.parse().ok().filter(|n: &u32| n.to_string() == id);
        let found = index.evaluate(&FilterSpec::Tree(filter.clone()), &universe, &number_of).unwrap();
        let expected: RoaringBitmap =
            universe.iter().filter(|n| passes(&items[*n as usize], &filter)).collect();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn an_item_passes_where_one_of_its_variants_does(rows in items(), filter in filters(), group in 1_usize..4) {
        let groups: Vec<&[Item]> = rows.chunks(group).collect();
        let items: Vec<Item> = groups.iter().enumerate().map(|(n, rows)| as_variants(n, rows)).collect();
        let mut index = build(&items);
        let universe: RoaringBitmap = (0..items.len() as u32).collect();
        let number_of = |id: &str| id.parse().ok().filter(|n: &u32| n.to_string() == id);
        let found = index.evaluate(&FilterSpec::Tree(filter.clone()), &universe, &number_of).unwrap();
        let expected: RoaringBitmap = universe.iter().filter(|n| {
            let item = &items[*n as usize];
            let mut rows = groups[*n as usize].iter().map(|row| Item {
                id: item.id.clone(),
                category: item.category.clone(),
                ..row.clone()
            });
            rows.any(|row| passes(&row, &filter))
        }).collect();
        prop_assert_eq!(found, expected);
        for (n, item) in items.iter().enumerate() {
            index.remove(n as u32, item);
        }
        prop_assert!(index.built_in.values().chain(index.attributes.values()).all(|f| f.present.is_empty()));
    }

    #[test]
    fn integers_and_floats_compare_exactly(a in any::<i64>(), near in -3_i64..4, f in any::<f64>()) {
        let f = if f.is_finite() { f } else { a as f64 };
        let b = a.saturating_add(near);
        // i128 against f64 without rounding: by the whole part, then by what is behind the point.
        let exact = |i: i64, f: f64| match i128::from(i).cmp(&(f.floor() as i128)) {
            std::cmp::Ordering::Equal if f.fract() != 0.0 => std::cmp::Ordering::Less,
            order => order,
        };
        for (kind, value, bound, order) in [
            (AttributeType::Integer, json!(a), Scalar::Int(b), a.cmp(&b)),
            (AttributeType::Integer, json!(a), Scalar::Float(b as f64), exact(a, b as f64)),
            (AttributeType::Integer, json!(a), Scalar::Float(f), exact(a, f)),
            (AttributeType::Float, json!(b as f64), Scalar::Int(a), exact(a, b as f64).reverse()),
            (AttributeType::Float, json!(f), Scalar::Int(a), exact(a, f).reverse()),
        ] {
            let key = numeric::key(kind, &value).unwrap();
            let meets = |side: numeric::Bound| {
                let mut interval = numeric::Interval::UNBOUNDED;
                side.narrow(&mut interval, kind, &bound).unwrap();
                interval.low <= key && key <= interval.high
            };
            prop_assert_eq!(meets(numeric::Bound::Above), order.is_gt());
            prop_assert_eq!(meets(numeric::Bound::AtLeast), order.is_ge());
            prop_assert_eq!(meets(numeric::Bound::Below), order.is_lt());
            prop_assert_eq!(meets(numeric::Bound::AtMost), order.is_le());
        }
    }

    #[test]
    fn parser_never_panics(s in "\\PC*", words in vec("(AND|or|NOT|IN|IS|EMPTY|[a-z]|[0-9.]+|[()\\[\\],=<>!'\"\\\\]| )", 0..30)) {
        let _ = parse::parse(&s);
        let _ = parse::parse(&words.concat());
        let _ = parse::parse(&words.join(" "));
    }
}

#[test]
fn a_day_is_its_midnight_as_value_and_bound() {
    let days = [
        "2024-06-15",
        "2024-06-15T00:00:00Z",
        "2024-06-15T02:00:00+02:00",
    ];
    let items: Vec<Item> = days
        .iter()
        .map(|day| item(json!({"id": "x", "attributes": {"seen": day}})))
        .collect();
    let index = build(&items);
    for (filter, count) in [
        ("seen = \"2024-06-15\"", 3),
        ("seen >= \"2024-06-15\" AND seen < \"2024-06-16\"", 3),
        ("seen < \"2024-06-15\"", 0),
        ("seen <= \"2024-06-15T00:00:00.000Z\"", 3),
        ("seen > \"2024-06-14T23:59:59.999999999Z\"", 3),
    ] {
        let found = evaluate(&index, FilterSpec::Text(filter.to_owned()));
        assert_eq!(found.expect("a filter").len(), count, "{filter}");
    }
    for wrong in [
        "2024-6-15",
        "2024-06-31",
        "15.06.2024",
        "2024-06",
        "20240615",
        "2024-06-15T",
    ] {
        let refused = check_value(AttributeType::Datetime, &json!(wrong));
        assert!(refused.is_err(), "{wrong}");
    }
}
