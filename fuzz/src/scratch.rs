//! Files for readers that take a path.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use tempfile::TempDir;

static FOLDER: LazyLock<TempDir> =
    LazyLock::new(|| tempfile::tempdir().expect("expected a folder for temporary files"));

/// File of a thread, with the content of the last call.
pub struct Scratch(PathBuf);

impl Scratch {
    /// Writes a file whose name ends in `ending`.
    pub fn write(ending: &str, bytes: &[u8]) -> Self {
        let thread = std::thread::current().id();
        let path = FOLDER.path().join(format!("{thread:?}-{ending}"));
        fs::write(&path, bytes).expect("expected space for a temporary file");
        Self(path)
    }

    /// Path of the file.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Splits an input at the first line `===`.
pub fn parts(input: &[u8]) -> (&[u8], Option<&[u8]>) {
    const LINE: &[u8] = b"\n===\n";
    let at = input.windows(LINE.len()).position(|window| window == LINE);
    match at {
        Some(at) => (&input[..at], Some(&input[at + LINE.len()..])),
        None => (input, None),
    }
}
