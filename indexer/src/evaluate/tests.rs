//! The command as a user calls it, on small files.

use std::{fs, path::Path};

use clap::Parser;
use serde_json::Value;

use crate::cli::{Cli, Outcome, run};

/// Two tastes: even users buy items 0 to 9 in turn, odd ones 10 to 19, each from a different start.
fn events(folder: &Path) {
    let mut lines = String::from("user,item,kind,ts\n");
    for user in 0..40 {
        for step in 0..6 {
            let item = 10 * (user % 2) + (user / 2 + step) % 10;
            lines += &format!(
                "u{user},i{item},purchase,2026-01-{:02}T00:00:00Z\n",
                1 + step
            );
        }
    }
    fs::write(folder.join("events.csv"), lines).expect("written");
}

/// Runs the command and returns its output and outcome; `{}` in the line is the folder.
fn evaluate(folder: &Path, line: &str) -> Result<(Outcome, String), String> {
    let line = line.replace("{}", &folder.display().to_string());
    let words = format!("vitrine-indexer evaluate recommend {line}");
    let cli = Cli::try_parse_from(words.split_whitespace()).map_err(|e| e.to_string())?;
    let mut out = Vec::new();
    let outcome = run(cli, &mut out).map_err(|e| e.to_string())?;
    Ok((outcome, String::from_utf8(out).expect("text")))
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).expect("there")).expect("JSON")
}

#[test]
fn the_better_model_is_reported_and_the_reports_agree() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    events(at);
    let (outcome, output) = evaluate(
        at,
        "--events {}/events.csv --model popularity --model item-knn:shrinkage=0 --split leave-last --k 3,1 --resamples 200 \
         --json {}/r.json --html {}/r.html",
    )
    .expect("fine");
    assert_eq!(outcome, Outcome::Complete);
    assert!(
        output.contains("item-knn:shrinkage=0 is better than popularity by"),
        "{output}"
    );
    assert!(output.contains("full ranking") && !output.contains("SAMPLED"));
    let report = json(&at.join("r.json"));
    let recall = |model: usize| report["models"][model]["at"][0]["recall"]["mean"].as_f64();
    assert!(recall(1) > recall(0));
    assert!(output.contains(&format!("{:.4} [", recall(1).expect("a number"))));
    assert_eq!(report["protocol"]["users_tested"], 40);
    assert_eq!(report["protocol"]["ranking"], "full");
    assert_eq!(report["comparisons"][0]["verdict"], "better");
    let page = fs::read_to_string(at.join("r.html")).expect("there");
    for foreign in ["http:", "https:", "<script", "<link", "@import", "url("] {
        assert!(!page.contains(foreign), "{foreign}");
    }
    assert!(page.contains("<svg") && page.contains("prefers-color-scheme: dark"));
    assert!(page.contains(r#"name="viewport""#));
}

#[test]
fn programs_can_rely_on_the_keys() {
    let folder = tempfile::tempdir().expect("a folder");
    events(folder.path());
    evaluate(
        folder.path(),
        "--events {}/events.csv --resamples 10 --json {}/r.json",
    )
    .expect("fine");
    let report = json(&folder.path().join("r.json"));
    let keys = |pointer: &str| -> String {
        let object = report.pointer(pointer).and_then(Value::as_object);
        let keys = object.expect(pointer).keys().cloned();
        keys.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(keys(""), "data protocol models comparisons");
    assert_eq!(
        keys("/data"),
        "source interactions rejections refused users items items_with_category items_with_vector first_event last_event"
    );
    assert_eq!(
        keys("/protocol"),
        "split cut weights new_only ranking cold_items max_history train held_out users_tested \
         users_without_history users_without_new relevant \
         resamples seed"
    );
    assert_eq!(
        keys("/models/0"),
        "model settings note fit_seconds users_per_second at by_user by_item"
    );
    assert_eq!(
        keys("/models/0/at/0"),
        "k f1 hit_rate map mrr ndcg precision recall coverage novelty diversity cross_category"
    );
    assert_eq!(keys("/models/0/at/0/recall"), "mean low high");
    assert_eq!(keys("/models/0/by_user/0"), "events users recall ndcg");
    assert_eq!(keys("/models/0/by_item/0"), "events held_out recall");
    assert_eq!(
        keys("/comparisons/0"),
        "model against metric k difference verdict"
    );
}

#[test]
fn sampled_negatives_are_labeled_everywhere() {
    let folder = tempfile::tempdir().expect("a folder");
    events(folder.path());
    let line = "--events {}/events.csv --negatives 5 --split leave-last --resamples 10 --json {}/r.json --html {}/r.html";
    let (_, output) = evaluate(folder.path(), line).expect("fine");
    let label = "SAMPLED: 5 random negatives per user";
    assert_eq!(
        output.matches(label).count(),
        4,
        "the summary and each table: {output}"
    );
    let report = json(&folder.path().join("r.json"));
    assert_eq!(report["protocol"]["ranking"]["sampled_negatives"], 5);
    let page = fs::read_to_string(folder.path().join("r.html")).expect("there");
    assert!(page.contains(label) && page.contains("recall@20 (sampled negatives)"));
}

#[test]
fn unreadable_records_are_counted() {
    let folder = tempfile::tempdir().expect("a folder");
    events(folder.path());
    let path = folder.path().join("events.csv");
    let mut text = fs::read_to_string(&path).expect("there");
    text += "u1,i1,stolen,2026-01-02T00:00:00Z\nu1,i1,view,yesterday\n";
    fs::write(&path, text).expect("written");
    let line = "--events {}/events.csv --resamples 10 --json {}/r.json";
    let (outcome, _) = evaluate(folder.path(), line).expect("fine");
    assert_eq!(outcome, Outcome::Partial);
    assert_eq!(json(&folder.path().join("r.json"))["data"]["refused"], 2);
}

#[test]
fn errors_explain_how_to_fix_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    events(at);
    fs::write(at.join("empty.csv"), "user,item,kind,ts\n").expect("written");
    fs::write(
        at.join("untimed.csv"),
        "user,item,kind\nu,a,view\nu,b,view\n",
    )
    .expect("written");
    for (line, hint) in [
        ("", "--events"),
        ("--data d", "--collection"),
        ("--events {}/none.csv", "none.csv"),
        ("--events {}/events.csv --model item-cnn", "item-knn"),
        (
            "--events {}/events.csv --model item-knn:neighbor=3",
            "neighbors",
        ),
        (
            "--events {}/events.csv --model item-knn:neighbors=0",
            "at least 1",
        ),
        ("--events {}/events.csv --model content", "--collection"),
        ("--events {}/events.csv --split thirds", "leave-last:N"),
        (
            "--events {}/events.csv --split temporal:2",
            "between 0 and 1",
        ),
        ("--events {}/events.csv --k 0", "1 to 1000"),
        ("--events {}/events.csv --negatives 0", "at least 1"),
        ("--events {}/events.csv --min-history 100", "--min-history"),
        ("--events {}/events.csv --json {}/no/r.json", "r.json"),
        ("--events {}/empty.csv", "no events"),
        ("--events {}/untimed.csv", "no time"),
        ("--data {}/none --collection c", "none"),
    ] {
        let error = evaluate(at, line).expect_err(line);
        assert!(error.contains(hint), "{line}: {hint} is not in {error}");
    }
}
