//! Opened catalog: surveyed once, then read any number of times.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    io::{self, Read, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::Serialize;
use tempfile::TempDir;

use super::{
    Format, Mapping, Record, Records, SourceError,
    cells::{self, Row},
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

/// Contents of a column.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct ColumnReport {
    /// Field or attribute that it is read into; absent if it is ignored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Number of rows with a value.
    pub values: u64,
    /// Number of rows without one.
    pub empty: u64,
    /// Number of values that cannot be read.
    pub refused: u64,
    /// Type, from the values.
    #[serde(rename = "type")]
    pub kind: String,
    /// Decimal mark of a column of prices, if its values show one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decimal_mark: Option<char>,
    /// First value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub example: Option<String>,
    /// First value that cannot be read, with its reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_refused: Option<String>,
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
        let survey = Survived {
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
struct Survived {
    survey: Arc<Survey>,
    _copy: Option<Arc<TempDir>>,
}

impl AsRef<Survey> for Survived {
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

/// Contents of columns while they are counted.
#[derive(Default)]
struct Columns {
    rows: u64,
    order: Vec<String>,
    by_name: HashMap<String, (ColumnReport, Kinds)>,
}

impl Columns {
    fn add(&mut self, row: &Row) {
        for (column, value) in row {
            let (report, kinds) = self.by_name.entry(column.clone()).or_insert_with(|| {
                self.order.push(column.clone());
                Default::default()
            });
            if cells::is_blank(value) {
                continue;
            }
            report.values += 1;
            kinds.add(value);
            if report.example.is_none() {
                report.example = Some(cells::as_text(value).chars().take(60).collect());
            }
        }
    }

    fn finish(mut self, layout: &dyn Layout, survey: &Survey) -> Vec<(String, ColumnReport)> {
        let names = self.order.iter().map(|c| (c.clone(), "".into()));
        let fields: BTreeMap<String, String> = layout
            .fields(&names.collect())
            .into_iter()
            .map(|(field, column)| (column, field))
            .collect();
        let take = |column: String| {
            let (mut report, kinds) = self.by_name.remove(&column)?;
            report.field = fields.get(&column).cloned();
            report.empty = self.rows.saturating_sub(report.values);
            report.kind = kinds.name().to_owned();
            report.decimal_mark = survey.marks.get(&column).and_then(|mark| mark.mark());
            Some((column, report))
        };
        self.order.into_iter().filter_map(take).collect()
    }
}

/// Types that all values of a column fit so far.
#[derive(Clone, Copy)]
struct Kinds {
    integer: bool,
    number: bool,
    flag: bool,
    time: bool,
    any: bool,
}

impl Default for Kinds {
    fn default() -> Self {
        Self {
            integer: true,
            number: true,
            flag: true,
            time: true,
            any: false,
        }
    }
}

impl Kinds {
    fn add(&mut self, value: &serde_json::Value) {
        let text = cells::as_text(value);
        self.any = true;
        // A code such as `0042` is a text.
        let is_code = text.len() > 1 && text.starts_with('0') && !text.starts_with("0.");
        self.integer &= !is_code && text.parse::<i64>().is_ok();
        self.number &= !is_code && text.parse::<f64>().is_ok();
        self.flag &= matches!(
            text.to_lowercase().as_str(),
            "true" | "false" | "yes" | "no"
        );
        self.time &= text.contains(['-', '/', ':']) && super::values::rfc3339(value).is_ok();
    }

    fn name(self) -> &'static str {
        match self {
            Self { any: false, .. } => "none",
            Self { flag: true, .. } => "bool",
            Self { integer: true, .. } => "integer",
            Self { number: true, .. } => "float",
            Self { time: true, .. } => "datetime",
            _ => "keyword",
        }
    }
}

/// Counts the values of records that cannot be read, by column.
pub(crate) fn count_refused(columns: &mut [(String, ColumnReport)], record: &Record) {
    for note in &record.notes {
        let named = columns.iter_mut().find(|(name, _)| *name == note.column);
        if let Some((_, report)) = named {
            report.refused += 1;
            report
                .first_refused
                .get_or_insert_with(|| format!("line {}: {}", note.line, note.reason));
        }
    }
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
