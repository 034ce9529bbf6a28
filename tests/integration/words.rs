//! Search by words and by both, on a real store.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde_json::{Value, json};
use tempfile::TempDir;
use vitrine::{
    Collection, Database, LexicalQuery, Options, Search, Shopper, Understood,
    schemas::{FacetsOver, Fallback, Filter, FilterSpec, SearchResponse, Source, TotalRelation},
};

use crate::support::{messages, near, put};

fn open(folder: &Path) -> Database {
    Database::open(folder, Options::default()).expect("open")
}

/// A database with a collection of the config's.
fn shop_of(config: Value) -> (TempDir, Database, Arc<Collection>) {
    let dir = tempfile::tempdir().expect("temporary folder");
    let db = open(dir.path());
    let config = serde_json::from_value(config).expect("a config");
    let shop = db.create_collection("shop", config).expect("created");
    (dir, db, shop)
}

fn ids(answer: &SearchResponse) -> Vec<&str> {
    answer.hits.iter().map(|hit| hit.id.as_str()).collect()
}

fn words(text: &str) -> Search {
    Search {
        lexical: Some(LexicalQuery {
            text: text.into(),
            typos: true,
            ..LexicalQuery::default()
        }),
        limit: 10,
        space: "shared".into(),
        ..Search::default()
    }
}

fn find(shop: &Collection, search: &Search) -> SearchResponse {
    shop.search(search, &Shopper::default()).expect("an answer")
}

fn found(shop: &Collection, text: &str) -> Vec<String> {
    let answer = find(shop, &words(text));
    answer.hits.into_iter().map(|hit| hit.id).collect()
}

fn goods() -> Vec<Value> {
    vec![
        json!({"id": "a", "title": "Red running shoes", "brand": "Fleet", "category": "Clothing > Shoes",
               "price": {"amount": 40, "currency": "EUR"}, "vectors": {"shared": [1.0, 0.0]}}),
        json!({"id": "b", "title": "Blue running shoes", "brand": "Fleet", "category": "Clothing > Shoes",
               "price": {"amount": 60, "currency": "EUR"}, "vectors": {"shared": [0.9, 0.1]}}),
        json!({"id": "c", "title": "Trail runner", "description": "A light shoe for red earth.",
               "brand": "Peak", "category": "Clothing > Shoes", "vectors": {"shared": [0.8, 0.3]}}),
        json!({"id": "d", "title": "Kettle", "brand": "Peak", "category": "Kitchen",
               "attributes": {"color": "red"}, "vectors": {"shared": [0.0, 1.0]}}),
        json!({"id": "e", "title": "红色跑鞋", "category": "Clothing > Shoes", "vectors": {"shared": [0.7, 0.3]}}),
        json!({"id": "f", "title": "Hidden red shoes", "hidden": true, "vectors": {"shared": [1.0, 0.0]}}),
    ]
}

fn stock() -> (TempDir, Database, Arc<Collection>) {
    let opened = shop_of(json!({
        "attributes": {"color": "keyword"},
        "vectors": {"shared": {"dim": 2, "metric": "l2"}}
    }));
    put(&opened.2, &goods());
    opened
}

#[test]
fn words_are_found_in_every_text_and_hidden_items_never() {
    let (_dir, _db, shop) = stock();
    let all = found(&shop, "red shoes");
    assert_eq!((all[0].as_str(), all.len()), ("a", 5), "{all:?}");
    // The category too is a text.
    assert_eq!(found(&shop, "shoe").len(), 4);
    assert_eq!(found(&shop, "fleet"), ["a", "b"]);
    assert_eq!(found(&shop, "kitchen"), ["d"]);
    assert_eq!(found(&shop, "跑鞋"), ["e"]);
    assert_eq!(found(&shop, "\"running shoes\" red")[0], "a");
    assert_eq!(found(&shop, "nothing of this"), Vec::<String>::new());
    let all = Search {
        lexical: Some(LexicalQuery {
            text: "red shoes".into(),
            all: true,
            ..LexicalQuery::default()
        }),
        ..words("")
    };
    assert_eq!(ids(&find(&shop, &all)), ["a", "c"]);
}

#[test]
fn a_typing_error_is_forgiven_and_told() {
    let (_dir, _db, shop) = stock();
    let answer = find(&shop, &words("runing kettel"));
    assert_eq!(answer.corrections["kettel"], "kettle", "{answer:?}");
    assert!(ids(&answer).contains(&"d") && ids(&answer).contains(&"a"));
    let strict = Search {
        lexical: Some(LexicalQuery {
            text: "kettel".into(),
            ..LexicalQuery::default()
        }),
        ..words("")
    };
    assert_eq!(find(&shop, &strict).hits.len(), 0);
}

#[test]
fn a_last_word_may_go_on() {
    let (_dir, _db, shop) = stock();
    let mut search = words("red run");
    search.lexical.as_mut().expect("words").prefix = true;
    let answer = find(&shop, &search);
    assert!(ids(&answer).contains(&"b"), "{:?}", ids(&answer));
}

#[test]
fn every_acknowledged_change_is_found_at_once() {
    let (_dir, _db, shop) = stock();
    put(&shop, &[json!({"id": "a", "title": "Green boots"})]);
    assert_eq!(found(&shop, "boots"), ["a"]);
    assert_eq!(found(&shop, "red")[0], "d");
    assert!(!found(&shop, "running").contains(&"a".to_owned()));
    let patch = json!({"title": "Sandals"});
    shop.patch("b", patch.as_object().expect("an object"))
        .expect("patched");
    assert_eq!(found(&shop, "sandals"), ["b"]);
    assert!(!found(&shop, "running").contains(&"b".to_owned()));
    // Its vector is still there.
    assert_eq!(
        shop.get("b", true).expect("there").vectors["shared"],
        [0.9, 0.1]
    );
    assert!(ids(&find(&shop, &near(&[0.9, 0.1], 1).into())) == ["b"]);
    // A price changes no text.
    let patch = json!({"price": {"amount": 1, "currency": "EUR"}});
    shop.patch("b", patch.as_object().expect("an object"))
        .expect("patched");
    assert_eq!(found(&shop, "sandals"), ["b"]);
    shop.delete(&["b".to_owned()]).expect("deleted");
    assert_eq!(found(&shop, "sandals"), Vec::<String>::new());
}

#[test]
fn the_index_is_there_after_a_restart_and_made_anew_where_it_is_damaged() {
    let (dir, db, shop) = stock();
    assert_eq!(found(&shop, "kettle"), ["d"]);
    drop((db, shop));
    let put_teapot = |db: &Database| {
        let shop = db.collection("shop").expect("there");
        assert_eq!(found(&shop, "kettle"), ["d"]);
        put(&shop, &[json!({"id": "g", "title": "Teapot"})]);
    };
    put_teapot(&open(dir.path()));
    let folder = dir.path().join("lexical");
    type Damage = fn(&Path);
    let damages: [Damage; 3] = [
        |folder| fs::remove_dir_all(folder).expect("removed"),
        |folder| {
            walk(folder)
                .iter()
                .for_each(|f| fs::write(f, b"junk").expect("written"))
        },
        |folder| {
            let files = walk(folder);
            let meta = files.iter().find(|f| f.ends_with("meta.json"));
            fs::remove_file(meta.expect("a file")).expect("removed");
        },
    ];
    for damage in damages {
        damage(&folder);
        let db = open(dir.path());
        let shop = db.collection("shop").expect("there");
        assert_eq!(found(&shop, "kettle"), ["d"]);
        assert_eq!(found(&shop, "teapot"), ["g"]);
        assert_eq!(found(&shop, "red shoes")[0], "a");
    }
}

fn walk(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder");
    let paths = entries.map(|e| e.expect("an entry").path());
    paths
        .flat_map(|p| if p.is_dir() { walk(&p) } else { vec![p] })
        .collect()
}

#[test]
fn filters_facets_and_totals_agree() {
    let (_dir, _db, shop) = stock();
    let mut search = words("red shoes");
    search.filter = Some(FilterSpec::Text("brand = Peak".into()));
    search.facets = serde_json::from_value(json!([{"field": "category"}])).expect("facets");
    let answer = find(&shop, &search);
    assert_eq!(ids(&answer), ["c", "d"], "both words, and one");
    let total = answer.total.expect("a total");
    assert_eq!((total.value, total.relation), (2, TotalRelation::Eq));
    let facets = answer.facets.expect("facets");
    assert_eq!((facets.items, facets.over), (2, FacetsOver::Matches));
    let counts: Vec<_> = facets.fields[0]
        .values
        .iter()
        .map(|v| (v.value.as_str(), v.count))
        .collect();
    assert_eq!(counts, [("Clothing", 1), ("Kitchen", 1)]);
    // By vector, everything that is let through matches; on both ways the counts are of what is
    // told.
    let by_vector = Search {
        facets: search.facets.clone(),
        ..near(&[1.0, 0.0], 2).into()
    };
    let answer = find(&shop, &by_vector);
    assert_eq!(answer.facets.expect("facets").items, 5);
    assert_eq!(answer.total.expect("a total").value, 5);
    let both = Search {
        facets_over: FacetsOver::Candidates,
        lexical: words("red").lexical,
        ..by_vector
    };
    let answer = find(&shop, &both);
    // Both ways match the items with the word, and those that are as near as they are.
    assert_eq!(answer.facets.expect("facets").items, 4);
    let total = answer.total.expect("a total");
    assert_eq!((total.value, total.relation), (4, TotalRelation::Eq));
}

#[test]
fn both_ways_are_joined_and_say_what_they_add() {
    let (_dir, _db, shop) = stock();
    let search = Search {
        lexical: words("red shoes").lexical,
        highlight: true,
        ..near(&[0.0, 1.0], 3).into()
    };
    let answer = find(&shop, &search);
    assert_eq!(answer.plan, "exact+lexical");
    assert_eq!(answer.hits.len(), 3);
    for hit in &answer.hits {
        let sum: f32 = hit.contributions.iter().map(|c| c.score).sum();
        assert!((sum - hit.score).abs() < 1e-6, "{hit:?}");
        assert!(hit.reason.is_some());
    }
    let by_words = answer
        .hits
        .iter()
        .find(|h| h.id == "a")
        .expect("found by words");
    assert_eq!(by_words.contributions[0].source, Source::Lexical);
    assert_eq!(
        by_words.reason.as_ref().map(|r| r.text.as_str()),
        Some("Matches: red, shoes")
    );
    let marked: Vec<_> = by_words.highlights[0]
        .fragments
        .iter()
        .map(|f| (f.text.as_str(), f.is_match))
        .collect();
    assert_eq!(
        marked,
        [("Red", true), (" running ", false), ("shoes", true)]
    );
}

#[test]
fn who_has_done_nothing_gets_the_ranking_of_nobody() {
    let (_dir, _db, shop) = stock();
    let search = Search {
        lexical: words("red shoes").lexical,
        ..near(&[0.0, 1.0], 3).into()
    };
    let known = Shopper {
        user: Some("u1".into()),
        ..Shopper::default()
    };
    let ranking = |shopper: &Shopper| {
        let answer = shop.search(&search, shopper).expect("an answer");
        let hits = answer.hits.into_iter().map(|h| (h.id, h.contributions));
        (hits.collect::<Vec<_>>(), answer.blend)
    };
    assert_eq!(ranking(&known), ranking(&Shopper::default()));
    let answer = shop.search(&search, &known).expect("an answer");
    assert!(answer.fallbacks.contains(&Fallback::NoHistory));
}

#[test]
fn pages_give_every_match_once() {
    let (_dir, _db, shop) = shop_of(json!({"vectors": {"shared": {"dim": 2, "metric": "l2"}}}));
    let item = |n: usize| {
        json!({"id": format!("i{n:03}"), "title": format!("lamp {}", "bright ".repeat(n % 7)),
               "vectors": {"shared": [n as f32, 0.0]}})
    };
    put(&shop, &(0..250).map(item).collect::<Vec<_>>());
    let by_words = words("bright lamp");
    let by_vector: Search = near(&[100.0, 0.0], 10).into();
    let both = Search {
        lexical: by_words.lexical.clone(),
        relevance: Some(0.0),
        ..by_vector.clone()
    };
    for search in [by_words, by_vector, both] {
        let mut seen = Vec::new();
        let mut page = Search {
            limit: 40,
            cursor_key: format!("{:?}", search.lexical),
            ..search
        };
        loop {
            let answer = find(&shop, &page);
            seen.extend(answer.hits.into_iter().map(|h| h.id));
            page.cursor = answer.next_cursor;
            if page.cursor.is_none() {
                break;
            }
        }
        assert_eq!(seen.len(), 250);
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 250);
    }
    let foreign = Search {
        cursor: Some("xyz".into()),
        ..words("lamp")
    };
    let problem = shop
        .search(&foreign, &Shopper::default())
        .expect_err("no cursor");
    assert!(messages(&problem).starts_with("/cursor"));
}

#[test]
fn conditions_that_no_item_meets_give_way_in_the_engine() {
    let (_dir, _db, shop) = stock();
    let search = |rest: &str, filter: &str, whole: &str, is_optional: bool| Search {
        understood: Some(Understood {
            filter: FilterSpec::Text(filter.into()),
            preferred: Vec::new(),
            whole_text: Some(whole.into()),
            is_optional,
            has_sort: false,
        }),
        ..words(rest)
    };
    // The rest finds items that meet the condition.
    let answer = find(&shop, &search("kettle", "color = red", "red kettle", true));
    assert_eq!(ids(&answer), ["d"]);
    assert!(answer.fallbacks.is_empty());
    // No item has the rest, but one has the whole text.
    let answer = find(&shop, &search("thing", "color = red", "kettle thing", true));
    assert_eq!(ids(&answer), ["d"]);
    // No word is found: the condition alone selects.
    let answer = find(
        &shop,
        &search("thing", "color = red", "crimson thing", true),
    );
    assert_eq!(ids(&answer), ["d"]);
    assert!(answer.fallbacks.is_empty());
    // No item meets the condition: the text is searched as it stands, if it may.
    let impossible = search("kettle", "price > 900", "kettle over 900", true);
    let answer = find(&shop, &impossible);
    assert_eq!(ids(&answer), ["d"]);
    assert_eq!(answer.fallbacks, [Fallback::UnderstoodFilter]);
    let answer = find(
        &shop,
        &search("kettle", "price > 900", "kettle over 900", false),
    );
    assert!(answer.hits.is_empty());
}

#[test]
fn hits_that_meet_an_uncertain_condition_rank_higher() {
    let (_dir, _db, shop) = shop_of(json!({
        "attributes": {"color": "keyword"}, "vectors": {"shared": {"dim": 2}}
    }));
    let lamp = |id: &str, color: &str| json!({"id": id, "title": "Desk lamp", "attributes": {"color": color}});
    put(&shop, &[lamp("r", "red"), lamp("b", "blue")]);
    for (color, first) in [("red", "r"), ("blue", "b")] {
        let search = |preferred: &str| Search {
            understood: Some(Understood {
                filter: FilterSpec::Tree(Filter::default()),
                preferred: vec![FilterSpec::Text(preferred.into())],
                whole_text: None,
                is_optional: true,
                has_sort: false,
            }),
            ..words("lamp")
        };
        let answer = find(&shop, &search(&format!("color = {color}")));
        assert_eq!((ids(&answer)[0], answer.hits.len()), (first, 2), "{color}");
        // A condition that nothing meets changes nothing.
        let answer = find(&shop, &search("color = green"));
        assert_eq!(ids(&answer), ids(&find(&shop, &words("lamp"))));
        assert!(answer.fallbacks.is_empty());
    }
}
