//! The inverted index of a collection, on disk beside RocksDB. It is a cache: what is missing from it is added again at
//! open, and a damaged one is made anew.
//!
//! Numbers only grow, and the texts of a number never change. So a commit needs to say no more than up to which number it
//! has everything ([`LexicalIndex::covered`]), and an index that is behind is mended by adding what comes after.

use std::{fs, path::Path};

use parking_lot::Mutex;
use roaring::RoaringBitmap;
use tantivy::{
    Index, IndexReader, IndexWriter, ReloadPolicy, Searcher, TantivyDocument, Term,
    indexer::{IndexWriterOptions, LogMergePolicy},
    schema::{
        FAST, Field, INDEXED, IndexRecordOption, NumericOptions, Schema, TextFieldIndexing,
        TextOptions,
    },
};

use super::{LexicalError, analyzer::Analyzer};

/// Name of the analyzer in the index. Change it with anything that makes other terms of a text.
const ANALYZER: &str = "vitrine-1";

/// Bytes of terms the writer collects before it makes a segment.
const ARENA: usize = 32 << 20;

/// Texts of an item that are searched, with their names.
pub const FIELDS: [&str; 5] = ["title", "brand", "category", "attributes", "description"];

/// What is indexed of an item: one text for each of [`FIELDS`], empty where it has none.
pub type Texts = [String; FIELDS.len()];

/// The inverted index of one collection.
pub struct LexicalIndex {
    index: Index,
    pub(super) fields: [Field; FIELDS.len()],
    number: Field,
    reader: IndexReader,
    writer: Mutex<Writer>,
}

#[derive(Default)]
struct Writer {
    open: Option<IndexWriter>,
    /// Changes that searches do not see yet.
    pending: u64,
    /// All numbers below were added.
    added: u32,
    /// All numbers below are in what was committed.
    covered: u32,
    /// Something went wrong: what is not committed is lost.
    failed: bool,
}

impl LexicalIndex {
    /// Opens or makes the index in a folder; one that is damaged or of another analyzer is made anew, empty.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn open(folder: &Path) -> Result<Self, LexicalError> {
        match Self::try_open(folder) {
            Ok(index) => Ok(index),
            Err(fault) => {
                if folder.exists() {
                    tracing::warn!(folder = %folder.display(), "the lexical index is made anew: {fault}");
                    fs::remove_dir_all(folder).map_err(|e| LexicalError::io(folder, e))?;
                }
                Self::try_open(folder)
            }
        }
    }

    fn try_open(folder: &Path) -> Result<Self, LexicalError> {
        let (schema, fields, number) = schema();
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
            number,
            reader,
            writer,
        })
    }

    /// Adds items, in rising order of their numbers; `end` is the number after the last one. Items without text are passed
    /// over. Searches see them after [`LexicalIndex::refresh`].
    ///
    /// # Errors
    /// The index cannot be written; see [`LexicalIndex::begin_again`].
    pub fn add(
        &self,
        items: impl IntoIterator<Item = (u32, Texts)>,
        end: u32,
    ) -> Result<(), LexicalError> {
        self.change(|index, writer| {
            for (number, texts) in items {
                if texts.iter().all(String::is_empty) {
                    continue;
                }
                let mut document = TantivyDocument::new();
                document.add_u64(index.number, u64::from(number));
                for (field, text) in index.fields.iter().zip(texts) {
                    if !text.is_empty() {
                        document.add_text(*field, text);
                    }
                }
                index.writer(writer)?.add_document(document)?;
                writer.pending += 1;
            }
            writer.added = writer.added.max(end);
            Ok(())
        })
    }

    /// Removes the items of these numbers, so that they no longer take room and count in no frequency.
    ///
    /// # Errors
    /// The index cannot be written.
    pub fn remove(&self, numbers: impl IntoIterator<Item = u32>) -> Result<(), LexicalError> {
        self.change(|index, writer| {
            for number in numbers {
                let term = Term::from_field_u64(index.number, u64::from(number));
                index.writer(writer)?.delete_term(term);
                writer.pending += 1;
            }
            Ok(())
        })
    }

    /// Makes searches see all that was added; whether anything was new.
    ///
    /// # Errors
    /// The index cannot be written.
    pub fn refresh(&self) -> Result<bool, LexicalError> {
        if self.writer.lock().pending == 0 {
            return Ok(false);
        }
        self.change(|index, writer| {
            if writer.pending == 0 {
                return Ok(false);
            }
            let added = writer.added;
            let mut commit = index.writer(writer)?.prepare_commit()?;
            commit.set_payload(&added.to_string());
            commit.commit()?;
            (writer.pending, writer.covered) = (0, added);
            index.reader.reload()?;
            Ok(true)
        })
    }

    /// Gives back the memory and threads of the writer where nothing is pending; the next change takes new ones.
    ///
    /// # Errors
    /// A merge of files failed.
    pub fn rest(&self) -> Result<(), LexicalError> {
        let mut writer = self.writer.lock();
        if writer.pending == 0
            && let Some(open) = writer.open.take()
        {
            open.wait_merging_threads()?;
        }
        Ok(())
    }

    /// Ends the writer and removes the folder.
    ///
    /// # Errors
    /// It cannot be removed.
    pub fn drop_files(&self, folder: &Path) -> Result<(), LexicalError> {
        let mut writer = self.writer.lock();
        writer.open = None;
        writer.failed = true;
        fs::remove_dir_all(folder).map_err(|e| LexicalError::io(folder, e))
    }

    /// All numbers below this one are in what was committed, of items that were there when they were added.
    pub fn covered(&self) -> u32 {
        self.writer.lock().covered
    }

    /// Whether a change failed, so that numbers from [`LexicalIndex::covered`] on have to be added again.
    pub fn has_failed(&self) -> bool {
        self.writer.lock().failed
    }

    /// Forgets a failure and whatever was not committed.
    pub fn begin_again(&self) {
        let mut writer = self.writer.lock();
        *writer = Writer {
            added: writer.covered,
            covered: writer.covered,
            ..Writer::default()
        };
    }

    /// Bytes in memory of the writer, at most.
    pub fn memory_bytes(&self) -> u64 {
        self.writer.lock().open.as_ref().map_or(0, |_| ARENA as u64)
    }

    fn change<T>(
        &self,
        change: impl FnOnce(&Self, &mut Writer) -> Result<T, LexicalError>,
    ) -> Result<T, LexicalError> {
        let mut writer = self.writer.lock();
        if writer.failed {
            return Err(LexicalError::Closed);
        }
        let changed = change(self, &mut writer);
        writer.failed = changed.is_err();
        changed
    }

    /// All numbers that searches see.
    pub fn numbers(&self) -> Result<RoaringBitmap, LexicalError> {
        let mut numbers = RoaringBitmap::new();
        for segment in self.searcher().segment_readers() {
            let column = segment.fast_fields().u64(NUMBER)?;
            let alive = segment.doc_ids_alive().filter_map(|doc| column.first(doc));
            numbers.extend(alive.filter_map(|n| u32::try_from(n).ok()));
        }
        Ok(numbers)
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
        self.reader.searcher()
    }

    fn writer<'a>(&self, writer: &'a mut Writer) -> Result<&'a mut IndexWriter, LexicalError> {
        if writer.open.is_none() {
            let options = IndexWriterOptions::builder()
                .num_worker_threads(1)
                .num_merge_threads(1)
                .memory_budget_per_thread(ARENA)
                .build();
            let open: IndexWriter = self.index.writer_with_options(options)?;
            open.set_merge_policy(Box::new(LogMergePolicy::default()));
            writer.open = Some(open);
        }
        writer.open.as_mut().ok_or(LexicalError::Closed)
    }
}

/// Name of the field with the item's number.
pub(super) const NUMBER: &str = "number";

fn schema() -> (Schema, [Field; FIELDS.len()], Field) {
    let mut builder = Schema::builder();
    let indexing = TextFieldIndexing::default()
        .set_tokenizer(ANALYZER)
        .set_index_option(IndexRecordOption::WithFreqsAndPositions);
    let text = TextOptions::default().set_indexing_options(indexing);
    let fields = FIELDS.map(|name| builder.add_text_field(name, text.clone()));
    let number = builder.add_u64_field(NUMBER, NumericOptions::default() | FAST | INDEXED);
    (builder.build(), fields, number)
}
