//! Fields of numbers and times: a sorted column of bitmaps.
//!
//! Every value becomes an `i128` key of the same order, so one column serves all types exactly:
//! integers as they are (f64 would blur them beyond 2^53), floats by the order of their bits, times
//! as nanoseconds since 1970. A bound is turned into the least or greatest key that meets it,
//! whichever number type it was given as.

use std::{collections::BTreeMap, sync::OnceLock};

use chrono::DateTime;
use roaring::{MultiOps, RoaringBitmap};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use vitrine_schemas::{AttributeType, Scalar};

use super::forward::ForwardKeys;
use crate::clock::midnight;

/// Items by number, sorted.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct NumericColumn {
    pub(super) values: BTreeMap<i128, RoaringBitmap>,
    /// Keys by item, once a facet or an order needed them.
    #[serde(skip)]
    forward: OnceLock<ForwardKeys>,
}

impl NumericColumn {
    pub(super) fn insert(&mut self, number: u32, key: i128) {
        self.values.entry(key).or_default().insert(number);
        if let Some(forward) = self.forward.get_mut() {
            forward.insert(number, key);
        }
    }

    pub(super) fn remove(&mut self, number: u32, key: i128) {
        if let Some(numbers) = self.values.get_mut(&key) {
            numbers.remove(number);
            if numbers.is_empty() {
                self.values.remove(&key);
            }
        }
        if let Some(forward) = self.forward.get_mut() {
            forward.remove(number, key);
        }
    }

    /// Returns the keys by row.
    pub(super) fn forward(&self) -> &ForwardKeys {
        self.forward.get_or_init(|| {
            let mut forward = ForwardKeys::default();
            for (key, rows) in &self.values {
                forward.insert_all(rows, *key);
            }
            forward
        })
    }

    /// Returns the approximate memory of the keys by item, in bytes.
    pub(super) fn forward_bytes(&self) -> usize {
        self.forward.get().map_or(0, ForwardKeys::bytes)
    }

    /// Values that some item has.
    pub(super) fn values(&self) -> usize {
        self.values.len()
    }

    /// Items with a value in the interval.
    pub(super) fn range(&self, interval: Interval) -> RoaringBitmap {
        // BTreeMap panics on a start beyond the end.
        if interval.low > interval.high {
            return RoaringBitmap::new();
        }
        let found = self.values.range(interval.low..=interval.high);
        found.map(|(_, numbers)| numbers).union()
    }

    /// Items with a value in none of the intervals.
    pub(super) fn except(&self, intervals: &[Interval]) -> RoaringBitmap {
        let mut intervals = intervals.to_vec();
        intervals.sort_unstable_by_key(|i| (i.low, i.high));
        // Those of equal values do not overlap.
        let inside = |key: i128| {
            let before = intervals.partition_point(|i| i.low <= key);
            let last = before.checked_sub(1).map(|at| intervals[at]);
            last.is_some_and(|i| key <= i.high)
        };
        let others = self.values.iter().filter(|(key, _)| !inside(**key));
        others.map(|(_, numbers)| numbers).union()
    }
}

/// Keys from `low` to `high`, both included; none where `low` is greater.
#[derive(Clone, Copy)]
pub(super) struct Interval {
    pub(super) low: i128,
    pub(super) high: i128,
}

impl Interval {
    pub(super) const UNBOUNDED: Self = Self {
        low: i128::MIN,
        high: i128::MAX,
    };

    /// Keys equal to a filter value.
    pub(super) fn equal(kind: AttributeType, value: &Scalar) -> Result<Self, String> {
        let low = Bound::AtLeast.key(kind, value)?;
        let high = Bound::AtMost.key(kind, value)?;
        Ok(Self { low, high })
    }
}

/// One side of a range.
#[derive(Clone, Copy)]
pub(super) enum Bound {
    Above,
    AtLeast,
    Below,
    AtMost,
}

impl Bound {
    /// Narrows the interval to the keys that meet the bound.
    pub(super) fn narrow(
        self,
        interval: &mut Interval,
        kind: AttributeType,
        value: &Scalar,
    ) -> Result<(), String> {
        let key = self.key(kind, value)?;
        match self {
            Self::Above | Self::AtLeast => interval.low = interval.low.max(key),
            Self::Below | Self::AtMost => interval.high = interval.high.min(key),
        }
        Ok(())
    }

    /// The outermost key that meets the bound.
    fn key(self, kind: AttributeType, value: &Scalar) -> Result<i128, String> {
        match (kind, value) {
            (AttributeType::Datetime, Scalar::Str(s)) => match time_key(s) {
                Some(key) => Ok(self.step(key)),
                None => Err(format!(
                    "`{s}` is not an RFC 3339 time such as \"2026-01-31T12:00:00Z\", or a day such \
                     as \"2026-01-31\""
                )),
            },
            (AttributeType::Datetime, _) => {
                Err("expected an RFC 3339 string for a datetime field".to_owned())
            }
            (_, Scalar::Str(_) | Scalar::Bool(_)) => {
                Err("expected a number for a number field".to_owned())
            }
            (_, Scalar::Float(f)) if !f.is_finite() => Err("must be a finite number".to_owned()),
            (AttributeType::Float, Scalar::Float(f)) => Ok(self.step(float_key(*f))),
            (AttributeType::Float, Scalar::Int(i)) => Ok(self.float_from_int(*i)),
            (_, Scalar::Int(i)) => Ok(self.step(i128::from(*i))),
            (_, Scalar::Float(f)) => Ok(self.int_from_float(*f)),
        }
    }

    /// Leaves the key itself out where the bound is strict.
    fn step(self, key: i128) -> i128 {
        match self {
            Self::Above => key.saturating_add(1),
            Self::Below => key.saturating_sub(1),
            Self::AtLeast | Self::AtMost => key,
        }
    }

    /// Whole numbers against a float: it rounds inward; the cast saturates, far outside i64.
    fn int_from_float(self, f: f64) -> i128 {
        match self {
            Self::Above => (f.floor() as i128).saturating_add(1),
            Self::AtLeast => f.ceil() as i128,
            Self::Below => (f.ceil() as i128).saturating_sub(1),
            Self::AtMost => f.floor() as i128,
        }
    }

    /// Floats against a whole number, which may lie between two floats.
    fn float_from_int(self, i: i64) -> i128 {
        let nearest = i as f64;
        let key = float_key(nearest);
        match (nearest as i128).cmp(&i128::from(i)) {
            std::cmp::Ordering::Equal => self.step(key),
            std::cmp::Ordering::Greater => match self {
                Self::Above | Self::AtLeast => key,
                Self::Below | Self::AtMost => key - 1,
            },
            std::cmp::Ordering::Less => match self {
                Self::Above | Self::AtLeast => key + 1,
                Self::Below | Self::AtMost => key,
            },
        }
    }
}

/// The key of an item's value; none where it is not of the field's type.
pub(super) fn key(kind: AttributeType, value: &Value) -> Option<i128> {
    match kind {
        AttributeType::Integer => value.as_i64().map(i128::from),
        AttributeType::Float => value.as_f64().filter(|f| f.is_finite()).map(float_key),
        AttributeType::Datetime => time_key(value.as_str()?),
        _ => None,
    }
}

/// Negative floats order backwards by their bits; -0 is 0.
pub(crate) fn float_key(f: f64) -> i128 {
    let bits = (f + 0.0).to_bits() as i64;
    i128::from(if bits < 0 { i64::MIN - bits } else { bits })
}

/// A day without a time begins at midnight UTC.
fn time_key(time: &str) -> Option<i128> {
    let exact = DateTime::parse_from_rfc3339(time).map(|time| time.to_utc());
    let time = exact.ok().or_else(|| midnight(time))?;
    Some(i128::from(time.timestamp()) * 1_000_000_000 + i128::from(time.timestamp_subsec_nanos()))
}

/// The value of a key.
pub(super) fn scalar(kind: AttributeType, key: i128) -> Option<Scalar> {
    match kind {
        AttributeType::Integer => Some(Scalar::Int(i64::try_from(key).ok()?)),
        AttributeType::Float => {
            let key = i64::try_from(key).ok()?;
            let bits = if key < 0 { i64::MIN - key } else { key };
            Some(Scalar::Float(f64::from_bits(bits as u64)))
        }
        AttributeType::Datetime => {
            let seconds = i64::try_from(key.div_euclid(1_000_000_000)).ok()?;
            let nanos = key.rem_euclid(1_000_000_000) as u32;
            let time = DateTime::from_timestamp(seconds, nanos)?;
            Some(Scalar::Str(
                time.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true),
            ))
        }
        _ => None,
    }
}
