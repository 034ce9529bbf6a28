//! A look at a data directory before it is opened for writes. RocksDB deletes the tables that its
//! manifest does not name, so a manifest that was cut short must be noticed first.

use std::{collections::BTreeSet, fs, path::Path};

use super::{
    codec::Manifest,
    rocks::Rocks,
    sequence::{Mark, RocksManifest, SequenceFile},
    tuning::Tuning,
};
use crate::{Error, Result};

/// Key of the id of the database, in the column family `manifest`.
pub(super) const IDENTITY_KEY: &[u8] = b"identity";

/// Content of a data directory that may be opened for writes.
pub(super) struct Inspection {
    /// Id of the database; None in a directory that an earlier version wrote.
    pub identity: Option<String>,
    /// Acknowledged write operations that the store no longer has.
    pub lost: u64,
}

/// Opens a directory for reads and compares it with what it should hold.
///
/// # Errors
/// [`Error::DamagedDirectory`].
pub(super) fn inspect(path: &Path, tuning: &Tuning, identity: Option<&str>) -> Result<Inspection> {
    let damaged = |detail: String| Error::damaged_directory(path, detail);
    let mark = SequenceFile::read(path);
    check_rocks_manifest(path, mark.as_ref()).map_err(damaged)?;
    let rocks = Rocks::open_read_only(path, tuning)?;
    let found = rocks.get("manifest", IDENTITY_KEY)?;
    let found = found.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    if identity.is_some() && found.as_deref() != identity {
        return Err(damaged(format!(
            "expected the record of database {} in the store, got {}: the store is another one, or lost its first writes",
            identity.unwrap_or_default(),
            found.as_deref().unwrap_or("none"),
        )));
    }
    check_files(path, &rocks.manifest()?).map_err(damaged)?;
    let acknowledged = mark.map_or(0, |mark| mark.sequence);
    let lost = acknowledged.saturating_sub(rocks.sequence());
    // Without the sequence file, an unlisted table is the only sign of a manifest cut short.
    if lost > 0 || (mark.is_none() && identity.is_some()) {
        let unlisted = unlisted_tables(path, &rocks)?;
        if !unlisted.is_empty() {
            return Err(damaged(format!(
                "RocksDB's manifest does not name {}, and {}; opening the store would delete those files",
                unlisted.join(", "),
                match lost {
                    0 => "VITRINE_SEQUENCE is missing or unreadable".to_owned(),
                    lost => format!("{lost} acknowledged write operations are missing"),
                }
            )));
        }
    }
    Ok(Inspection {
        identity: found,
        lost,
    })
}

/// Compares RocksDB's manifest with its size when it was last seen.
fn check_rocks_manifest(path: &Path, mark: Option<&Mark>) -> Result<(), String> {
    let Some(found) = RocksManifest::current(path) else {
        return Err(
            "the file CURRENT, or the MANIFEST file that it names, is missing or unreadable".into(),
        );
    };
    let Some(Mark { manifest, .. }) = mark else {
        return Ok(());
    };
    if found.number < manifest.number {
        return Err(format!(
            "expected CURRENT to name MANIFEST-{:06} or a later one, got MANIFEST-{:06}",
            manifest.number, found.number
        ));
    }
    if found.number == manifest.number && found.bytes < manifest.bytes {
        return Err(format!(
            "MANIFEST-{:06} was cut short: expected at least {} bytes, got {}",
            found.number, manifest.bytes, found.bytes
        ));
    }
    Ok(())
}

/// Checks that no segment or state file belongs to a collection that was created after what the
/// manifest knows. Files of dropped collections are no damage: their ids are lower.
fn check_files(path: &Path, manifest: &Manifest) -> Result<(), String> {
    for folder in ["segments", "states"] {
        let Ok(entries) = fs::read_dir(path.join(folder)) else {
            continue;
        };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let id = name
                .get(..8)
                .and_then(|id| u32::from_str_radix(id, 16).ok());
            if id.is_some_and(|id| id >= manifest.next_id) {
                return Err(format!(
                    "{folder}/{name} belongs to a collection that the store does not know; it has {} collections and lost later writes",
                    manifest.collections.len()
                ));
            }
        }
    }
    Ok(())
}

/// Returns the names of tables on disk that RocksDB's manifest does not name.
fn unlisted_tables(path: &Path, rocks: &Rocks) -> Result<Vec<String>> {
    let live = rocks.db.live_files().map_err(super::rocks::storage)?;
    let live: BTreeSet<_> = live
        .iter()
        .map(|file| file.name.trim_start_matches('/'))
        .collect();
    let entries = fs::read_dir(path).map_err(|source| Error::Io {
        path: path.to_path_buf(),
        source,
    })?;
    let names = entries.flatten().map(|entry| entry.file_name());
    let names = names.map(|name| name.to_string_lossy().into_owned());
    Ok(names
        .filter(|name| name.ends_with(".sst") && !live.contains(name.as_str()))
        .collect())
}
