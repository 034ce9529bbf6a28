//! Atomic writes of files.

use std::path::Path;

use crate::encode::ModelError;

/// Writes a file atomically: `write` writes to a temporary path, which is then renamed to `path`,
/// so that a reader never sees a partial file.
///
/// # Errors
/// `write` fails, or the file cannot be renamed.
pub(crate) fn write_atomic(
    path: &Path,
    write: impl FnOnce(&Path) -> Result<(), ModelError>,
) -> Result<(), ModelError> {
    // Another process may write the same file.
    let temporary = path.with_extension(format!("{}.tmp", std::process::id()));
    write(&temporary)?;
    std::fs::rename(&temporary, path).map_err(|source| ModelError::Io {
        path: path.to_owned(),
        source,
    })
}
