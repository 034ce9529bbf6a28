//! Health of a collection: its problems, each with what to do about it.

use vitrine_schemas::{
    CollectionHealth, CollectionInfo, HealthProblem, IndexInfo, ReadinessStatus, Severity,
};

use super::health::{Health, StoreHealth};
use crate::{Bounds, Database, Error, Result, bounds::Usage};

/// Mean recall below which a space is reported.
const MIN_RECALL: f64 = 0.9;

/// Number of measured searches from which on recall is judged.
const MIN_RECALL_SAMPLES: u64 = 20;

/// Number of unsealed vectors from which on a space is reported: every search reads all of them.
const MAX_UNSEALED: u64 = 200_000;

/// Share of the memory limit from which on memory is reported.
const MEMORY_SHARE: f64 = 0.9;

/// Maximum number of ids in a message.
const MAX_IDS: usize = 5;

impl Database {
    /// Returns the problems of a collection.
    ///
    /// # Errors
    /// There is no such collection, or the sizes of the store cannot be read.
    ///
    /// # Examples
    /// ```
    /// use serde_json::json;
    /// use vitrine::{Database, Options, schemas::ReadinessStatus};
    ///
    /// let folder = tempfile::tempdir()?;
    /// let database = Database::open(folder.path(), Options::default())?;
    /// let config = serde_json::from_value(json!({"vectors": {"s": {"dim": 2}}}))?;
    /// database.create_collection("shop", config)?;
    /// assert_eq!(database.collection_health("shop")?.status, ReadinessStatus::Ok);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn collection_health(&self, name_or_alias: &str) -> Result<CollectionHealth> {
        let health = self.health();
        let info = match self.info(name_or_alias) {
            Err(Error::CollectionDamaged { name, detail }) => {
                return Ok(summarize(vec![damaged(&name, &detail)]));
            }
            info => info?,
        };
        let mut problems = Vec::new();
        problems.extend(store_problem(&health.store));
        problems.extend(resource_problems(&self.usage()?, &self.bounds()));
        problems.extend(task_problems(&health, &info.name));
        problems.extend(item_problems(&info));
        for (space, index) in &info.indexes {
            problems.extend(index_problems(space, index));
        }
        Ok(summarize(problems))
    }
}

fn summarize(mut problems: Vec<HealthProblem>) -> CollectionHealth {
    problems.sort_by_key(|problem| std::cmp::Reverse(problem.severity));
    let status = match problems.first().map(|problem| problem.severity) {
        None => ReadinessStatus::Ok,
        Some(Severity::Warning) => ReadinessStatus::Degraded,
        Some(Severity::Error) => ReadinessStatus::Unavailable,
    };
    CollectionHealth { status, problems }
}

fn problem(
    severity: Severity,
    code: &str,
    message: String,
    remedy: impl Into<String>,
) -> HealthProblem {
    HealthProblem {
        code: code.to_owned(),
        severity,
        message,
        remedy: remedy.into(),
    }
}

fn error(code: &str, message: String, remedy: impl Into<String>) -> HealthProblem {
    problem(Severity::Error, code, message, remedy)
}

fn warning(code: &str, message: String, remedy: impl Into<String>) -> HealthProblem {
    problem(Severity::Warning, code, message, remedy)
}

fn damaged(name: &str, detail: &str) -> HealthProblem {
    error(
        "collection_damaged",
        format!("collection {name} is not open: {detail}"),
        "restore a snapshot, or stop the server, copy the data directory and run \
         `vitrine-server repair`",
    )
}

fn store_problem(store: &StoreHealth) -> Option<HealthProblem> {
    let (code, remedy) = match store {
        StoreHealth::RestartNeeded { .. } => ("restart_needed", "start the server again"),
        _ => (
            "writes_fail",
            "free disk space or mend the disk; writes resume by themselves",
        ),
    };
    Some(error(code, store.problem()?, remedy))
}

fn resource_problems(usage: &Usage, bounds: &Bounds) -> Vec<HealthProblem> {
    let mut problems = Vec::new();
    let disk = usage.disk_free_bytes.unwrap_or(u64::MAX);
    if disk < bounds.disk_reserve_bytes {
        problems.push(error(
            "disk_full",
            format!(
                "writes are refused: {disk} bytes are free on the disk, expected at least {}",
                bounds.disk_reserve_bytes
            ),
            "free disk space, or lower `limits.disk_reserve_bytes`",
        ));
    }
    if let Some(limit) = bounds.memory_bytes {
        let used = usage.memory_bytes as f64 / limit.max(1) as f64;
        if used > MEMORY_SHARE {
            problems.push(warning(
                "memory_nearly_full",
                format!(
                    "all collections hold {} of {limit} bytes; writes beyond are refused",
                    usage.memory_bytes
                ),
                "delete items, drop a collection, store vectors as int8, or raise \
                 `limits.memory_bytes`",
            ));
        }
    }
    problems
}

fn task_problems(health: &Health, name: &str) -> Vec<HealthProblem> {
    let failing = health
        .tasks
        .iter()
        .filter(|(_, task)| task.failing.contains_key(name));
    let problems = failing.map(|(task, _)| {
        warning(
            "maintenance_fails",
            format!("the background task {task} fails for this collection"),
            "see the log for the cause; the task is repeated by itself",
        )
    });
    problems.collect()
}

fn item_problems(info: &CollectionInfo) -> Vec<HealthProblem> {
    let mut problems = Vec::new();
    if info.quarantined > 0 {
        let ids = info.quarantined_ids.iter().take(MAX_IDS);
        let ids = ids.map(String::as_str).collect::<Vec<_>>().join(", ");
        problems.push(warning(
            "items_quarantined",
            format!("{} stored items cannot be indexed: {ids}", info.quarantined),
            "write these items again, or delete them; the log has the causes",
        ));
    }
    let embedding = &info.embedding;
    if embedding.failed > 0 {
        problems.push(warning(
            "items_not_embedded",
            format!(
                "{} items cannot be embedded; searches by meaning do not find them",
                embedding.failed
            ),
            "GET the collection's `/embedding` for the causes, mend them, and POST to it",
        ));
    }
    if embedding.partial > 0 {
        problems.push(warning(
            "images_not_embedded",
            format!(
                "{} items were embedded without some of their images",
                embedding.partial
            ),
            "GET the collection's `/embedding` for the causes, mend them, and POST to it",
        ));
    }
    if info.events.ignored > 0 {
        problems.push(warning(
            "events_ignored",
            format!(
                "{} items of events since the start are not in the catalog and not learned from",
                info.events.ignored
            ),
            "send the ids of the catalog in events, or write the missing items",
        ));
    }
    problems
}

fn index_problems(space: &str, index: &IndexInfo) -> Vec<HealthProblem> {
    let mut problems = Vec::new();
    let recall = index.recall.as_ref();
    let measured = recall.filter(|recall| recall.samples >= MIN_RECALL_SAMPLES);
    if let Some(recall) = measured.filter(|recall| recall.mean < MIN_RECALL) {
        problems.push(warning(
            "recall_low",
            format!(
                "searches of space {space} find {:.3} of the nearest neighbors, expected {MIN_RECALL}",
                recall.mean
            ),
            "search with a higher `ef`, or raise `m` and `ef_construction` of the space",
        ));
    }
    if index.unreachable.is_some_and(|count| count > 0) {
        problems.push(warning(
            "vectors_unreachable",
            format!(
                "no graph search reaches {} vectors of space {space}",
                index.unreachable.unwrap_or_default()
            ),
            "raise `m` of the space, or report the defect",
        ));
    }
    if index.unsealed > MAX_UNSEALED {
        problems.push(warning(
            "vectors_unsealed",
            format!(
                "{} vectors of space {space} are in no graph yet; every search reads them",
                index.unsealed
            ),
            "wait for the background to build the graph, or raise `index_threads`",
        ));
    }
    problems
}

#[cfg(test)]
mod tests {
    use vitrine_schemas::{EmbeddingInfo, RecallInfo};

    use super::*;

    fn codes(problems: &[HealthProblem]) -> Vec<&str> {
        problems.iter().map(|p| p.code.as_str()).collect()
    }

    #[test]
    fn errors_precede_warnings_and_decide_the_status() {
        let store = StoreHealth::WritesFail {
            reason: "disk full".into(),
            since: "2026-11-28T10:00:00Z".into(),
        };
        let memory = resource_problems(
            &Usage {
                memory_bytes: 95,
                disk_free_bytes: Some(10),
                ..Usage::default()
            },
            &Bounds {
                memory_bytes: Some(100),
                disk_reserve_bytes: 5,
                ..Bounds::default()
            },
        );
        assert_eq!(codes(&memory), ["memory_nearly_full"]);
        let health = summarize(memory.into_iter().chain(store_problem(&store)).collect());
        assert_eq!(health.status, ReadinessStatus::Unavailable);
        assert_eq!(
            codes(&health.problems),
            ["writes_fail", "memory_nearly_full"]
        );
        assert_eq!(summarize(Vec::new()).status, ReadinessStatus::Ok);
    }

    #[test]
    fn indexes_are_judged_by_enough_searches() {
        let index = |mean, samples, unsealed| IndexInfo {
            unsealed,
            recall: Some(RecallInfo {
                mean,
                samples,
                ..RecallInfo::default()
            }),
            ..IndexInfo::default()
        };
        assert_eq!(codes(&index_problems("s", &index(0.5, 3, 10))), [""; 0]);
        assert_eq!(codes(&index_problems("s", &index(0.95, 100, 10))), [""; 0]);
        let problems = index_problems("s", &index(0.5, 100, MAX_UNSEALED + 1));
        assert_eq!(codes(&problems), ["recall_low", "vectors_unsealed"]);
    }

    #[test]
    fn items_that_searches_do_not_find_are_named() {
        let info: CollectionInfo = serde_json::from_value(serde_json::json!({
            "name": "shop", "vectors": {}, "items": 9, "vector_counts": {}, "aliases": [],
            "quarantined": 7, "quarantined_ids": ["a", "b", "c", "d", "e", "f", "g"],
        }))
        .expect("an info");
        let problems = item_problems(&CollectionInfo {
            embedding: EmbeddingInfo {
                pending: 5,
                partial: 0,
                failed: 2,
            },
            ..info
        });
        assert_eq!(
            codes(&problems),
            ["items_quarantined", "items_not_embedded"]
        );
        assert!(
            problems[0]
                .message
                .ends_with("7 stored items cannot be indexed: a, b, c, d, e")
        );
    }
}
