//! Consistent copies of a data directory while it is in use, by hard links.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use rocksdb::checkpoint::Checkpoint;

use super::{
    Store,
    directory::{Directory, make_private_folder, remove_folder},
    rocks::{Rocks, storage},
    sequence::SequenceFile,
};
use crate::{Error, Result};

/// Folder of copies under way, on the same disk as what they link to.
const FOLDER: &str = "checkpoints";

impl Store {
    /// Makes a data directory with the content of this one as of a moment: every acknowledged write
    /// before the call, and none in part. Writes go on. `link_texts` puts the full-text indexes
    /// into a folder, before the records are copied: an index may lack texts of the records, which
    /// an opening adds, but must have none of later ones. Returns the path and the number of the
    /// last write operation of the copy.
    pub fn checkpoint(
        &self,
        name: &str,
        link_texts: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<(PathBuf, u64)> {
        let folder = self.path.join(FOLDER).join(name);
        let made = self.fill(&folder, link_texts);
        if made.is_err() {
            remove(&folder);
        }
        made.map(|operations| (folder, operations))
    }

    fn fill(&self, folder: &Path, link_texts: impl FnOnce(&Path) -> Result<()>) -> Result<u64> {
        let io = |source| Error::Io {
            path: folder.to_path_buf(),
            source,
        };
        let early = early_files(folder);
        let early_segments = early.join("segments");
        make_private_folder(&early_segments).map_err(io)?;
        link_texts(&early.join("lexical"))?;
        // Segments that the checkpoint lists exist before it, or after it, or both: a file that was
        // removed in between is built again.
        link_files(&self.segments(), &early_segments)?;
        let rocks = self.rocks()?;
        let checkpoint = Checkpoint::new(&rocks.db).map_err(storage)?;
        checkpoint.create_checkpoint(folder).map_err(storage)?;
        drop(checkpoint);
        drop(rocks);
        for entry in fs::read_dir(&early).map_err(io)? {
            let entry = entry.map_err(io)?;
            fs::rename(entry.path(), folder.join(entry.file_name())).map_err(io)?;
        }
        fs::remove_dir(&early).map_err(io)?;
        link_files(&self.segments(), &folder.join("segments"))?;
        make_private_folder(&folder.join("states")).map_err(io)?;
        link_files(&self.states(), &folder.join("states"))?;
        Directory::write_identity(folder, self.identity())?;
        let copied = Rocks::open_read_only(folder, &self.tuning)?;
        SequenceFile::open(folder, &copied)?.sync()?;
        Ok(copied.sequence())
    }

    /// Removes copies that a crash left behind.
    pub(super) fn remove_checkpoints(path: &Path) {
        remove(&path.join(FOLDER));
    }
}

/// Folder of what is linked before the records are copied.
fn early_files(folder: &Path) -> PathBuf {
    folder.with_extension("early")
}

fn remove(folder: &Path) {
    remove_folder(folder);
    remove_folder(&early_files(folder));
}

/// Links the files of a folder into another one, where they are not yet. Files that are being
/// written (`.new`) or vanish are skipped.
fn link_files(from: &Path, to: &Path) -> Result<()> {
    let io = |source| Error::Io {
        path: from.to_path_buf(),
        source,
    };
    for entry in fs::read_dir(from).map_err(io)? {
        let source = entry.map_err(io)?.path();
        let (Some(name), false) = (
            source.file_name(),
            source.extension().is_some_and(|e| e == "new"),
        ) else {
            continue;
        };
        let linked = fs::hard_link(&source, to.join(name));
        let copied = linked.or_else(|e| match e.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::AlreadyExists => Ok(()),
            _ => fs::copy(&source, to.join(name)).map(|_| ()),
        });
        copied.map_err(io)?;
    }
    Ok(())
}
