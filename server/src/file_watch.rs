//! Reloads what was read from files when the files change.

use std::{
    path::PathBuf,
    sync::{Arc, Weak},
    thread,
    time::{Duration, SystemTime},
};

/// Interval of the checks of the files.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Calls `reload` whenever one of the files has changed, for as long as `target` is in use.
///
/// # Errors
/// The thread, which gets this name, cannot be started.
pub fn watch<T: Send + Sync + 'static>(
    name: &str,
    files: Vec<PathBuf>,
    target: &Arc<T>,
    reload: impl Fn(&T) + Send + 'static,
) -> std::io::Result<()> {
    let target: Weak<T> = Arc::downgrade(target);
    let mut seen = changed(&files);
    let watch = move || {
        while let Some(target) = target.upgrade() {
            let now = changed(&files);
            if now != seen {
                seen = now;
                reload(&target);
            }
            drop(target);
            thread::sleep(POLL_INTERVAL);
        }
    };
    thread::Builder::new().name(name.into()).spawn(watch)?;
    Ok(())
}

/// Returns time and size of each file; None for those that cannot be read.
fn changed(files: &[PathBuf]) -> Vec<Option<(SystemTime, u64)>> {
    let of = |file: &PathBuf| {
        let metadata = std::fs::metadata(file).ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    };
    files.iter().map(of).collect()
}
