//! Flags of commands that learn from items: where the items are, and their features.

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
    source::{self, Format, Mapping, photo::Photos},
    space::{Choice, Encoders},
    train::{Gather, Gathered, Views},
};

/// Items read from a collection at once.
const PAGE: usize = 1000;
/// How often progress is logged.
const EVERY: Duration = Duration::from_secs(5);

#[derive(Debug, Args)]
pub(super) struct Catalog {
    #[command(flatten)]
    place: Place,
    /// Collection of the data directory.
    #[arg(long, value_name = "NAME", required_unless_present = "source")]
    collection: Option<String>,
    /// Format of the catalog file; told from its ending where it is left out.
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// TOML file that maps the catalog's columns to fields.
    #[arg(long, value_name = "FILE")]
    mapping: Option<PathBuf>,
    /// Folder that the paths of photos start from [default: that of the catalog file, else the working directory].
    #[arg(long, value_name = "DIR")]
    photos: Option<PathBuf>,
    /// Attribute that says which photos are kin [default: the category].
    #[arg(long, value_name = "ATTRIBUTE")]
    label: Option<String>,
    /// Folder of the features seen so far [default: features/ in the folder of the models].
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
    /// The collection, if the items are in one.
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

    /// All items, those of records that cannot be read left out.
    pub fn items(&self) -> Result<Vec<Item>, CommandError> {
        if let Some(path) = &self.place.source {
            let mapping = match &self.mapping {
                Some(path) => Mapping::load(path)?,
                None => Mapping::default(),
            };
            let mut items = Vec::new();
            for record in source::open(path, self.format, &mapping)? {
                items.extend(record?.item.ok());
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

    /// The collection's name, for events that name none.
    pub fn name(&self) -> &str {
        self.collection.as_deref().unwrap_or("catalog")
    }

    /// Encoders without heads, and what is known of items; how far it is goes to standard error.
    pub fn views(&self, items: &[Item]) -> Result<(Encoders, Vec<Views>, Gathered), CommandError> {
        let models = self.models.dir.path();
        let encoders = Encoders::load_with(&models, self.models.precision, Choice::None)?;
        let beside = self.place.source.as_deref().and_then(Path::parent);
        let base = self.photos.clone().or(beside.map(Path::to_owned));
        let gather = Gather {
            encoders: &encoders,
            photos: Photos::new(base.unwrap_or_default(), false),
            cache: self
                .features
                .clone()
                .unwrap_or_else(|| models.join("features")),
            label: self.label.clone(),
        };
        let mut said = Instant::now();
        let (views, counts) = gather.views(items, &mut |done| {
            if said.elapsed() >= EVERY {
                said = Instant::now();
                tracing::info!(done, of = items.len(), "features");
            }
        })?;
        Ok((encoders, views, counts))
    }
}
