//! Health of collections, the log level, and the metrics that dashboard and alerts are made of.

use std::collections::BTreeSet;

use serde_json::json;
use vitrine_server::{config::Config, ops::telemetry};

use crate::harness::api;

/// Metrics that there are only once something was measured or has failed.
const LATER: [&str; 11] = [
    "vitrine_embedding_failed",
    "vitrine_index_building_done",
    "vitrine_index_building_vectors",
    "vitrine_index_recall_at_10",
    "vitrine_index_recall_at_10_by_selectivity",
    "vitrine_index_recall_samples",
    "vitrine_index_unreachable_vectors",
    "vitrine_items_embedded_total",
    "vitrine_maintenance_failing",
    "vitrine_maintenance_failures",
    "vitrine_maintenance_panics",
];

/// Returns the names of metrics in a text, without the suffixes of histograms.
fn names(text: &str) -> BTreeSet<String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = text.split(|c| !is_part(c));
    let names = words.filter(|word| word.starts_with("vitrine_"));
    let base = |name: &str| {
        let suffixes = ["_bucket", "_sum", "_count"];
        let base = suffixes.iter().find_map(|suffix| name.strip_suffix(suffix));
        base.unwrap_or(name).to_owned()
    };
    names.map(base).collect()
}

#[actix_web::test]
async fn dashboard_alerts_and_documents_name_metrics_that_there_are() {
    let api = api().await;
    api.shop().await;
    let metrics = names(&api.get("/metrics").await.text);
    let known: BTreeSet<_> = metrics
        .iter()
        .cloned()
        .chain(LATER.map(str::to_owned))
        .collect();
    let documented = names(include_str!("../../../docs/operations.md"));
    let used = [
        include_str!("../../../deploy/monitoring/grafana-dashboard.json"),
        include_str!("../../../deploy/monitoring/alerts.yaml"),
    ];
    for text in used {
        let used = names(text);
        assert!(used.len() > 10, "{used:?}");
        let unknown: Vec<_> = used.difference(&known).collect();
        assert!(unknown.is_empty(), "{unknown:?}");
    }
    let is_metric = |name: &&String| !name.starts_with("vitrine_server");
    let unknown: Vec<_> = documented.difference(&known).filter(is_metric).collect();
    assert!(unknown.is_empty(), "documented only: {unknown:?}");
    let undocumented: Vec<_> = metrics.difference(&documented).collect();
    assert!(undocumented.is_empty(), "not documented: {undocumented:?}");
}

#[actix_web::test]
async fn a_collection_without_problems_is_healthy() {
    let api = api().await;
    api.shop().await;
    let health = api.get("/v1/collections/shop/health").await.ok();
    assert_eq!(health, json!({"status": "ok", "problems": []}));
    let missing = api.get("/v1/collections/none/health").await;
    missing.problem(404, "collection_not_found");
}

#[actix_web::test]
async fn events_of_unknown_items_are_no_problem_until_too_many_are_ignored() {
    let api = api().await;
    api.shop().await;
    let event = json!({"kind": "view", "collection": "shop", "user": "u", "items": ["unknown"]});
    api.post("/v1/events", event).await.ok();
    let health = api.get("/v1/collections/shop/health").await.ok();
    assert_eq!(health["status"], "ok", "{health}");
}

#[actix_web::test]
async fn the_log_level_changes_while_the_server_runs() {
    telemetry::init(&Config::default().log, None).expect("no other test starts the log");
    let api = api().await;
    let level = api.get("/v1/log_level").await.ok();
    assert!(
        level["level"].as_str().is_some_and(|l| l.contains("info")),
        "{level}"
    );
    let changed = api.put("/v1/log_level", json!({"level": "error"})).await;
    assert_eq!(changed.ok(), json!({"level": "error"}));
    for level in ["vitrine=loud", "wran", "", &"vitrine=info,".repeat(200)] {
        let wrong = api.put("/v1/log_level", json!({"level": level})).await;
        let problem = wrong.problem(400, "invalid_argument");
        assert!(problem.to_string().contains("/level"), "{problem}");
    }
    assert_eq!(api.get("/v1/log_level").await.ok()["level"], "error");
}
