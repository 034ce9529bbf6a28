//! Gauges of what works and of what failed.

use vitrine::{Health, StoreHealth, TaskHealth};

use super::gauges::Gauges;

/// Snapshots since the start.
#[derive(Debug, Clone, Copy, Default)]
pub struct BackupFigures {
    /// Time of the last complete one in seconds since 1970; 0 for none.
    pub last_success: i64,
    /// Failed ones.
    pub failures: u64,
}

/// Adds gauges of what works and of what failed.
pub(super) fn add_health(
    gauges: &Gauges,
    health: &Health,
    backups: BackupFigures,
) -> prometheus::Result<()> {
    let single = [
        (
            "store_writable",
            "1 if the store takes writes",
            u64::from(health.store == StoreHealth::Writable),
        ),
        (
            "store_lost_operations",
            "Acknowledged write operations that were missing at the start",
            health.lost_operations,
        ),
        (
            "collections_damaged",
            "Collections that are not open because of damaged data",
            health.damaged.len() as u64,
        ),
        (
            "snapshot_last_success_seconds",
            "Time of the last complete snapshot since the start, 0 for none",
            u64::try_from(backups.last_success).unwrap_or_default(),
        ),
        (
            "snapshot_failures",
            "Snapshots that failed since the start",
            backups.failures,
        ),
    ];
    for (name, help, value) in single {
        let value = [(Vec::new(), value)].into_iter();
        gauges.add_integers(&format!("vitrine_{name}"), help, &[], value)?;
    }
    type Figure = (&'static str, &'static str, fn(&TaskHealth) -> u64);
    let figures: [Figure; 3] = [
        (
            "failures",
            "Failed maintenance steps since the start",
            |t| t.failures,
        ),
        ("panics", "Panics of maintenance since the start", |t| {
            t.panics
        }),
        ("failing", "Collections whose last step failed", |t| {
            t.failing.len() as u64
        }),
    ];
    for (name, help, figure) in figures {
        let values = health.tasks.iter();
        let values = values.map(|(task, health)| (vec![(*task).to_owned()], figure(health)));
        let name = format!("vitrine_maintenance_{name}");
        gauges.add_integers(&name, help, &["task"], values)?;
    }
    Ok(())
}
