//! Counts of the values of keyword and category fields.

use std::collections::HashMap;

use roaring::RoaringBitmap;
use vitrine_schemas::FacetSpec;

use super::wanted;
use crate::{
    Result,
    deadline::{self, Ticker},
    payload::{
        FIRST_VARIANT_ROW, PayloadIndex,
        forward::{Dictionary, ForwardStrings},
        keyword::{KeywordColumn, join, levels},
    },
};

/// Cost of intersecting one container of a bitmap, as a multiple of the cost of counting the value
/// of an item (`make bench-search-scale`).
const CONTAINER_COST: u64 = 30;

impl PayloadIndex {
    /// Returns the number of items with a row in both sets.
    pub(super) fn count_items(&self, rows: &RoaringBitmap, matching: &RoaringBitmap) -> u64 {
        if self.rows.is_empty() {
            return rows.intersection_len(matching);
        }
        self.items_of(rows & matching).len()
    }

    /// Returns the values that some matching row has with their counts, in any order. `present` are
    /// the rows with values. Where most rows match, the others are counted, and subtracted from the
    /// number of rows of each value.
    pub(super) fn counts<'a>(
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
}

/// Returns the values with a count above 0.
fn named<'a>(counts: &[u32], name: impl Fn(u32) -> &'a str) -> Vec<(&'a str, u64)> {
    let counted = counts.iter().zip(0..).filter(|(count, _)| **count > 0);
    let named = counted.map(|(count, id)| (name(id), u64::from(*count)));
    named.collect()
}
