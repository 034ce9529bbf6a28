//! kill -9 during an import: every acknowledged item is stored and searchable afterwards.

use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    ops::Range,
};

use serde_json::{Value, json};

use crate::harness::Server;

const DIM: usize = 8;
const LINES: usize = 3000;
/// Rounds per data directory: each start reads all of it.
const ROUNDS_A_DIRECTORY: usize = 10;

#[test]
fn acknowledged_items_survive_kill_9() {
    let rounds: u64 = std::env::var("VITRINE_CRASH_ROUNDS")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(3);
    let mut survived = 0;
    for first in (0..rounds).step_by(ROUNDS_A_DIRECTORY) {
        let last = rounds.min(first + ROUNDS_A_DIRECTORY as u64);
        survived += crash_rounds(first..last);
        println!("{last} of {rounds} rounds of kill -9: {survived} acknowledged items, all there");
    }
}

/// Kills the server once per round, always on the same data; returns the number of acknowledged
/// items.
fn crash_rounds(rounds: Range<u64>) -> usize {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut acknowledged = BTreeSet::new();
    for round in rounds.clone() {
        let mut server = Server::start(&data);
        check(&server, &acknowledged, round);
        let config = json!({"vectors": {"shared": {"dim": DIM}}});
        let (status, _) = server.send("PUT", "/v1/collections/crash", &config);
        assert!(status < 300, "round {round}: {status}");
        // The number of acknowledgements before each kill varies, to hit different points of the
        // write path.
        let wanted = 1 + (round as usize * 397) % (LINES - 500);
        let fresh = import_until(&mut server, round, wanted);
        assert!(
            fresh.len() >= wanted,
            "round {round}: {} acknowledged",
            fresh.len()
        );
        acknowledged.extend(fresh);
    }
    check(&Server::start(&data), &acknowledged, rounds.end);
    acknowledged.len()
}

/// Streams an import and kills the server when `wanted` items are acknowledged; returns their ids.
fn import_until(server: &mut Server, round: u64, wanted: usize) -> Vec<String> {
    let host = server.url.trim_start_matches("http://").to_owned();
    let body: String = (0..LINES)
        .map(|n| format!("{}\n", item(round, n)))
        .collect();
    let mut stream = TcpStream::connect(&host).unwrap();
    let mut writer = stream.try_clone().unwrap();
    let head = format!(
        "POST /v1/collections/crash/items/import HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/x-ndjson\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    // The server may die while we still write: an error here is the point of the test.
    let sender = std::thread::spawn(move || {
        let _ = writer
            .write_all(head.as_bytes())
            .and_then(|()| writer.write_all(body.as_bytes()));
    });
    let mut ids = Vec::new();
    let mut reader = BufReader::new(Read::by_ref(&mut stream));
    let mut line = String::new();
    while ids.len() < wanted {
        line.clear();
        match reader.read_line(&mut line) {
            Ok(0) | Err(_) => break,
            Ok(_) => ids.extend(acknowledged_id(&line)),
        }
    }
    server.kill();
    sender.join().unwrap();
    ids
}

/// The id in a result line; None for chunk sizes and headers of the HTTP stream.
fn acknowledged_id(line: &str) -> Option<String> {
    let value: Value = serde_json::from_str(line.trim()).ok()?;
    let status = value.get("status")?.as_str()?;
    (status == "created" || status == "updated").then(|| value["id"].as_str().map(str::to_owned))?
}

fn item(round: u64, n: usize) -> Value {
    let vector: Vec<f32> = (0..DIM)
        .map(|d| ((round as usize * 7919 + n * 104_729 + d * 31) % 1000) as f32 / 1000.0 + 0.001)
        .collect();
    json!({"id": format!("r{round}-{n}"), "title": format!("item {n}"), "vectors": {"shared": vector}})
}

fn check(server: &Server, acknowledged: &BTreeSet<String>, round: u64) {
    if acknowledged.is_empty() {
        return;
    }
    let ids: Vec<_> = acknowledged.iter().collect();
    for chunk in ids.chunks(900) {
        let body = json!({"filter": {"must": [{"has_id": chunk}]}});
        let (status, answer) = server.send("POST", "/v1/collections/crash/items/count", &body);
        assert_eq!(status, 200, "{answer}");
        assert_eq!(
            answer["count"],
            chunk.len(),
            "round {round}: acknowledged items are missing"
        );
    }
    // Stored is not enough: the newest one must be found by its vector.
    let last = ids[ids.len() - 1];
    let query =
        json!({"query": {"item": last}, "filter": {"must": [{"has_id": [ids[0]]}]}, "limit": 1});
    let (status, answer) = server.send("POST", "/v1/collections/crash/search", &query);
    assert_eq!(status, 200, "{answer}");
    let found = answer["hits"].as_array().map_or(0, Vec::len);
    assert_eq!(
        found,
        usize::from(ids[0] != last),
        "round {round}: {answer}"
    );
}
