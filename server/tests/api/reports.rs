//! Evaluation reports, and maps.

use std::{fs, os::unix::fs::symlink};

use actix_web::test::TestRequest;
use serde_json::json;
use vitrine_server::auth::{Action, Key, Keys};

use crate::harness::{Setup, api, header, with};

#[actix_web::test]
async fn reports_of_the_folder_are_listed_and_read_and_nothing_else() {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret.json"), "{\"secret\": 1}").unwrap();
    let folder = outside.path().join("reports");
    fs::create_dir_all(folder.join("folder.json")).unwrap();
    for (name, text) in [
        ("first.json", "{\"models\": []}"),
        ("with space & more.json", "{\"models\": [1]}"),
        ("broken.json", "{\"models\": "),
        ("list.json", "[1]"),
        ("page.html", "<p>no</p>"),
    ] {
        fs::write(folder.join(name), text).unwrap();
    }
    symlink("../secret.json", folder.join("link.json")).unwrap();
    let setup = Setup {
        reports_dir: Some(folder),
        ..Setup::default()
    };
    let api = with(setup).await;
    let listed = api.get("/v1/reports").await.ok();
    let mut names: Vec<_> = listed["reports"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r["name"].as_str().unwrap())
        .collect();
    names.sort_unstable();
    assert_eq!(names, ["broken", "first", "list", "with space & more"]);
    assert!(
        listed["reports"][0]["modified_at"]
            .as_str()
            .unwrap()
            .ends_with('Z'),
        "{listed}"
    );
    assert_eq!(
        api.get("/v1/reports/first").await.ok(),
        json!({"models": []})
    );
    let spaced = api.get("/v1/reports/with%20space%20%26%20more").await;
    assert_eq!(spaced.header("content-type"), "application/json");
    assert_eq!(spaced.ok(), json!({"models": [1]}));
    for name in [
        "none",
        "broken",
        "list",
        "page",
        "folder",
        "link",
        "..%2fsecret",
        "%2e%2e%2fsecret",
        "%2fetc%2fpasswd",
        ".",
        "first.json",
    ] {
        let answer = api.get(&format!("/v1/reports/{name}")).await;
        answer.problem(404, "report_not_found");
    }
}

#[actix_web::test]
async fn without_a_folder_there_are_none() {
    let api = api().await;
    assert_eq!(api.get("/v1/reports").await.ok(), json!({"reports": []}));
    api.get("/v1/reports/a")
        .await
        .problem(404, "report_not_found");
}

#[actix_web::test]
async fn reports_need_a_key_that_covers_everything() {
    let key = |name: &str, collection: &str| {
        Key::create(name.into(), vec![Action::Read], vec![collection.into()]).unwrap()
    };
    let ((one, one_secret), (all, all_secret)) = (key("one", "shop"), key("all", "*"));
    let setup = Setup {
        keys: Keys {
            keys: vec![one, all],
        },
        ..Setup::default()
    };
    let api = with(setup).await;
    let ask = |secret: &str| {
        TestRequest::with_uri("/v1/reports")
            .insert_header(header("authorization", &format!("Bearer {secret}")))
    };
    api.get("/v1/reports").await.problem(401, "unauthorized");
    api.send(ask(&one_secret)).await.problem(403, "forbidden");
    api.send(ask(&all_secret)).await.ok();
}

#[actix_web::test]
async fn a_map_has_a_place_for_each_item() {
    let api = api().await;
    api.shop().await;
    let map = api.get("/v1/collections/shop/map").await.ok();
    assert_eq!(
        (map["points"].as_array().unwrap().len(), &map["matching"]),
        (3, &json!(3))
    );
    assert_eq!(map["points"][0]["id"], "boot");
    assert_eq!(map["points"][0]["category"], "Clothing > Shoes");
    let one = api
        .get("/v1/collections/shop/map?sample=1&filter=price%20%3C%2050")
        .await
        .ok();
    assert_eq!(one["points"][0]["title"], "Blue lamp");
    for (query, pointer) in [
        ("sample=0", "/sample"),
        ("space=none", "/space"),
        ("filter=x", "/filter"),
    ] {
        let problem = api
            .get(&format!("/v1/collections/shop/map?{query}"))
            .await
            .problem(400, "invalid_argument");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
    api.get("/v1/collections/shop/map?color=red")
        .await
        .problem(400, "invalid_argument");
    api.get("/v1/collections/none/map")
        .await
        .problem(404, "collection_not_found");
}
