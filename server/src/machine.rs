//! Memory of the machine or container.

use std::fs;

/// Returns the bytes of memory that this process may use; None if the system does not report it.
pub fn memory() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|l| l.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    let container = fs::read_to_string("/sys/fs/cgroup/memory.max").ok();
    // The file holds `max` if there is no limit.
    let container = container.and_then(|text| text.trim().parse::<u64>().ok());
    Some((kib * 1024).min(container.unwrap_or(u64::MAX)))
}
