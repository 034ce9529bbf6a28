//! Settings of backups.

use serde::{Deserialize, Serialize};

/// Backups.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackupSettings {
    /// Folder or URL (`s3://bucket/path`, `gs://`, `az://`) of the snapshots.
    pub target: Option<String>,
    /// Snapshots to keep; older ones are deleted. 0 keeps all.
    pub keep: usize,
    /// Hours between two snapshots; without it, they are made on request only.
    pub interval_hours: Option<f64>,
}

impl Default for BackupSettings {
    fn default() -> Self {
        Self {
            target: None,
            keep: 7,
            interval_hours: None,
        }
    }
}

impl BackupSettings {
    /// Returns an error for each invalid value.
    pub fn errors(&self) -> Vec<String> {
        let mut errors = Vec::new();
        if let Some(hours) = self.interval_hours {
            if !(0.01..=8_760.0).contains(&hours) {
                errors.push(format!(
                    "backup.interval_hours: {hours} is out of range; expected 0.01 to 8760"
                ));
            }
            if self.target.is_none() {
                errors.push("backup.interval_hours: expected backup.target too".into());
            }
        }
        errors
    }
}
