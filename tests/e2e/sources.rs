//! The source files of the crates, for tests of their structure.

use std::path::{Path, PathBuf};

/// Source folders of the crates, in the order of their dependencies.
pub const SOURCES: [&str; 4] = ["schemas/src", "src", "indexer/src", "server/src"];

/// Returns the root of the workspace.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the server crate lies in the workspace")
}

/// Returns all Rust files of a folder below the root.
pub fn files(folder: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    collect(&root().join(folder), &mut files);
    files
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a source folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
}
