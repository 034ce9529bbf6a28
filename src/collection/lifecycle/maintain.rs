//! Sealing and merging of a collection's indexes, and their segment files.
//!
//! A file is listed in the store before it is used and removed after it is unlisted: a crash in
//! between leaves an unlisted file, which the next start removes.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use roaring::RoaringBitmap;
use vitrine_schemas::{BuildInfo, Quantization, VectorSpace};

use crate::{
    Error, Result,
    collection::{Build, Collection, State, lifecycle::memory::merge_room},
    index::{Codes, Job, JobKind, MemoryBudget, Progress, SealedSegment, SpaceIndex},
    storage::{Batch, SegmentList, Store},
};

/// Extension of segment files.
const EXTENSION: &str = "seg";

impl Collection {
    /// Runs one job that is due, with `threads` threads; returns true if there was one.
    pub(crate) fn maintain(&self, work: JobKind, threads: usize) -> Result<bool> {
        let _sealing = (work != JobKind::Merge).then(|| self.sealing.lock());
        let _merging = (work != JobKind::Seal).then(|| self.merging.lock());
        let spaces = self.state.read().indexes();
        for (space, index) in &spaces {
            let room = self.room(index, work);
            let wanted = index.has_work(work, room, || deleted(&self.state.read(), index));
            if wanted && self.carry_out(space, index, work, room, threads)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Changes the prices of the sales that have begun or ended.
    pub(crate) fn advance_sales(&self) {
        let now = self.clock.now();
        if !self.state.read().payload.has_due_sales(now) {
            return;
        }
        let mut state = self.state.write();
        if state.payload.advance_sales(now) {
            state.filters.clear();
            drop(state);
            self.writer.lock().saved = None;
        }
    }

    /// Adds vectors to the growing graphs; returns true if one was behind.
    pub(crate) fn follow(&self, threads: usize) -> bool {
        let _sealing = self.sealing.lock();
        let spaces = self.state.read().indexes();
        let followed = spaces.values().any(|index| {
            self.limiter.has_memory(index.graph_step_bytes()) && index.extend_growing_graph(threads)
        });
        if followed {
            self.report();
        }
        followed
    }

    /// Returns the memory budget of a job; requested jobs are not limited.
    fn room(&self, index: &SpaceIndex, work: JobKind) -> MemoryBudget {
        if work == JobKind::All {
            return MemoryBudget::UNLIMITED;
        }
        MemoryBudget {
            max_merge_vectors: merge_room(index, self.limiter.bounds().merge_memory_bytes),
            is_short: self.limiter.is_short(),
        }
    }

    fn carry_out(
        &self,
        space: &str,
        index: &Arc<SpaceIndex>,
        work: JobKind,
        room: MemoryBudget,
        threads: usize,
    ) -> Result<bool> {
        let job = {
            // No write is under way: an internal id that is not live now never will be.
            let writer = self.writer.lock();
            if writer.dropped {
                return Ok(false);
            }
            index.plan(&deleted(&self.state.read(), index), work, room)
        };
        let Some(job) = job else {
            return Ok(false);
        };
        let name = {
            let mut list = self.segments.lock();
            list.next += 1;
            format!("{:08x}-{space}-{:08}.{EXTENSION}", self.id, list.next - 1)
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

    /// Runs a job that can be watched and cancelled.
    fn build(
        &self,
        space: &str,
        index: &SpaceIndex,
        job: &Job,
        path: &Path,
        threads: usize,
    ) -> Result<Option<SealedSegment>> {
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

    /// Cancels the running builds.
    pub(crate) fn cancel_maintenance(&self) {
        self.closing
            .store(true, std::sync::atomic::Ordering::Relaxed);
        for build in self.builds.read().iter() {
            build.progress.cancel();
        }
    }

    pub(crate) fn closing(&self) -> bool {
        self.closing.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// Returns the sum of the running builds of a space, and their bytes of memory.
    pub(in crate::collection) fn building(&self, space: &str) -> (Option<BuildInfo>, u64) {
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

/// Returns the internal ids in the index that are deleted. Only valid while no write is under way.
fn deleted(state: &State, index: &SpaceIndex) -> RoaringBitmap {
    index.members() - &state.live
}

/// Opens the index of a space from its files. A missing or damaged file is skipped with a warning:
/// its vectors are read from the store and sealed again.
pub(in crate::collection) fn open_space(
    store: &Store,
    names: &[String],
    space: &VectorSpace,
) -> SpaceIndex {
    let open = |name: &String| {
        let path = store.segments().join(name);
        match SealedSegment::open(&path) {
            Ok(sealed) if sealed.dim() == space.dim && sealed.metric() == space.metric => {
                Some(Arc::new(sealed))
            }
            Ok(_) => {
                tracing::warn!(file = %path.display(), "segment of another space, rebuilding it");
                None
            }
            Err(e) => {
                tracing::warn!(file = %path.display(), "{e}; rebuilding the segment");
                None
            }
        }
    };
    let sealed = names.iter().filter_map(open).collect();
    SpaceIndex::from_segments(space.dim, space.metric, codes(space.quantization), sealed)
}

/// Returns an empty index of a space.
pub(in crate::collection) fn new_space(space: &VectorSpace) -> SpaceIndex {
    SpaceIndex::new(space.dim, space.metric, codes(space.quantization))
}

/// Returns the codes of a setting. `auto` searches by leading principal components: on product
/// texts (384 components) and images (784) that was faster than int8 and 1-bit codes, in a fraction
/// of their memory (`make bench-ann`). Vectors without dominant components are searched by int8.
fn codes(quantization: Quantization) -> Codes {
    match quantization {
        Quantization::Auto => Codes::Projected,
        Quantization::Int8 => Codes::Int8,
        Quantization::None => Codes::None,
        Quantization::Rabitq => Codes::RaBitQ,
    }
}

/// Removes the collection's files that `kept` does not list.
pub(in crate::collection) fn remove_files(
    store: &Store,
    collection: u32,
    kept: &SegmentList,
) -> Result<()> {
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

pub(in crate::collection) fn remove(path: &Path) {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(file = %path.display(), "cannot be removed: {e}");
        }
        _ => {}
    }
}
