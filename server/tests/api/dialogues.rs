//! Dialogues.

use serde_json::{Value, json};
use vitrine_server::auth::{Action, Key, Keys};

use crate::harness::{Setup, api, header, ids, request, with};

const DIALOGUES: &str = "/v1/dialogues";

fn by_words() -> Setup {
    Setup {
        models: false,
        ..Setup::default()
    }
}

fn turns(begun: &Value) -> String {
    format!("{DIALOGUES}/{}/turns", begun["id"].as_str().expect("an id"))
}

fn hits(answer: &Value) -> Vec<&str> {
    ids(&answer["answer"])
}

#[actix_web::test]
async fn turns_change_the_state_and_can_be_taken_back() {
    let api = with(by_words()).await;
    api.shop().await;
    let body = json!({"collection": "shop", "text": "red shoes under 100", "search": {"facets": [{"field": "color"}]}});
    let begun = api.post(DIALOGUES, body).await;
    assert_eq!(begun.status, 201);
    let begun = begun.ok();
    assert_eq!(hits(&begun), ["shoe"]);
    assert_eq!(begun["answer"]["facets"]["items"], 1);
    assert_eq!(
        begun["dialogue"]["shown"],
        json!([{"id": "shoe", "price": 80.0}])
    );
    let say = turns(&begun);

    let green = api.post(&say, json!({"text": "in green"})).await.ok();
    assert!(hits(&green).is_empty());
    let turn = &green["turn"];
    assert_eq!(turn["before"], begun["dialogue"]["state"]);
    assert_eq!(turn["after"], green["dialogue"]["state"]);
    assert_eq!(turn["acts"][0]["kind"], "filter");
    assert_eq!(turn["acts"][0]["words"], "green");
    assert_eq!(
        green["relaxations"],
        json!([{"drop": ["color"], "matches": 1}, {"drop": ["price"], "matches": 1}])
    );

    let free = api.post(&say, json!({"drop": ["price"]})).await.ok();
    assert_eq!(hits(&free), ["boot"]);
    let back = api.post(&say, json!({"undo": true})).await.ok();
    assert_eq!(back["dialogue"], green["dialogue"]);
    let back = api.post(&say, json!({"text": "undo"})).await.ok();
    assert_eq!(back["dialogue"], begun["dialogue"]);

    let over = api.post(&say, json!({"text": "重新开始"})).await.ok();
    assert!(over.get("answer").is_none(), "nothing is asked for: {over}");
    assert_eq!(
        over["dialogue"]["state"],
        json!({"text": "", "filters": []})
    );
    let back = api.post(&say, json!({"text": "撤销"})).await.ok();
    assert_eq!(hits(&back), ["shoe"], "even that can be taken back");
}

#[actix_web::test]
async fn a_hit_is_searched_by_with_the_conditions_that_hold() {
    let api = with(by_words()).await;
    api.shop().await;
    let begun = api
        .post(DIALOGUES, json!({"collection": "shop", "text": "clothing"}))
        .await
        .ok();
    assert_eq!(hits(&begun).len(), 2, "{begun}");
    let place = 1 + hits(&begun).iter().position(|id| *id == "boot").unwrap();
    let say = turns(&begun);
    let liked = api
        .post(&say, json!({"text": format!("more like number {place}")}))
        .await
        .ok();
    assert_eq!(hits(&liked), ["shoe"], "{liked}");
    assert_eq!(
        liked["dialogue"]["state"]["like"],
        json!({"id": "boot", "price": 120.0})
    );
    assert_eq!(liked["answer"]["plan"], "exact");
    let cheaper = api.post(&say, json!({"text": "cheaper"})).await.ok();
    let act = &cheaper["turn"]["acts"][0];
    assert_eq!(act["basis"], "liked");
    assert_eq!(act["range"], json!({"lt": 120.0}));
    let lamp = api.post(&say, json!({"like": "lamp"})).await.ok();
    assert_eq!(
        lamp["dialogue"]["state"]["like"]["price"], 30.0,
        "its price is known though it was not shown"
    );
    let none = api
        .post(&say, json!({"text": "like the seventh"}))
        .await
        .ok();
    assert!(
        none["turn"]["unclear"][0]["detail"]
            .as_str()
            .unwrap()
            .contains("no such position")
    );
    assert_eq!(
        none["dialogue"]["turns"], lamp["dialogue"]["turns"],
        "nothing to undo"
    );
}

#[actix_web::test]
async fn what_only_filters_finds_what_they_let_through() {
    let api = with(by_words()).await;
    api.shop().await;
    for (text, wanted) in [
        ("under 100", vec!["lamp", "shoe"]),
        ("要蓝色的", vec!["lamp"]),
        ("not red", vec!["lamp", "boot"]),
        ("不要红色的，100以上", vec!["boot"]),
    ] {
        let begun = api
            .post(DIALOGUES, json!({"collection": "shop", "text": text}))
            .await
            .ok();
        assert_eq!(hits(&begun), wanted, "{begun}");
        assert_eq!(begun["answer"]["plan"], "filter");
        assert_eq!(
            begun["answer"]["total"],
            json!({"value": wanted.len(), "relation": "eq"})
        );
        let body = json!({"query": {"text": text}, "understand": {}, "mode": "lexical"});
        let found = api.post("/v1/collections/shop/search", body).await.ok();
        assert_eq!(ids(&found), wanted, "so does a search: {found}");
    }
}

#[actix_web::test]
async fn pages_go_on_and_places_count_on() {
    let api = with(by_words()).await;
    api.shop().await;
    let body = json!({"collection": "shop", "text": "under 200", "search": {"limit": 1}});
    let begun = api.post(DIALOGUES, body).await.ok();
    assert_eq!(hits(&begun), ["lamp"]);
    let page = format!("{DIALOGUES}/{}/page", begun["id"].as_str().unwrap());
    let cursor = &begun["answer"]["next_cursor"];
    let second = api
        .post(&page, json!({"cursor": cursor, "limit": 2}))
        .await
        .ok();
    assert_eq!(hits(&second), ["boot", "shoe"]);
    assert!(second.get("turn").is_none());
    let third = api
        .post(&turns(&begun), json!({"text": "like the third one"}))
        .await
        .ok();
    assert_eq!(third["dialogue"]["state"]["like"]["id"], "shoe");
    let stale = api.post(&page, json!({"cursor": cursor})).await;
    let problem = stale.problem(400, "invalid_argument");
    assert_eq!(
        problem["errors"][0]["pointer"], "/cursor",
        "it is of another state"
    );
}

#[actix_web::test]
async fn a_dialogue_goes_on_after_a_restart() {
    let first = with(by_words()).await;
    first.shop().await;
    let begun = first
        .post(
            DIALOGUES,
            json!({"collection": "shop", "text": "red shoes"}),
        )
        .await
        .ok();
    let green = first
        .post(&turns(&begun), json!({"text": "green"}))
        .await
        .ok();
    let second = with(by_words()).await;
    second.shop().await;
    second
        .get(&format!("{DIALOGUES}/{}", begun["id"].as_str().unwrap()))
        .await
        .problem(404, "dialogue_not_found");
    let body = json!({"resume": green["dialogue"], "text": "like the first"});
    let resumed = second.post(DIALOGUES, body).await.ok();
    assert_eq!(resumed["dialogue"]["state"]["like"]["id"], "boot");
    let say = turns(&resumed);
    for expected in [&green, &begun] {
        let back = second.post(&say, json!({"undo": true})).await.ok();
        assert_eq!(back["dialogue"]["state"], expected["dialogue"]["state"]);
    }
    let seen = second.get(say.trim_end_matches("/turns")).await.ok();
    assert_eq!(seen["dialogue"]["state"], begun["dialogue"]["state"]);
    assert!(seen.get("answer").is_none());
}

#[actix_web::test]
async fn errors_name_their_fields() {
    let api = with(by_words()).await;
    api.shop().await;
    let resumed = |change: Value| {
        let mut dialogue = json!({"collection": "shop"});
        dialogue
            .as_object_mut()
            .unwrap()
            .extend(change.as_object().unwrap().clone());
        json!({"resume": dialogue})
    };
    for (body, pointer) in [
        (json!({}), ""),
        (
            json!({"collection": "shop", "resume": {"collection": "shop"}}),
            "",
        ),
        (json!({"collection": "shop", "text": " "}), "/text"),
        (
            json!({"collection": "shop", "text": "x".repeat(4097)}),
            "/text",
        ),
        (
            json!({"collection": "shop", "search": {"limit": 0}}),
            "/search/limit",
        ),
        (
            json!({"collection": "shop", "search": {"limits": 0}}),
            "/search/limits",
        ),
        (
            json!({"collection": "shop", "search": {"filter": {"must": [{"key": "no", "match": {"value": 1}}]}}}),
            "/search/filter/must/0/key",
        ),
        (
            resumed(json!({"search": {"limit": 1001}})),
            "/resume/search/limit",
        ),
        (
            resumed(json!({"state": {"filters": [{"field": "no", "values": ["x"]}]}})),
            "/resume/state/filters",
        ),
        (
            resumed(json!({"state": {"filters": [{"field": "price", "values": ["x"]}]}})),
            "/resume/state/filters",
        ),
        (
            resumed(json!({"state": {"text": "x".repeat(70_000)}})),
            "/resume/state",
        ),
        (
            resumed(json!({"state": {"texts": ""}})),
            "/resume/state/texts",
        ),
        (
            resumed(json!({"shown": vec![json!({"id": "a"}); 1001]})),
            "/resume/shown",
        ),
    ] {
        let problem = api
            .post(DIALOGUES, body)
            .await
            .problem(400, "invalid_argument");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
    api.post(DIALOGUES, json!({"collection": "none"}))
        .await
        .problem(404, "collection_not_found");

    let begun = api
        .post(DIALOGUES, json!({"collection": "shop"}))
        .await
        .ok();
    assert!(begun.get("answer").is_none());
    let say = turns(&begun);
    for (body, pointer) in [
        (json!({}), ""),
        (json!({"text": "red", "undo": true}), ""),
        (json!({"undo": false}), "/undo"),
        (json!({"undo": true}), "/undo"),
        (json!({"drop": []}), "/drop"),
        (json!({"drop": ["color"]}), "/drop/0"),
        (json!({"text": ""}), "/text"),
    ] {
        let problem = api.post(&say, body).await.problem(400, "invalid_argument");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
    api.post(&say, json!({"like": "none"}))
        .await
        .problem(404, "item_not_found");
    let page = say.replace("/turns", "/page");
    let problem = api.post(&page, json!({"limit": 0})).await;
    assert!(problem.status == 200, "nothing is searched for yet");
    api.post(&say, json!({"text": "red"})).await.ok();
    let problem = api
        .post(&page, json!({"limit": 0}))
        .await
        .problem(400, "invalid_argument");
    assert_eq!(problem["errors"][0]["pointer"], "/limit");
}

#[actix_web::test]
async fn dialogues_are_forgotten_with_their_shopper_and_by_themselves() {
    let api = api().await;
    api.shop().await;
    let mut begun = Vec::new();
    for search in [
        json!({"user": "u1"}),
        json!({"user": "u2"}),
        json!({"session": "s1"}),
        json!({}),
    ] {
        let body = json!({"collection": "shop", "search": search});
        let id = api.post(DIALOGUES, body).await.ok()["id"]
            .as_str()
            .unwrap()
            .to_owned();
        begun.push(format!("{DIALOGUES}/{id}"));
    }
    api.delete("/v1/users/u1?collection=shop").await.ok();
    api.delete("/v1/sessions/s1").await.ok();
    for (path, is_there) in begun.iter().zip([false, true, false, true]) {
        let answer = api.get(path).await;
        if is_there {
            answer.ok();
        } else {
            answer.problem(404, "dialogue_not_found");
        }
    }
    assert_eq!(api.delete(&begun[3]).await.status, 204);
    api.delete(&begun[3])
        .await
        .problem(404, "dialogue_not_found");
    let say = format!("{}/turns", begun[3]);
    api.post(&say, json!({"text": "red"}))
        .await
        .problem(404, "dialogue_not_found");
}

#[actix_web::test]
async fn a_key_speaks_only_of_what_it_covers() {
    let key = |name: &str, actions: Vec<Action>, covers: &str| {
        Key::create(name.into(), actions, vec![covers.into()]).unwrap()
    };
    let (reader, shop) = key("r", vec![Action::Read], "shop");
    let (other, posts) = key("p", vec![Action::Read], "posts");
    let (owner, all) = key("o", vec![Action::Read, Action::Write, Action::Admin], "*");
    let keys = Keys {
        keys: vec![reader, other, owner],
    };
    let api = with(Setup { keys, ..by_words() }).await;
    let send = |method: &str, path: &str, body: Value, secret: &str| {
        let bearer = header("authorization", &format!("Bearer {secret}"));
        api.send(request(method, path, &body).insert_header(bearer))
    };
    send(
        "PUT",
        "/v1/collections/shop",
        json!({"vectors": {"shared": {"dim": 2}}}),
        &all,
    )
    .await
    .ok();
    let body = json!({"collection": "shop"});
    send("POST", DIALOGUES, body.clone(), &posts)
        .await
        .problem(403, "forbidden");
    let begun = send("POST", DIALOGUES, body, &shop).await.ok();
    let say = turns(&begun);
    send("POST", &say, json!({"text": "red"}), &posts)
        .await
        .problem(403, "forbidden");
    send("DELETE", say.trim_end_matches("/turns"), json!({}), &posts)
        .await
        .problem(403, "forbidden");
    send("POST", &say, json!({"text": "red"}), &shop).await.ok();
}
