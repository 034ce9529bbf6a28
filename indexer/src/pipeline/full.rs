//! Whole catalogs: items that are not in the catalog are removed, within a limit.

use std::str::FromStr;

use super::{IndexError, Pipeline, short_hash};

/// Number of items that may always be removed.
const ALWAYS: u64 = 3;
/// Number of ids read or deleted at once.
const PAGE: usize = 1000;

/// Maximum share of a collection that a whole catalog may remove.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MaxRemoved(f64);

impl Default for MaxRemoved {
    fn default() -> Self {
        Self(0.2)
    }
}

impl FromStr for MaxRemoved {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.trim().trim_end_matches('%').trim();
        match number.parse::<f64>() {
            Ok(percent) if (0.0..=100.0).contains(&percent) => Ok(Self(percent / 100.0)),
            _ => Err(format!(
                "expected a percentage like 20%, 0% to 100%, got `{text}`"
            )),
        }
    }
}

/// Settings of a whole catalog.
#[derive(Debug, Clone, Copy, Default)]
pub struct FullCatalog {
    /// Limit; `None` is the default, with which an empty catalog removes nothing.
    pub max_removed: Option<MaxRemoved>,
}

/// Reasons why nothing is removed.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum Refused {
    #[error(
        "nothing was removed: {missing} of {total} items of the collection are not in the catalog, more than \
         {percent} %; check that the file is whole, or set --max-removed 100%"
    )]
    TooMany {
        missing: u64,
        total: u64,
        percent: f64,
    },
    #[error(
        "nothing was removed: the catalog has no valid item; check the file, or set --max-removed 100%"
    )]
    Empty,
    #[error(
        "nothing was removed: the ids of {records} rejected records cannot be read (the first: line {line}), so \
         {missing} items may only seem to be missing; fix these records"
    )]
    Unnamed {
        records: u64,
        line: u64,
        missing: u64,
    },
}

impl Pipeline<'_> {
    /// Removes the items that are not in the catalog, if it is a whole one. Items of rejected
    /// records stay.
    pub(super) fn remove_missing(&mut self) -> Result<(), IndexError> {
        let Some(full) = self.options.full else {
            return Ok(());
        };
        let (missing, total) = self.missing()?;
        if missing.is_empty() {
            return Ok(());
        }
        let count = missing.len() as u64;
        if let Some((line, records)) = self.unnamed {
            let refused = Refused::Unnamed {
                records,
                line,
                missing: count,
            };
            return Err(refused.into());
        }
        if full.max_removed.is_none() && !self.seen.values().any(|is_valid| *is_valid) {
            return Err(Refused::Empty.into());
        }
        let limit = full.max_removed.unwrap_or_default().0;
        if count > ALWAYS && count as f64 > limit * total as f64 {
            let refused = Refused::TooMany {
                missing: count,
                total,
                percent: limit * 100.0,
            };
            return Err(refused.into());
        }
        for ids in missing.chunks(PAGE) {
            self.summary.removed += self.sink.delete(ids)?;
        }
        Ok(())
    }

    /// Returns the ids of the collection that the catalog lacks, and the number of all ids.
    fn missing(&self) -> Result<(Vec<String>, u64), IndexError> {
        let (mut missing, mut total, mut after) = (Vec::new(), 0, None);
        loop {
            let page = self.sink.ids(after.as_deref(), PAGE)?;
            total += page.len() as u64;
            let Some(last) = page.last().cloned() else {
                return Ok((missing, total));
            };
            let is_absent = |id: &String| !self.seen.contains_key(&short_hash(id));
            missing.extend(page.into_iter().filter(is_absent));
            after = Some(last);
        }
    }
}
