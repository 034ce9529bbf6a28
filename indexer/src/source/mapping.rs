//! Mapping files, and the check that a catalog has the columns they name. The conversion of a row
//! to an item lives in `rules`.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use vitrine_schemas::AttributeType;

use super::{SourceError, rules::Rules};

/// Columns of the fields of an item. The default recognizes columns by their names.
#[derive(Debug, Clone, Default)]
pub struct Mapping {
    rules: Option<Rules>,
    /// True if each row is an item of its own.
    is_flat: bool,
}

impl Mapping {
    /// Reads a mapping file.
    ///
    /// # Errors
    /// The file cannot be read, is not valid TOML, or has an unknown key.
    ///
    /// # Examples
    ///
    /// ```
    /// use vitrine_indexer::source::{self, Mapping};
    ///
    /// let folder = tempfile::tempdir()?;
    /// let (file, mapping) = (folder.path().join("shop.csv"), folder.path().join("mapping.toml"));
    /// std::fs::write(&file, "sku,name\nSKU1,Red shoes\n")?;
    /// std::fs::write(&mapping, "id = \"sku\"\ntitle = \"name\"\n")?;
    ///
    /// let mut records = source::open(&file, None, &Mapping::load(&mapping)?)?;
    /// let record = records.next().expect("a record")?;
    /// assert_eq!(record.item.expect("an item").id, "SKU1");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn load(path: &Path) -> Result<Self, SourceError> {
        let text = std::fs::read_to_string(path).map_err(|source| SourceError::Open {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(&text).map_err(|reason| SourceError::Mapping {
            path: PathBuf::from(path),
            reason,
        })
    }

    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let rules = Some(Rules::parse(text)?);
        Ok(Self {
            rules,
            is_flat: false,
        })
    }

    /// Returns the attributes it declares; none if columns are recognized by their names.
    pub fn attributes(&self) -> BTreeMap<String, AttributeType> {
        self.rules
            .as_ref()
            .map(Rules::attributes)
            .unwrap_or_default()
    }

    /// Keeps each row an item of its own.
    #[must_use]
    pub fn without_variants(mut self) -> Self {
        self.is_flat = true;
        self
    }

    /// Returns true if rows of one product become variants of one item.
    pub(super) fn has_variants(&self) -> bool {
        !self.is_flat
    }

    /// Returns the rules of the file, if it was read from one.
    pub(super) fn rules(&self) -> Option<&Rules> {
        self.rules.as_ref()
    }
}

/// Checks that a file has the columns.
pub(super) fn require<'a>(
    name: &str,
    columns: &[String],
    wanted: impl IntoIterator<Item = &'a str>,
) -> Result<(), SourceError> {
    match wanted.into_iter().find(|w| !columns.iter().any(|c| c == w)) {
        None => Ok(()),
        Some(column) => Err(SourceError::MissingColumn {
            name: name.to_owned(),
            column: column.to_owned(),
            found: columns.join(", "),
        }),
    }
}
