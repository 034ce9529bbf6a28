//! Commands of the program, run as a shell would run them.

mod heads;

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use serde_json::{Value, json};

fn indexer(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_vitrine-indexer"))
        .args(args)
        .current_dir(folder)
        .env_remove("VITRINE_API_KEY")
        .env_remove("RUST_LOG")
        .output()
        .expect("the program starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Runs a command line, split at spaces.
fn run(folder: &Path, line: &str) -> Output {
    indexer(folder, &line.split(' ').collect::<Vec<_>>())
}

/// Returns true if the models are present; the golden tests fail loudly without them.
fn models_are_there() -> bool {
    let dir = vitrine_indexer::models::default_dir();
    std::env::var_os("VITRINE_SKIP_MODELS").is_none() && dir.join("all-minilm-l6-v2").is_dir()
}

#[test]
fn wrong_usage_is_reported_and_exits_with_2() {
    let folder = tempfile::tempdir().unwrap();
    for (line, hint) in [
        ("index --source a.csv --collection c", "--data"),
        ("index --source a.csv --data d", "--collection"),
        ("index --collection c --data d", "--source"),
        (
            "index --source a --collection c --data d --server http://x",
            "cannot be used with",
        ),
        (
            "index --source a --collection c --server localhost:7280",
            "http://localhost:7280",
        ),
        (
            "index --source a --collection c --data d --batch 0",
            "1 to 1000",
        ),
        (
            "index --source a --collection c --data d --text-weight=-1",
            "number above 0",
        ),
        (
            "index --source a --collection c --data d --full --limit 3",
            "cannot be used with",
        ),
        (
            "index --source a --collection c --data d --max-removed 50%",
            "--full-catalog",
        ),
        (
            "index --source a --collection c --data d --full --max-removed 120%",
            "0% to 100%",
        ),
        ("train head --collection c", "--data"),
        ("train head --data d", "--collection"),
        ("train head --source a --hold-out 0.9", "0.01 to 0.5"),
        (
            "train head --source a --transfer model --target T",
            "--source-category",
        ),
        ("train head --source a --lambda 0", "above 0"),
        ("train head --source a --within-days 3", "--co-purchases"),
        (
            "train head --source a --co-purchases e --popularity-correction 2",
            "0 to 1",
        ),
        (
            "train head --source a --co-purchases e --within-days 0",
            "within-days",
        ),
        ("domains --source a", "--target"),
        (
            "index --source a --collection c --data d --text-weight=nan",
            "number above 0",
        ),
        (
            "index --source a --collection c --data d --format pdf",
            "shopify",
        ),
        ("embed", "--text"),
        ("embed --text a --image b", "cannot be used with"),
        ("sample get", "--dir"),
        ("fly", "unrecognized"),
    ] {
        let output = run(folder.path(), line);
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{line}: {message}");
        assert!(message.contains(hint), "{line}: {hint} is not in {message}");
    }
}

#[test]
fn every_command_explains_itself() {
    let folder = tempfile::tempdir().unwrap();
    for command in [
        "",
        "index ",
        "embed ",
        "models ",
        "models get ",
        "sample get ",
        "doctor ",
    ] {
        let output = run(folder.path(), &format!("{command}--help"));
        assert!(output.status.success(), "{command}: {output:?}");
        assert!(text(&output.stdout).contains("Usage: vitrine-indexer"));
    }
    // A key in the environment is not shown.
    let mut help = Command::new(env!("CARGO_BIN_EXE_vitrine-indexer"));
    let output = help
        .args(["index", "--help"])
        .env("VITRINE_API_KEY", "sesame")
        .output();
    let message = text(&output.expect("the program starts").stdout);
    assert!(message.contains("VITRINE_API_KEY") && !message.contains("sesame"));
}

#[test]
fn missing_models_are_reported_with_a_hint() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join("a.jsonl"),
        "{\"id\": \"1\", \"title\": \"x\"}\n",
    )
    .unwrap();
    for line in [
        "index --source a.jsonl --data d --collection c --models-dir none",
        "embed --text x --models-dir none",
        "doctor --models-dir none",
    ] {
        let output = run(folder.path(), line);
        let message = text(&output.stdout) + &text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{line}: {message}");
        assert!(
            message.contains("vitrine-indexer models get"),
            "{line}: {message}"
        );
    }
    let doctor = text(&run(folder.path(), "doctor --models-dir none").stdout);
    assert!(
        doctor
            .lines()
            .all(|l| l.starts_with("ok ") || l.starts_with("problem "))
    );
}

#[test]
fn errors_of_the_source_are_reported_before_models_are_loaded() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.csv"), "id,title\n1,x\n").unwrap();
    fs::write(folder.path().join("m.toml"), "id = \"sku\"\n").unwrap();
    for (line, hint) in [
        ("--source none.csv", "none.csv"),
        ("--source a.pdf", "--format"),
        ("--source a.csv --mapping none.toml", "none.toml"),
        ("--source a.csv --mapping m.toml", "sku"),
    ] {
        let line = format!("index --data d --collection c --models-dir none {line}");
        let output = run(folder.path(), &line);
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{line}: {message}");
        assert!(
            message.contains(hint) && !message.contains("models get"),
            "{line}: {message}"
        );
    }
    assert!(!folder.path().join("d").exists());
}

#[test]
fn models_are_listed_and_unknown_ones_refused() {
    let folder = tempfile::tempdir().unwrap();
    let list = run(folder.path(), "models list");
    assert!(
        text(&list.stdout).contains("all-minilm-l6-v2\t"),
        "{list:?}"
    );
    let get = run(folder.path(), "models get nonesuch --models-dir m");
    assert_eq!(get.status.code(), Some(1));
    assert!(text(&get.stderr).contains("models list"), "{get:?}");
    let verify = run(folder.path(), "models verify --models-dir none");
    assert_eq!(verify.status.code(), Some(1));
}

#[test]
fn a_catalog_is_indexed_and_the_summary_says_what_became_of_it() {
    if !models_are_there() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let index = |lines: &str| {
        fs::write(folder.path().join("a.jsonl"), lines).unwrap();
        let line = "index --source a.jsonl --data d --collection shop --rejects r.jsonl";
        let output = run(folder.path(), line);
        let summary: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        (output.status.code(), summary, text(&output.stderr))
    };
    let good = "{\"id\": \"1\", \"title\": \"red shoe\"}\n";
    let (code, summary, message) = index(good);
    assert_eq!(
        (code, &summary["created"]),
        (Some(0), &1.into()),
        "{message}"
    );
    let (code, summary, message) = index(&format!("{good}nonsense\n"));
    assert_eq!(code, Some(3), "{message}");
    assert_eq!(
        [&summary["skipped"], &summary["rejected"]],
        [&1, &1].map(|n| n)
    );
    let reject = fs::read_to_string(folder.path().join("r.jsonl")).unwrap();
    let reject: Value = serde_json::from_str(&reject).unwrap();
    assert_eq!(
        (&reject["line"], &reject["kind"]),
        (&2.into(), &"record".into())
    );

    let made = run(folder.path(), "embed --text shoe --space text");
    let made: Value = serde_json::from_slice(&made.stdout).unwrap();
    assert_eq!(made["vectors"]["text"].as_array().map(Vec::len), Some(384));
    let wrong = run(folder.path(), "embed --text shoe --space smell");
    assert!(text(&wrong.stderr).contains("shared, text"), "{wrong:?}");
    let doctor = run(folder.path(), "doctor");
    assert!(doctor.status.success(), "{doctor:?}");
}

/// A data directory with an empty collection `shop`.
fn shop(folder: &Path) -> vitrine::Database {
    let db = vitrine::Database::open(&folder.join("d"), vitrine::Options::default()).unwrap();
    let config = serde_json::json!({"vectors": {"shared": {"dim": 2}}});
    db.create_collection("shop", serde_json::from_value(config).unwrap())
        .unwrap();
    db
}

fn summary(output: &Output) -> Value {
    let text = text(&output.stdout);
    serde_json::from_str(text.lines().last().unwrap_or_default())
        .unwrap_or_else(|_| panic!("{output:?}"))
}

#[test]
fn events_are_imported_and_bad_ones_listed_with_line_and_field() {
    let folder = tempfile::tempdir().unwrap();
    drop(shop(folder.path()));
    let csv = "user,item,kind,ts\nu,a,view,2026-01-01\nu,a,gaze,2026-01-01\nu,a,view,2999-01-01\nu,a,view,2026-01-01\n";
    fs::write(folder.path().join("e.csv"), csv).unwrap();
    let line = "events import --source e.csv --data d --collection shop --rejects r";
    let output = run(folder.path(), line);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let report = summary(&output);
    let counts = [
        "read",
        "accepted",
        "duplicate",
        "unknown_items",
        "rejected",
        "skewed",
    ];
    assert_eq!(
        counts.map(|c| report[c].as_u64().unwrap()),
        [4, 1, 1, 1, 2, 0]
    );
    let rejects = fs::read_to_string(folder.path().join("r")).unwrap();
    let rejects: Vec<Value> = rejects
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    let report: Vec<_> = rejects
        .iter()
        .map(|r| (r["line"].as_u64(), r["field"].as_str()))
        .collect();
    assert_eq!(report, [(Some(3), Some("kind")), (Some(4), Some("ts"))]);
    let output = run(folder.path(), &line.replace("shop", "none"));
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stderr).contains("`none` does not exist"),
        "{output:?}"
    );
}

#[test]
fn a_killed_import_goes_on_and_stores_every_event_once() {
    const EVENTS: u64 = 30_000;
    let folder = tempfile::tempdir().unwrap();
    drop(shop(folder.path()));
    let mut lines = String::new();
    for n in 0..EVENTS {
        let (user, item) = (n % 1000, n % 77);
        lines += &format!(
            "{{\"kind\": \"view\", \"user\": \"u{user}\", \"items\": [\"i{item}\"], \"ts\": \"2026-01-01T00:00:00Z\", \"id\": \"{n}\"}}\n"
        );
    }
    fs::write(folder.path().join("e.jsonl"), lines).unwrap();
    let line = "events import --source e.jsonl --data d --collection shop";
    for pause in [60, 120, 240] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_vitrine-indexer"))
            .args(line.split(' '))
            .current_dir(folder.path())
            .stderr(std::process::Stdio::null())
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        // Killed at any point: stored events stay, the rest is stored by the next run.
        std::thread::sleep(std::time::Duration::from_millis(pause));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let report = summary(&run(folder.path(), line));
    let count = |field: &str| report[field].as_u64().unwrap();
    assert_eq!(count("accepted") + count("duplicate"), EVENTS);
    assert_eq!(summary(&run(folder.path(), line))["duplicate"], EVENTS);
    let db = shop(folder.path());
    assert_eq!(db.info("shop").unwrap().events.touches, EVENTS);
}

#[test]
fn models_are_trained_on_a_directory() {
    let folder = tempfile::tempdir().unwrap();
    drop(shop(folder.path()));
    let mut csv = "user,item,kind,ts\n".to_owned();
    for n in 0..400 {
        csv += &format!(
            "u{},i{},purchase,2026-01-{:02}\n",
            n % 60,
            n * 7 % 31,
            1 + n / 60
        );
    }
    fs::write(folder.path().join("e.csv"), csv).unwrap();
    run(
        folder.path(),
        "events import --source e.csv --data d --collection shop",
    );
    let line =
        "train cf --data d --collection shop --model ials --param factors=8 --param iterations=2";
    let output = run(folder.path(), line);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let info = summary(&output);
    assert_eq!(
        (&info["model"], &info["parameters"]["factors"]),
        (&"ials".into(), &8.into())
    );
    assert_eq!(info["held_out"][0]["people"], 60);
    for (more, hint) in [
        ("--model ials --param factor=8", "factor"),
        ("--model ials --param factors", "k=v"),
        ("--param factors=8", "auto"),
        ("--model svd", "item-knn"),
    ] {
        let output = run(
            folder.path(),
            &format!("train cf --data d --collection shop {more}"),
        );
        assert!(!output.status.success());
        assert!(text(&output.stderr).contains(hint), "{output:?}");
    }
}

#[test]
fn variants_of_an_experiment_are_compared() {
    let folder = tempfile::tempdir().unwrap();
    let search = |n: u32| {
        let (variant, clicked) = if n.is_multiple_of(2) {
            ("plain", n.is_multiple_of(5))
        } else {
            ("blend", !n.is_multiple_of(5))
        };
        let events = match clicked {
            true => {
                json!([{"kind": "click", "item": "a", "position": 1, "ts": "2026-05-01T10:00:00Z"}])
            }
            false => json!([]),
        };
        json!({
            "request_id": n.to_string(), "ts": "2026-05-01T10:00:00Z", "query": "shoes", "plan": "lexical",
            "user": format!("u{n}"), "hits": 1, "shown": ["a"],
            "experiment": {"id": "mode", "variant": variant}, "events": events
        })
    };
    let lines: Vec<_> = (0..100).map(|n| search(n).to_string()).collect();
    fs::write(
        folder.path().join("searches.jsonl"),
        lines.join("\n") + "\nwrong\n",
    )
    .unwrap();
    let line =
        "evaluate ab --searches searches.jsonl --experiment mode --control plain --json ab.json";
    let output = run(folder.path(), line);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert!(text(&output.stderr).contains("line 101"), "{output:?}");
    let printed = text(&output.stdout);
    assert!(printed.contains("click-through: +0.6000"), "{printed}");
    let results = fs::read_to_string(folder.path().join("ab.json")).unwrap();
    let results: Value = serde_json::from_str(&results).unwrap();
    assert_eq!(results["variants"][0]["name"], "plain");
    let differences = &results["variants"][1]["differences"];
    assert_eq!(differences["click_through"]["significant"], true);
    assert_eq!(differences["conversion"]["significant"], false);
}

#[test]
fn a_dry_run_needs_neither_models_nor_a_collection() {
    let folder = tempfile::tempdir().unwrap();
    let csv = "id,title,price\n1,Boot,\"12,99\"\n2,Hat,free\n,Cap,5\n";
    fs::write(folder.path().join("a.csv"), csv).unwrap();
    let output = run(
        folder.path(),
        "index --source a.csv --dry-run --models-dir none",
    );
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let out = text(&output.stdout);
    let last: Value = serde_json::from_str(out.lines().last().unwrap()).unwrap();
    assert_eq!((&last["items"], &last["rejected"]), (&json!(2), &json!(1)));
    assert_eq!(last["columns"]["price"]["refused"], 1);
    assert!(
        out.contains("line 3: column `price`: expected a price"),
        "{out}"
    );
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}
