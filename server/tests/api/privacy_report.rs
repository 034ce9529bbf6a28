//! Reports of what is stored about people.

use serde_json::{Value, json};

use crate::harness::api;

/// Returns the data of a kind in the report about a collection.
fn data<'a>(report: &'a Value, kind: &str) -> &'a Value {
    let data = report["data"].as_array().expect("a list");
    data.iter().find(|d| d["kind"] == kind).expect("the kind")
}

#[actix_web::test]
async fn the_report_counts_people_records_and_consents() {
    let api = api().await;
    api.shop().await;
    let events = json!([
        {"kind": "view", "collection": "shop", "user": "u1", "session": "s1", "items": ["shoe"], "ts": "2026-01-31T10:00:00Z"},
        {"kind": "purchase", "collection": "shop", "user": "u1", "items": ["shoe"], "ts": "2026-02-01T10:00:00Z"},
        {"kind": "view", "collection": "shop", "session": "s2", "items": ["shoe"], "ts": "2026-02-02T10:00:00Z"},
    ]);
    api.post("/v1/events", events).await.ok();
    let search = json!({"query": {"text": "shoe"}, "mode": "lexical", "user": "u2"});
    let path = "/v1/collections/shop/search";
    api.post(path, search).await.ok();
    let denied = json!({"training": "denied", "analytics": "granted"});
    api.put("/v1/users/u1/consent", denied).await.ok();

    let report = api.get("/v1/privacy/report").await.ok();
    let shop = &report["collections"]["shop"];
    let events = data(shop, "events");
    let counts = ["records", "users", "sessions"].map(|field| events[field].as_u64());
    assert_eq!(counts, [Some(3), Some(1), Some(2)]);
    let oldest = events["oldest"].as_str().expect("a time");
    assert!(oldest.starts_with("2026-01-31"), "{oldest}");
    let searches = data(shop, "searches");
    assert_eq!(
        (&searches["records"], &searches["users"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(searches["retention_days"], 90.0);
    assert_eq!(data(shop, "consents")["records"], 1);
    let consent = &shop["consent"];
    assert_eq!(
        (&consent["default"], &consent["users"]),
        (&json!("granted"), &json!(1))
    );
    assert_eq!(consent["training"], json!({"granted": 0, "denied": 1}));
    assert_eq!(consent["analytics"], json!({"granted": 1, "denied": 0}));
    assert_eq!(report["server"][0]["kind"], "dialogues");
}

#[actix_web::test]
async fn a_person_gets_all_that_is_stored_in_words_and_as_records() {
    let api = api().await;
    api.shop().await;
    let event = |id: u32, who: Value| {
        let mut event = json!({"id": id.to_string(), "kind": "view", "collection": "shop",
            "items": ["shoe"], "ts": format!("2026-01-{:02}T10:00:00Z", id + 10)});
        let fields = event.as_object_mut().expect("fields");
        fields.extend(who.as_object().expect("fields").clone());
        event
    };
    let events = json!([
        event(1, json!({"session": "s1"})),
        event(2, json!({"session": "s1", "user": "u1"})),
        event(3, json!({"user": "u1"})),
        event(4, json!({"user": "u2", "session": "s1"})),
    ]);
    api.post("/v1/events", events).await.ok();
    let turn = json!({"collection": "shop", "search": {"user": "u1"}});
    api.post("/v1/dialogues", turn).await.ok();

    let report = api.get("/v1/users/u1/privacy?limit=2").await.ok();
    let shop = &report["collections"]["shop"];
    assert_eq!(shop["events"]["total"], 3, "also before the log-in: {shop}");
    assert_eq!(shop["events"]["kinds"], json!({"view": 3}));
    let latest = shop["events"]["latest"].as_array().expect("a list");
    let ids: Vec<_> = latest.iter().map(|event| &event["id"]).collect();
    assert_eq!(ids, ["3", "2"], "the newest first");
    let summary = shop["summary"].to_string();
    assert!(
        summary.contains("3 events from 2026-01-11 to 2026-01-13"),
        "{summary}"
    );
    assert!(summary.contains("Used for: your own answers"), "{summary}");
    assert_eq!(report["dialogues"], 1);

    let session = api.get("/v1/sessions/s1/privacy").await.ok();
    assert_eq!(session["collections"]["shop"]["events"]["total"], 3);
    let stranger = api.get("/v1/users/u3/privacy").await.ok();
    let summary = stranger["collections"]["shop"]["summary"].to_string();
    assert!(summary.contains("No event is stored."), "{summary}");
    let refused = api.get("/v1/users/u1/privacy?limit=2000").await;
    let refused = refused.problem(400, "invalid_argument");
    assert_eq!(refused["errors"][0]["pointer"], "/limit");
}
