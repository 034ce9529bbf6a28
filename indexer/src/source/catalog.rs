//! Opened catalog: surveyed once, then read any number of times.

use std::{
    fs,
    io::{self, Read, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use tempfile::TempDir;

use super::{
    Format, Mapping, Records, SourceError,
    columns::{ColumnReport, Columns},
    groups::{self, Survey},
    input::Reading,
    layout::{Layout, Table},
    line::Lines,
    mapping::require,
    rows::{self, Opened},
    rules::Rules,
    shopify::Shopify,
    text::{ReadAs, TextOptions},
    vendure::Vendure,
};

/// Catalog that can be read several times.
pub struct Catalog {
    source: PathBuf,
    format: Format,
    mapping: Mapping,
    reading: Reading,
    survey: Arc<Survey>,
    /// Copy of a stream that can be read once only.
    copy: Option<Arc<TempDir>>,
}

impl Catalog {
    /// Opens and surveys a catalog whose encoding and separator are detected.
    ///
    /// # Errors
    /// Those of [`Catalog::open_as`].
    pub fn open(
        source: &Path,
        format: Option<Format>,
        mapping: &Mapping,
    ) -> Result<Self, SourceError> {
        Self::open_as(source, format, mapping, &TextOptions::default())
    }

    /// Opens and surveys a catalog; `-` is standard input, which is copied to a temporary file.
    ///
    /// # Errors
    /// The format is unknown, the file cannot be opened, or it lacks columns that the mapping
    /// names.
    pub fn open_as(
        source: &Path,
        format: Option<Format>,
        mapping: &Mapping,
        text: &TextOptions,
    ) -> Result<Self, SourceError> {
        let format = format.map_or_else(|| Format::of(source), Ok)?;
        let is_fixed = matches!(format, Format::Shopify | Format::Vendure);
        if is_fixed && mapping.rules().is_some() {
            return Err(SourceError::FixedMapping { format });
        }
        let copy = copied(source, format)?;
        let source = match &copy {
            Some((_, path)) => path.clone(),
            None => source.to_owned(),
        };
        let mut catalog = Self {
            source,
            format,
            mapping: mapping.clone(),
            reading: Reading {
                text: text.clone(),
                ..Reading::default()
            },
            survey: Arc::default(),
            copy: copy.map(|(folder, _)| Arc::new(folder)),
        };
        let (lines, mut layout) = catalog.pass().map_err(|error| match catalog.read_as() {
            Some(read_as) => error.with_form(read_as.clone()),
            None => error,
        })?;
        catalog.survey = Arc::new(Survey::of(lines, &mut *layout));
        Ok(catalog)
    }

    /// Returns the form of the text; None for Parquet.
    pub fn read_as(&self) -> Option<&ReadAs> {
        self.reading.read_as.get()
    }

    /// Returns the records, from the first.
    ///
    /// # Errors
    /// The file cannot be opened again.
    pub fn records(&self) -> Result<Records, SourceError> {
        let (lines, layout) = self.pass()?;
        let survey = SurveyWithCopy {
            survey: Arc::clone(&self.survey),
            _copy: self.copy.clone(),
        };
        Ok(Box::new(groups::Records::new(lines, layout, survey)))
    }

    /// Returns the contents of the columns, in their order; the numbers of refused values come from
    /// the records.
    ///
    /// # Errors
    /// The file cannot be opened again.
    pub fn columns(&self) -> Result<Vec<(String, ColumnReport)>, SourceError> {
        let (lines, layout) = self.pass()?;
        let mut columns = Columns::default();
        for line in lines.map_while(Result::ok).filter(|l| l.error.is_none()) {
            columns.rows += 1;
            match line.item.as_deref().map(serde_json::to_value) {
                Some(Ok(serde_json::Value::Object(row))) => columns.add(&row),
                _ => columns.add(&line.row),
            }
        }
        Ok(columns.finish(&*layout, &self.survey))
    }

    /// Opens the file for a pass over its rows.
    fn pass(&self) -> Result<(Lines, Box<dyn Layout>), SourceError> {
        let is_by_name = self.mapping.rules().is_none();
        let opened = rows::open(&self.source, self.format, is_by_name, &self.reading)?;
        let has_variants = self.mapping.has_variants();
        let layout: Box<dyn Layout> = match self.format {
            Format::Shopify => {
                check(&opened, ["Handle", "Title"])?;
                Box::new(Shopify { has_variants })
            }
            Format::Vendure => {
                check(&opened, ["name", "assets", "facets"])?;
                Box::new(Vendure::default())
            }
            _ => {
                if self.format == Format::GoogleTsv && is_by_name {
                    check(&opened, ["id"])?;
                }
                Box::new(self.table(&opened)?)
            }
        };
        let lines = match self.mapping.rules() {
            Some(rules) => rules.prepared(opened.lines),
            None => opened.lines,
        };
        Ok((lines, layout))
    }

    fn table(&self, opened: &Opened) -> Result<Table, SourceError> {
        let has_variants = self.mapping.has_variants();
        Ok(match (&opened.columns, self.mapping.rules()) {
            (Some(columns), _) => {
                let rules = self.mapping.for_columns(&opened.name, columns)?;
                Table::fixed(rules, has_variants)
            }
            (None, Some(rules)) => Table::fixed(rules.clone(), has_variants),
            (None, None) => Table::open(has_variants),
        })
    }
}

/// Survey with the copy of the file that it describes.
struct SurveyWithCopy {
    survey: Arc<Survey>,
    _copy: Option<Arc<TempDir>>,
}

impl AsRef<Survey> for SurveyWithCopy {
    fn as_ref(&self) -> &Survey {
        &self.survey
    }
}

fn check<'a>(
    opened: &Opened,
    wanted: impl IntoIterator<Item = &'a str>,
) -> Result<(), SourceError> {
    let columns = opened.columns.as_deref().unwrap_or_default();
    require(&opened.name, columns, wanted)
}

/// Copies standard input, or another stream, to a temporary file, as it is read twice.
fn copied(source: &Path, format: Format) -> Result<Option<(TempDir, PathBuf)>, SourceError> {
    let is_standard_input = source == Path::new("-");
    let is_file = || fs::metadata(source).map_or(true, |facts| facts.is_file());
    if (!is_standard_input && is_file()) || format == Format::Parquet {
        return Ok(None);
    }
    let mut stream: Box<dyn Read> = if is_standard_input {
        Box::new(io::stdin())
    } else {
        Box::new(fs::File::open(source).map_err(|e| SourceError::Open {
            path: source.to_owned(),
            source: e,
        })?)
    };
    let mut copy = || -> io::Result<(TempDir, PathBuf)> {
        let mut head = Vec::new();
        stream.by_ref().take(4).read_to_end(&mut head)?;
        let name = match *head {
            [0x1f, 0x8b, ..] => "standard input.gz",
            [0x28, 0xb5, 0x2f, 0xfd] => "standard input.zst",
            _ => "standard input",
        };
        let folder = tempfile::tempdir()?;
        let path = folder.path().join(name);
        let mut file = fs::File::create(&path)?;
        file.write_all(&head)?;
        io::copy(&mut stream, &mut file)?;
        Ok((folder, path))
    };
    copy().map(Some).map_err(SourceError::Temporary)
}

impl Mapping {
    /// Returns the rules of a file with these columns, or those of the columns' names.
    pub(super) fn for_columns(&self, name: &str, columns: &[String]) -> Result<Rules, SourceError> {
        let rules = match self.rules() {
            Some(rules) => rules.clone(),
            None => Rules::by_name(columns).map_err(|reason| SourceError::Header {
                name: name.to_owned(),
                reason,
            })?,
        };
        require(name, columns, rules.columns())?;
        Ok(rules)
    }
}
