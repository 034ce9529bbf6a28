//! Counts values among items.
//!
//! A field with few values is counted by an intersection of bitmaps per value, any other by one
//! pass over the items and their values ([`super::forward`]).

use std::collections::HashMap;

use roaring::RoaringBitmap;
use vitrine_schemas::{
    AttributeType, Facet, FacetRange, FacetSort, FacetSpec, FacetValue, facet::FacetRangeCount,
};

use super::{
    Column, FIRST_VARIANT_ROW, Field, PayloadIndex,
    forward::{Dictionary, ForwardStrings},
    keyword::{KeywordColumn, join, levels},
    numeric::{self, Bound, Interval, NumericColumn},
};
use crate::{
    Error, Result,
    deadline::{self, Ticker},
};

/// Bounds of a request.
const MAX_RANGES: usize = 100;
const LIMITS: std::ops::RangeInclusive<usize> = 1..=1000;
const DEPTHS: std::ops::RangeInclusive<usize> = 1..=16;

/// Cost of intersecting one container of a bitmap, as a multiple of the cost of counting the value
/// of an item (`make bench-search-scale`).
const CONTAINER_COST: u64 = 30;

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

    /// Returns the number of items with a row in both sets.
    fn count_items(&self, rows: &RoaringBitmap, matching: &RoaringBitmap) -> u64 {
        if self.rows.is_empty() {
            return rows.intersection_len(matching);
        }
        self.items_of(rows & matching).len()
    }

    /// Returns the values that some matching row has with their counts, in any order. `present` are
    /// the rows with values. Where most rows match, the others are counted, and subtracted from the
    /// number of rows of each value.
    fn counts<'a>(
        &'a self,
        present: &RoaringBitmap,
        column: &'a KeywordColumn,
        spec: &FacetSpec,
        matching: &RoaringBitmap,
    ) -> Result<Vec<(&'a str, u64)>> {
        if !self.rows.is_empty() || 2 * matching.len() < present.len() {
            return self.counts_of_matching(column, spec, matching);
        }
        let others = self.counts_of_matching(column, spec, &(present - matching))?;
        let others: HashMap<&str, u64> = others.into_iter().collect();
        let wanted = wanted(spec);
        let values = match &column.below {
            Some(below) => below,
            None => &column.exact,
        };
        let (mut counts, ticker) = (Vec::new(), Ticker::default());
        for (value, rows) in values {
            ticker.tick()?;
            let count = rows.len() - others.get(value.as_str()).copied().unwrap_or(0);
            if count > 0 && (column.below.is_none() || wanted(value)) {
                counts.push((value.as_str(), count));
            }
        }
        Ok(counts)
    }

    fn counts_of_matching<'a>(
        &'a self,
        column: &'a KeywordColumn,
        spec: &FacetSpec,
        matching: &RoaringBitmap,
    ) -> Result<Vec<(&'a str, u64)>> {
        let wanted = wanted(spec);
        let values = column.below.as_ref().unwrap_or(&column.exact);
        let containers = u64::from(matching.statistics().n_containers);
        if values.len() as u64 * containers * CONTAINER_COST > matching.len() {
            return self.counts_by_item(column, spec, matching);
        }
        let tree = column.below.is_some();
        let (mut counts, ticker) = (Vec::new(), Ticker::default());
        for (value, rows) in values.iter().filter(|(value, _)| !tree || wanted(value)) {
            ticker.tick()?;
            let count = self.count_items(rows, matching);
            if count > 0 {
                counts.push((value.as_str(), count));
            }
        }
        Ok(counts)
    }

    fn counts_by_item<'a>(
        &'a self,
        column: &'a KeywordColumn,
        spec: &FacetSpec,
        matching: &RoaringBitmap,
    ) -> Result<Vec<(&'a str, u64)>> {
        deadline::check()?;
        let forward = column.forward();
        let (mut counts, ticker) = (vec![0_u32; forward.values.len()], Ticker::default());
        let of_variants = self.ids_of_variants(forward, matching);
        let Some(below) = &column.below else {
            for row in matching.range(..FIRST_VARIANT_ROW) {
                ticker.tick()?;
                for id in forward.ids(row) {
                    counts[*id as usize] += 1;
                }
            }
            for id in of_variants.into_iter().flatten() {
                counts[id as usize] += 1;
            }
            deadline::check()?;
            return Ok(named(&counts, |id| forward.values.name(id)));
        };
        // An item counts once for a path, also if several of its categories are below it.
        let mut several = of_variants;
        for row in matching.range(..FIRST_VARIANT_ROW) {
            ticker.tick()?;
            match forward.ids(row) {
                [] => {}
                [id] => counts[*id as usize] += 1,
                ids => several.push(ids.to_vec()),
            }
        }
        let (mut paths, wanted) = (Dictionary::default(), wanted(spec));
        let mut paths_of = |id: u32| -> Vec<usize> {
            let levels = levels(forward.values.name(id));
            let all = (1..=levels.len()).map(|depth| join(&levels[..depth]));
            let all = all.filter(|path| wanted(path));
            all.map(|path| paths.intern(&path) as usize).collect()
        };
        let mut by_path: Vec<u64> = Vec::new();
        let mut add = |paths: Vec<usize>, count: u64| {
            for path in paths {
                by_path.resize(by_path.len().max(path + 1), 0);
                by_path[path] += count;
            }
        };
        for (id, count) in (0..).zip(&counts).filter(|(_, count)| **count > 0) {
            ticker.tick()?;
            add(paths_of(id), u64::from(*count));
        }
        for ids in several {
            ticker.tick()?;
            let mut above: Vec<usize> = ids.iter().flat_map(|id| paths_of(*id)).collect();
            above.sort_unstable();
            above.dedup();
            add(above, 1);
        }
        let named = by_path.iter().zip(0..).filter_map(|(count, id)| {
            let (path, _) = below.get_key_value(paths.name(id))?;
            Some((path.as_str(), *count))
        });
        Ok(named.collect())
    }

    /// Returns the distinct ids of each item with variants among `matching` rows.
    fn ids_of_variants(&self, forward: &ForwardStrings, matching: &RoaringBitmap) -> Vec<Vec<u32>> {
        let rows = self.rows.by_item(matching);
        let items = rows.chunk_by(|a, b| a.0 == b.0).map(|rows| {
            let ids = rows.iter().flat_map(|(_, row)| forward.ids(*row));
            let mut ids: Vec<u32> = ids.copied().collect();
            ids.sort_unstable();
            ids.dedup();
            ids
        });
        items.collect()
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

    /// Returns the value of a keyword or category field that most of the rows have, and how many
    /// have it; the whole path of a category. Counts the first `most` rows.
    pub fn most_common(
        &self,
        key: &str,
        rows: &RoaringBitmap,
        most: usize,
    ) -> Option<(String, u64)> {
        let Column::Keyword(column) = &self.field(key)?.column else {
            return None;
        };
        let forward = column.forward();
        let mut counts = std::collections::BTreeMap::<u32, u64>::new();
        for row in rows.iter().take(most) {
            for id in forward.ids(row) {
                *counts.entry(*id).or_default() += 1;
            }
        }
        let (id, count) = counts
            .into_iter()
            .max_by_key(|(id, count)| (*count, u32::MAX - id))?;
        Some((forward.values.name(id).to_owned(), count))
    }

    /// Returns the rows that have a value of a field.
    pub fn having(&self, key: &str) -> Option<&RoaringBitmap> {
        Some(&self.field(key)?.present)
    }

    /// Returns the fields with their types.
    pub fn fields(&self) -> impl Iterator<Item = (&str, AttributeType)> {
        let fields = self.built_in.iter().chain(&self.attributes);
        fields.map(|(name, field)| (name.as_str(), field.kind))
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

/// Returns a test of the paths that a specification asks for.
fn wanted(spec: &FacetSpec) -> impl Fn(&str) -> bool {
    let under = spec.under.as_deref().map(levels).unwrap_or_default();
    move |value| {
        let path = levels(value);
        let depth = path.len().saturating_sub(under.len());
        path.starts_with(&under) && (1..=spec.depth).contains(&depth)
    }
}

/// Returns the values with a count above 0.
fn named<'a>(counts: &[u32], name: impl Fn(u32) -> &'a str) -> Vec<(&'a str, u64)> {
    let counted = counts.iter().zip(0..).filter(|(count, _)| **count > 0);
    let named = counted.map(|(count, id)| (name(id), u64::from(*count)));
    named.collect()
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
