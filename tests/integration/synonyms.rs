//! Synonyms and stop words of a collection.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use vitrine::{Collection, Database, LexicalQuery, Options, Search, Shopper, schemas::Synonym};

use crate::support::{Fixture, config, messages, put};

fn words(text: &str) -> Search {
    Search {
        lexical: Some(LexicalQuery {
            text: text.into(),
            ..LexicalQuery::default()
        }),
        limit: 10,
        ..Search::default()
    }
}

fn synonyms(shop: &Collection, list: Value) {
    let list: Vec<Synonym> = serde_json::from_value(list).expect("synonyms");
    shop.replace_settings(list).expect("stored");
}

fn texts(shop: &Collection, texts: &[(&str, &str)]) {
    let items: Vec<Value> = texts
        .iter()
        .map(|(id, title)| json!({"id": id, "title": title}))
        .collect();
    put(shop, &items);
}

#[test]
fn synonyms_find_what_they_stand_for() {
    let fixture = Fixture::new();
    let shop = fixture.shop();
    texts(
        &shop,
        &[
            ("sneaker", "White sneaker"),
            ("running", "Red running shoes"),
            ("shoe", "Shoe polish"),
            ("phone", "Smart phone"),
            ("iphone", "iPhone case"),
            ("zh", "男士运动鞋"),
            ("zh2", "红色跑鞋"),
        ],
    );
    synonyms(
        &shop,
        json!([
            {"words": ["Sneakers", "running shoe", "trainers"]},
            {"words": ["iphone"], "to": ["smart phones"]},
            {"words": ["跑鞋", "运动鞋"]}
        ]),
    );
    let all = |text: &str| Search {
        lexical: Some(LexicalQuery {
            text: text.into(),
            all: true,
            ..LexicalQuery::default()
        }),
        ..words(text)
    };
    for (search, wanted) in [
        (words("sneaker"), vec!["running", "sneaker"]),
        (words("Running Shoes"), vec!["running", "shoe", "sneaker"]),
        (all("running shoes"), vec!["running", "sneaker"]),
        (all("white running shoes"), vec!["sneaker"]),
        (words("trainer"), vec!["running", "sneaker"]),
        (words("shoe"), vec!["running", "shoe"]),
        (words("iphone"), vec!["iphone", "phone"]),
        (words("smart phone"), vec!["phone"]),
        (all("红色运动鞋"), vec!["zh2"]),
        (all("跑鞋"), vec!["zh", "zh2"]),
    ] {
        let answer = shop.search(&search, &Shopper::default()).expect("found");
        let found: BTreeSet<_> = answer.hits.iter().map(|hit| hit.id.as_str()).collect();
        assert_eq!(found, wanted.into_iter().collect(), "{search:?}");
    }
    let answer = shop
        .search(&words("Sneaker"), &Shopper::default())
        .expect("found");
    assert_eq!(answer.hits[0].id, "sneaker", "the word itself counts more");
    assert_eq!(
        answer.synonyms["Sneaker"],
        ["running shoe"],
        "no item has trainers"
    );
    let plain = Search {
        lexical: Some(LexicalQuery {
            text: "sneaker".into(),
            without_synonyms: true,
            ..LexicalQuery::default()
        }),
        ..words("")
    };
    let answer = shop.search(&plain, &Shopper::default()).expect("found");
    assert_eq!((answer.hits.len(), answer.synonyms.len()), (1, 0));
}

#[test]
fn stop_words_of_a_shop_are_passed_over() {
    let fixture = Fixture::new();
    let shop = fixture.shop();
    texts(
        &shop,
        &[
            ("cheap", "Best price guide"),
            ("shoe", "Running shoe"),
            ("zh", "跑鞋"),
            ("zh2", "特价跑步机"),
            ("the", "The Who"),
        ],
    );
    let found = |text: &str| {
        let search = Search {
            lexical: Some(LexicalQuery {
                text: text.into(),
                all: true,
                ..LexicalQuery::default()
            }),
            ..words(text)
        };
        let answer = shop.search(&search, &Shopper::default()).expect("found");
        answer
            .hits
            .into_iter()
            .map(|hit| hit.id)
            .collect::<Vec<_>>()
    };
    assert_eq!(found("best prices running shoe"), Vec::<String>::new());
    assert_eq!(found("特价跑鞋"), Vec::<String>::new());
    let stop = json!({"words": ["best price", "特价"]});
    shop.set_stop_words(serde_json::from_value(stop).expect("stop words"))
        .expect("stored");
    assert_eq!(found("best prices running shoe"), ["shoe"]);
    assert_eq!(found("特价跑鞋"), ["zh"]);
    assert_eq!(
        found("best price"),
        ["cheap"],
        "where there is nothing else"
    );
    assert_eq!(found("the the who"), ["the"]);
    let keep = json!({"keep_common": true});
    shop.set_stop_words(serde_json::from_value(keep).expect("stop words"))
        .expect("stored");
    assert_eq!(found("the running shoe"), Vec::<String>::new());
}

#[test]
fn synonyms_are_there_after_a_restart_and_bad_ones_are_refused() {
    let dir = tempfile::tempdir().expect("a folder");
    let open = || Database::open(dir.path(), Options::default()).expect("open");
    let db = open();
    let shop = db.create_collection("shop", config()).expect("created");
    texts(&shop, &[("lamp", "Desk lamp")]);
    synonyms(&shop, json!([{"words": ["light", "lamp"]}]));
    let id = shop.settings::<Synonym>()[0].id.clone();
    assert_eq!(id.len(), 16);
    for (bad, at) in [
        (json!({"words": []}), "/words"),
        (json!({"words": ["one"]}), "/words"),
        (json!({"words": ["one", "?"]}), "/words/1"),
        (json!({"words": ["one"], "to": [" "]}), "/to/0"),
        (json!({"words": ["one", "x".repeat(2000)]}), "/words/1"),
        (json!({"id": "A b", "words": ["one", "two"]}), "/id"),
    ] {
        let bad: Synonym = serde_json::from_value(bad).expect("a synonym");
        let problem = shop.replace_settings(vec![bad]).expect_err("refused");
        let told = messages(&problem);
        assert!(told.starts_with(&format!("/synonyms/0{at} ")), "{told}");
    }
    let same: Synonym = serde_json::from_value(json!({"words": ["a", "b"]})).expect("a synonym");
    assert!(shop.replace_settings(vec![same.clone(), same]).is_err());
    drop(shop);
    drop(db);
    let db = open();
    let shop = db.collection("shop").expect("there");
    let answer = shop
        .search(&words("light"), &Shopper::default())
        .expect("found");
    assert_eq!(answer.hits.len(), 1);
    shop.delete_setting::<Synonym>(&id).expect("deleted");
    let answer = shop
        .search(&words("light"), &Shopper::default())
        .expect("found");
    assert_eq!(answer.hits.len(), 0);
}
