//! Sealing and merging the indexes of a collection, and the files that keep them for the next start.
//!
//! A file is named in the store's list before anything relies on it, and removed after nothing does: a crash in
//! between leaves a file that nobody lists, which the next start removes.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use roaring::RoaringBitmap;
use vitrine_schemas::{BuildInfo, Quantization, VectorSpace};

use super::{Build, Collection, State, footprint::merge_room};
use crate::{
    Error, Result,
    index::{Codes, Job, Progress, Room, SealedIndex, SpaceIndex, Work},
    storage::{Batch, SegmentList, Store},
};

/// Ending of segment files.
const ENDING: &str = "seg";

impl Collection {
    /// Does one thing that is worth doing, with so many threads; whether there was one.
    pub(crate) fn maintain(&self, work: Work, threads: usize) -> Result<bool> {
        let _sealing = (work != Work::Merge).then(|| self.sealing.lock());
        let _merging = (work != Work::Seal).then(|| self.merging.lock());
        let spaces = self.state.read().indexes();
        for (space, index) in &spaces {
            let room = self.room(index, work);
            let wanted = index.wants(work, room, || dead(&self.state.read(), index));
            if wanted && self.carry_out(space, index, work, room, threads)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Has the graphs of tails take some vectors in; whether one was behind.
    pub(crate) fn follow(&self, threads: usize) -> bool {
        let _sealing = self.sealing.lock();
        let spaces = self.state.read().indexes();
        let followed = spaces
            .values()
            .any(|index| self.gauge.has_memory(index.follow_bytes()) && index.follow(threads));
        if followed {
            self.report();
        }
        followed
    }

    /// What a job may take; one that was asked for takes what it needs.
    fn room(&self, index: &SpaceIndex, work: Work) -> Room {
        if work == Work::All {
            return Room::ENOUGH;
        }
        Room {
            merge: merge_room(index, self.gauge.bounds().merge_memory_bytes),
            short: self.gauge.is_short(),
        }
    }

    fn carry_out(
        &self,
        space: &str,
        index: &Arc<SpaceIndex>,
        work: Work,
        room: Room,
        threads: usize,
    ) -> Result<bool> {
        let job = {
            // No write is under way: a number that is not live now never will be.
            let writer = self.writer.lock();
            if writer.dropped {
                return Ok(false);
            }
            index.plan(&dead(&self.state.read(), index), work, room)
        };
        let Some(job) = job else {
            return Ok(false);
        };
        let name = {
            let mut list = self.segments.lock();
            list.next += 1;
            format!("{:08x}-{space}-{:08}.{ENDING}", self.id, list.next - 1)
        };
        let path = self.store.segments().join(&name);
        let built = self.build(space, index, &job, &path, threads);
        let built = built.inspect_err(|_| remove(&path.with_extension("new")))?;

        let writer = self.writer.lock();
        let holds = self
            .state
            .read()
            .every_space()
            .any(|held| Arc::ptr_eq(held, index));
        if writer.dropped || !holds {
            remove(&path);
            return Ok(false);
        }
        let old: Vec<PathBuf> = job.files().map(Path::to_path_buf).collect();
        {
            let mut list = self.segments.lock();
            let mut next = list.clone();
            let names = next.files.entry(space.to_owned()).or_default();
            names.retain(|n| !old.iter().any(|o| o.ends_with(n)));
            names.extend(built.is_some().then_some(name));
            let mut batch = Batch::default();
            batch.put_segments(self.id, &next)?;
            self.store.write(batch)?;
            *list = next;
        }
        index.finish(job, built);
        drop(writer);
        self.report();
        old.iter().for_each(|path| remove(path));
        Ok(true)
    }

    /// Carries out a job that others can watch and call off.
    fn build(
        &self,
        space: &str,
        index: &SpaceIndex,
        job: &Job,
        path: &Path,
        threads: usize,
    ) -> Result<Option<SealedIndex>> {
        let build = Arc::new(Build {
            space: space.to_owned(),
            progress: Progress::new(threads),
            vectors: job.vectors(),
            bytes: job.vectors() * index.build_vector_bytes(),
        });
        self.builds.write().push(build.clone());
        self.report();
        let built = if self.closing() {
            Err(Error::Cancelled)
        } else {
            index.build(job, Some(path), &build.progress)
        };
        self.builds.write().retain(|b| !Arc::ptr_eq(b, &build));
        self.report();
        built
    }

    /// Has the builds under way end soon.
    pub(crate) fn cancel_maintenance(&self) {
        self.closing
            .store(true, std::sync::atomic::Ordering::Relaxed);
        for build in self.builds.read().iter() {
            build.progress.cancel();
        }
    }

    fn closing(&self) -> bool {
        self.closing.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// The parts of a space being made, taken together, and the bytes of memory that takes.
    pub(super) fn building(&self, space: &str) -> (Option<BuildInfo>, u64) {
        let builds = self.builds.read();
        let of_space = || builds.iter().filter(|b| b.space == space);
        let info = BuildInfo {
            vectors: of_space().map(|b| b.vectors).sum(),
            done: of_space().map(|b| b.progress.done()).sum(),
        };
        let bytes = of_space().map(|b| b.bytes).sum();
        (of_space().next().is_some().then_some(info), bytes)
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

/// `auto` walks by leading principal components: on product texts (384 components) and pictures (784) that was faster than
/// int8 and than 1-bit codes, in a fraction of their memory (`make bench-ann`). Vectors without such are walked by int8.
fn codes(quantization: Quantization) -> Codes {
    match quantization {
        Quantization::Auto => Codes::Projected,
        Quantization::Int8 => Codes::Int8,
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

pub(super) fn remove(path: &Path) {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(file = %path.display(), "cannot be removed: {e}");
        }
        _ => {}
    }
}
