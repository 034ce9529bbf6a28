//! Naive evaluator: conditions over an item's own values, and random items and filters.

use proptest::{collection::vec, prelude::*};
use serde_json::{Value, json};
use vitrine_schemas::{filter::*, *};

use super::item;
use crate::payload::*;

fn own(item: &Item, key: &str) -> Vec<Value> {
    match key {
        "category" => item.category.iter().map(|c| json!(c)).collect(),
        "price" => item.price.iter().map(|p| json!(p.amount)).collect(),
        key => item
            .attributes
            .get(key)
            .map_or(vec![], |v| scalars(v).to_vec()),
    }
}

fn same(key: &str, value: &Value, wanted: &Scalar) -> bool {
    match wanted {
        Scalar::Str(s) if key == "category" => {
            let value = value.as_str().unwrap();
            value == s || value.starts_with(&format!("{s} > "))
        }
        Scalar::Str(s) => value == s.as_str(),
        Scalar::Bool(b) => value.as_bool() == Some(*b),
        Scalar::Int(i) => value.as_f64() == Some(*i as f64),
        Scalar::Float(f) => value.as_f64() == Some(*f),
    }
}

fn within(value: &Value, range: &Range) -> bool {
    let value = value.as_f64().unwrap();
    let number = |s: &Scalar| match s {
        Scalar::Int(i) => *i as f64,
        Scalar::Float(f) => *f,
        other => panic!("{other:?}"),
    };
    range.gt.as_ref().is_none_or(|b| value > number(b))
        && range.gte.as_ref().is_none_or(|b| value >= number(b))
        && range.lt.as_ref().is_none_or(|b| value < number(b))
        && range.lte.as_ref().is_none_or(|b| value <= number(b))
}

pub fn passes(item: &Item, filter: &Filter) -> bool {
    let holds = |c: &Condition| match c {
        Condition::Match(c) => own(item, &c.key).iter().any(|v| match &c.r#match {
            Match::Value(s) => same(&c.key, v, s),
            Match::Any(all) => all.iter().any(|s| same(&c.key, v, s)),
            Match::Except(all) => !all.iter().any(|s| same(&c.key, v, s)),
        }),
        Condition::Range(c) => own(item, &c.key).iter().any(|v| within(v, &c.range)),
        Condition::IsEmpty(c) => own(item, &c.is_empty.key).is_empty(),
        Condition::HasId(c) => c.has_id.contains(&item.id),
        Condition::Nested(f) => passes(item, f),
    };
    filter.must.iter().all(holds)
        && (filter.should.is_empty() || filter.should.iter().any(holds))
        && !filter.must_not.iter().any(holds)
}

pub fn items() -> impl Strategy<Value = Vec<Item>> {
    let path = prop::sample::select(vec!["A", "A > B", "A > B > C", "AB", "D"]);
    let number = (-4_i64..4).prop_map(|i| i as f64 / 2.0);
    let one = (
        prop::option::of(path),
        prop::option::of(number.clone()),
        vec("[a-c]", 0..3),
        vec(-2_i64..3, 0..3),
        vec(number, 0..3),
        prop::option::of(any::<bool>()),
    );
    vec(one, 0..40).prop_map(|all| {
        let build = |(n, (category, price, color, stock, weight, sale)): (usize, _)| {
            let mut value = json!({"id": n.to_string(), "category": category as Option<&str>,
                "attributes": {"color": color as Vec<String>, "stock": stock as Vec<i64>, "weight": weight as Vec<f64>}});
            if let Some(amount) = price as Option<f64> {
                value["price"] = json!({"amount": amount});
            }
            if let Some(sale) = sale as Option<bool> {
                value["attributes"]["sale"] = json!(sale);
            }
            item(value)
        };
        all.into_iter().enumerate().map(build).collect()
    })
}

/// An item whose variants have the prices and attributes of some items.
pub fn as_variants(number: usize, rows: &[Item]) -> Item {
    let variants = rows.iter().map(|row| Variant {
        id: row.id.clone(),
        price: row.price.clone(),
        attributes: row.attributes.clone(),
        ..Variant::default()
    });
    Item {
        id: number.to_string(),
        category: rows[0].category.clone(),
        variants: variants.collect(),
        ..Item::default()
    }
}

pub fn number() -> impl Strategy<Value = Scalar> {
    prop_oneof![
        (-3_i64..3).prop_map(Scalar::Int),
        (-6_i64..6).prop_map(|i| Scalar::Float(i as f64 / 4.0)),
    ]
}

pub fn pair(
    keys: Vec<&'static str>,
    value: impl Strategy<Value = Scalar> + 'static,
) -> BoxedStrategy<Condition> {
    let form = (vec(value, 1..3), 0..3).prop_map(|(mut all, form)| match form {
        0 => Match::Value(all.remove(0)),
        1 => Match::Any(all),
        _ => Match::Except(all),
    });
    (prop::sample::select(keys), form)
        .prop_map(|(key, r#match)| {
            Condition::Match(MatchCondition {
                key: key.to_owned(),
                r#match,
            })
        })
        .boxed()
}

pub fn filters() -> impl Strategy<Value = Filter> {
    let path = prop::sample::select(vec!["A", "A > B", "B", "AB"]);
    let numeric = vec!["stock", "weight", "price"];
    let bound = || prop::option::of(number());
    let range = (
        prop::sample::select(numeric.clone()),
        number(),
        bound(),
        bound(),
        bound(),
    )
        .prop_map(|(key, gte, gt, lt, lte)| {
            let (key, gte) = (key.to_owned(), Some(gte));
            Condition::Range(RangeCondition {
                key,
                range: Range { gt, gte, lt, lte },
            })
        });
    let empty =
        prop::sample::select(vec!["stock", "color", "category", "price", "sale"]).prop_map(|key| {
            let is_empty = FieldKey {
                key: key.to_owned(),
            };
            Condition::IsEmpty(IsEmptyCondition { is_empty })
        });
    let leaf = prop_oneof![
        pair(vec!["color"], "[a-d]".prop_map(Scalar::Str)),
        pair(
            vec!["category"],
            path.prop_map(|p| Scalar::Str(p.to_owned()))
        ),
        pair(vec!["sale"], any::<bool>().prop_map(Scalar::Bool)),
        pair(numeric, number()),
        range,
        empty,
        vec("[0-9]{1,2}", 0..9).prop_map(|has_id| Condition::HasId(HasIdCondition { has_id })),
    ];
    let group = |condition: BoxedStrategy<Condition>| {
        let list = vec(condition, 0..3);
        (list.clone(), list.clone(), list).prop_map(|(must, should, must_not)| Filter {
            must,
            should,
            must_not,
        })
    };
    let condition = leaf.prop_recursive(3, 20, 4, move |inner| {
        group(inner).prop_map(Condition::Nested)
    });
    group(condition.boxed())
}
