//! End to end with the real binaries and models: a catalog file in, through the directory or the
//! server, search results out.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::{Value, json};

use crate::harness::{SERVER, Server};

const CATALOG: &str = r#"{"id": "shoe", "title": "Red running shoes", "category": "Clothing > Shoes", "price": {"amount": 80, "currency": "EUR"}}
{"id": "lamp", "title": "Desk lamp with a warm light", "category": "Home > Lighting"}
{"id": "broken", "title": 
{"id": "pot", "title": "Cast iron cooking pot", "category": "Home > Kitchen"}
"#;

/// Folder of the models; `None` if the tests of models are to be skipped.
fn models() -> Option<PathBuf> {
    if std::env::var_os("VITRINE_SKIP_MODELS").is_some() {
        eprintln!("skipped: VITRINE_SKIP_MODELS is set");
        return None;
    }
    Some(vitrine_indexer::models::default_dir())
}

fn index(catalog: &Path, args: &[&str]) -> Output {
    let binary = Path::new(SERVER).with_file_name("vitrine-indexer");
    Command::new(binary)
        .args(["index", "--collection", "shop", "--source"])
        .arg(catalog)
        .args(args)
        .output()
        .expect("the indexer binary starts; build the workspace")
}

fn summary(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stdout);
    let last = text.lines().last().unwrap_or_default();
    serde_json::from_str(last).unwrap_or_else(|_| panic!("no summary: {output:?}"))
}

fn nearest(server: &Server, text: &str) -> Value {
    let (status, answer) = server.send(
        "POST",
        "/v1/collections/shop/search",
        &json!({"query": {"text": text}, "limit": 1}),
    );
    assert_eq!(status, 200, "{answer}");
    answer["hits"][0]["id"].clone()
}

#[test]
fn a_catalog_is_indexed_offline_and_through_the_server() {
    let Some(models) = models() else { return };
    let dir = tempfile::tempdir().unwrap();
    let (catalog, data, rejects) = (
        dir.path().join("catalog.jsonl"),
        dir.path().join("data"),
        dir.path().join("rejects.jsonl"),
    );
    std::fs::write(&catalog, CATALOG).unwrap();
    let (data_arg, rejects_arg) = (data.to_str().unwrap(), rejects.to_str().unwrap());

    let output = index(&catalog, &["--data", data_arg, "--rejects", rejects_arg]);
    assert_eq!(
        output.status.code(),
        Some(3),
        "one record is broken: {output:?}"
    );
    assert_eq!(summary(&output)["created"], 3);
    let reject: Value =
        serde_json::from_str(std::fs::read_to_string(&rejects).unwrap().trim()).unwrap();
    assert_eq!(reject["line"], 3, "{reject}");

    let output = index(&catalog, &["--data", data_arg]);
    assert_eq!(summary(&output)["skipped"], 3, "nothing changed");

    let server = Server::with_models(&data, &models);
    assert_eq!(nearest(&server, "something to wear for jogging"), "shoe");
    assert_eq!(nearest(&server, "cook a stew"), "pot");

    let locked = index(&catalog, &["--data", data_arg]);
    assert_eq!(locked.status.code(), Some(1));
    assert!(
        String::from_utf8_lossy(&locked.stderr).contains("--server"),
        "{locked:?}"
    );

    std::fs::write(
        &catalog,
        r#"{"id": "tent", "title": "Tent for two people"}"#,
    )
    .unwrap();
    let output = index(&catalog, &["--server", &server.url]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(nearest(&server, "camping outdoors"), "tent");
    let output = index(&catalog, &["--server", &server.url]);
    assert_eq!(summary(&output)["skipped"], 1);
    judged(&server, dir.path());
    taken_over(&server);
}

/// Re-embeds by command and back; queries by text use the encoders of the spaces that they search.
fn taken_over(server: &Server) {
    let reembed = |args: &[&str]| {
        let binary = Path::new(SERVER).with_file_name("vitrine-indexer");
        let mut command = Command::new(binary);
        command.args(["reembed", args[0], "--server", &server.url]);
        let output = command.args(["--collection", "shop"]).args(&args[1..]);
        output.output().expect("the indexer binary starts")
    };
    let stage = || summary(&reembed(&["status"]))["stage"].clone();
    let unembeddable = json!([{"id": "own", "vectors": {"image": vec![1; 1280]}}]);
    let (status, answer) = server.send("PUT", "/v1/collections/shop/items", &unembeddable);
    assert_eq!(status, 200, "{answer}");
    let run = ["run", "--precision", "int8"];
    let output = reembed(&run);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let filled: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert_eq!(
        (&filled["embedded"], &filled["failed"]),
        (&json!(4), &json!(1)),
        "{text}"
    );
    assert!(text.contains("known-item search by title: 4 queries"));
    assert!(text.contains("new less before: nDCG@10"), "{text}");
    // Switches only on request, and never if items would be lost.
    assert_eq!(stage(), "filling");
    assert_eq!(reembed(&["switch"]).status.code(), Some(1));
    let asked = ["--leave-out", "--switch", "--tolerance", "1"];
    let output = reembed(&[&run[..], &asked].concat());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(summary(&output)["current"]["left_out_ids"], json!(["own"]));
    for step in ["rollback", "switch"] {
        assert_eq!(nearest(server, "cook a stew"), "pot");
        let output = reembed(&[step, "--force"]);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
    }
    assert_eq!(reembed(&["end"]).status.code(), Some(0));
    assert_eq!(nearest(server, "camping outdoors"), "tent");
    assert_eq!(reembed(&["status"]).status.code(), Some(1));
}

/// Full-text search finds the terms, vector search the meaning; the command reports it.
fn judged(server: &Server, folder: &Path) {
    let judgments = folder.join("judgments.csv");
    let lines = "query,item,relevance\ncooking pot,pot,3\nlight for a desk,lamp,2\ncamping outdoors,tent,1\n";
    std::fs::write(&judgments, lines).unwrap();
    let evaluate = |columns: &str| {
        let binary = Path::new(SERVER).with_file_name("vitrine-indexer");
        let mut command = Command::new(binary);
        command.args([
            "evaluate",
            "search",
            "--collection",
            "shop",
            "--server",
            &server.url,
        ]);
        command
            .args(["--columns", columns, "--judgments"])
            .arg(&judgments);
        command
            .output()
            .expect("the indexer binary starts; build the workspace")
    };
    let output = evaluate("query,item,relevance");
    let text = String::from_utf8_lossy(&output.stdout);
    let ndcg = |name: &str| {
        let line = text.lines().find(|l| l.starts_with(name)).expect("a line");
        line.split_whitespace().nth(1).expect("a figure").to_owned()
    };
    assert_eq!(ndcg("vector"), "1.0000", "{text}");
    assert_eq!(ndcg("lexical"), "0.6667", "{text}");
    assert_eq!(ndcg("hybrid"), "1.0000", "{text}");
    let wrong = evaluate("query,item,grade");
    assert_eq!(wrong.status.code(), Some(1));
    let told = String::from_utf8_lossy(&wrong.stderr);
    assert!(told.contains("line 1: no column `grade`"), "{told}");
}
