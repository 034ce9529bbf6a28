//! Facets and orders under changes.

use proptest::{collection::vec, prelude::*};
use roaring::RoaringBitmap;
use serde_json::json;
use vitrine_schemas::*;

use super::{config, item};
use crate::payload::*;

proptest! {
    #[test]
    fn facets_and_orders_follow_every_change(
        rows in vec((0..40_u32, vec(0..6_i64, 0..3), vec(0..5_u8, 0..3)), 1..80),
        chosen in vec(0..40_u32, 0..40),
    ) {
        let mut index = PayloadIndex::new(&config());
        let mut stored = std::collections::BTreeMap::new();
        let spec = |field: &str| -> FacetSpec {
            serde_json::from_value(json!({"field": field, "limit": 1000, "sort": "value"})).unwrap()
        };
        for (n, (id, numbers, colors)) in rows.into_iter().enumerate() {
            // The tables by item are built in between, and follow the later changes.
            if n == 5 {
                index.facet(&spec("color"), &RoaringBitmap::from([0])).unwrap();
                index.groups("stock", ValueOrder::Ascending, &RoaringBitmap::from([0]), None, None, 1);
            }
            let colors: Vec<_> = colors.iter().map(|c| format!("c{c}")).collect();
            let new = item(json!({"id": "x", "attributes": {"stock": numbers, "color": colors}}));
            if let Some(old) = stored.insert(id, new.clone()) {
                index.remove(id, &old);
            }
            index.insert(id, &new);
        }
        let fresh = {
            let mut fresh = PayloadIndex::new(&config());
            for (id, item) in &stored {
                fresh.insert(*id, item);
            }
            fresh
        };
        let among: RoaringBitmap = chosen.into_iter().filter(|id| stored.contains_key(id)).collect();
        let mut counts = std::collections::BTreeMap::<&str, u64>::new();
        for id in &among {
            let colors = stored[&id].attributes["color"].as_array().unwrap().iter();
            let colors: std::collections::BTreeSet<_> = colors.filter_map(|c| c.as_str()).collect();
            colors.into_iter().for_each(|color| *counts.entry(color).or_default() += 1);
        }
        let found = index.facet(&spec("color"), &among).unwrap().values;
        let found: Vec<_> = found.iter().map(|v| (v.value.as_str(), v.count)).collect();
        prop_assert_eq!(found, counts.into_iter().collect::<Vec<_>>());
        for field in ["color", "stock"] {
            let (a, b) = (index.facet(&spec(field), &among).unwrap(), fresh.facet(&spec(field), &among).unwrap());
            prop_assert_eq!(a, b);
            for order in [ValueOrder::Ascending, ValueOrder::Descending] {
                for need in [1, 3, 100] {
                    let groups = index.groups(field, order, &among, None, None, need);
                    let expected = expected_groups(&stored, field, order, &among);
                    let found: Vec<Vec<u32>> = groups.iter().map(|g| g.items.iter().collect()).collect();
                    prop_assert!(found.len() <= expected.len());
                    prop_assert_eq!(&found[..], &expected[..found.len()]);
                    let count: usize = found.iter().map(Vec::len).sum();
                    prop_assert!(count >= need.min(among.len() as usize));
                }
            }
        }
    }
}

/// Groups of items by the first value in the direction of an order, by sorting all of them.
fn expected_groups(
    stored: &std::collections::BTreeMap<u32, Item>,
    field: &str,
    order: ValueOrder,
    among: &RoaringBitmap,
) -> Vec<Vec<u32>> {
    let first = |id: u32| {
        let values = stored[&id].attributes[field].as_array().unwrap().iter();
        let keys = values.map(|v| {
            v.as_i64()
                .map_or_else(|| v.to_string(), |n| format!("{n:02}"))
        });
        match order {
            ValueOrder::Ascending => keys.min(),
            ValueOrder::Descending => keys.max(),
        }
    };
    let mut groups: Vec<(Option<String>, Vec<u32>)> = Vec::new();
    let mut all: Vec<_> = among.iter().map(|id| (first(id), id)).collect();
    all.sort_by(|a, b| match (&a.0, &b.0) {
        (Some(x), Some(y)) => order.compare(x, y).then(a.1.cmp(&b.1)),
        (x, y) => y.is_some().cmp(&x.is_some()).then(a.1.cmp(&b.1)),
    });
    for (key, id) in all {
        match groups.last_mut() {
            Some((last, ids)) if *last == key => ids.push(id),
            _ => groups.push((key, vec![id])),
        }
    }
    groups.into_iter().map(|(_, ids)| ids).collect()
}
