//! Synonyms, stop words and presets.

use serde_json::{Value, json};

use crate::harness::{Setup, api, ids, with};

const SEARCH: &str = "/v1/collections/shop/search";
const SYNONYMS: &str = "/v1/collections/shop/synonyms";
const STOP_WORDS: &str = "/v1/collections/shop/stop_words";
const PRESETS: &str = "/v1/collections/shop/presets";

fn lexical(text: &str) -> Value {
    json!({"query": {"text": text}, "mode": "lexical"})
}

#[actix_web::test]
async fn synonyms_are_set_used_reported_and_removed() {
    let api = api().await;
    api.shop().await;
    assert!(ids(&api.post(SEARCH, lexical("footwear")).await.ok()).is_empty());
    let list = json!({"synonyms": [{"words": ["footwear"], "to": ["shoe", "boot"]}, {"id": "lamps", "words": ["lamp", "灯"]}]});
    let set = api.put(SYNONYMS, list).await.ok();
    assert_eq!(set["synonyms"].as_array().map(Vec::len), Some(2));
    let found = api.post(SEARCH, lexical("Footwear")).await.ok();
    let both: std::collections::BTreeSet<_> = ids(&found).into_iter().collect();
    assert_eq!(both, ["boot", "shoe"].into());
    assert_eq!(found["synonyms"], json!({"Footwear": ["shoe", "boot"]}));
    assert_eq!(ids(&api.post(SEARCH, lexical("灯")).await.ok()), ["lamp"]);
    let mut off = lexical("footwear");
    off["lexical"] = json!({"synonyms": false});
    assert!(ids(&api.post(SEARCH, off).await.ok()).is_empty());
    api.delete(&format!("{SYNONYMS}/lamps")).await.ok();
    assert!(ids(&api.post(SEARCH, lexical("灯")).await.ok()).is_empty());
    let one = format!("{SYNONYMS}/lamps");
    api.get(&one).await.problem(404, "setting_not_found");
    let problem = api.put(&one, json!({"words": ["lamp"]})).await;
    let problem = problem.problem(400, "invalid_argument");
    assert_eq!(problem["errors"][0]["pointer"], "/words");
    api.put(&one, json!({"words": ["lamp", "light"]}))
        .await
        .ok();
    assert_eq!(
        ids(&api.post(SEARCH, lexical("light")).await.ok()),
        ["lamp"]
    );
}

#[actix_web::test]
async fn stop_words_are_set_and_got() {
    let api = api().await;
    api.shop().await;
    let nothing = json!({"words": [], "keep_common": false});
    assert_eq!(api.get(STOP_WORDS).await.ok(), nothing);
    let mut query = lexical("cheap lamp");
    query["lexical"] = json!({"operator": "and"});
    assert!(ids(&api.post(SEARCH, query.clone()).await.ok()).is_empty());
    let words = json!({"words": ["cheap"], "keep_common": false});
    assert_eq!(api.put(STOP_WORDS, words.clone()).await.ok(), words);
    assert_eq!(api.get(STOP_WORDS).await.ok(), words);
    assert_eq!(ids(&api.post(SEARCH, query).await.ok()), ["lamp"]);
    let problem = api.put(STOP_WORDS, json!({"words": ["ok", "!"]})).await;
    let problem = problem.problem(400, "invalid_argument");
    assert_eq!(problem["errors"][0]["pointer"], "/words/1");
}

#[actix_web::test]
async fn a_preset_says_what_a_request_leaves_open() {
    let api = with(Setup {
        models: false,
        ..Setup::default()
    })
    .await;
    api.shop().await;
    let page = json!({"search": {"limit": 1, "filter": "category = \"Clothing > Shoes\"", "facets": [{"field": "color"}]}});
    api.put(&format!("{PRESETS}/page"), page).await.ok();
    let vector = json!({"vector": [1, 0, 0]});
    let found = api
        .post(SEARCH, json!({"query": vector, "preset": "page"}))
        .await
        .ok();
    assert_eq!(ids(&found), ["shoe"]);
    assert_eq!(found["facets"]["items"], 2);
    let body = json!({"query": vector, "preset": "page", "limit": 10, "facets": []});
    let found = api.post(SEARCH, body).await.ok();
    assert_eq!(ids(&found), ["shoe", "boot"], "the filter is the preset's");
    assert_eq!(found.get("facets"), None);
    let mut body = json!({"query": vector, "preset": "page"});
    let mut pages = Vec::new();
    for _ in 0..2 {
        let found = api.post(SEARCH, body.clone()).await.ok();
        pages.push(ids(&found)[0].to_owned());
        body["cursor"] = found["next_cursor"].clone();
    }
    assert_eq!(pages, ["shoe", "boot"], "cursors hold with a preset");
    let found = api
        .post(SEARCH, json!({"query": vector, "preset": "pages"}))
        .await;
    let problem = found.problem(404, "setting_not_found");
    let detail = problem["detail"].as_str().expect("a detail");
    assert!(
        detail.contains("`pages`") && detail.contains("existing: page"),
        "{detail}"
    );
    let both = json!({"searches": [
        {"collection": "shop", "search": {"query": vector, "preset": "page"}},
        {"collection": "shop", "search": {"query": vector, "preset": "none"}}
    ]});
    let results = api.post("/v1/multi_search", both).await.ok();
    assert_eq!(ids(&results["results"][0]["answer"]), ["shoe"]);
    assert_eq!(results["results"][1]["status"], 404);
    api.delete(&format!("{PRESETS}/page")).await.ok();
    assert_eq!(api.get(PRESETS).await.ok(), json!({"presets": []}));
}

#[actix_web::test]
async fn a_preset_is_checked_like_a_search() {
    let api = api().await;
    api.shop().await;
    for (search, at) in [
        (json!({"limit": 0}), "/search/limit"),
        (json!({"limit": "ten"}), "/search/limit"),
        (json!({"ef": 0}), "/search/ef"),
        (json!({"query": {"text": "x"}}), "/search/query"),
        (json!({"cursor": "x"}), "/search/cursor"),
        (json!({"preset": "x"}), "/search/preset"),
        (json!({"smell": 1}), "/search/smell"),
        (json!({"space": "sound"}), "/search/space"),
        (json!({"filter": "smell = 1"}), "/search/filter"),
        (
            json!({"facets": [{"field": "smell"}]}),
            "/search/facets/0/field",
        ),
        (json!({"diversify": {"mmr": 7}}), "/search/diversify/mmr"),
        (
            json!({"blend": {"method": "learned"}}),
            "/search/blend/method",
        ),
        (
            json!({"blend": {"weights": {"rules": 1}}}),
            "/search/blend/weights/rules",
        ),
    ] {
        let body = json!({"presets": [{"id": "p", "search": search}]});
        let problem = api
            .put(PRESETS, body)
            .await
            .problem(400, "invalid_argument");
        let pointer = problem["errors"][0]["pointer"].as_str().expect("a pointer");
        assert_eq!(pointer, format!("/presets/0{at}"), "{problem}");
    }
    assert_eq!(api.get(PRESETS).await.ok(), json!({"presets": []}));
}
