//! Items written without vectors are embedded by the server.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use vitrine::schemas::Item;
use vitrine_indexer::{
    pipeline::{Options, embed_items},
    source::image::Images,
};
use vitrine_server::config;

use crate::{
    colors::Colors,
    harness::{NDJSON, Setup, api, ids, lines, raw, with},
};

const SHOP: &str = "/v1/collections/shop";
const ITEMS: &str = "/v1/collections/shop/items";
const SEARCH: &str = "/v1/collections/shop/search";
const STATES: &str = "/v1/collections/shop/embedding";

/// Returns a search of the nearest item by meaning.
fn nearest(color: &str) -> Value {
    json!({"query": {"text": color}, "mode": "vector", "limit": 1})
}

/// Returns an item as the indexer writes it.
fn indexed(item: &Value, base: &std::path::Path) -> Value {
    let item: Item = serde_json::from_value(item.clone()).unwrap();
    let images = Images::new(base.to_owned(), false);
    let (colors, _waiting) = Colors::new();
    let mut found = embed_items(&colors, &images, &Options::default(), vec![item]);
    let mut item = found.remove(0).unwrap_or_else(|e| panic!("{e}")).item;
    item.vectors.remove("text");
    serde_json::from_str(&serde_json::to_string(&item).unwrap()).unwrap()
}

fn bytes(name: &str) -> Value {
    json!({"bytes": STANDARD.encode(name)})
}

/// Returns the state of the vectors of each written item.
fn states(written: &Value) -> Vec<&Value> {
    let results = written["results"].as_array().unwrap();
    results.iter().map(|result| &result["embedding"]).collect()
}

#[actix_web::test]
async fn an_item_without_vectors_is_found_by_meaning_when_the_write_is_answered() {
    let api = api().await;
    api.shop().await;
    let hat = json!({"id": "hat", "title": "blue", "attributes": {"color": "blue"}});
    let written = api.put(ITEMS, json!([hat])).await.ok();
    assert_eq!(
        written,
        json!({
            "results": [{"index": 0, "id": "hat", "status": "created", "embedding": "done"}],
            "summary": {"created": 1, "updated": 0, "rejected": 0, "embedding": {"done": 1}}
        })
    );
    assert_eq!(ids(&api.post(SEARCH, nearest("blue")).await.ok()), ["hat"]);
    let similar = api.get(&format!("{ITEMS}/hat/similar")).await.ok();
    assert_eq!(similar["hits"].as_array().map(Vec::len), Some(3));
    // The vectors and the hash are those of the indexer, which would skip the item as unchanged.
    let stored = api.get(&format!("{ITEMS}/hat")).await.ok();
    assert_eq!(stored, indexed(&hat, ".".as_ref()));
}

#[actix_web::test]
async fn a_changed_title_never_keeps_the_old_vector() {
    let api = api().await;
    api.shop().await;
    let hat = json!([{"id": "hat", "title": "blue"}]);
    api.put(ITEMS, hat).await.ok();
    let path = format!("{ITEMS}/hat");
    let patched = api.patch(&path, json!({"title": "green"})).await.ok();
    assert_eq!(patched["embedding"], json!({"status": "done"}));
    assert_eq!(patched["vectors"]["shared"], json!([0.0, 1.0, 0.0]));
    assert_eq!(ids(&api.post(SEARCH, nearest("green")).await.ok()), ["hat"]);
    assert_eq!(ids(&api.post(SEARCH, nearest("blue")).await.ok()), ["lamp"]);
    // The same by replacing the item.
    api.put(
        ITEMS,
        json!([{"id": "hat", "title": "red", "hidden": false}]),
    )
    .await
    .ok();
    let stored = api.get(&path).await.ok();
    assert_eq!(stored["vectors"]["shared"], json!([1.0, 0.0, 0.0]));
    assert_eq!(
        stored,
        indexed(&json!({"id": "hat", "title": "red"}), ".".as_ref())
    );
}

#[actix_web::test]
async fn what_is_not_embedded_changes_without_embedding_again() {
    let api = api().await;
    api.shop().await;
    // The text of `shoe` is none that the encoders know, so embedding it again would fail.
    let patch = json!({"price": {"amount": 60}, "attributes": {"color": "green"}});
    let patched = api.patch(&format!("{ITEMS}/shoe"), patch).await.ok();
    assert_eq!(patched["embedding"], json!({"status": "done"}));
    let shoe =
        json!({"id": "shoe", "title": "Red shoe", "category": "Clothing > Shoes", "hidden": true});
    let written = api.put(ITEMS, json!([shoe])).await.ok();
    assert_eq!(written["results"][0]["embedding"], "done");
    let stored = api.get(&format!("{ITEMS}/shoe")).await.ok();
    assert_eq!(stored["vectors"]["shared"], json!([1.0, 0.0, 0.0]));
    assert_eq!(stored["fingerprint"], "colors-1");
    assert!(stored["content_hash"].is_string(), "{stored}");
}

#[actix_web::test]
async fn items_with_vectors_and_collections_without_encoders_are_left_alone() {
    let api = api().await;
    api.shop().await;
    let own = json!([{"id": "own", "title": "blue", "vectors": {"shared": [1, 0, 0]}}]);
    let written = api.put(ITEMS, own).await.ok();
    assert_eq!(written["results"][0].get("embedding"), None);
    assert_eq!(written["summary"].get("embedding"), None);
    let stored = api.get(&format!("{ITEMS}/own")).await.ok();
    assert_eq!(stored["vectors"]["shared"], json!([1.0, 0.0, 0.0]));

    let config = json!({"vectors": {"shared": {"dim": 3}}});
    api.put("/v1/collections/mine", config).await.ok();
    let path = "/v1/collections/mine/items";
    let item = json!([{"id": "a", "title": "red", "vectors": {"shared": [0, 0, 1]}}, {"id": "b", "title": "red"}]);
    let written = api.put(path, item).await.ok();
    assert_eq!(written["results"][1].get("embedding"), None);
    let patched = api
        .patch(&format!("{path}/a"), json!({"title": "green"}))
        .await
        .ok();
    assert_eq!(patched["vectors"]["shared"], json!([0.0, 0.0, 1.0]));
    assert_eq!(patched.get("embedding"), None);
}

#[actix_web::test]
async fn embedding_is_off_for_a_request_or_a_collection() {
    let api = api().await;
    api.shop().await;
    let off = format!("{ITEMS}?embed=off");
    let written = api
        .put(&off, json!([{"id": "hat", "title": "blue"}]))
        .await
        .ok();
    assert_eq!(written["summary"]["embedding"], json!({"off": 1}));
    let stored = api.get(&format!("{ITEMS}/hat")).await.ok();
    assert_eq!(stored.get("vectors"), None);
    // A stale vector is dropped, and the answer says so.
    let path = format!("{ITEMS}/shoe?embed=off");
    let patched = api.patch(&path, json!({"title": "Blue shoe"})).await.ok();
    assert_eq!(patched["embedding"], json!({"status": "off"}));
    assert_eq!(patched.get("vectors"), None);
    assert_eq!(api.get(SHOP).await.ok()["vector_counts"]["shared"], 2);
    // A patch of something else keeps it.
    let path = format!("{ITEMS}/boot?embed=off");
    let patched = api.patch(&path, json!({"hidden": true})).await.ok();
    assert_eq!(patched["vectors"]["shared"], json!([0.6, 0.8, 0.0]));

    let info = api.patch(SHOP, json!({"embed": "off"})).await.ok();
    assert_eq!(info["embed"], "off");
    let written = api
        .put(
            ITEMS,
            json!([{"id": "cap", "title": "green"}, {"id": "odd", "title": "mauve"}]),
        )
        .await
        .ok();
    assert_eq!(written["results"][0]["embedding"], "off");
    api.post(STATES, json!({}))
        .await
        .problem(400, "invalid_argument");
    api.patch(SHOP, json!({"embed": "on"})).await.ok();
    // `hat`, `cap`, the shoe, and what the encoders do not know.
    assert_eq!(api.post(STATES, json!({})).await.ok()["added"], 4);
    let wait = format!("{ITEMS}?wait=embedded");
    api.put(&wait, json!([{"id": "last", "title": "red"}]))
        .await
        .ok();
    assert_eq!(ids(&api.post(SEARCH, nearest("green")).await.ok()), ["cap"]);
    assert_eq!(api.get(SHOP).await.ok()["embedding"]["failed"], 1);
}

#[actix_web::test]
async fn without_the_encoders_stale_vectors_are_dropped() {
    let api = with(Setup {
        models: false,
        ..Setup::default()
    })
    .await;
    api.shop().await;
    let written = api
        .put(ITEMS, json!([{"id": "hat", "title": "blue"}]))
        .await
        .ok();
    assert_eq!(written["results"][0]["embedding"], "unavailable");
    let path = format!("{ITEMS}/shoe");
    let patched = api.patch(&path, json!({"brand": "Acme"})).await.ok();
    assert_eq!(patched["embedding"], json!({"status": "unavailable"}));
    assert_eq!(api.get(&path).await.ok().get("vectors"), None);
    let path = format!("{ITEMS}/boot");
    let patched = api.patch(&path, json!({"price": {"amount": 1}})).await.ok();
    assert_eq!(patched["embedding"], json!({"status": "done"}));
    assert!(api.get(&path).await.ok()["vectors"]["shared"].is_array());
    api.post(STATES, json!({}))
        .await
        .problem(503, "encoder_unavailable");
}

#[actix_web::test]
async fn an_item_that_cannot_be_embedded_costs_itself_alone() {
    let api = api().await;
    api.shop().await;
    let items = json!([
        {"id": "a", "title": "red"}, {"id": "b", "title": "mauve"}, {"id": "c", "title": "panic"},
        {"id": "d", "title": "fail"}, {"id": "e"}, {"id": "f", "images": [bytes("mauve")]},
        {"id": "g", "title": "blue", "images": [bytes("mauve")]}, {"id": "h", "images": [{"bytes": "?"}]},
        {"id": "i", "images": [bytes("green")]}
    ]);
    let written = api.put(ITEMS, items).await.ok();
    let states = states(&written);
    let (done, partial, failed) = ("done", "partial", "failed");
    assert_eq!(
        states,
        [
            done, failed, failed, failed, failed, failed, partial, failed, done
        ]
    );
    let reasons = [
        (1, "mauve"),
        (2, "panicked"),
        (3, "broken"),
        (4, "add a title"),
        (6, "mauve"),
        (7, "Base64"),
    ];
    for (at, reason) in reasons {
        let error = &written["results"][at]["embedding_error"];
        assert!(
            error.as_str().is_some_and(|e| e.contains(reason)),
            "{at}: {error}"
        );
    }
    let info = json!({"pending": 0, "partial": 1, "failed": 6});
    assert_eq!(api.get(SHOP).await.ok()["embedding"], info);
    let stored = api.get(&format!("{ITEMS}/b")).await.ok();
    assert_eq!(stored["embedding"]["status"], "failed");
    let first = api.get(&format!("{STATES}?limit=4")).await.ok();
    assert_eq!(ids(&first), ["b", "c", "d", "e"]);
    assert_eq!(first["items"][0]["status"], "failed");
    let second = api
        .get(&format!("{STATES}?after={}", first["next"]))
        .await
        .ok();
    assert_eq!((ids(&second), second.get("next")), (vec!["f", "h"], None));
    let partial = api.get(&format!("{STATES}?status=partial")).await.ok();
    assert_eq!(ids(&partial), ["g"]);
    let metrics = api.get("/metrics").await.text;
    for line in [
        "vitrine_embedding_failed{collection=\"shop\"} 6",
        "vitrine_embedding_pending{collection=\"shop\"} 0",
        "vitrine_items_embedded_total{outcome=\"failed\"} 6",
        "vitrine_items_embedded_total{outcome=\"embedded\"} 3",
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
    // It stays failed until what is embedded changes.
    let patched = api
        .patch(&format!("{ITEMS}/b"), json!({"hidden": true}))
        .await
        .ok();
    assert_eq!(patched["embedding"]["status"], "failed");
    let patched = api
        .patch(&format!("{ITEMS}/b"), json!({"title": "green"}))
        .await
        .ok();
    assert_eq!(patched["embedding"]["status"], "done");
    api.delete(&format!("{ITEMS}/c")).await.ok();
    assert_eq!(api.get(SHOP).await.ok()["embedding"]["failed"], 4);
}

#[actix_web::test]
async fn a_failed_change_drops_the_old_vector() {
    let api = api().await;
    api.shop().await;
    let patched = api
        .patch(&format!("{ITEMS}/shoe"), json!({"title": "mauve"}))
        .await
        .ok();
    assert_eq!(patched["embedding"]["status"], "failed");
    assert_eq!(patched.get("vectors"), None);
    assert_eq!(ids(&api.post(SEARCH, nearest("red")).await.ok()), ["boot"]);
}

#[actix_web::test]
async fn a_pending_item_keeps_its_old_vector_until_the_new_one_is_there() {
    let mut api = api().await;
    let (mut told, go) = api.waiting.take().expect("not taken yet");
    api.shop().await;
    let path = format!("{ITEMS}/shoe");
    let patched = api
        .patch(
            &format!("{path}?wait=stored"),
            json!({"title": "wait", "category": null}),
        )
        .await
        .ok();
    assert_eq!(patched["embedding"], json!({"status": "pending"}));
    told.recv().await;
    assert_eq!(ids(&api.post(SEARCH, nearest("red")).await.ok()), ["shoe"]);
    assert_eq!(api.get(&path).await.ok()["embedding"]["status"], "pending");
    assert_eq!(api.get(SHOP).await.ok()["embedding"]["pending"], 1);
    assert_eq!(
        ids(&api.get(&format!("{STATES}?status=pending")).await.ok()),
        ["shoe"]
    );
    // Changes in the meantime are kept.
    let patched = api.patch(&path, json!({"price": {"amount": 7}})).await.ok();
    assert_eq!(patched["embedding"]["status"], "pending");
    go.send(()).unwrap();
    api.put(
        &format!("{ITEMS}?wait=embedded"),
        json!([{"id": "last", "title": "blue"}]),
    )
    .await
    .ok();
    let stored = api.get(&path).await.ok();
    assert_eq!(
        (stored.get("embedding"), &stored["price"]["amount"]),
        (None, &json!(7.0))
    );
    let first = stored["vectors"]["shared"][0].as_f64().unwrap();
    assert!((first - 0.577).abs() < 0.01, "{stored}");
    // Its hash is not that of the new price, so the indexer would write it again.
    assert_eq!(stored.get("content_hash"), None);
}

#[actix_web::test]
async fn items_written_or_deleted_while_they_are_embedded_leave_nothing_behind() {
    let mut api = api().await;
    let (mut told, go) = api.waiting.take().expect("not taken yet");
    api.shop().await;
    let stored = format!("{ITEMS}?wait=stored");
    let items = json!([{"id": "a", "title": "wait"}, {"id": "b", "title": "red"}, {"id": "c", "title": "green"}]);
    api.put(&stored, items).await.ok();
    told.recv().await;
    api.delete(&format!("{ITEMS}/a")).await.ok();
    api.put(&stored, json!([{"id": "b", "title": "blue"}]))
        .await
        .ok();
    api.put(
        ITEMS,
        json!([{"id": "c", "title": "green", "vectors": {"shared": [1, 0, 0]}}]),
    )
    .await
    .ok();
    go.send(()).unwrap();
    api.put(
        &format!("{ITEMS}?wait=embedded"),
        json!([{"id": "last", "title": "red"}]),
    )
    .await
    .ok();
    api.get(&format!("{ITEMS}/a"))
        .await
        .problem(404, "item_not_found");
    let vector =
        async |id: &str| api.get(&format!("{ITEMS}/{id}")).await.ok()["vectors"]["shared"].clone();
    assert_eq!(vector("b").await, json!([0.0, 0.0, 1.0]));
    assert_eq!(vector("c").await, json!([1.0, 0.0, 0.0]));
    let info = json!({"pending": 0, "partial": 0, "failed": 0});
    assert_eq!(api.get(SHOP).await.ok()["embedding"], info);
}

#[actix_web::test]
async fn too_many_pending_items_are_refused() {
    let mut setup = Setup::default();
    setup.embedding.max_pending = 1;
    let mut api = with(setup).await;
    let (mut told, go) = api.waiting.take().expect("not taken yet");
    api.shop().await;
    api.put(
        &format!("{ITEMS}?wait=stored"),
        json!([{"id": "a", "title": "wait"}]),
    )
    .await
    .ok();
    told.recv().await;
    let item = json!([{"id": "b", "title": "red"}]);
    let refused = api.put(ITEMS, item.clone()).await;
    assert_eq!(refused.header("retry-after"), "1");
    let problem = refused.problem(429, "embedding_queue_full");
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .contains("embedding.max_pending")
    );
    let refused = api
        .patch(&format!("{ITEMS}/shoe"), json!({"title": "red"}))
        .await;
    refused.problem(429, "embedding_queue_full");
    // An import waits, and says so if there is no progress.
    let body = "{\"id\": \"b\", \"title\": \"red\"}";
    let import = raw("POST", &format!("{ITEMS}/import"), NDJSON, body);
    let import = import.insert_header(("x-timeout-ms", "50"));
    let (results, _) = lines(api.send(import).await);
    assert_eq!(results[0]["code"], "embedding_queue_full");
    // Whoever needs no embedding is served.
    let stock = json!({"attributes": {"stock": 1}});
    let patched = api.patch(&format!("{ITEMS}/shoe"), stock).await.ok();
    assert_eq!(patched["embedding"]["status"], "done");
    api.put(&format!("{ITEMS}?embed=off"), item.clone())
        .await
        .ok();
    api.put(
        ITEMS,
        json!([{"id": "c", "vectors": {"shared": [1, 0, 0]}}]),
    )
    .await
    .ok();
    let own = "{\"id\": \"d\", \"vectors\": {\"shared\": [1, 0, 0]}}";
    let import = raw("POST", &format!("{ITEMS}/import"), NDJSON, own);
    assert_eq!(lines(api.send(import).await).0[0]["status"], "created");
    go.send(()).unwrap();
    let import = raw("POST", &format!("{ITEMS}/import"), NDJSON, body);
    let (results, _) = lines(api.send(import).await);
    assert_eq!(results[0]["status"], "updated");
}

#[actix_web::test]
async fn an_import_waits_for_its_vectors_if_asked_to() {
    let api = api().await;
    api.shop().await;
    let mut body = String::new();
    for n in 0..300 {
        let title = ["red", "green", "blue", "mauve"][n % 4];
        body += &format!("{{\"id\": \"n{n}\", \"title\": \"{title}\"}}\n");
    }
    let path = format!("{ITEMS}/import?wait=embedded");
    let (results, last) = lines(api.send(raw("POST", &path, NDJSON, body)).await);
    assert_eq!(results[0]["embedding"], "pending");
    assert_eq!(
        last["summary"]["embedding"],
        json!({"done": 225, "failed": 75})
    );
    let table = "id,title\nx,red\ny,green\n";
    let (_, last) = lines(api.send(raw("POST", &path, "text/csv", table)).await);
    assert_eq!(last["summary"]["embedding"], json!({"done": 2}));
    let path = format!("{ITEMS}/import?embed=off");
    let (results, last) = lines(api.send(raw("POST", &path, "text/csv", table)).await);
    assert_eq!(results[0]["embedding"], "off");
    assert_eq!(last["summary"]["embedding"], json!({"off": 2}));
}

#[actix_web::test]
async fn images_by_path_are_read_from_the_folder_only() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.jpg"), "green").unwrap();
    let item = |id: &str, path: &str| json!({"id": id, "title": "red", "images": [{"path": path}]});
    let setup = Setup {
        images: config::Images {
            root: Some(folder.path().to_owned()),
            ..config::Images::default()
        },
        ..Setup::default()
    };
    let api = with(setup).await;
    api.shop().await;
    let both = item("both", "a.jpg");
    let items = json!([
        both,
        item("gone", "b.jpg"),
        item("out", "../a.jpg"),
        item("abs", "/etc/hosts")
    ]);
    let written = api.put(ITEMS, items).await.ok();
    let states = states(&written);
    assert_eq!(states, ["done", "partial", "partial", "partial"]);
    let stored = api.get(&format!("{ITEMS}/both")).await.ok();
    assert_eq!(stored, indexed(&both, folder.path()));
    // A file may change: the item is embedded again when it is written again.
    std::fs::write(folder.path().join("a.jpg"), "blue").unwrap();
    api.put(ITEMS, json!([both])).await.ok();
    let stored = api.get(&format!("{ITEMS}/both")).await.ok();
    assert_eq!(stored, indexed(&both, folder.path()));
}

#[actix_web::test]
async fn images_that_are_not_read_leave_the_text() {
    let api = api().await;
    api.shop().await;
    let web = json!({"id": "web", "title": "red", "images": [{"uri": "http://127.0.0.1:1/a.jpg"}]});
    let items = json!([
        web, {"id": "file", "title": "blue", "images": [{"path": "a.jpg"}]},
        {"id": "only", "images": [{"uri": "http://127.0.0.1:1/a.jpg"}]}, {"id": "one", "images": [{"path": "a.jpg"}]}
    ]);
    let written = api.put(ITEMS, items).await.ok();
    let states = states(&written);
    assert_eq!(states, ["done", "done", "failed", "failed"]);
    for (at, hint) in [(2, "embedding.fetch_images"), (3, "images.root")] {
        let error = written["results"][at]["embedding_error"].as_str().unwrap();
        assert!(error.contains(hint), "{error}");
    }
    assert_eq!(
        api.get(&format!("{ITEMS}/web")).await.ok(),
        indexed(&web, ".".as_ref())
    );
}

#[actix_web::test]
async fn during_a_re_embedding_both_sets_are_filled() {
    let api = api().await;
    api.shop().await;
    let begin = json!({"fingerprint": "colors-2", "vectors": {"shared": {"dim": 3}}});
    api.post(&format!("{SHOP}/reembedding"), begin).await.ok();
    let image = json!({"id": "pic", "images": [bytes("green")]});
    api.put(ITEMS, json!([{"id": "hat", "title": "blue"}, image]))
        .await
        .ok();
    api.patch(
        &format!("{ITEMS}/shoe"),
        json!({"title": "red", "category": null}),
    )
    .await
    .ok();
    let info = api.get(&format!("{SHOP}/reembedding")).await.ok();
    assert_eq!(
        (&info["current"]["items"], &info["other"]["items"]),
        (&json!(5), &json!(3))
    );
    api.post(&format!("{SHOP}/reembedding/switch?force=true"), json!({}))
        .await
        .ok();
    for (color, id) in [("blue", "hat"), ("green", "pic"), ("red", "shoe")] {
        assert_eq!(ids(&api.post(SEARCH, nearest(color)).await.ok()), [id]);
    }
    // After the switch the new encoders are the active ones.
    api.patch(
        &format!("{ITEMS}/hat"),
        json!({"title": "green", "images": []}),
    )
    .await
    .ok();
    api.delete(&format!("{ITEMS}/pic")).await.ok();
    assert_eq!(ids(&api.post(SEARCH, nearest("green")).await.ok()), ["hat"]);
    api.post(
        &format!("{SHOP}/reembedding/rollback?force=true"),
        json!({}),
    )
    .await
    .ok();
    let vector = api.get(&format!("{ITEMS}/hat")).await.ok()["vectors"]["shared"].clone();
    assert_eq!(vector, json!([0.0, 1.0, 0.0]));
}

#[actix_web::test]
async fn bad_parameters_name_themselves() {
    let api = api().await;
    api.shop().await;
    for query in ["wait=never", "embed=maybe", "wat=embedded"] {
        let answer = api.put(&format!("{ITEMS}?{query}"), json!([])).await;
        answer.problem(400, "invalid_argument");
    }
    for query in ["status=done", "status=odd", "limit=0"] {
        api.get(&format!("{STATES}?{query}"))
            .await
            .problem(400, "invalid_argument");
    }
    api.patch(SHOP, json!({"embed": "maybe"}))
        .await
        .problem(400, "invalid_argument");
    // The state is read-only.
    let item =
        json!([{"id": "a", "title": "red", "embedding": {"status": "failed", "error": "x"}}]);
    let written = api.put(ITEMS, item).await.ok();
    assert_eq!(written["results"][0]["embedding"], "done");
}
