//! Flags of commands that learn from items: the place of the items and of their features.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use clap::Args;
use vitrine::{Collection, Database, Options};
use vitrine_schemas::Item;

use super::Models;
use crate::{
    error::CommandError,
    source::{Catalog as Source, Format, Mapping, image::Images, text::TextOptions},
    space::{Encoders, HeadsChoice},
    train::{Gather, Gathered, ItemFeatures},
};

/// Number of items read from a collection at once.
const PAGE: usize = 1000;
/// Interval between progress messages.
const EVERY: Duration = Duration::from_secs(5);

#[derive(Debug, Args)]
pub(super) struct Catalog {
    #[command(flatten)]
    place: Place,
    /// Collection of the data directory.
    #[arg(long, value_name = "NAME", required_unless_present = "source")]
    collection: Option<String>,
    /// Format of the catalog file; derived from the file name if omitted.
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// TOML file that maps the catalog's columns to fields.
    #[arg(long, value_name = "FILE")]
    mapping: Option<PathBuf>,
    #[command(flatten)]
    text: TextOptions,
    /// Base folder of relative image paths [default: folder of the catalog file, else the working
    /// directory].
    #[arg(long, value_name = "DIR")]
    images: Option<PathBuf>,
    /// Attribute used as class label of the images [default: the category].
    #[arg(long, value_name = "ATTRIBUTE")]
    label: Option<String>,
    /// Folder of cached encoder features [default: features/ in the folder of the models].
    #[arg(long, value_name = "DIR")]
    features: Option<PathBuf>,
    #[command(flatten)]
    pub models: Models,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Place {
    /// Data directory that holds the collection; no server may have it open.
    #[arg(long, value_name = "DIR", requires = "collection")]
    data: Option<PathBuf>,
    /// Catalog file, instead of a collection.
    #[arg(long, value_name = "FILE", conflicts_with = "collection")]
    source: Option<PathBuf>,
}

impl Catalog {
    /// Returns the collection, if the items are in one.
    pub fn stored(&self) -> Result<Option<Arc<Collection>>, CommandError> {
        let (Some(data), Some(name)) = (&self.place.data, &self.collection) else {
            return Ok(None);
        };
        let options = Options {
            create: false,
            index_threads: 0,
            ..Options::default()
        };
        Ok(Some(Database::open(data, options)?.collection(name)?))
    }

    /// Returns all items, without the records that cannot be read.
    pub fn items(&self) -> Result<Vec<Item>, CommandError> {
        if let Some(path) = &self.place.source {
            let mapping = match &self.mapping {
                Some(path) => Mapping::load(path)?,
                None => Mapping::default(),
            };
            let mut items = Vec::new();
            let catalog = Source::open_as(path, self.format, &mapping, &self.text)?;
            for record in catalog.records()? {
                let record = record?;
                items.extend(record.item.ok().filter(|_| !record.is_delete));
            }
            return Ok(items);
        }
        let (mut items, mut cursor) = (Vec::new(), None);
        let Some(collection) = self.stored()? else {
            return Ok(items);
        };
        loop {
            let (page, next) = collection.scroll(None, PAGE, cursor.as_deref(), false)?;
            items.extend(page);
            match next {
                Some(next) => cursor = Some(next),
                None => return Ok(items),
            }
        }
    }

    /// Returns the name of the collection, for events that name none.
    pub fn name(&self) -> &str {
        self.collection.as_deref().unwrap_or("catalog")
    }

    /// Returns the encoders without heads and the features of the items; logs progress to standard
    /// error.
    pub fn views(
        &self,
        items: &[Item],
    ) -> Result<(Encoders, Vec<ItemFeatures>, Gathered), CommandError> {
        let models = self.models.dir.path();
        let encoders = Encoders::load_with(&models, self.models.precision, HeadsChoice::None)?;
        let beside = self.place.source.as_deref().and_then(Path::parent);
        let base = self.images.clone().or(beside.map(Path::to_owned));
        let gather = Gather {
            encoders: &encoders,
            images: Images::new(base.unwrap_or_default(), false),
            cache: self
                .features
                .clone()
                .unwrap_or_else(|| models.join("features")),
            label: self.label.clone(),
        };
        let mut said = Instant::now();
        let (views, counts) = gather.features(items, &mut |done| {
            if said.elapsed() >= EVERY {
                said = Instant::now();
                tracing::info!(done, of = items.len(), "features");
            }
        })?;
        Ok((encoders, views, counts))
    }
}
