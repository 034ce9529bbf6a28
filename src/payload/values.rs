//! The fields and their values, as query understanding reads them.

use roaring::RoaringBitmap;
use vitrine_schemas::AttributeType;

use super::{Column, PayloadIndex};

impl PayloadIndex {
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
