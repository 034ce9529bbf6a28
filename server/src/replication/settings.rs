//! Settings of replication.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

/// Maximum of `history_hours`: 31 days, which is some 45,000 states in the store.
const MAX_HISTORY_HOURS: f64 = 744.0;

/// Replication through an object store.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplicationSettings {
    /// Folder or URL (`s3://bucket/path`, `gs://`, `az://`) of the published states.
    pub store: Option<String>,
    /// Serve the states of the store instead of a database; `data_dir` is then a cache.
    pub replica: bool,
    /// Seconds between two states that the writer publishes, if something changed.
    pub publish_seconds: f64,
    /// Seconds after which the writer publishes all files again, if indexes or models changed;
    /// until then, replicas have the earlier ones.
    pub files_seconds: f64,
    /// Poll interval of a replica: seconds between two reads of the store.
    pub poll_seconds: f64,
    /// Seconds for which the writer keeps what no state needs any more: replicas may be reading it.
    pub retain_seconds: u64,
    /// Hours for which one state per minute is kept, to restore the database as of then.
    pub history_hours: f64,
    /// Address of the writer (`https://writer:7280`), to which a replica forwards changes; without
    /// it, it refuses them.
    pub writer_url: Option<String>,
    /// Seconds for which a replica may be behind the store before `/readyz` answers 503.
    pub max_behind_seconds: u64,
}

impl Default for ReplicationSettings {
    fn default() -> Self {
        Self {
            store: None,
            replica: false,
            publish_seconds: 2.0,
            files_seconds: 60.0,
            poll_seconds: 1.0,
            retain_seconds: 600,
            history_hours: 0.0,
            writer_url: None,
            max_behind_seconds: 60,
        }
    }
}

impl ReplicationSettings {
    /// Returns the time for which earlier states can be restored.
    pub fn history(&self) -> TimeDelta {
        TimeDelta::seconds((self.history_hours * 3_600.0) as i64)
    }

    /// Returns an error for each invalid value.
    pub fn errors(&self) -> Vec<String> {
        let mut errors = Vec::new();
        for (name, value) in [
            ("publish_seconds", self.publish_seconds),
            ("files_seconds", self.files_seconds),
            ("poll_seconds", self.poll_seconds),
        ] {
            if !(0.05..=3_600.0).contains(&value) {
                errors.push(format!(
                    "replication.{name}: {value} is out of range; expected 0.05 to 3600"
                ));
            }
        }
        if !(0.0..=MAX_HISTORY_HOURS).contains(&self.history_hours) {
            errors.push(format!(
                "replication.history_hours: {} is out of range; expected 0 to {MAX_HISTORY_HOURS}",
                self.history_hours
            ));
        }
        let min = (2.0 * self.publish_seconds.max(self.poll_seconds)) as u64;
        if self.retain_seconds < min {
            errors.push(format!(
                "replication.retain_seconds: expected at least {min} (twice the longer of publish_seconds and poll_seconds), got {}",
                self.retain_seconds
            ));
        }
        if self.replica && self.store.is_none() {
            errors
                .push("replication.store: expected the store of the writer, for a replica".into());
        }
        if let Some(url) = &self.writer_url {
            let parsed = url::Url::parse(url);
            if !parsed.is_ok_and(|url| matches!(url.scheme(), "http" | "https")) {
                errors.push(format!(
                    "replication.writer_url: expected a URL such as http://writer:7280, got {url:?}"
                ));
            }
            if !self.replica {
                errors.push("replication.writer_url: expected replication.replica = true; only a replica forwards changes".into());
            }
        }
        errors
    }
}
