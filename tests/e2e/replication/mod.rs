//! Replicas: real processes over a store in a folder.

mod cluster;
mod s3;

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use serde_json::{Value, json};
use vitrine_server::{backup::FileEntry, replication::State};

use self::cluster::*;
use crate::harness::{Server, agent};

#[test]
fn a_replica_from_nothing_answers_as_the_writer_and_follows_it() {
    let cluster = Cluster::new();
    let writer = cluster.writer();
    create(&writer);
    write(&writer, 0..300);
    events(&writer);
    let synonym = json!({"words": ["lamp", "light"]});
    let (status, answer) = writer.send("PUT", "/v1/collections/shop/synonyms/s", &synonym);
    assert!(status < 300, "{answer}");
    let version = write(&writer, 300..301);
    let models = || {
        writer
            .send("GET", "/v1/collections/shop/models", &Value::Null)
            .1
    };
    wait("a model", || {
        models()["models"].as_array().is_some_and(|m| !m.is_empty())
    });

    let replica = cluster.replica("replica");
    assert_eq!(count(&replica, &version), 301);
    wait("the model at the replica", || {
        replica
            .send("GET", "/v1/collections/shop/models", &Value::Null)
            .1
            == models()
    });
    let (ours, theirs) = (answers(&writer), answers(&replica));
    for (writer, replica) in ours.iter().zip(&theirs) {
        assert_eq!(writer, replica);
    }

    // Changes, deletions and erasures follow.
    let (status, _) = writer.send("DELETE", "/v1/collections/shop/items/i7", &Value::Null);
    assert!(status < 300);
    let export = |server: &Server| {
        let url = format!("{}/v1/users/u3/export", server.url);
        let mut response = agent().get(url).call().unwrap();
        (
            response.status().as_u16(),
            response.body_mut().read_to_string().unwrap(),
        )
    };
    let (status, exported) = export(&writer);
    assert!(status == 200 && exported.contains("u3"), "{exported}");
    let (status, erased) = writer.send("DELETE", "/v1/users/u3", &Value::Null);
    assert_eq!(status, 200, "{erased}");
    let version = write(&writer, 301..302);
    assert_eq!(count(&replica, &version), 301);
    let (status, _) = replica.send("GET", "/v1/collections/shop/items/i7", &Value::Null);
    assert_eq!(status, 404);
    assert_eq!(export(&replica), (200, String::new()));
    let told = info(&replica);
    assert_eq!(told["role"], "replica");
    assert!(told["lag_seconds"].as_f64().unwrap() < PATIENCE.as_secs_f64());
}

#[test]
fn writes_are_repeated_in_the_version_in_use() {
    let mut cluster = Cluster::new();
    cluster.files_seconds = 3_600.0;
    let writer = cluster.writer();
    create(&writer);
    let version = write(&writer, 0..300);
    let replica = cluster.replica("replica");
    assert_eq!(count(&replica, &version), 300);
    // The folder of a replaced version is removed in the background.
    let newest_version = || -> u64 {
        let folder = fs::read_dir(cluster.path("replica").join("versions")).unwrap();
        let names = folder.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.map(|name| name.parse().unwrap()).max().unwrap()
    };
    let opened = newest_version();

    write(&writer, 250..400);
    let shop = "/v1/collections/shop";
    let changes = [
        ("PATCH", "items/i3", json!({"title": "red candle 3"})),
        (
            "PATCH",
            "items/i13",
            json!({"attributes": {"stock": 3}, "price": {"amount": 1, "currency": "EUR"}}),
        ),
        ("PATCH", "items/i26", json!({"hidden": true})),
        ("DELETE", "items/i7", Value::Null),
        (
            "POST",
            "items/delete",
            json!({"filter": "color = blue AND stock = 1"}),
        ),
        ("PUT", "synonyms/s", json!({"words": ["lamp", "candle"]})),
        (
            "PUT",
            "rules/r",
            json!({"when": {"query": {"is": ["red lamp"]}}, "then": {"pin": [{"id": "i30", "position": 1}]}}),
        ),
    ];
    for (method, path, body) in changes {
        let (status, answer) = writer.send(method, &format!("{shop}/{path}"), &body);
        assert!(status < 300, "{method} {path}: {status}: {answer}");
    }
    events(&writer);
    let version = write(&writer, 400..401);
    assert_eq!(count(&replica, &version), count(&writer, "0.0"));
    assert_eq!(newest_version(), opened, "no other version was opened");
    let is_learned = |(asked, _): &&(String, Value)| {
        asked.contains("recommend") || asked.contains("bought_together")
    };
    let (ours, theirs) = (answers(&writer), answers(&replica));
    for (writer, replica) in ours
        .iter()
        .zip(&theirs)
        .filter(|(ours, _)| !is_learned(ours))
    {
        assert_eq!(writer, replica);
    }
    let path = format!("{shop}/items/i7/events");
    let events = |server: &Server| server.send("GET", &path, &Value::Null);
    assert_eq!(events(&writer), events(&replica));
}

#[test]
fn changes_at_a_replica_go_to_the_writer_or_are_refused() {
    let cluster = Cluster::new();
    let writer = cluster.writer();
    create(&writer);
    write(&writer, 0..10);
    let alone = cluster.replica("alone");
    let (status, answer) = alone.send("PUT", "/v1/collections/shop/items", &json!([item(1)]));
    assert_eq!(
        (status, &answer["code"]),
        (421, &json!("read_only_replica"))
    );

    let forwarding = cluster.start("forwarding", &["--replica", "--writer-url", &writer.url]);
    let version = write(&forwarding, 10..30);
    assert_eq!(count(&forwarding, &version), 30);
    assert_eq!(count(&writer, &version), 30);
    let lines: String = (30..40).map(|n| format!("{}\n", item(n))).collect();
    let url = format!("{}/v1/collections/shop/items/import", forwarding.url);
    let request = agent()
        .post(url)
        .header("content-type", "application/x-ndjson");
    let mut response = request.send(&lines).unwrap();
    assert_eq!(response.status().as_u16(), 200);
    let text = response.body_mut().read_to_string().unwrap();
    assert!(text.contains("summary"), "{text}");
    wait("imported items", || count(&forwarding, "0.0") == 40);
    events(&forwarding);

    // A version that is never reached is refused at the deadline.
    let headers = [("x-vitrine-min-version", "999.1"), ("x-timeout-ms", "100")];
    let path = "/v1/collections/shop/items/count";
    let (status, answer, _) = forwarding.send_with("POST", path, &json!({}), &headers);
    assert_eq!((status, &answer["code"]), (503, &json!("replica_behind")));
    let headers = [("x-vitrine-min-version", "new")];
    let (status, _, _) = forwarding.send_with("POST", path, &json!({}), &headers);
    assert_eq!(status, 400);

    drop(writer);
    let (status, answer) = forwarding.send("PUT", "/v1/collections/shop/items", &json!([item(1)]));
    assert_eq!(
        (status, &answer["code"]),
        (503, &json!("writer_unavailable"))
    );
    assert_eq!(count(&forwarding, "0.0"), 40);
}

#[test]
fn no_query_fails_while_versions_are_exchanged() {
    let cluster = Cluster::new();
    let writer = cluster.writer();
    create(&writer);
    let version = write(&writer, 0..500);
    let replica = cluster.replica("replica");
    assert_eq!(count(&replica, &version), 500);
    let (stop, asked) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicUsize::new(0)),
    );
    let clients: Vec<_> = (0..3)
        .map(|client| {
            let (stop, asked, url) = (stop.clone(), asked.clone(), replica.url.clone());
            thread::spawn(move || {
                let agent = agent();
                let mut failed = Vec::new();
                for n in (client..).step_by(3) {
                    if stop.load(Relaxed) {
                        break;
                    }
                    let query = match n % 2 {
                        0 => json!({"query": {"vector": item(n % 500)["vectors"]["shared"]}, "limit": 5}),
                        _ => json!({"query": {"text": "green lamp"}, "limit": 5}),
                    };
                    let request = agent.post(format!("{url}/v1/collections/shop/search"));
                    let request = request.header("content-type", "application/json");
                    let mut response = request.send(query.to_string()).unwrap();
                    let text = response.body_mut().read_to_string().unwrap();
                    let answer: Value = serde_json::from_str(&text).unwrap();
                    if response.status() != 200 || answer["hits"].as_array().map(Vec::len) != Some(5) {
                        failed.push(text);
                    }
                    asked.fetch_add(1, Relaxed);
                }
                failed
            })
        })
        .collect();
    let first = info(&replica)["states"].as_u64().unwrap();
    let mut version = String::new();
    for round in 1..=10 {
        version = write(&writer, 500 * round..500 * round + 50);
        assert_eq!(count(&replica, &version), 500 + 50 * round as u64);
    }
    stop.store(true, Relaxed);
    for client in clients {
        assert_eq!(client.join().unwrap(), Vec::<String>::new());
    }
    let states = info(&replica)["states"].as_u64().unwrap() - first;
    assert!(states >= 10, "{states} versions");
    println!(
        "{} queries during {states} versions, version {version}",
        asked.load(Relaxed)
    );
    // Versions that are no longer used leave no files.
    wait("one version is left", || {
        fs::read_dir(cluster.path("replica").join("versions"))
            .unwrap()
            .count()
            == 1
    });
}

#[test]
fn a_second_writer_is_refused_and_a_stand_by_fences_the_first() {
    let cluster = Cluster::new();
    let writer = cluster.writer();
    create(&writer);
    let version = write(&writer, 0..20);
    let replica = cluster.replica("replica");
    assert_eq!(count(&replica, &version), 20);
    let refused = cluster
        .try_start("other", &[])
        .err()
        .expect("it is refused");
    assert!(refused.contains("--take-over"), "{refused}");

    let stand_by = cluster.start("other", &["--take-over"]);
    assert_eq!(count(&stand_by, "0.0"), 20);
    wait("the first writer is fenced", || {
        let (status, answer) = writer.send("PUT", "/v1/collections/shop/items", &json!([item(1)]));
        status == 503 && answer["code"] == "writer_fenced"
    });
    let (status, answer) = writer.send("GET", "/readyz", &Value::Null);
    assert_eq!(status, 503, "{answer}");
    assert!(answer.to_string().contains("took over"), "{answer}");
    assert_eq!(count(&writer, "0.0"), 20, "reads go on");
    let version = write(&stand_by, 20..30);
    assert_eq!(count(&replica, &version), 30);
    drop(writer);
    // Its directory lacks what the other one published.
    for flags in [&[][..], &["--take-over"]] {
        let refused = cluster
            .try_start("writer", flags)
            .err()
            .expect("it is refused");
        assert!(refused.contains("data directory"), "{refused}");
    }
    // A writer that is started again goes on by itself.
    drop(stand_by);
    let again = cluster.start("other", &[]);
    let version = write(&again, 30..31);
    assert_eq!(count(&replica, &version), 31);
}

#[test]
fn a_lost_cut_or_damaged_object_keeps_the_version_and_is_told() {
    let cluster = Cluster::new();
    let writer = cluster.writer();
    create(&writer);
    let version = write(&writer, 0..100);
    let replica = cluster.replica("replica");
    assert_eq!(count(&replica, &version), 100);
    drop(writer);

    // A state with one more file, of which the object is not there.
    let newest = fs::read(cluster.states().pop().unwrap()).unwrap();
    let newest = State::parse(&newest).unwrap();
    let content = b"a file that no version reads";
    let hash = blake3::hash(content).to_hex().to_string();
    let extra = FileEntry {
        name: "extra".into(),
        bytes: content.len() as u64,
        blake3: hash.clone(),
        ..FileEntry::default()
    };
    let next = State {
        number: newest.number + 1,
        operations: newest.operations + 1,
        files: [newest.files.clone(), vec![extra]].concat(),
        ..newest.clone()
    };
    let wanted = next.version().to_string();
    let path = |number: u64| {
        cluster
            .store()
            .join("states")
            .join(format!("{number:016}.json"))
    };
    fs::write(path(next.number), b"{\"format\": 1").unwrap();
    let mut errors = info(&replica)["errors"].as_u64().unwrap();
    let mut stays = |replica: &Server, what: &str| {
        wait(what, || {
            let told = info(replica);
            let (state, failed) = (told["state"].as_u64(), told["errors"].as_u64().unwrap());
            state == Some(newest.number) && failed > errors + 1 && told["error"].is_string()
        });
        errors = info(replica)["errors"].as_u64().unwrap();
        assert_eq!(count(replica, "0.0"), 100, "{what}");
        let (status, ready) = replica.send("GET", "/readyz", &Value::Null);
        assert_eq!(
            (status, &ready["status"]),
            (200, &json!("degraded")),
            "{what}"
        );
    };
    stays(&replica, "a state that was cut short");
    fs::write(path(next.number), next.encode().unwrap()).unwrap();
    stays(&replica, "a lost object");
    let object = cluster.store().join("objects").join(&hash[..2]).join(&hash);
    fs::create_dir_all(object.parent().unwrap()).unwrap();
    fs::write(&object, &content[..9]).unwrap();
    stays(&replica, "an object that was cut short");
    let mut damaged = content.to_vec();
    damaged[3] ^= 1;
    fs::write(&object, damaged).unwrap();
    stays(&replica, "a damaged object");

    fs::write(&object, content).unwrap();
    assert_eq!(count(&replica, &wanted), 100);
    wait("the error is over", || {
        replica.send("GET", "/readyz", &Value::Null).1["status"] == "ok"
    });
}

#[test]
fn a_writer_killed_while_it_publishes_loses_no_published_write() {
    let rounds = std::env::var("VITRINE_CRASH_ROUNDS").ok();
    let rounds: usize = rounds.and_then(|n| n.parse().ok()).unwrap_or(5);
    let cluster = Cluster::new();
    let mut writer = cluster.writer();
    create(&writer);
    let version = write(&writer, 0..50);
    let replica = cluster.replica("replica");
    let mut seen = count(&replica, &version);
    for round in 1..=rounds {
        let version = write(&writer, 50 * round..50 * round + 50);
        // The kill hits another moment of the publishing in each round.
        thread::sleep(Duration::from_millis((round as u64 * 37) % 250));
        writer.kill();
        let here = count(&replica, "0.0");
        assert!(
            here >= seen && here.is_multiple_of(50),
            "round {round}: {here} after {seen}"
        );
        seen = here;
        writer = cluster.writer();
        let now = 50 * (round as u64 + 1);
        assert_eq!(count(&writer, "0.0"), now, "round {round}");
        assert_eq!(count(&replica, &version), now, "round {round}");
    }
    println!(
        "{rounds} rounds of kill -9, {} states",
        cluster.states().len()
    );
}

#[test]
fn a_replica_serves_its_last_state_while_the_store_is_away() {
    let cluster = Cluster::new();
    let mut writer = cluster.writer();
    create(&writer);
    let version = write(&writer, 0..60);
    let mut replica = cluster.replica("replica");
    assert_eq!(count(&replica, &version), 60);
    writer.kill();
    let away = cluster.path("away");
    fs::rename(cluster.store(), &away).unwrap();
    replica.kill();
    let replica = cluster.replica("replica");
    assert_eq!(count(&replica, "0.0"), 60);
    fs::remove_dir_all(cluster.store()).ok();
    fs::rename(&away, cluster.store()).unwrap();
    let writer = cluster.writer();
    let version = write(&writer, 60..70);
    assert_eq!(count(&replica, &version), 70);
}
