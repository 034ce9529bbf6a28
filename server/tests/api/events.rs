//! Events: storing, importing, exporting and erasing.

use serde_json::{Value, json};

use crate::harness::{NDJSON, Setup, api, lines, raw, with};

#[actix_web::test]
async fn one_event_or_many_are_stored_with_a_result_each() {
    let api = api().await;
    api.shop().await;
    let view = |id: &str, item: &str| json!({"id": id, "kind": "view", "collection": "shop", "user": "u", "items": [item]});
    let one = api.post("/v1/events", view("1", "shoe")).await.ok();
    assert_eq!(one["results"], json!([{"index": 0, "status": "accepted"}]));
    let nobody = json!({"kind": "view", "collection": "shop", "items": ["shoe"]});
    let many = json!([view("1", "shoe"), view("2", "ghost"), nobody]);
    let many = api.post("/v1/events", many).await.ok();
    let status = |n: usize| many["results"][n]["status"].as_str().unwrap();
    assert_eq!(
        [status(0), status(1), status(2)],
        ["duplicate", "unknown_items", "rejected"]
    );
}

#[actix_web::test]
async fn an_error_in_an_event_names_its_line_and_field() {
    let api = api().await;
    api.shop().await;
    let event = json!({"kind": "gaze", "collection": "shop", "user": "u", "items": ["a"]});
    let problem = api.post("/v1/events", event.clone()).await;
    let problem = problem.problem(400, "invalid_argument");
    assert_eq!(problem["errors"][0]["pointer"], "/kind");
    let answer = api.post("/v1/events", json!("view")).await;
    answer.problem(400, "invalid_argument");
    let good = json!({"kind": "view", "collection": "shop", "user": "u", "items": ["shoe"]});
    let body = json!([event, good, 7, {"kind": "view"}]);
    let many = api.post("/v1/events", body).await.ok();
    let results = many["results"].as_array().unwrap();
    let each = results.iter().map(|r| (&r["index"], r["status"].as_str()));
    let each: Vec<_> = each.map(|(n, s)| (n.as_u64(), s)).collect();
    let rejected = |n| (Some(n), Some("rejected"));
    let stored = (Some(1), Some("accepted"));
    assert_eq!(each, [rejected(0), stored, rejected(2), rejected(3)]);
    let error = results[0]["error"].as_str().unwrap();
    assert!(
        error.starts_with("/kind: ") && error.contains("gaze"),
        "{error}"
    );
    assert_eq!(many["summary"]["rejected"], 3);
}

const IMPORT: &str = "/v1/events/import?collection=shop";

fn ahead(hours: i64) -> String {
    (chrono::Utc::now() + chrono::TimeDelta::hours(hours)).to_rfc3339()
}

#[actix_web::test]
async fn an_import_answers_each_line_and_is_the_same_when_sent_again() {
    let api = api().await;
    api.shop().await;
    let mut body = Vec::new();
    for line in [
        r#"{"id": "1", "kind": "view", "user": "u", "items": ["shoe"], "ts": "2026-01-01T00:00:00Z"}"#,
        "",
        r#"{"kind": "purchase", "session": "s", "items": ["ghost"], "ts": "2026-01-01T00:00:00Z"}"#,
        r#"{"kind": "gaze", "user": "u", "items": ["shoe"]}"#,
        r#"{"kind": "view", "user": "u", "items": ["shoe"]"#,
        r#"{"kind": "view", "collection": "other", "user": "u", "items": ["shoe"]}"#,
        r#"{"kind": "view", "user": "u", "items": []}"#,
        r#"{"kind": "purchase", "user": "u", "items": ["shoe"], "value": -3}"#,
    ] {
        body.extend(line.as_bytes());
        body.push(b'\n');
    }
    for (ts, id) in [(ahead(12), "12"), (ahead(30), "30")] {
        let event = json!({"id": id, "kind": "view", "user": "u", "items": ["shoe"], "ts": ts});
        body.extend(format!("{event}\n").as_bytes());
    }
    let (results, last) = lines(api.send(raw("POST", IMPORT, NDJSON, body.clone())).await);
    let told: Vec<_> = results
        .iter()
        .map(|r| (r["index"].as_u64().unwrap(), r["status"].as_str().unwrap()))
        .collect();
    assert_eq!(
        told,
        [
            (1, "accepted"),
            (3, "unknown_items"),
            (4, "rejected"),
            (5, "rejected"),
            (6, "rejected"),
            (7, "rejected"),
            (8, "rejected"),
            (9, "accepted"),
            (10, "rejected"),
        ]
    );
    let error = |n: usize| results[n]["error"].as_str().unwrap();
    assert!(error(2).starts_with("/kind: "), "{}", error(2));
    assert!(error(4).starts_with("/collection: "));
    assert!(error(5).contains("/items") && error(6).contains("/value"));
    assert!(error(8).contains("/ts") && error(8).contains("future"));
    assert_eq!(
        (&results[0]["late"], &results[7]["skewed"]),
        (&json!(true), &json!(true))
    );
    let summary = |accepted: u64, duplicate: u64, skewed: u64, late: u64| {
        json!({"accepted": accepted, "duplicate": duplicate, "unknown_items": accepted / 3,
            "rejected": 6, "skewed": skewed, "late": late})
    };
    assert_eq!(last["summary"], summary(3, 0, 1, 2));
    let (_, last) = lines(api.send(raw("POST", IMPORT, NDJSON, body)).await);
    assert_eq!(last["summary"], summary(0, 3, 0, 0));
}

#[actix_web::test]
async fn csv_goes_by_names_or_by_the_query_string() {
    let api = api().await;
    api.shop().await;
    let csv =
        "user_id,item,event,time\nu,shoe,view,2026-01-01\nu,shoe,view\n,shoe,view,2026-01-02\n";
    let (results, last) = lines(api.send(raw("POST", IMPORT, "text/csv", csv)).await);
    assert_eq!(last["summary"]["accepted"], 1);
    assert!(results[1]["error"].as_str().unwrap().contains("got 3"));
    assert!(results[2]["error"].as_str().unwrap().starts_with("/user: "));
    let csv = "who;what\n".replace(';', ",") + "v,shoe|hat\n";
    let path = format!("{IMPORT}&user=who&items=what&items_separator=%7C&default_kind=like");
    let (_, last) = lines(api.send(raw("POST", &path, "text/csv", csv.clone())).await);
    assert_eq!(last["summary"]["accepted"], 1);
    let of_item = api.get("/v1/collections/shop/items/hat/events").await.ok();
    assert_eq!(of_item["counts"], json!({"like": 1}));
    assert_eq!(of_item["latest"][0]["user"], "v");
    for path in [
        format!("{IMPORT}&user=nobody&items=what&default_kind=like"),
        format!("{IMPORT}&user=who&items=what"),
        format!("{IMPORT}&ts_format=now"),
        format!("{IMPORT}&default_kind=gaze"),
        "/v1/events/import".to_owned(),
    ] {
        let answer = api.send(raw("POST", &path, "text/csv", csv.clone())).await;
        answer.problem(400, "invalid_argument");
    }
    let nowhere = "/v1/events/import?collection=nowhere";
    let answer = api.send(raw("POST", nowhere, "text/csv", csv)).await;
    answer.problem(404, "collection_not_found");
}

#[actix_web::test]
async fn a_file_that_is_not_parquet_or_too_large_is_rejected() {
    let mut setup = Setup::default();
    setup.limits.import_file_bytes = 100;
    let api = with(setup).await;
    api.shop().await;
    let parquet = "application/vnd.apache.parquet";
    let answer = api.send(raw("POST", IMPORT, parquet, "PAR1 or not")).await;
    let problem = answer.problem(400, "invalid_argument");
    assert!(!problem.to_string().contains("/tmp"), "{problem}");
    let answer = api.send(raw("POST", IMPORT, parquet, vec![0; 101])).await;
    answer.problem(413, "body_too_large");
}

#[actix_web::test]
async fn a_user_is_given_out_and_erased() {
    let api = api().await;
    api.shop().await;
    let mut body = String::new();
    for n in 0..1200 {
        let user = ["anna", "ben"][n % 2];
        let event = json!({"id": n.to_string(), "kind": "view", "user": user, "items": ["shoe"]});
        body += &format!("{event}\n");
    }
    lines(api.send(raw("POST", IMPORT, NDJSON, body)).await);
    let export = api.get("/v1/users/anna/export").await;
    assert_eq!(export.header("content-type"), NDJSON);
    let events: Vec<Value> = export
        .text
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    assert_eq!(events.len(), 600);
    assert!(events.iter().all(|e| e["user"] == "anna"));
    let mut gone = api.delete("/v1/users/anna?collection=shop").await.ok();
    let erasure = gone["erasure"].take();
    assert_eq!(gone, json!({"events": {"shop": 600}, "erasure": null}));
    let path = format!("/v1/erasures/{}", erasure.as_str().expect("an id"));
    let status = api.get(&path).await.ok();
    assert!(status["steps"]["records"]["done_at"].is_string());
    // The files are rewritten later; the test has no target of backups.
    assert!(status["steps"]["files"]["due_at"].is_string() && status["snapshots"].is_null());
    assert!(status["is_done"] == false && !status.to_string().contains("anna"));
    let unknown = api.get("/v1/erasures/anna").await;
    unknown.problem(404, "erasure_not_found");
    assert_eq!(api.get("/v1/users/anna/export").await.text, "");
    assert_eq!(
        api.delete("/v1/users/anna").await.ok(),
        json!({"events": {}})
    );
    assert_eq!(
        api.get("/v1/users/ben/export?collection=shop")
            .await
            .text
            .lines()
            .count(),
        600
    );
    let answer = api.get("/v1/users/ben/export?collection=none").await;
    answer.problem(404, "collection_not_found");
    assert_eq!(
        api.get("/v1/collections/shop").await.ok()["events"]["users"],
        1
    );
}

#[actix_web::test]
async fn an_anonymous_session_is_exported_and_erased() {
    let api = api().await;
    api.shop().await;
    let mut body = String::new();
    for n in 0..6 {
        let session = ["one", "other"][n % 2];
        let event =
            json!({"id": n.to_string(), "kind": "view", "session": session, "items": ["shoe"]});
        body += &format!("{event}\n");
    }
    lines(api.send(raw("POST", IMPORT, NDJSON, body)).await);
    let export = api.get("/v1/sessions/one/export").await;
    assert_eq!(export.header("content-type"), NDJSON);
    assert_eq!(export.text.lines().count(), 3);
    assert!(
        export
            .text
            .lines()
            .all(|l| l.contains(r#""session":"one""#))
    );
    let gone = api.delete("/v1/sessions/one").await.ok();
    assert_eq!(gone["events"], json!({"shop": 3}));
    assert_eq!(api.get("/v1/sessions/one/export").await.text, "");
    let left = api.get("/v1/sessions/other/export?collection=shop").await;
    assert_eq!(left.text.lines().count(), 3);
    let long = "x".repeat(513);
    let answer = api.delete(&format!("/v1/sessions/{long}")).await;
    assert!(answer.text.contains("/session"), "{}", answer.text);
}

#[actix_web::test]
async fn models_are_listed_gone_back_to_and_trained_in_the_background() {
    let api = api().await;
    api.shop().await;
    let event = |n: usize| json!({"kind": "view", "collection": "shop", "user": format!("u{}", n % 9), "items": [format!("i{}", n % 7)], "ts": "2026-01-01T00:00:00Z"});
    let events: Vec<_> = (0..63).map(event).collect();
    api.post("/v1/events", json!(events)).await.ok();
    let behavior = json!({"behavior": {"model": "ials", "keep_models": 2, "weights": {"view": 2}}});
    let patched = api.patch("/v1/collections/shop", behavior).await.ok();
    assert_eq!(
        patched["behavior"]["weights"]["purchase"], 5.0,
        "what is left out stays"
    );
    let train = "/v1/collections/shop/train";
    let first = api.post(train, json!(null)).await.ok();
    assert_eq!(
        (&first["model"], &first["active"]),
        (&json!("ials"), &json!(true))
    );
    assert_eq!(
        first["parameters"]["factors"].as_u64().map(|f| f > 0),
        Some(true)
    );
    let mut task = api
        .post(&format!("{train}?wait=false"), json!(null))
        .await
        .ok();
    let id = task["id"].as_str().unwrap().to_owned();
    while task["state"] == "running" {
        actix_web::rt::task::yield_now().await;
        task = api.get(&format!("/v1/tasks/{id}")).await.ok();
    }
    assert_eq!(task["state"], "done", "{task}");
    let second = task["model"]["version"].as_u64().unwrap();
    let models = "/v1/collections/shop/models";
    let listed = api.get(models).await.ok();
    let versions: Vec<_> = listed["models"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| m["version"].as_u64().unwrap())
        .collect();
    assert_eq!(versions[0], second);
    let old = versions[1];
    let active = api
        .post(&format!("{models}/{old}/activate"), json!(null))
        .await
        .ok();
    assert_eq!(active["active"], true);
    assert_eq!(
        api.get("/v1/collections/shop").await.ok()["events"]["model"],
        old
    );
    let answer = api
        .post(&format!("{models}/99/activate"), json!(null))
        .await;
    answer.problem(404, "version_not_found");
    api.get("/v1/tasks/none")
        .await
        .problem(404, "task_not_found");
    for (field, value) in [
        ("weights", json!({"view": -1})),
        ("weights", json!({"hide": 1})),
        ("half_life_days", json!(0)),
        ("retention_days", json!(-1)),
        ("retention_days_by_kind", json!({"view": -1})),
        ("retention_days_by_kind", json!({"follow": 30})),
        ("keep_models", json!(0)),
        ("max_touches", json!(0)),
    ] {
        let patch = json!({"behavior": {field: value}});
        let problem = api
            .patch("/v1/collections/shop", patch)
            .await
            .problem(400, "invalid_argument");
        let pointer = problem["errors"][0]["pointer"].as_str().unwrap();
        assert!(
            pointer.starts_with(&format!("/behavior/{field}")),
            "{problem}"
        );
    }
}

#[actix_web::test]
async fn imports_detect_the_form_of_the_text() {
    let api = api().await;
    api.shop().await;
    let csv = "user,item,event,time\nJosé,shoe,view,2026-01-31\nu,hat,view,1769860800\n";
    let utf_16: Vec<u8> = csv.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let latin: Vec<u8> = csv.chars().map(|c| c as u8).collect();
    let forms = [
        utf_16,
        latin,
        csv.replace(',', ";").into_bytes(),
        csv.replace('\n', "\r").into_bytes(),
        ["sep=\t\n", &csv.replace(',', "\t")].concat().into_bytes(),
    ];
    let (_, last) = lines(api.send(raw("POST", IMPORT, "text/csv", csv)).await);
    assert_eq!(last["summary"]["accepted"], 2, "{last}");
    for form in forms {
        let (results, last) = lines(api.send(raw("POST", IMPORT, "text/csv", form)).await);
        assert_eq!(last["summary"]["duplicate"], 2, "{results:?}");
    }
    let path = format!("{IMPORT}&delimiter=%7C&encoding=latin1&quote=none");
    let (_, last) = lines(
        api.send(raw("POST", &path, "text/csv", csv.replace(',', "|")))
            .await,
    );
    assert_eq!(
        last["summary"]["accepted"], 1,
        "another name in another encoding"
    );
    for wrong in ["delimiter=ab", "encoding=klingon", "quote=ab"] {
        let path = format!("{IMPORT}&{wrong}");
        let answer = api.send(raw("POST", &path, "text/csv", csv)).await;
        answer.problem(400, "invalid_argument");
    }
}

#[actix_web::test]
async fn returns_take_purchases_back() {
    let api = api().await;
    api.shop().await;
    let csv = "order_id,user_id,item_id,event_type,timestamp,quantity\n\
        o1,v,shoe,purchase,2026-01-10 10:00:00,1\no1,v,hat,purchase,2026-01-10 10:00:00,2\n\
        o1,v,hat,purchase,2026-01-12 10:00:00,-2\no2,w,shoe,refund,2026-01-10 10:00:00,1\n";
    for (accepted, duplicate) in [(3, 0), (0, 3)] {
        let (results, last) = lines(api.send(raw("POST", IMPORT, "text/csv", csv)).await);
        assert_eq!(last["summary"]["accepted"], accepted, "{results:?}");
        assert_eq!(last["summary"]["duplicate"], duplicate);
        assert!(
            results[3]["error"]
                .as_str()
                .unwrap()
                .contains("or unfollow, got `refund`")
        );
    }
    let of_item = api.get("/v1/collections/shop/items/hat/events").await.ok();
    assert_eq!(of_item["counts"], json!({"return": 1}));
}
