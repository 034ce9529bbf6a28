//! Manifest of a snapshot: its files by name, with the hashes of their content.

use std::path::{Component, Path};

use serde::{Deserialize, Serialize};
use vitrine_schemas::SnapshotInfo;

/// Version of the manifest.
const FORMAT: u32 = 1;

/// Manifest of a snapshot.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of the manifest.
    pub format: u32,
    /// The snapshot.
    pub snapshot: SnapshotInfo,
    /// Its files, in the order of their names.
    pub files: Vec<FileEntry>,
    /// BLAKE3 hash of the snapshot and the files as JSON, which notices damage of this manifest.
    /// Fields of [`SnapshotInfo`] and [`FileEntry`] must keep their serialized form, or the
    /// checksums of old manifests fail.
    pub checksum: String,
}

/// A file of a snapshot.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// Path below the data directory.
    pub name: String,
    /// Size.
    pub bytes: u64,
    /// Time of the last change, in nanoseconds since 1970.
    pub modified_ns: i64,
    /// BLAKE3 hash of the content, as hexadecimal digits.
    pub blake3: String,
}

impl FileEntry {
    /// Returns true if a file of this name never changes: a table of RocksDB, a segment of a vector
    /// index or of a full-text index.
    pub fn is_immutable(&self) -> bool {
        let name = self.name.as_str();
        let is_text = name.starts_with("lexical/") && !name.ends_with(".json");
        is_text || name.ends_with(".sst") || name.ends_with(".seg")
    }

    /// Returns true if its name stays below the folder that it is joined to.
    pub fn is_inside(&self) -> bool {
        let mut parts = Path::new(&self.name).components().peekable();
        parts.peek().is_some() && parts.all(|part| matches!(part, Component::Normal(_)))
    }
}

impl Manifest {
    /// Returns the manifest of a complete snapshot.
    pub fn new(snapshot: SnapshotInfo, files: Vec<FileEntry>) -> Self {
        let checksum = checksum(&snapshot, &files);
        Self {
            format: FORMAT,
            snapshot,
            files,
            checksum,
        }
    }

    /// Parses and checks a manifest.
    ///
    /// # Errors
    /// It is of another version, damaged, or names files outside of a data directory.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let manifest: Self =
            serde_json::from_slice(bytes).map_err(|e| format!("damaged manifest: {e}"))?;
        if manifest.format != FORMAT {
            return Err(format!(
                "expected a manifest of format {FORMAT}, got {}; use the version that wrote it",
                manifest.format
            ));
        }
        if manifest.checksum != checksum(&manifest.snapshot, &manifest.files) {
            return Err("damaged manifest: its checksum does not match".into());
        }
        match manifest.files.iter().find(|file| !file.is_inside()) {
            Some(file) => Err(format!(
                "expected a path below the data directory, got {}",
                file.name
            )),
            None => Ok(manifest),
        }
    }
}

fn checksum(snapshot: &SnapshotInfo, files: &[FileEntry]) -> String {
    let content = serde_json::to_vec(&(snapshot, files)).unwrap_or_default();
    blake3::hash(&content).to_hex().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(name: &str) -> Manifest {
        let file = FileEntry {
            name: name.into(),
            bytes: 3,
            ..FileEntry::default()
        };
        Manifest::new(SnapshotInfo::default(), vec![file])
    }

    #[test]
    fn a_manifest_that_was_changed_or_leaves_the_folder_is_refused() {
        let text = serde_json::to_string(&manifest("segments/a.seg")).unwrap();
        assert!(Manifest::parse(text.as_bytes()).is_ok());
        let changed = text.replace("\"bytes\":3", "\"bytes\":4");
        assert!(Manifest::parse(changed.as_bytes()).is_err());
        for name in ["../a", "/etc/passwd", ""] {
            let text = serde_json::to_string(&manifest(name)).unwrap();
            assert!(Manifest::parse(text.as_bytes()).is_err(), "{name}");
        }
    }
}
