//! Starting and stopping the server: what it refuses, and that a clean stop loses nothing.

use std::process::Command;

use serde_json::json;

use crate::harness::{SERVER, Server};

fn refused(args: &[&str]) -> String {
    let output = Command::new(SERVER)
        .args(args)
        .output()
        .expect("the server binary starts");
    assert!(!output.status.success(), "{args:?} was accepted");
    let text = String::from_utf8_lossy(&output.stderr).into_owned()
        + &String::from_utf8_lossy(&output.stdout);
    assert!(!text.contains("panicked"), "{text}");
    text
}

#[test]
fn a_public_address_without_a_key_is_refused() {
    let data = tempfile::tempdir().unwrap();
    let folder = data.path().join("data");
    let text = refused(&[
        "serve",
        "--listen",
        "0.0.0.0:0",
        "--data-dir",
        folder.to_str().unwrap(),
    ]);
    assert!(text.contains("key"), "{text}");
}

#[test]
fn a_data_directory_of_a_newer_format_is_refused_and_named() {
    let data = tempfile::tempdir().unwrap();
    let folder = data.path().join("data");
    Server::start(&folder).terminate();
    let file = folder.join("VITRINE_FORMAT");
    std::fs::write(&file, "99\n").unwrap();
    let text = refused(&[
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--data-dir",
        folder.to_str().unwrap(),
    ]);
    assert!(text.contains("99") && text.contains("format"), "{text}");
}

#[test]
fn a_missing_model_folder_names_the_command_that_gets_it() {
    let data = tempfile::tempdir().unwrap();
    let models = data.path().join("no-models");
    let folder = data.path().join("data");
    let text = refused(&[
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--data-dir",
        folder.to_str().unwrap(),
        "--models-dir",
        models.to_str().unwrap(),
    ]);
    assert!(text.contains("models get"), "{text}");
}

#[test]
fn a_second_server_on_the_same_data_is_refused() {
    let data = tempfile::tempdir().unwrap();
    let folder = data.path().join("data");
    let _first = Server::start(&folder);
    let text = refused(&[
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--data-dir",
        folder.to_str().unwrap(),
    ]);
    assert!(text.contains("in use"), "{text}");
}

#[test]
fn a_clean_stop_and_start_keeps_items_and_aliases() {
    let data = tempfile::tempdir().unwrap();
    let folder = data.path().join("data");
    let mut server = Server::start(&folder);
    let config = json!({"attributes": {"color": "keyword"}, "vectors": {"shared": {"dim": 2}}});
    assert!(server.send("PUT", "/v1/collections/shop", &config).0 < 300);
    let items = json!([
        {"id": "a", "attributes": {"color": "red"}, "vectors": {"shared": [1.0, 0.0]}},
        {"id": "b", "attributes": {"color": "blue"}, "vectors": {"shared": [0.0, 1.0]}},
    ]);
    assert_eq!(
        server.send("PUT", "/v1/collections/shop/items", &items).0,
        200
    );
    let alias = json!({"actions": [{"action": "set", "alias": "live", "collection": "shop"}]});
    assert_eq!(server.send("POST", "/v1/aliases", &alias).0, 200);
    assert!(server.terminate(), "a clean stop ends with success");

    let server = Server::start(&folder);
    let query = json!({"query": {"vector": [0.9, 0.1]}, "filter": "color = blue"});
    let (status, answer) = server.send("POST", "/v1/collections/live/search", &query);
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["hits"][0]["id"], "b");
    assert_eq!(answer["hits"].as_array().map(Vec::len), Some(1));
}
