//! From records to a filled collection: prepare, skip what did not change, embed, write.
//!
//! Work goes in batches. A batch is written before the next one is embedded, and an item whose content hash is stored
//! already is skipped: that is all a killed run needs to go on where it was. Formats and encoders do not belong here.

mod attributes;
mod embed;
mod prepare;
mod progress;
mod rejects;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    path::PathBuf,
    sync::mpsc,
    thread,
    time::Instant,
};

use rayon::prelude::*;
use serde::Serialize;
use vitrine::Embedder;
use vitrine_schemas::{AttributeType, CollectionConfig, Item, Metric, Quantization, VectorSpace};

pub use progress::{LogWriter, Progress};
pub use rejects::{Reject, RejectKind, Rejects};

use crate::{
    sink::{Sink, SinkError, Written},
    source::{Record, Records, SourceError, photo::Photos},
};
use prepare::Prepared;
pub use prepare::text as item_text;

/// Most items of a batch: the server answers no more at once.
pub const MAX_BATCH: usize = 1000;

/// Why a run ended early.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// The catalog cannot be read on.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The reader crashed.
    #[error("the catalog reader crashed (its message is above); this is a bug, please report it")]
    Reader,
    /// The collection cannot be written.
    #[error(transparent)]
    Sink(#[from] SinkError),
    /// The rejects file cannot be written.
    #[error("the rejects file cannot be written: {0}")]
    Rejects(#[from] std::io::Error),
}

/// How a run goes.
#[derive(Debug, Clone)]
pub struct Options {
    /// Items embedded and written together, 1 to [`MAX_BATCH`].
    pub batch: usize,
    /// Weight of the text in an item's shared vector.
    pub text_weight: f32,
    /// Weight of the photos together in an item's shared vector.
    pub image_weight: f32,
    /// Weight of behaviour in an item's shared vector, where heads know it, were it of very many people.
    pub behavior_weight: f32,
    /// Attributes declared beforehand, by a mapping; others are declared by the values met.
    pub attributes: BTreeMap<String, AttributeType>,
    /// Folder that the paths of photos start from.
    pub base: PathBuf,
    /// Whether photos given by web address are fetched.
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
            base: PathBuf::new(),
            fetch_images: false,
        }
    }
}

/// Account of a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Summary {
    /// Records read.
    pub read: u64,
    /// Items that were new.
    pub created: u64,
    /// Items that had changed.
    pub updated: u64,
    /// Items that had not.
    pub skipped: u64,
    /// Records refused.
    pub rejected: u64,
    /// Photos that could not be used; their items are there without them.
    pub photo_faults: u64,
    /// Records whose id had come before; the later one counts.
    pub duplicates: u64,
    /// Time taken.
    pub seconds: f64,
    /// Records a second.
    pub items_per_s: f64,
}

impl Summary {
    /// Whether nothing at all was refused.
    pub fn is_clean(&self) -> bool {
        self.rejected == 0 && self.photo_faults == 0
    }

    fn took(&mut self, seconds: f64) {
        self.seconds = (seconds * 1000.0).round() / 1000.0;
        self.items_per_s = (self.read as f64 / seconds * 10.0).round() / 10.0;
    }
}

/// One run.
pub struct Pipeline<'a> {
    embedder: &'a dyn Embedder,
    sink: &'a mut dyn Sink,
    rejects: &'a mut Rejects,
    progress: &'a mut Progress,
    options: Options,
    photos: Photos,
    /// The collection's own.
    config: CollectionConfig,
    undeclarable: HashSet<String>,
    /// Hashes of all ids met.
    seen: HashSet<u128>,
    not_fetched: u64,
    summary: Summary,
}

impl<'a> Pipeline<'a> {
    /// A run that embeds with `embedder` and fills `sink`.
    pub fn new(
        embedder: &'a dyn Embedder,
        sink: &'a mut dyn Sink,
        rejects: &'a mut Rejects,
        progress: &'a mut Progress,
        options: Options,
    ) -> Self {
        Self {
            photos: Photos::new(options.base.clone(), options.fetch_images),
            embedder,
            sink,
            rejects,
            progress,
            options,
            config: CollectionConfig::default(),
            undeclarable: HashSet::new(),
            seen: HashSet::new(),
            not_fetched: 0,
            summary: Summary::default(),
        }
    }

    /// Runs to the end of the records.
    ///
    /// # Errors
    /// The catalog breaks off or the sink fails; what was written until then stays, and a new run goes on from there.
    pub fn run(mut self, records: Records) -> Result<Summary, IndexError> {
        let started = Instant::now();
        self.config = self.sink.prepare(&self.wanted())?;
        let size = self.options.batch.clamp(1, MAX_BATCH);
        // Reading goes on while a batch is embedded, one batch ahead at most.
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
                .at(read, &format!("{skipped} skipped, {rejected} refused"));
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
        self.warn();
        Ok(self.summary)
    }

    fn batch(&mut self, records: Vec<Record>) -> Result<(), IndexError> {
        let items = self.items(records)?;
        self.declare_attributes(items.iter().map(|(_, item)| item))?;
        let (photos, options) = (&self.photos, &self.options);
        let fingerprint = self.embedder.fingerprint();
        let mut prepared: Vec<_> = items
            .into_par_iter()
            .map(|(line, item)| Prepared::new(line, item, photos, fingerprint, options))
            .collect();
        let ids: Vec<_> = prepared.iter().map(|p| p.item.id.clone()).collect();
        let stored = self.sink.hashes(&ids)?;
        prepared.retain(|p| stored.get(&p.item.id) != Some(&p.hash));
        self.summary.skipped += (ids.len() - prepared.len()) as u64;
        let items = self.embed(prepared)?;
        self.write(items)
    }

    /// The sound items, each id once.
    fn items(&mut self, records: Vec<Record>) -> Result<Vec<(u64, Item)>, IndexError> {
        let mut items: Vec<(u64, Item)> = Vec::with_capacity(records.len());
        let mut places = HashMap::new();
        for Record { line, id, item } in records {
            self.summary.read += 1;
            let item = match item {
                Ok(item) => item,
                Err(reason) => {
                    self.reject(line, id.as_deref(), RejectKind::Record, &reason)?;
                    continue;
                }
            };
            if !self.seen.insert(short_hash(&item.id)) {
                self.summary.duplicates += 1;
            }
            match places.get(&item.id) {
                Some(&place) => items[place] = (line, item),
                None => {
                    places.insert(item.id.clone(), items.len());
                    items.push((line, item));
                }
            }
        }
        Ok(items)
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
            RejectKind::Photo => self.summary.photo_faults += 1,
            RejectKind::Record | RejectKind::Write => self.summary.rejected += 1,
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

    /// The collection as the encoders and the mapping want it.
    fn wanted(&self) -> CollectionConfig {
        let metric = Metric::Cosine;
        let dims = self.embedder.dims().iter();
        CollectionConfig {
            attributes: self.options.attributes.clone(),
            vectors: dims
                .map(|(name, &dim)| {
                    (
                        name.clone(),
                        VectorSpace {
                            dim,
                            metric,
                            quantization: Quantization::default(),
                        },
                    )
                })
                .collect(),
            fingerprint: Some(self.embedder.fingerprint().to_owned()),
            ..CollectionConfig::default()
        }
    }

    fn warn(&self) {
        if self.summary.duplicates > 0 {
            let records = self.summary.duplicates;
            tracing::warn!(records, "ids came more than once; the later record counts");
        }
        if self.not_fetched > 0 {
            let photos = self.not_fetched;
            tracing::warn!(
                photos,
                "photos given by web address were left out; --fetch-images fetches them"
            );
        }
    }
}

fn short_hash(id: &str) -> u128 {
    let hash = blake3::hash(id.as_bytes());
    u128::from_le_bytes(std::array::from_fn(|i| hash.as_bytes()[i]))
}
