//! The inverted index of a collection, on disk beside RocksDB. It is a cache: missing items are
//! added at open, and a damaged index is rebuilt.
//!
//! Internal ids only grow, and the texts of an internal id never change. So a commit only stores
//! the internal id up to which it has everything ([`LexicalIndex::covered`]), and an index that is
//! behind is repaired by adding later items.

use std::{
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use parking_lot::Mutex;
use roaring::RoaringBitmap;
use tantivy::{
    Index, IndexReader, IndexWriter, ReloadPolicy, Searcher, SegmentMeta, TantivyDocument, Term,
    index::SegmentComponent,
    indexer::{IndexWriterOptions, LogMergePolicy},
    schema::{
        FAST, Field, INDEXED, IndexRecordOption, NumericOptions, Schema, TextFieldIndexing,
        TextOptions,
    },
};

use super::{
    LexicalError,
    analyzer::Analyzer,
    segment_ids::{ID_FIELD, SegmentIds},
    writer_pool::{HasWriter, WriterPool},
};

/// Name of the analyzer in the index. Change it with anything that makes other terms of a text.
const ANALYZER: &str = "vitrine-4";

/// Bytes of terms the writer collects before it makes a segment; tantivy takes 15 MB at least.
const WRITER_MEMORY_BYTES: usize = 16 << 20;

/// Bytes of pending texts that are committed by the write that adds them, so that no search has to
/// commit more.
const MAX_PENDING_BYTES: u64 = 4 << 20;

/// Files of tantivy: the last commit, and the names of all files that it may remove.
const META_FILE: &str = "meta.json";
const MANAGED_FILE: &str = ".managed.json";

/// Attempts to link the files of a commit before the next commit.
const LINK_ATTEMPTS: usize = 8;

/// Bytes of memory of pending texts, as a multiple of the texts.
const PENDING_FACTOR: u64 = 4;

/// Texts of an item that are searched, with their names.
pub const FIELDS: [&str; 5] = ["title", "brand", "category", "attributes", "description"];

/// Indexed texts of an item, one for each of [`FIELDS`]; empty if the item has none.
pub type Texts = [String; FIELDS.len()];

/// The inverted index of one collection.
pub struct LexicalIndex {
    index: Index,
    pub(super) fields: [Field; FIELDS.len()],
    pub(super) segment_ids: SegmentIds,
    id_field: Field,
    shared: Arc<Shared>,
    pool: Arc<WriterPool>,
}

/// Writer and reader of an index, which the pool of open writers closes.
struct Shared {
    reader: IndexReader,
    writer: Mutex<Writer>,
}

#[derive(Default)]
struct Writer {
    open: Option<IndexWriter>,
    /// Changes that searches do not see yet.
    pending: u64,
    /// Bytes of their texts.
    pending_bytes: u64,
    /// All internal ids below were added.
    added: u32,
    /// All internal ids below are in what was committed.
    covered: u32,
    /// Something went wrong: what is not committed is lost.
    failed: bool,
}

impl LexicalIndex {
    /// Opens or creates the index in a folder; a damaged one or one of another analyzer is replaced
    /// by an empty one.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn open(folder: &Path, pool: &Arc<WriterPool>) -> Result<Self, LexicalError> {
        match Self::try_open(folder, pool) {
            Ok(index) => Ok(index),
            Err(error) => {
                if folder.exists() {
                    tracing::warn!(folder = %folder.display(), "rebuilding the lexical index: {error}");
                    fs::remove_dir_all(folder).map_err(|e| LexicalError::io(folder, e))?;
                }
                Self::try_open(folder, pool)
            }
        }
    }

    fn try_open(folder: &Path, pool: &Arc<WriterPool>) -> Result<Self, LexicalError> {
        let (schema, fields, internal_id) = schema();
        fs::create_dir_all(folder).map_err(|e| LexicalError::io(folder, e))?;
        let directory =
            tantivy::directory::MmapDirectory::open(folder).map_err(tantivy::TantivyError::from)?;
        // Refuses an index with another schema.
        let index = Index::open_or_create(directory, schema)?;
        let damaged = index.validate_checksum()?;
        if let Some(file) = damaged.iter().next() {
            return Err(LexicalError::Damaged(file.clone()));
        }
        index.tokenizers().register(ANALYZER, Analyzer);
        let reader = index
            .reader_builder()
            .reload_policy(ReloadPolicy::Manual)
            .try_into()?;
        let payload = index.load_metas()?.payload;
        let covered = payload.and_then(|p| p.parse().ok()).unwrap_or(0);
        let writer = Mutex::new(Writer {
            added: covered,
            covered,
            ..Writer::default()
        });
        Ok(Self {
            index,
            fields,
            segment_ids: SegmentIds::default(),
            id_field: internal_id,
            shared: Arc::new(Shared { reader, writer }),
            pool: pool.clone(),
        })
    }

    /// Adds items, in rising order of their internal ids; `end` is the internal id after the last
    /// one. Items without text are passed over. Searches see them after [`LexicalIndex::refresh`].
    ///
    /// # Errors
    /// The index cannot be written; see [`LexicalIndex::begin_again`].
    pub fn add(
        &self,
        items: impl IntoIterator<Item = (u32, Texts)>,
        end: u32,
    ) -> Result<(), LexicalError> {
        self.change(|index, writer| {
            for (internal_id, texts) in items {
                if texts.iter().all(String::is_empty) {
                    continue;
                }
                let mut document = TantivyDocument::new();
                document.add_u64(index.id_field, u64::from(internal_id));
                for (field, text) in index.fields.iter().zip(texts) {
                    if !text.is_empty() {
                        writer.pending_bytes += text.len() as u64;
                        document.add_text(*field, text);
                    }
                }
                index.writer(writer)?.add_document(document)?;
                writer.pending += 1;
            }
            writer.added = writer.added.max(end);
            if writer.pending_bytes >= MAX_PENDING_BYTES {
                index.shared.commit(writer)?;
            }
            Ok(())
        })
    }

    /// Removes the items of these internal ids, so that they no longer take room and count in no
    /// frequency.
    ///
    /// # Errors
    /// The index cannot be written.
    pub fn remove(&self, internal_ids: impl IntoIterator<Item = u32>) -> Result<(), LexicalError> {
        self.change(|index, writer| {
            for internal_id in internal_ids {
                let term = Term::from_field_u64(index.id_field, u64::from(internal_id));
                index.writer(writer)?.delete_term(term);
                writer.pending += 1;
            }
            Ok(())
        })
    }

    /// Makes all changes visible to searches. Returns true if there were any.
    ///
    /// # Errors
    /// The index cannot be written.
    pub fn refresh(&self) -> Result<bool, LexicalError> {
        if self.shared.writer.lock().pending == 0 {
            return Ok(false);
        }
        self.change(|index, writer| index.shared.commit(writer))
    }

    /// Frees the memory and threads of the writer if nothing is pending; the next change opens a
    /// new one.
    ///
    /// # Errors
    /// A merge of files failed.
    pub fn release_writer(&self) -> Result<(), LexicalError> {
        let mut writer = self.shared.writer.lock();
        match writer.pending {
            0 => writer.close(),
            _ => Ok(()),
        }
    }

    /// Links the files of the last commit from the folder of the index into a new one, which is
    /// then an index too.
    ///
    /// # Errors
    /// The folder cannot be written, or commits follow each other too fast.
    pub fn link_files(&self, from: &Path, to: &Path) -> Result<(), LexicalError> {
        fs::create_dir_all(to).map_err(|e| LexicalError::io(to, e))?;
        for _ in 0..LINK_ATTEMPTS {
            let path = from.join(META_FILE);
            let read = || fs::read(&path).map_err(|e| LexicalError::io(&path, e));
            let meta = read()?;
            let segments = self.index.load_metas()?.segments;
            let mut linked = vec![PathBuf::from(META_FILE)];
            let io = |e| LexicalError::io(from, e);
            for entry in fs::read_dir(from).map_err(io)? {
                let name = entry.map_err(io)?.file_name();
                if !segments.iter().any(|segment| is_committed(segment, &name)) {
                    continue;
                }
                match fs::hard_link(from.join(&name), to.join(&name)) {
                    Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                    Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(io(e)),
                    _ => linked.push(name.into()),
                }
            }
            // As long as the commit is the last one, none of its files is removed.
            if read()? == meta {
                let names = serde_json::to_vec(&linked).map_err(io::Error::other);
                let names = names.map_err(|e| LexicalError::io(to, e))?;
                for (name, bytes) in [(MANAGED_FILE, names), (META_FILE, meta)] {
                    let path = to.join(name);
                    fs::write(&path, bytes).map_err(|e| LexicalError::io(&path, e))?;
                }
                return Ok(());
            }
        }
        let busy = io::Error::from(io::ErrorKind::ResourceBusy);
        Err(LexicalError::io(from, busy))
    }

    /// Ends the writer and removes the folder.
    ///
    /// # Errors
    /// It cannot be removed.
    pub fn drop_files(&self, folder: &Path) -> Result<(), LexicalError> {
        let mut writer = self.shared.writer.lock();
        writer.open = None;
        writer.failed = true;
        fs::remove_dir_all(folder).map_err(|e| LexicalError::io(folder, e))
    }

    /// All internal ids below this one are in what was committed, of items that were there when
    /// they were added.
    pub fn covered(&self) -> u32 {
        self.shared.writer.lock().covered
    }

    /// Returns true if a change failed, so that internal ids from [`LexicalIndex::covered`] on have
    /// to be added again.
    pub fn has_failed(&self) -> bool {
        self.shared.writer.lock().failed
    }

    /// Forgets a failure and whatever was not committed.
    pub fn begin_again(&self) {
        let mut writer = self.shared.writer.lock();
        *writer = Writer {
            added: writer.covered,
            covered: writer.covered,
            ..Writer::default()
        };
    }

    /// Returns the approximate memory of texts that are not committed, and of the internal ids of
    /// documents, in bytes.
    pub fn memory_bytes(&self) -> u64 {
        PENDING_FACTOR * self.shared.writer.lock().pending_bytes + self.segment_ids.memory_bytes()
    }

    fn change<T>(
        &self,
        change: impl FnOnce(&Self, &mut Writer) -> Result<T, LexicalError>,
    ) -> Result<T, LexicalError> {
        let mut writer = self.shared.writer.lock();
        if writer.failed {
            return Err(LexicalError::Closed);
        }
        let changed = change(self, &mut writer);
        writer.failed = changed.is_err();
        changed
    }

    /// All internal ids that searches see.
    pub fn internal_ids(&self) -> Result<RoaringBitmap, LexicalError> {
        let mut internal_ids = RoaringBitmap::new();
        for segment in self.searcher().segment_readers() {
            let column = segment.fast_fields().u64(ID_FIELD)?;
            let alive = segment.doc_ids_alive().filter_map(|doc| column.first(doc));
            internal_ids.extend(alive.filter_map(|n| u32::try_from(n).ok()));
        }
        Ok(internal_ids)
    }

    /// Bytes on disk.
    pub fn bytes(&self) -> Result<u64, LexicalError> {
        let usage = self
            .searcher()
            .space_usage()
            .map_err(tantivy::TantivyError::from)?;
        Ok(usage.total().get_bytes())
    }

    pub(super) fn searcher(&self) -> Searcher {
        self.shared.reader.searcher()
    }

    fn writer<'a>(&self, writer: &'a mut Writer) -> Result<&'a mut IndexWriter, LexicalError> {
        if writer.open.is_none() {
            let options = IndexWriterOptions::builder()
                .num_worker_threads(1)
                .num_merge_threads(1)
                .memory_budget_per_thread(WRITER_MEMORY_BYTES)
                .build();
            let open: IndexWriter = self.index.writer_with_options(options)?;
            open.set_merge_policy(Box::new(LogMergePolicy::default()));
            writer.open = Some(open);
            let shared: Arc<dyn HasWriter> = self.shared.clone();
            self.pool.add(&shared);
        }
        writer.open.as_mut().ok_or(LexicalError::Closed)
    }
}

impl Writer {
    /// Frees its memory and threads, once merges of files are done.
    fn close(&mut self) -> Result<(), LexicalError> {
        match self.open.take() {
            Some(open) => Ok(open.wait_merging_threads()?),
            None => Ok(()),
        }
    }
}

impl Shared {
    /// Makes all changes visible to searches. Returns true if there were any.
    fn commit(&self, writer: &mut Writer) -> Result<bool, LexicalError> {
        if writer.pending == 0 {
            return Ok(false);
        }
        let added = writer.added;
        let open = writer.open.as_mut().ok_or(LexicalError::Closed)?;
        let mut commit = open.prepare_commit()?;
        commit.set_payload(&added.to_string());
        commit.commit()?;
        (writer.pending, writer.pending_bytes, writer.covered) = (0, 0, added);
        self.reader.reload()?;
        Ok(true)
    }
}

impl HasWriter for Shared {
    fn try_close(&self) -> bool {
        let Some(mut writer) = self.writer.try_lock() else {
            return false;
        };
        if writer.failed {
            return true;
        }
        let committed = self.commit(&mut writer);
        let closed = committed.and_then(|_| writer.close());
        if let Err(error) = closed {
            tracing::warn!("full-text index: {error}");
            writer.failed = true;
        }
        true
    }

    fn is_open(&self) -> bool {
        self.writer
            .try_lock()
            .is_none_or(|writer| writer.open.is_some())
    }
}

/// Returns true if a file is one of a committed segment. Deletions of a later commit are not.
fn is_committed(segment: &SegmentMeta, name: &OsStr) -> bool {
    let name = Path::new(name);
    let deletions = segment.relative_path(SegmentComponent::Delete);
    let is_of_segment = name
        .to_str()
        .and_then(|name| name.split_once('.'))
        .is_some_and(|(id, _)| id == segment.id().uuid_string());
    let is_deletions = name.extension() == deletions.extension();
    is_of_segment && (!is_deletions || segment.has_deletes() && name == deletions)
}

fn schema() -> (Schema, [Field; FIELDS.len()], Field) {
    let mut builder = Schema::builder();
    let indexing = TextFieldIndexing::default()
        .set_tokenizer(ANALYZER)
        .set_index_option(IndexRecordOption::WithFreqsAndPositions);
    let text = TextOptions::default().set_indexing_options(indexing);
    let fields = FIELDS.map(|name| builder.add_text_field(name, text.clone()));
    let internal_id = builder.add_u64_field(ID_FIELD, NumericOptions::default() | FAST | INDEXED);
    (builder.build(), fields, internal_id)
}
