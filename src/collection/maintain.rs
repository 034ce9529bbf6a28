//! Sealing and merging the indexes of a collection, and the files that keep them for the next start.
//!
//! A file is named in the store's list before anything relies on it, and removed after nothing is: a crash in
//! between leaves a file that nobody lists, which the next start removes.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use roaring::RoaringBitmap;
use vitrine_schemas::{BuildInfo, Quantization, VectorSpace};

use super::{Collection, State};
use crate::{
    Error, Result,
    index::{Codes, Progress, SealedIndex, SpaceIndex},
    storage::{Batch, SegmentList, Store},
};

/// Ending of segment files.
const ENDING: &str = "seg";

impl Collection {
    /// Does one thing that is worth doing, with so many threads; whether there was one. `all` leaves each space with one
    /// sealed part and nothing dead in it.
    pub(crate) fn maintain(&self, all: bool, threads: usize) -> Result<bool> {
        // One job at a time: a job takes all tails.
        let mut list = self.segments.lock();
        let spaces = self.state.read().spaces.clone();
        for (space, index) in &spaces {
            let wanted = all || index.wants_maintenance(|| dead(&self.state.read(), index));
            if wanted && self.maintain_space(&mut list, space, index, all, threads)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn maintain_space(
        &self,
        list: &mut SegmentList,
        space: &str,
        index: &SpaceIndex,
        all: bool,
        threads: usize,
    ) -> Result<bool> {
        let job = {
            // No write is under way: a number that is not live now never will be.
            let writer = self.writer.lock();
            if writer.dropped {
                return Ok(false);
            }
            index.plan(&dead(&self.state.read(), index), all)
        };
        let Some(job) = job else {
            return Ok(false);
        };
        let progress = Arc::new(Progress::new(threads));
        let building = (progress.clone(), job.vectors());
        self.building.write().insert(space.to_owned(), building);
        let name = format!("{:08x}-{space}-{:08}.{ENDING}", self.id, list.next);
        let path = self.store.segments().join(&name);
        let built = if self.closing() {
            Err(Error::Cancelled)
        } else {
            index.build(&job, Some(&path), &progress)
        };
        self.building.write().remove(space);
        let built = built?;

        let writer = self.writer.lock();
        if writer.dropped {
            remove(&path);
            return Ok(false);
        }
        let old: Vec<PathBuf> = job.files().map(Path::to_path_buf).collect();
        let mut next = list.clone();
        next.next += 1;
        let names = next.files.entry(space.to_owned()).or_default();
        names.retain(|n| !old.iter().any(|o| o.ends_with(n)));
        names.extend(built.is_some().then_some(name));
        let mut batch = Batch::default();
        batch.put_segments(self.id, &next)?;
        self.store.write(batch)?;
        *list = next;
        index.finish(job, built);
        drop(writer);
        old.iter().for_each(|path| remove(path));
        Ok(true)
    }

    /// Has a build under way end soon.
    pub(crate) fn cancel_maintenance(&self) {
        self.closing
            .store(true, std::sync::atomic::Ordering::Relaxed);
        for (progress, _) in self.building.read().values() {
            progress.cancel();
        }
    }

    fn closing(&self) -> bool {
        self.closing.load(std::sync::atomic::Ordering::Relaxed)
    }

    pub(super) fn building(&self, space: &str) -> Option<BuildInfo> {
        let building = self.building.read();
        let (progress, vectors) = building.get(space)?;
        Some(BuildInfo {
            vectors: *vectors,
            done: progress.done(),
        })
    }
}

/// Numbers in the index that no answer may have any more. Only while no write is under way.
fn dead(state: &State, index: &SpaceIndex) -> RoaringBitmap {
    index.members() - &state.live
}

/// The index of a space from its files. What is missing or damaged is left out with a warning: its vectors are read from
/// the store and sealed again.
pub(super) fn open_space(store: &Store, names: &[String], space: &VectorSpace) -> SpaceIndex {
    let open = |name: &String| {
        let path = store.segments().join(name);
        match SealedIndex::open(&path) {
            Ok(sealed) if sealed.dim() == space.dim && sealed.metric() == space.metric => {
                Some(Arc::new(sealed))
            }
            Ok(_) => {
                tracing::warn!(file = %path.display(), "segment of another space, making it again");
                None
            }
            Err(e) => {
                tracing::warn!(file = %path.display(), "{e}; making the segment again");
                None
            }
        }
    };
    let sealed = names.iter().filter_map(open).collect();
    SpaceIndex::of(space.dim, space.metric, codes(space.quantization), sealed)
}

/// An empty index of a space.
pub(super) fn new_space(space: &VectorSpace) -> SpaceIndex {
    SpaceIndex::new(space.dim, space.metric, codes(space.quantization))
}

/// `auto` is int8: on product texts (384 components) and pictures (784) it was as fast as 1-bit codes or faster, in
/// a quarter of their memory (`make bench-ann`).
fn codes(quantization: Quantization) -> Codes {
    match quantization {
        Quantization::Auto | Quantization::Int8 => Codes::Int8,
        Quantization::None => Codes::None,
        Quantization::Rabitq => Codes::RaBitQ,
    }
}

/// Removes the collection's files that `kept` does not list.
pub(super) fn remove_files(store: &Store, collection: u32, kept: &SegmentList) -> Result<()> {
    let folder = store.segments();
    let io = |source| Error::Io {
        path: folder.clone(),
        source,
    };
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(io(e)),
    };
    let prefix = format!("{collection:08x}-");
    for entry in entries {
        let entry = entry.map_err(io)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let listed = kept.files.values().flatten().any(|n| *n == name);
        if name.starts_with(&prefix) && !listed {
            remove(&entry.path());
        }
    }
    Ok(())
}

fn remove(path: &Path) {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(file = %path.display(), "cannot be removed: {e}");
        }
        _ => {}
    }
}
