//! Counts values among items.
//!
//! A field with few values is counted by an intersection of bitmaps per value, any other by one
//! pass over the items and their values ([`super::forward`]).

mod keyword_counts;

use roaring::RoaringBitmap;
use vitrine_schemas::{
    AttributeType, Facet, FacetRange, FacetSort, FacetSpec, FacetValue, facet::FacetRangeCount,
};

use super::{
    Column, FIRST_VARIANT_ROW, Field, PayloadIndex,
    keyword::levels,
    numeric::{self, Bound, Interval, NumericColumn},
};
use crate::{Error, Result, deadline::Ticker};

/// Bounds of a request.
const MAX_RANGES: usize = 100;
const LIMITS: std::ops::RangeInclusive<usize> = 1..=1000;
const DEPTHS: std::ops::RangeInclusive<usize> = 1..=16;

impl PayloadIndex {
    /// Counts the items by their values of a field, among `matching` rows.
    ///
    /// # Errors
    /// [`Error::Invalid`] with pointers into the spec: no such field, one that has no facets,
    /// bounds out of range.
    pub fn facet(&self, spec: &FacetSpec, matching: &RoaringBitmap) -> Result<Facet> {
        let field = self.field(&spec.field).ok_or_else(|| {
            Error::invalid(
                "/field",
                format!("no field `{}`; there are: {}", spec.field, self.known()),
            )
        })?;
        check(spec, field.kind)?;
        let mut facet = Facet {
            field: spec.field.clone(),
            values: Vec::new(),
            more_values: 0,
            missing: self.rows.items_of(matching).len()
                - self.count_items(&field.present, matching),
            ranges: Vec::new(),
            min: None,
            max: None,
        };
        match &field.column {
            Column::Keyword(column) => {
                let values = self.counts(&field.present, column, spec, matching)?;
                facet.more_values = values.len().saturating_sub(spec.limit) as u64;
                facet.values = first_values(values, spec);
            }
            Column::Numeric(column) => {
                self.count_numbers(field, column, spec, matching, &mut facet)?;
            }
            Column::Text => {
                let mend = "is of type text, which has no facets; declare it as keyword";
                return Err(Error::invalid("/field", mend));
            }
        }
        Ok(facet)
    }

    /// Counts the ranges of a numeric field, and finds the least and greatest value.
    fn count_numbers(
        &self,
        field: &Field,
        column: &NumericColumn,
        spec: &FacetSpec,
        matching: &RoaringBitmap,
        facet: &mut Facet,
    ) -> Result<()> {
        let mut intervals = Vec::with_capacity(spec.ranges.len());
        for (at, range) in spec.ranges.iter().enumerate() {
            let interval = interval(field.kind, range);
            intervals.push(interval.map_err(|e| Error::invalid(format!("/ranges/{at}"), e))?);
        }
        let forward = column.forward();
        let mut counts = vec![0_u64; intervals.len()];
        // The last item that counted in each range, so that several values of an item count once.
        let mut counted = vec![None; intervals.len()];
        let mut extremes: Option<(i128, i128)> = None;
        let own = matching.range(..FIRST_VARIANT_ROW).map(|row| (row, row));
        let ticker = Ticker::default();
        for (item, row) in own.chain(self.rows.by_item(matching)) {
            ticker.tick()?;
            forward.for_each(row, |key| {
                let (least, greatest) = extremes.unwrap_or((key, key));
                extremes = Some((least.min(key), greatest.max(key)));
                let ranges = intervals.iter().zip(&mut counts).zip(&mut counted);
                for ((interval, count), last) in ranges {
                    let is_inside = interval.low <= key && key <= interval.high;
                    if is_inside && *last != Some(item) {
                        *count += 1;
                        *last = Some(item);
                    }
                }
            });
        }
        let value = |key| numeric::scalar(field.kind, key);
        facet.min = extremes.and_then(|(least, _)| value(least));
        facet.max = extremes.and_then(|(_, greatest)| value(greatest));
        let ranges = spec.ranges.iter().cloned().zip(counts);
        facet.ranges = ranges
            .map(|(range, count)| FacetRangeCount { range, count })
            .collect();
        Ok(())
    }
}

/// Returns a test of the paths that a specification asks for.
fn wanted(spec: &FacetSpec) -> impl Fn(&str) -> bool {
    let under = spec.under.as_deref().map(levels).unwrap_or_default();
    move |value| {
        let path = levels(value);
        let depth = path.len().saturating_sub(under.len());
        path.starts_with(&under) && (1..=spec.depth).contains(&depth)
    }
}

/// Returns the values to list, in their order.
fn first_values(mut values: Vec<(&str, u64)>, spec: &FacetSpec) -> Vec<FacetValue> {
    let order = |a: &(&str, u64), b: &(&str, u64)| match spec.sort {
        FacetSort::Count => b.1.cmp(&a.1).then(a.0.cmp(b.0)),
        FacetSort::Value => a.0.cmp(b.0),
    };
    if values.len() > spec.limit {
        values.select_nth_unstable_by(spec.limit, order);
        values.truncate(spec.limit);
    }
    values.sort_unstable_by(order);
    let values = values.into_iter().map(|(value, count)| FacetValue {
        value: value.to_owned(),
        count,
    });
    values.collect()
}

fn interval(kind: AttributeType, range: &FacetRange) -> Result<Interval, String> {
    let mut interval = Interval::UNBOUNDED;
    if let Some(from) = &range.from {
        Bound::AtLeast.narrow(&mut interval, kind, from)?;
    }
    if let Some(to) = &range.to {
        Bound::Below.narrow(&mut interval, kind, to)?;
    }
    Ok(interval)
}

fn check(spec: &FacetSpec, kind: AttributeType) -> Result<()> {
    let tree = kind == AttributeType::Category;
    let number = matches!(
        kind,
        AttributeType::Integer | AttributeType::Float | AttributeType::Datetime
    );
    let checks = [
        ("/limit", LIMITS.contains(&spec.limit), "must be 1 to 1000"),
        ("/depth", DEPTHS.contains(&spec.depth), "must be 1 to 16"),
        (
            "/under",
            tree || spec.under.is_none(),
            "is for categories; leave it out",
        ),
        (
            "/depth",
            tree || spec.depth == 1,
            "is for categories; leave it out",
        ),
        (
            "/ranges",
            number || spec.ranges.is_empty(),
            "are for numbers and times; leave them out",
        ),
        (
            "/ranges",
            spec.ranges.len() <= MAX_RANGES,
            "are too many, at most 100",
        ),
    ];
    match checks.iter().find(|c| !c.1) {
        Some((pointer, _, detail)) => Err(Error::invalid(*pointer, *detail)),
        None => Ok(()),
    }
}
