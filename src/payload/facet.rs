//! Counts values among items: a bitmap intersection a value.

use roaring::RoaringBitmap;
use vitrine_schemas::{
    AttributeType, Facet, FacetRange, FacetSort, FacetSpec, FacetValue, facet::FacetRangeCount,
};

use super::{
    Column, PayloadIndex,
    keyword::{KeywordColumn, levels},
    numeric::{self, Bound, Interval},
};
use crate::{Error, Result};

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
            missing: self.count_items(matching, matching)
                - self.count_items(&field.present, matching),
            ranges: Vec::new(),
            min: None,
            max: None,
        };
        match &field.column {
            Column::Keyword(column) => {
                let mut values = self.counts(column, spec, matching);
                facet.more_values = values.len().saturating_sub(spec.limit) as u64;
                match spec.sort {
                    FacetSort::Count => {
                        values.sort_by(|a, b| b.count.cmp(&a.count).then(a.value.cmp(&b.value)));
                    }
                    FacetSort::Value => values.sort_by(|a, b| a.value.cmp(&b.value)),
                }
                values.truncate(spec.limit);
                facet.values = values;
            }
            Column::Numeric(column) => {
                let bound = |key: Option<i128>| key.and_then(|k| numeric::scalar(field.kind, k));
                let (least, greatest) = column.extremes(matching);
                (facet.min, facet.max) = (bound(least), bound(greatest));
                for (at, range) in spec.ranges.iter().enumerate() {
                    let interval = interval(field.kind, range)
                        .map_err(|e| Error::invalid(format!("/ranges/{at}"), e))?;
                    facet.ranges.push(FacetRangeCount {
                        range: range.clone(),
                        count: self.count_items(&column.range(interval), matching),
                    });
                }
            }
            Column::Text => {
                let mend = "is of type text, which has no facets; declare it as keyword";
                return Err(Error::invalid("/field", mend));
            }
        }
        Ok(facet)
    }

    /// Returns the number of items with a row in both sets.
    fn count_items(&self, rows: &RoaringBitmap, matching: &RoaringBitmap) -> u64 {
        if self.rows.is_empty() {
            return rows.intersection_len(matching);
        }
        self.items_of(rows & matching).len()
    }

    /// Returns the values that some matching row has, in any order.
    fn counts(
        &self,
        column: &KeywordColumn,
        spec: &FacetSpec,
        matching: &RoaringBitmap,
    ) -> Vec<FacetValue> {
        let under = spec.under.as_deref().map(levels).unwrap_or_default();
        let wanted = |value: &str| {
            let path = levels(value);
            let depth = path.len().saturating_sub(under.len());
            path.starts_with(&under) && (1..=spec.depth).contains(&depth)
        };
        let tree = column.below.is_some();
        let values = column.below.as_ref().unwrap_or(&column.exact);
        values
            .iter()
            .filter(|(value, _)| !tree || wanted(value))
            .map(|(value, rows)| FacetValue {
                value: value.clone(),
                count: self.count_items(rows, matching),
            })
            .filter(|v| v.count > 0)
            .collect()
    }

    /// Returns the values of all keyword and category fields that have at most `most` different
    /// ones, as `(field, value)`.
    pub fn keywords(&self, most: usize) -> impl Iterator<Item = (&str, &str)> {
        let fields = self.built_in.iter().chain(&self.attributes);
        let columns = fields.filter_map(move |(name, field)| {
            let strings = matches!(field.kind, AttributeType::Keyword | AttributeType::Category);
            match &field.column {
                Column::Keyword(column) if strings && column.exact.len() <= most => {
                    Some((name, column))
                }
                _ => None,
            }
        });
        columns.flat_map(|(name, column)| {
            let values = column.exact.keys();
            values.map(move |v| (name.as_str(), v.as_str()))
        })
    }
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
