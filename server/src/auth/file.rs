//! The keys file: read, and replaced as a whole, so that a crash leaves the old or the new file.

use std::{fs, io::Write, os::unix::fs::PermissionsExt, path::Path};

use chrono::TimeDelta;

use super::{Key, Keys};

impl Keys {
    /// Reads a keys file. A file that others can write is refused, since they could add a key; one
    /// that others can read is worth a warning.
    ///
    /// # Errors
    /// It cannot be read, is not a keys file, or others can write it.
    pub fn load(path: &Path) -> Result<Self, String> {
        let error = |e: &dyn std::fmt::Display| format!("keys file {}: {e}", path.display());
        let mode = fs::metadata(path)
            .map_err(|e| error(&e))?
            .permissions()
            .mode();
        if mode & 0o022 != 0 {
            let mode = mode & 0o777;
            return Err(error(&format!(
                "mode {mode:o} lets others write it; run `chmod 600 {}`",
                path.display()
            )));
        }
        if mode & 0o044 != 0 {
            tracing::warn!(
                file = %path.display(),
                "others can read the keys file; run `chmod 600` on it"
            );
        }
        let text = fs::read_to_string(path).map_err(|e| error(&e))?;
        toml::from_str(&text).map_err(|e| error(&e))
    }
}

/// Adds a key to the file; creates the file, readable by its owner only, if it is missing.
///
/// # Errors
/// The name is taken, or the file cannot be read or written.
pub fn append(path: &Path, key: Key) -> Result<(), String> {
    let mut text = String::new();
    if path.exists() {
        let existing = Keys::load(path)?;
        if existing.keys.iter().any(|k| k.name == key.name) {
            return Err(format!(
                "keys file {}: a key named `{}` already exists; choose another name",
                path.display(),
                key.name
            ));
        }
        // Kept as it is, with its comments.
        text = fs::read_to_string(path).map_err(|e| failed(path, &e))?;
    }
    text += "\n";
    text += &toml::to_string(&Keys { keys: vec![key] }).map_err(|e| failed(path, &e))?;
    replace(path, &text)
}

/// Gives a key of the file new secrets, which are returned; see [`Key::rotate`]. Comments of the
/// file are lost.
///
/// # Errors
/// There is no such key, or the file cannot be read or written.
pub fn rotate(
    path: &Path,
    name: &str,
    overlap: TimeDelta,
) -> Result<(String, Option<String>), String> {
    let mut keys = Keys::load(path)?;
    let key = keys.keys.iter_mut().find(|key| key.name == name);
    let key = key.ok_or_else(|| no_key(path, name))?;
    let secrets = key.rotate(overlap).map_err(|e| failed(path, &e))?;
    let text = toml::to_string(&keys).map_err(|e| failed(path, &e))?;
    replace(path, &text)?;
    Ok(secrets)
}

/// Removes the key of a name from the file. Comments of the file are lost.
///
/// # Errors
/// There is no such key, or the file cannot be read or written.
pub fn revoke(path: &Path, name: &str) -> Result<(), String> {
    let mut keys = Keys::load(path)?;
    let before = keys.keys.len();
    keys.keys.retain(|key| key.name != name);
    if keys.keys.len() == before {
        return Err(no_key(path, name));
    }
    let text = match keys.is_empty() {
        // An empty list, `keys = []`, could not be appended to.
        true => String::new(),
        false => toml::to_string(&keys).map_err(|e| failed(path, &e))?,
    };
    replace(path, &text)
}

/// Replaces the file atomically by one that only its owner can read.
fn replace(path: &Path, text: &str) -> Result<(), String> {
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let write = || {
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|e| e.error)?;
        fs::File::open(folder)?.sync_all()
    };
    write().map_err(|e: std::io::Error| failed(path, &e))
}

fn no_key(path: &Path, name: &str) -> String {
    failed(path, &format!("there is no key named `{name}`"))
}

fn failed(path: &Path, error: &dyn std::fmt::Display) -> String {
    format!("keys file {}: {error}", path.display())
}
