//! Comparisons of a collection with the model.

use std::{collections::BTreeSet, sync::Arc};

use rand::{Rng, rngs::StdRng, seq::IndexedRandom};
use serde_json::json;
use vitrine::{Collection, LexicalQuery, Search, Shopper, StoredEvents, Subject, schemas::Item};

use super::{
    Items, USERS, Users,
    random::{COLORS, WORDS, random_filter},
};
use crate::support::{filter, near};

/// Checks a search by vector.
pub fn check_vectors(shop: &Collection, items: &Items, rng: &mut StdRng) {
    let query = [rng.random_range(0..12), rng.random_range(0..12)];
    let (tree, passes) = random_filter(rng, 2);
    let mut search = near(&query.map(|x| x as f32), rng.random_range(1..30));
    search.filter = Some(filter(json!({"must": [tree]})));
    search.exact = rng.random_bool(0.5);
    let mut expected: Vec<_> = items
        .values()
        .filter(|i| !i.hidden && passes(i))
        .filter_map(|i| {
            let v = i.vectors.get("shared")?;
            Some((
                (v[0] as i32 - query[0]).pow(2) + (v[1] as i32 - query[1]).pow(2),
                i.id.clone(),
            ))
        })
        .collect();
    expected.sort();
    expected.truncate(search.limit);
    let hits = shop.search_vectors(&search).unwrap().hits;
    let found: Vec<_> = hits.iter().map(|h| &h.id).collect();
    assert_eq!(
        found,
        expected.iter().map(|(_, id)| id).collect::<Vec<_>>(),
        "{tree} near {query:?}"
    );
}

/// Checks all items with their vectors.
pub fn check_all(shop: &Collection, expected: &Items) {
    let (mut items, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let (page, next) = shop.scroll(None, 100, cursor.as_deref(), true).unwrap();
        items.extend(page);
        cursor = next;
        if cursor.is_none() {
            break;
        }
    }
    assert!(items.iter().eq(expected.values()), "the items differ");
}

/// Checks a search by words, and the values counted among its matches.
pub fn check_words(shop: &Collection, items: &Items, rng: &mut StdRng) {
    let word = *WORDS.choose(rng).unwrap();
    let (tree, passes) = random_filter(rng, 1);
    let search = Search {
        lexical: Some(LexicalQuery {
            text: word.into(),
            ..LexicalQuery::default()
        }),
        filter: Some(filter(json!({"must": [tree]}))),
        facets: serde_json::from_value(json!([{"field": "color"}])).unwrap(),
        limit: 1000,
        space: "shared".into(),
        ..Search::default()
    };
    let answer = shop.search(&search, &Shopper::default()).unwrap();
    let has_word = |i: &Item| i.title.iter().any(|title| title.contains(word));
    let matches = |i: &&Item| !i.hidden && passes(i) && has_word(i);
    let expected: Vec<_> = items.values().filter(matches).collect();
    let found: BTreeSet<_> = answer.hits.iter().map(|hit| &hit.id).collect();
    let expected_ids = expected.iter().map(|i| &i.id).collect();
    assert_eq!(found, expected_ids, "{word} where {tree}");
    for color in COLORS {
        let has_color = |i: &&&Item| {
            let colors = i.attributes.get("color").and_then(|c| c.as_array());
            colors.is_some_and(|colors| colors.contains(&json!(color)))
        };
        let fields = answer.facets.iter().flat_map(|facets| &facets.fields);
        let values = fields.flat_map(|field| &field.values);
        let counted = values.filter(|v| v.value == color).map(|v| v.count);
        let expected = expected.iter().filter(has_color).count() as u64;
        assert_eq!(
            counted.sum::<u64>(),
            expected,
            "{color}: {word} where {tree}"
        );
    }
}

/// Checks the pages of the items sorted by price.
pub fn check_order(shop: &Collection, items: &Items, rng: &mut StdRng) {
    let (tree, passes) = random_filter(rng, 1);
    let is_descending = rng.random_bool(0.5);
    let order = if is_descending { "desc" } else { "asc" };
    let mut search = Search {
        filter: Some(filter(json!({"must": [tree]}))),
        sort: serde_json::from_value(json!([format!("price:{order}")])).unwrap(),
        limit: rng.random_range(20..100),
        space: "shared".into(),
        ..Search::default()
    };
    let price = |item: &Item| item.price.as_ref().map(|price| price.amount);
    let (mut found, mut prices) = (BTreeSet::new(), Vec::new());
    loop {
        let page = shop.search(&search, &Shopper::default()).unwrap();
        for hit in &page.hits {
            assert!(found.insert(hit.id.clone()), "{} comes twice", hit.id);
            prices.push(price(&items[&hit.id]));
        }
        search.cursor = page.next_cursor;
        if search.cursor.is_none() {
            break;
        }
    }
    let matches = |i: &&Item| !i.hidden && passes(i);
    let expected: BTreeSet<_> = items
        .values()
        .filter(matches)
        .map(|i| i.id.clone())
        .collect();
    assert_eq!(found, expected, "{tree} by price {order}");
    let rank = |price: &Option<f64>| {
        let price = price.map(|price| if is_descending { -price } else { price });
        price.unwrap_or(f64::INFINITY)
    };
    assert!(
        prices.is_sorted_by_key(rank),
        "by price {order}: {prices:?}"
    );
}

/// Checks the events of each user.
pub fn check_events(shop: &Arc<Collection>, users: &Users) {
    for user in 0..USERS {
        let user = format!("u{user}");
        let mut stored =
            StoredEvents::new(Subject::User(user.clone()), vec![shop.clone()]).unwrap();
        let mut count = 0;
        while let Some(events) = stored.step().unwrap() {
            count += events.len() as u64;
        }
        assert_eq!(
            count,
            users.get(&user).copied().unwrap_or(0),
            "events of {user}"
        );
    }
}
