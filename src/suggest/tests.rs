//! The index of suggestions over small catalogs.

use serde_json::json;
use vitrine_schemas::{Item, SuggestionKind};

use super::*;

fn item(id: usize, title: &str, brand: &str, category: &str) -> Item {
    let item =
        json!({"id": format!("i{id}"), "title": title, "brand": brand, "category": category});
    serde_json::from_value(item).expect("an item")
}

fn query(text: &str, searches: u64) -> PopularQuery {
    PopularQuery {
        text: text.to_owned(),
        searches,
        hits: 7,
    }
}

fn built(items: &[Item], queries: Vec<PopularQuery>, blocked: &[&str]) -> Suggestions {
    let suggestions = Suggestions::default();
    let mut catalog = CatalogCounts::default();
    items.iter().for_each(|item| catalog.add(item));
    let version = SourceVersion {
        writes: 1,
        searches: [0, 0],
        consents: 0,
        config: SuggestConfig {
            min_users: 3,
            blocked: blocked.iter().map(|b| (*b).to_owned()).collect(),
        },
    };
    suggestions
        .build(version, catalog, queries, Instant::now(), String::new())
        .expect("built");
    suggestions
}

fn shop() -> Vec<Item> {
    let titles = [
        ("Nike Air running shoes, black", "Nike", "Clothing > Shoes"),
        ("Adidas running shoes for men", "Adidas", "Clothing > Shoes"),
        ("Trail running shoes", "Salomon", "Clothing > Shoes"),
        ("Rain jacket (2024)", "Nike", "Clothing > Jackets"),
        ("Crème brûlée set", "Staub", "Home > Kitchen"),
        ("李宁 轻便跑步鞋", "李宁", "服装 > 跑步鞋"),
    ];
    let items = titles.into_iter().enumerate();
    items
        .map(|(id, (title, brand, category))| item(id, title, brand, category))
        .collect()
}

fn complete(suggestions: &Suggestions, q: &str) -> Vec<Suggestion> {
    complete_where(suggestions, q, |_| true)
}

fn complete_where(s: &Suggestions, q: &str, is_shown: impl Fn(&str) -> bool) -> Vec<Suggestion> {
    let params = SuggestParams {
        q: q.to_owned(),
        limit: 10,
        kinds: Vec::new(),
    };
    s.complete(&params, is_shown)
        .expect("completed")
        .suggestions
}

fn texts(suggestions: &Suggestions, q: &str) -> Vec<String> {
    let found = complete(suggestions, q).into_iter();
    found.map(|s| s.text).collect()
}

#[test]
fn phrases_brands_and_categories_complete_a_prefix() {
    let suggestions = built(&shop(), Vec::new(), &[]);
    let found = complete(&suggestions, "run");
    assert_eq!(found[0].text, "running shoes");
    assert_eq!((found[0].kind, found[0].items), (SuggestionKind::Phrase, 3));
    let found = complete(&suggestions, "sho");
    let category = found.iter().find(|s| s.kind == SuggestionKind::Category);
    let category = category.expect("a category");
    assert_eq!(category.category.as_deref(), Some("Clothing > Shoes"));
    assert_eq!(category.items, 3);
    assert!(
        found.iter().any(|s| s.text == "running shoes"),
        "inside: {found:?}"
    );
    let found = complete(&suggestions, "nik");
    assert_eq!((found[0].text.as_str(), found[0].items), ("Nike", 2));
}

#[test]
fn typos_accents_and_chinese_are_understood() {
    let suggestions = built(&shop(), Vec::new(), &[]);
    for typed in ["runnin shoes", "runing", "ruNNnig", "rumming sho"] {
        let found = complete(&suggestions, typed);
        assert_eq!(found[0].text, "running shoes", "{typed}");
        assert!(found[0].typos > 0, "{typed}");
    }
    assert_eq!(texts(&suggestions, "creme br")[0], "crème brûlée set");
    assert!(texts(&suggestions, "跑").contains(&"跑步鞋".to_owned()));
    assert_eq!(texts(&suggestions, "李宁")[0], "李宁");
    assert_eq!(texts(&suggestions, "xyz"), Vec::<String>::new());
}

#[test]
fn queries_come_first_and_are_not_repeated() {
    let queries = vec![query("running shoes", 40), query("running belt", 9)];
    let suggestions = built(&shop(), queries, &[]);
    let found = complete(&suggestions, "running");
    let expected = [("running shoes", 40), ("running belt", 9)];
    for (found, (text, _)) in found.iter().zip(expected) {
        assert_eq!(
            (found.text.as_str(), found.kind),
            (text, SuggestionKind::Query)
        );
    }
    let same = found.iter().filter(|s| s.text == "running shoes");
    assert_eq!(same.count(), 1);
}

#[test]
fn blocked_words_hidden_and_deleted_items_are_not_suggested() {
    let mut items = shop();
    items[3].hidden = true;
    let suggestions = built(&items, vec![query("cheap shoes", 5)], &["Cheap", "跑步"]);
    assert_eq!(texts(&suggestions, "cheap"), Vec::<String>::new());
    assert_eq!(texts(&suggestions, "跑步"), Vec::<String>::new());
    assert_eq!(texts(&suggestions, "rain"), Vec::<String>::new());
    let gone = |id: &str| !["i0", "i1", "i2"].contains(&id);
    let found = complete_where(&suggestions, "running", gone);
    assert!(found.is_empty(), "{found:?}");
    let found = complete_where(&suggestions, "running", |id| id == "i1");
    assert_eq!(found[0].text, "running shoes");
}

#[test]
fn an_empty_text_and_kinds_select_the_most_popular() {
    let suggestions = built(&shop(), vec![query("tent", 100)], &[]);
    assert_eq!(texts(&suggestions, "")[0], "tent");
    let params = |kinds: &[&str], limit| SuggestParams {
        q: String::new(),
        limit,
        kinds: kinds.iter().map(|k| (*k).to_owned()).collect(),
    };
    let brands = suggestions.complete(&params(&["brand"], 3), |_| true);
    let brands = brands.expect("completed").suggestions;
    assert_eq!(brands.len(), 3);
    assert!(brands.iter().all(|s| s.kind == SuggestionKind::Brand));
    assert!(
        suggestions
            .complete(&params(&["colors"], 3), |_| true)
            .is_err()
    );
    assert!(suggestions.complete(&params(&[], 0), |_| true).is_err());
}

/// Compares the index with a scan of all entries.
#[test]
fn no_completion_is_missed() {
    let words = [
        "red", "reef", "rest", "blue", "bluer", "lamp", "lamps", "ramp",
    ];
    let pairs = words.iter().flat_map(|a| words.map(|b| format!("{a} {b}")));
    let queries: Vec<_> = pairs.zip(1..).map(|(text, n)| query(&text, n)).collect();
    let suggestions = built(&[], queries.clone(), &[]);
    for typed in ["r", "re", "red", "red l", "la", "lamps", "blue ", "bluer r"] {
        let params = SuggestParams {
            q: typed.to_owned(),
            limit: 50,
            kinds: Vec::new(),
        };
        let found = suggestions.complete(&params, |_| true).expect("completed");
        let mut found: Vec<_> = found.suggestions.into_iter().map(|s| s.text).collect();
        found.sort();
        let matches = |text: &str| text.starts_with(typed) || text.contains(&format!(" {typed}"));
        let all = queries.iter().map(|q| q.text.clone());
        let mut expected: Vec<_> = all.filter(|text| matches(text)).collect();
        expected.sort();
        assert_eq!(found, expected, "{typed}");
    }
}
