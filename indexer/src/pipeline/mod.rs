//! Indexing pipeline: prepare records, skip unchanged items, embed, write.
//!
//! Records are processed in batches. A batch is written before the next one is embedded, and an
//! item whose content hash is stored already is skipped; that is enough for an interrupted run to
//! resume. Formats and encoders do not belong here.

mod attributes;
mod dry_run;
mod embed;
mod full;
mod prepare;
mod progress;
mod rejects;
#[cfg(test)]
mod tests;
mod versions;
mod warnings;

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    path::PathBuf,
    sync::mpsc,
    thread,
    time::Instant,
};

use serde::Serialize;
use vitrine::Embedder;
use vitrine_schemas::{AttributeType, CollectionConfig, Item};

pub use attributes::Guess;
pub use dry_run::{DryRun, dry_run};
pub use full::{FullCatalog, MaxRemoved};
pub use progress::{LogWriter, Progress};
pub use rejects::{Reject, RejectKind, Rejects};
pub use warnings::RefusedValues;

use crate::{
    sink::{Sink, SinkError, Written},
    source::{Records, SourceError, image::Images},
};
pub use embed::{Vectorized, embed_items};
pub use prepare::text as item_text;
pub use prepare::{content_hash, has_same_content};

/// Maximum number of items of a batch: the limit of a response of the server.
pub const MAX_BATCH: usize = 1000;

/// Errors that end a run early.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// The rest of the catalog cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The reader crashed.
    #[error("the catalog reader crashed (its message is above); this is a bug, please report it")]
    Reader,
    /// The collection cannot be written.
    #[error(transparent)]
    Sink(#[from] SinkError),
    /// Too many items would be removed.
    #[error(transparent)]
    Refused(#[from] full::Refused),
    /// The rejects file cannot be written.
    #[error("the rejects file cannot be written: {0}")]
    Rejects(#[from] std::io::Error),
}

/// Options of a run.
#[derive(Debug, Clone)]
pub struct Options {
    /// Number of items embedded and written together, 1 to [`MAX_BATCH`].
    pub batch: usize,
    /// Weight of the text in an item's shared vector.
    pub text_weight: f32,
    /// Weight of all images together in an item's shared vector.
    pub image_weight: f32,
    /// Weight of behavior in an item's shared vector, if heads know it, in the limit of many users.
    pub behavior_weight: f32,
    /// Attributes declared by a mapping.
    pub attributes: BTreeMap<String, AttributeType>,
    /// Types of other attributes, from all their values; those of attributes that it lacks are
    /// inferred from the first values.
    pub guessed: BTreeMap<String, AttributeType>,
    /// Present if the records are the whole catalog: items that are not in it are removed.
    pub full: Option<FullCatalog>,
    /// Base folder of relative image paths.
    pub base: PathBuf,
    /// True if images with a web address are fetched.
    pub fetch_images: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            batch: 64,
            text_weight: 0.5,
            image_weight: 0.5,
            behavior_weight: 0.5,
            attributes: BTreeMap::new(),
            guessed: BTreeMap::new(),
            full: None,
            base: PathBuf::new(),
            fetch_images: false,
        }
    }
}

/// Summary of a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Summary {
    /// Records read.
    pub read: u64,
    /// New items.
    pub created: u64,
    /// Changed items.
    pub updated: u64,
    /// Unchanged items.
    pub skipped: u64,
    /// Rejected records.
    pub rejected: u64,
    /// Images that could not be used; their items are stored without them.
    pub image_errors: u64,
    /// Records with an id seen before in the run; the last valid one counts.
    pub duplicates: u64,
    /// Items deleted by their records.
    pub deleted: u64,
    /// Items removed because they are not in the catalog.
    pub removed: u64,
    /// Values that could not be read, by column; their items are stored without them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub refused_values: BTreeMap<String, RefusedValues>,
    /// Time taken in seconds.
    pub seconds: f64,
    /// Records per second.
    pub items_per_s: f64,
}

impl Summary {
    /// Returns true if nothing was rejected.
    pub fn is_clean(&self) -> bool {
        self.rejected == 0 && self.image_errors == 0
    }

    fn took(&mut self, seconds: f64) {
        self.seconds = (seconds * 1000.0).round() / 1000.0;
        self.items_per_s = (self.read as f64 / seconds * 10.0).round() / 10.0;
    }
}

/// State of one run.
pub struct Pipeline<'a> {
    embedder: &'a dyn Embedder,
    sink: &'a mut dyn Sink,
    rejects: &'a mut Rejects,
    progress: &'a mut Progress,
    options: Options,
    images: Images,
    /// Configuration of the collection.
    config: CollectionConfig,
    undeclarable: HashSet<String>,
    /// Hashes of all ids seen; true if one of their records was valid.
    seen: HashMap<u128, bool>,
    /// Lines of rejected records whose ids cannot be read: the first, and the number of others.
    unnamed: Option<(u64, u64)>,
    /// Ids of the items that failed in the current round of a batch.
    failed: HashSet<String>,
    not_fetched: u64,
    summary: Summary,
}

impl<'a> Pipeline<'a> {
    /// Creates a run that embeds with `embedder` and writes to `sink`.
    pub fn new(
        embedder: &'a dyn Embedder,
        sink: &'a mut dyn Sink,
        rejects: &'a mut Rejects,
        progress: &'a mut Progress,
        options: Options,
    ) -> Self {
        Self {
            images: Images::new(options.base.clone(), options.fetch_images),
            embedder,
            sink,
            rejects,
            progress,
            options,
            config: CollectionConfig::default(),
            undeclarable: HashSet::new(),
            seen: HashMap::new(),
            unnamed: None,
            failed: HashSet::new(),
            not_fetched: 0,
            summary: Summary::default(),
        }
    }

    /// Processes all records.
    ///
    /// # Errors
    /// The catalog is truncated or the sink fails; items written before stay, and a new run resumes
    /// there.
    ///
    /// # Examples
    ///
    /// `embedder` is usually an [`Encoders`](crate::space::Encoders); this one gives every text the
    /// same vector.
    ///
    /// ```
    /// # use std::collections::BTreeMap;
    /// # use vitrine::{EmbedError, Embedder, Embedding, ImageBytes};
    /// # struct Constant(BTreeMap<String, usize>);
    /// # impl Embedder for Constant {
    /// #     fn embed_text(&self, texts: &[&str]) -> Vec<Result<Embedding, EmbedError>> {
    /// #         texts.iter().map(|_| Ok([("shared".to_owned(), vec![1.0, 0.0])].into())).collect()
    /// #     }
    /// #     fn embed_query(&self, texts: &[&str]) -> Vec<Result<Embedding, EmbedError>> {
    /// #         self.embed_text(texts)
    /// #     }
    /// #     fn embed_image(&self, images: &[ImageBytes]) -> Vec<Result<Embedding, EmbedError>> {
    /// #         images.iter().map(|_| Err(EmbedError::Unavailable("image"))).collect()
    /// #     }
    /// #     fn embed_behavior(&self, _: &str) -> Result<Option<(f32, Embedding)>, EmbedError> {
    /// #         Ok(None)
    /// #     }
    /// #     fn count_tokens(&self, _: &str) -> usize { 1 }
    /// #     fn model_name(&self) -> &str { "constant" }
    /// #     fn fingerprint(&self) -> &str { "constant" }
    /// #     fn dims(&self) -> &BTreeMap<String, usize> { &self.0 }
    /// # }
    /// use vitrine_indexer::{
    ///     pipeline::{Options, Pipeline, Progress, Rejects},
    ///     sink::EngineSink,
    ///     source::{self, Mapping},
    /// };
    ///
    /// # let embedder = Constant(BTreeMap::from([("shared".to_owned(), 2)]));
    /// let folder = tempfile::tempdir()?;
    /// let file = folder.path().join("products.csv");
    /// std::fs::write(&file, "id,title\nSKU1,Red shoes\nSKU2,Blue hat\n")?;
    ///
    /// let data = folder.path().join("data");
    /// let mut sink = EngineSink::open(&data, "shop", vitrine::Options::default())?;
    /// let (mut rejects, mut progress) = (Rejects::create(None)?, Progress::new(None));
    /// let records = source::open(&file, None, &Mapping::default())?;
    /// let pipeline =
    ///     Pipeline::new(&embedder, &mut sink, &mut rejects, &mut progress, Options::default());
    /// let summary = pipeline.run(records)?;
    /// assert_eq!((summary.created, summary.rejected), (2, 0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn run(mut self, records: Records) -> Result<Summary, IndexError> {
        let started = Instant::now();
        self.config = self.sink.prepare(&self.wanted())?;
        let size = self.options.batch.clamp(1, MAX_BATCH);
        // Reading continues while a batch is embedded, at most one batch ahead.
        let (sender, receiver) = mpsc::sync_channel(size);
        let reader = thread::spawn(move || {
            for record in records {
                if sender.send(record).is_err() {
                    break;
                }
            }
        });
        loop {
            let (mut batch, mut broken) = (Vec::with_capacity(size), None);
            for record in receiver.iter().take(size) {
                match record {
                    Ok(record) => batch.push(record),
                    Err(error) => broken = Some(error),
                }
            }
            let ends = batch.len() < size;
            self.batch(batch)?;
            self.summary.took(started.elapsed().as_secs_f64());
            let Summary {
                read,
                skipped,
                rejected,
                ..
            } = self.summary;
            self.progress
                .at(read, &format!("{skipped} skipped, {rejected} rejected"));
            if let Some(error) = broken {
                return Err(error.into());
            }
            if ends {
                break;
            }
        }
        if reader.join().is_err() {
            return Err(IndexError::Reader);
        }
        self.remove_missing()?;
        self.summary.took(started.elapsed().as_secs_f64());
        self.warn();
        Ok(self.summary)
    }

    fn write(&mut self, items: Vec<(u64, Item)>) -> Result<(), IndexError> {
        if items.is_empty() {
            return Ok(());
        }
        let names: Vec<_> = items.iter().map(|(l, i)| (*l, i.id.clone())).collect();
        let items = items.into_iter().map(|(_, item)| item).collect();
        for ((line, id), outcome) in names.iter().zip(self.sink.write(items)?) {
            match outcome {
                Ok(Written::Created) => self.summary.created += 1,
                Ok(Written::Updated) => self.summary.updated += 1,
                Err(reason) => self.reject(*line, Some(id), RejectKind::Write, &reason)?,
            }
        }
        Ok(())
    }

    fn reject(
        &mut self,
        line: u64,
        id: Option<&str>,
        kind: RejectKind,
        reason: &str,
    ) -> Result<(), IndexError> {
        match kind {
            RejectKind::Image => self.summary.image_errors += 1,
            RejectKind::Field => {}
            RejectKind::Record | RejectKind::Write => {
                self.summary.rejected += 1;
                self.failed.extend(id.map(str::to_owned));
            }
        }
        self.rejects.add(&Reject {
            line,
            id,
            kind,
            field: None,
            reason,
        })?;
        Ok(())
    }

    /// Returns the configuration that the encoders and the mapping require.
    fn wanted(&self) -> CollectionConfig {
        CollectionConfig {
            attributes: self.options.attributes.clone(),
            vectors: vitrine::spaces_of(self.embedder),
            fingerprint: Some(self.embedder.fingerprint().to_owned()),
            ..CollectionConfig::default()
        }
    }

    fn warn(&self) {
        if self.summary.duplicates > 0 {
            let records = self.summary.duplicates;
            tracing::warn!(
                records,
                "duplicate ids; the last valid record of each counts"
            );
        }
        for (column, refused) in &self.summary.refused_values {
            let (values, line) = (refused.count, refused.line);
            tracing::warn!(
                column,
                values,
                line,
                "values left out; the first: {}",
                refused.reason
            );
        }
        if self.not_fetched > 0 {
            let images = self.not_fetched;
            tracing::warn!(
                images,
                "images with web addresses were skipped; use --fetch-images to fetch them"
            );
        }
    }
}

fn short_hash(id: &str) -> u128 {
    let hash = blake3::hash(id.as_bytes());
    u128::from_le_bytes(std::array::from_fn(|i| hash.as_bytes()[i]))
}
