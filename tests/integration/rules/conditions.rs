//! Conditions of rules, their life with the collection, and rules that are refused.

use super::*;

#[test]
fn rules_hold_in_their_time_for_their_category() {
    let now = Arc::new(AtomicI64::new(0));
    let dir = tempfile::tempdir().expect("a folder");
    let told = now.clone();
    let options = || Options {
        clock: Clock::new({
            let told = told.clone();
            move || told.load(Relaxed)
        }),
        ..Options::default()
    };
    let db = Database::open(dir.path(), options()).expect("open");
    let shop = db.create_collection("shop", config()).expect("created");
    stock(&shop);
    let rule = json!({
        "when": {"categories": ["Shoes > Road"]}, "then": {"pin": [{"id": "i150", "position": 1}]},
        "valid_from": "1970-01-01T00:00:10Z", "valid_until": "1970-01-01T00:00:20Z"
    });
    set(&shop, "sale", rule);
    drop(shop);
    drop(db);
    let db = Database::open(dir.path(), options()).expect("open again");
    let shop = db.collection("shop").expect("there");
    let acts = |filter: Option<Value>| {
        let search = Search {
            filter: filter.map(|f| serde_json::from_value(f).expect("a filter")),
            ..by_vector(3)
        };
        find(&shop, &search).hits[0].id == "i150"
    };
    let road = || Some(json!("price IS EMPTY AND category = \"Shoes > Road\""));
    for (at, wanted) in [(9, false), (10, true), (19, true), (20, false)] {
        now.store(at * 1_000_000, Relaxed);
        assert_eq!(acts(road()), wanted, "{at}");
    }
    now.store(15_000_000, Relaxed);
    assert!(!acts(None));
    assert!(!acts(Some(json!("category = Shoes"))));
    let any = json!({"must": [{"key": "category", "match": {"any": ["Shoes > Road", "Toys"]}}]});
    assert!(acts(Some(any)));
    assert_eq!(similar(&shop, "i010", json!({})).hits[0].id, "i150");
    assert_ne!(similar(&shop, "i011", json!({})).hits[0].id, "i150");
    let body = json!({"categories": ["Shoes > Road"]});
    assert_eq!(recommend(&shop, body).hits[0].id, "i150");
    let tried = |at: &str| {
        let request = json!({"categories": ["Shoes > Road"], "at": at});
        let request: RulesTestRequest = serde_json::from_value(request).expect("a request");
        let tried = shop.test_rules(&request).expect("tried");
        serde_json::to_value(tried.rules).expect("JSON")
    };
    assert_eq!(tried("1970-01-01T00:00:15Z"), json!([{"id": "sale"}]));
    assert_eq!(
        tried("2030-01-01T00:00:00Z"),
        json!([{"id": "sale", "inactive_reason": "expired"}])
    );
}

#[test]
fn rules_go_with_their_collection() {
    let (fixture, shop) = shop();
    set(
        &shop,
        "pin",
        json!({"then": {"pin": [{"id": "i150", "position": 1}]}}),
    );
    fixture.db.drop_collection("shop").expect("dropped");
    let rule = shop.settings::<Rule>().remove(0);
    assert!(shop.put_setting(rule).is_err(), "it is gone");
    let again = fixture.shop();
    assert_eq!(again.settings::<Rule>(), []);
}

#[test]
fn a_bad_rule_is_refused_at_its_field() {
    let (_fixture, shop) = shop();
    let pin = json!({"id": "a", "position": 1});
    let good = json!({"pin": [pin]});
    for (rule, at) in [
        (json!({"then": {}}), "/then"),
        (json!({"id": "Big", "then": good}), "/id"),
        (json!({"id": "test", "then": good}), "/id"),
        (json!({"valid_from": "soon", "then": good}), "/valid_from"),
        (
            json!({"valid_from": "2026-01-02T00:00:00Z", "valid_until": "2026-01-01T00:00:00Z", "then": good}),
            "/valid_until",
        ),
        (
            json!({"when": {"query": {"is": []}}, "then": good}),
            "/when/query/is",
        ),
        (
            json!({"when": {"query": {"contains": ["shoe", "!"]}}, "then": good}),
            "/when/query/contains/1",
        ),
        (
            json!({"when": {"categories": [">"]}, "then": good}),
            "/when/categories/0",
        ),
        (
            json!({"then": {"pin": [pin, {"id": "b", "position": 1}]}}),
            "/then/pin/1/position",
        ),
        (
            json!({"then": {"pin": [pin, {"id": "a", "position": 2}]}}),
            "/then/pin/1/id",
        ),
        (
            json!({"then": {"pin": [{"id": "a", "position": 0}]}}),
            "/then/pin/0/position",
        ),
        (
            json!({"then": {"boost": [{"items": ["a"], "factor": -1}]}}),
            "/then/boost/0/factor",
        ),
        (
            json!({"then": {"boost": [{"items": [], "factor": 2}]}}),
            "/then/boost/0/items",
        ),
        (json!({"then": {"hide": "smell = good"}}), "/then/hide"),
        (
            json!({"then": {"bury": {"must": [{"key": "smell", "match": {"value": 1}}]}}}),
            "/then/bury/must/0/key",
        ),
        (json!({"then": {"filter": "brand ="}}), "/then/filter"),
    ] {
        let mut rule = rule;
        if rule.get("id").is_none() {
            rule["id"] = json!("r");
        }
        let rule: Rule = serde_json::from_value(rule.clone()).expect("a rule");
        let refused = shop.put_setting(rule.clone()).expect_err("refused");
        let told = messages(&refused);
        assert_eq!(told.split(' ').next(), Some(at), "{told}");
        let listed = messages(&shop.replace_settings(vec![rule]).expect_err("refused"));
        assert!(listed.starts_with(&format!("/rules/0{at} ")), "{listed}");
    }
    assert_eq!(shop.settings::<Rule>(), []);
    let missing = shop.delete_setting::<Rule>("none").expect_err("missing");
    assert_eq!(missing.code(), "setting_not_found");
}
