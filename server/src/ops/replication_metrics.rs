//! Gauges of replication.

use vitrine::schemas::ReplicationInfo;

use super::gauges::Gauges;

/// Adds gauges of replication; without it, all are 0.
pub(super) fn add_replication(
    gauges: &Gauges,
    replication: &ReplicationInfo,
) -> prometheus::Result<()> {
    let integers = [
        (
            "state",
            "Number of the state published or served last, 0 for none",
            replication.state,
        ),
        ("epoch", "Number of the writer", replication.epoch),
        (
            "states",
            "States published or served since the start",
            replication.states,
        ),
        (
            "copied_bytes",
            "Bytes copied to or from the store since the start",
            replication.copied_bytes,
        ),
        ("errors", "Failures since the start", replication.errors),
        (
            "failing",
            "1 if the last attempt failed",
            u64::from(replication.error.is_some()),
        ),
        (
            "fenced",
            "1 if another writer took over from this one",
            u64::from(replication.fenced_by.is_some()),
        ),
    ];
    for (name, help, value) in integers {
        let name = format!("vitrine_replication_{name}");
        gauges.add_integers(&name, help, &[], [(Vec::new(), value)].into_iter())?;
    }
    let floats = [
        (
            "lag_seconds",
            "Seconds since the state was known to be all of the database",
            replication.lag_seconds.unwrap_or_default(),
        ),
        (
            "behind_seconds",
            "Seconds for which the store has had a later state",
            replication.behind_seconds,
        ),
        (
            "state_seconds",
            "Seconds that publishing or opening the last state took",
            replication.seconds,
        ),
    ];
    for (name, help, value) in floats {
        let name = format!("vitrine_replication_{name}");
        gauges.add_floats(&name, help, &[], [(Vec::new(), value)].into_iter())?;
    }
    Ok(())
}
