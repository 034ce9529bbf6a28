//! Sales that begin and end: the price that is asked changes without a write.

use std::collections::{BTreeSet, HashMap};

use chrono::DateTime;
use serde::{Deserialize, Serialize};
use vitrine_schemas::SalePrice;

/// The sale of a row. Times are in microseconds since 1970.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Sale {
    /// Price asked while it is off.
    pub(super) regular: Option<f64>,
    /// Price asked while it is on.
    pub(super) reduced: f64,
    /// True if the row is on sale anyway: its regular price is below the original price.
    pub(super) is_reduced: bool,
    starts: i64,
    ends: i64,
}

impl Sale {
    pub(super) fn new(sale: &SalePrice, regular: Option<f64>, original: Option<f64>) -> Self {
        let micros = |time: &Option<String>| {
            let time = DateTime::parse_from_rfc3339(time.as_deref()?).ok()?;
            Some(time.timestamp_micros())
        };
        Self {
            regular,
            reduced: sale.amount,
            is_reduced: original.zip(regular).is_some_and(|(o, r)| o > r),
            starts: micros(&sale.starts_at).unwrap_or(i64::MIN),
            ends: micros(&sale.ends_at).unwrap_or(i64::MAX),
        }
    }

    fn is_on(&self, now: i64) -> bool {
        self.starts <= now && now < self.ends
    }
}

/// Sales by row, and the times at which they begin and end.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Sales {
    by_row: HashMap<u32, (Sale, bool)>,
    changes: BTreeSet<(i64, u32)>,
}

impl Sales {
    /// Adds a sale, which is off until the next [`Sales::advance`].
    pub(super) fn insert(&mut self, row: u32, sale: Sale) {
        self.changes.insert((sale.starts, row));
        self.by_row.insert(row, (sale, false));
    }

    /// Removes the sale of a row; returns true if it was on.
    pub(super) fn remove(&mut self, row: u32) -> bool {
        let Some((sale, is_on)) = self.by_row.remove(&row) else {
            return false;
        };
        self.changes.remove(&(sale.starts, row));
        self.changes.remove(&(sale.ends, row));
        is_on
    }

    /// Returns true if the sale of a row is on.
    pub(super) fn is_on(&self, row: u32) -> bool {
        self.by_row.get(&row).is_some_and(|(_, is_on)| *is_on)
    }

    /// Returns true if a sale begins or ends by `now`.
    pub(super) fn is_due(&self, now: i64) -> bool {
        self.changes.first().is_some_and(|(time, _)| *time <= now)
    }

    /// Returns the rows whose sale begins or ends by `now`, each with its sale and its new state.
    pub(super) fn advance(&mut self, now: i64) -> Vec<(u32, Sale, bool)> {
        let mut changed = Vec::new();
        while self.is_due(now)
            && let Some((_, row)) = self.changes.pop_first()
        {
            let Some((sale, was_on)) = self.by_row.get_mut(&row) else {
                continue;
            };
            let is_on = sale.is_on(now);
            if is_on && sale.ends < i64::MAX {
                self.changes.insert((sale.ends, row));
            }
            if std::mem::replace(was_on, is_on) != is_on {
                changed.push((row, sale.clone(), is_on));
            }
        }
        changed
    }
}
