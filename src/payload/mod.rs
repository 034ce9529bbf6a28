//! Filterable fields of a collection, held in memory: the items that have each value.
//!
//! Strings, categories and booleans are a bitmap of internal ids per value (`keyword`); numbers and
//! times a sorted column of such bitmaps (`numeric`). `filter` turns a filter tree into one bitmap
//! with them, `parse` the string form into a tree. A field may hold many values; a condition holds
//! where any of them meets it. The columns hold rows: items, or the variants of items (`rows`).
//! Reading records and ranking do not belong here.

mod facet;
mod filter;
mod forward;
mod keyword;
mod labels;
mod memory;
mod number;
mod numeric;
mod parse;
mod row_values;
mod rows;
mod sales;
mod sort;
#[cfg(test)]
mod tests;
mod values;
mod variants;

use std::collections::BTreeMap;

use roaring::RoaringBitmap;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use vitrine_schemas::{
    AttributeType, CollectionConfig, Filter, FilterSpec, Item, limits::MAX_VALUES,
};

pub(crate) use self::{
    filter::categories,
    memory::{check_length, check_path, check_stored, column_bytes, too_large},
    numeric::float_key,
    rows::FIRST_VARIANT_ROW,
    sort::{Group, SortValue, ValueOrder},
};
use self::{
    keyword::KeywordColumn,
    memory::{NUMBER_BYTES, ROW_BYTES},
    numeric::NumericColumn,
    row_values::{BUILT_IN, RowValues, scalars},
    rows::VariantRows,
    sales::Sales,
};

/// Maximum nesting of filters.
const MAX_DEPTH: usize = 16;

/// Prefix that names an attribute even where a built-in field has its name.
const ATTRIBUTES: &str = "attributes.";

/// The values of all filterable fields, by row.
#[derive(Serialize, Deserialize)]
pub struct PayloadIndex {
    built_in: BTreeMap<String, Field>,
    attributes: BTreeMap<String, Field>,
    rows: VariantRows,
    sales: Sales,
    /// Variants that are out of stock, of items that are not. They have no value of `availability`,
    /// so that `availability = out_of_stock` finds items that cannot be bought at all.
    sold_out: RoaringBitmap,
}

/// One field.
#[derive(Serialize, Deserialize)]
struct Field {
    kind: AttributeType,
    /// Rows that have a value.
    present: RoaringBitmap,
    column: Column,
}

#[derive(Serialize, Deserialize)]
enum Column {
    Keyword(KeywordColumn),
    Numeric(NumericColumn),
    /// Not filterable; only its presence is known.
    Text,
}

impl PayloadIndex {
    /// Returns an empty index of the built-in fields and the declared attributes.
    pub fn new(config: &CollectionConfig) -> Self {
        let field = |(name, kind): &(&str, _)| ((*name).to_owned(), Field::new(*kind));
        let mut index = Self {
            built_in: BUILT_IN.iter().map(field).collect(),
            attributes: BTreeMap::new(),
            rows: VariantRows::default(),
            sales: Sales::default(),
            sold_out: RoaringBitmap::new(),
        };
        for (name, kind) in &config.attributes {
            index.add_attribute(name, *kind);
        }
        index
    }

    /// Adds a declared attribute; one that is there stays as it is.
    pub fn add_attribute(&mut self, name: &str, kind: AttributeType) {
        if !self.attributes.contains_key(name) {
            self.attributes.insert(name.to_owned(), Field::new(kind));
        }
    }

    /// Adds an item, whose values [`check_value`] has passed; a value of a wrong type is left out.
    /// Its sales are off until the next `PayloadIndex::advance_sales`.
    pub fn insert(&mut self, internal_id: u32, item: &Item) {
        if item.variants.is_empty() {
            self.insert_row(internal_id, RowValues::of_item(item));
            return;
        }
        let rows = self.rows.insert(internal_id, item.variants.len()).to_vec();
        for (row, values) in rows.into_iter().zip(RowValues::all(item)) {
            self.insert_row(row, values);
        }
    }

    fn insert_row(&mut self, row: u32, values: RowValues<'_>) {
        if let Some(sale) = values.sale() {
            self.sales.insert(row, sale);
        }
        self.change(values, false, |field, value| field.insert(row, value));
        if values.is_sold_out_variant()
            && let Some(field) = self.built_in.get_mut("availability")
        {
            field.present.insert(row);
            self.sold_out.insert(row);
        }
    }

    /// Removes an item as it was inserted.
    pub fn remove(&mut self, internal_id: u32, item: &Item) {
        if item.variants.is_empty() {
            self.remove_row(internal_id, RowValues::of_item(item));
            return;
        }
        let rows = self.rows.remove(internal_id);
        for (row, values) in rows.into_iter().zip(RowValues::all(item)) {
            self.remove_row(row, values);
        }
    }

    fn remove_row(&mut self, row: u32, values: RowValues<'_>) {
        let is_on = self.sales.remove(row);
        self.change(values, is_on, |field, value| field.remove(row, value));
        if self.sold_out.remove(row)
            && let Some(field) = self.built_in.get_mut("availability")
        {
            field.present.remove(row);
        }
    }

    /// Hands each of a row's filterable values to its field.
    fn change(&mut self, row: RowValues<'_>, is_on: bool, apply: impl Fn(&mut Field, &Value)) {
        for (name, field) in &mut self.built_in {
            if let Some(value) = row.built_in(name, is_on) {
                apply(field, &value);
            }
        }
        for (name, value) in row.attributes() {
            if let Some(field) = self.attributes.get_mut(name) {
                for value in scalars(value) {
                    apply(field, value);
                }
            }
        }
    }

    /// Counts the bytes of strings again, which are not stored.
    pub(crate) fn recount(&mut self) {
        for field in self
            .built_in
            .values_mut()
            .chain(self.attributes.values_mut())
        {
            if let Column::Keyword(column) = &mut field.column {
                column.recount();
            }
        }
    }

    /// Returns the approximate memory, in bytes.
    pub fn bytes(&self) -> u64 {
        let fields = self.built_in.values().chain(self.attributes.values());
        fields.map(Field::bytes).sum::<u64>() + self.rows.bytes()
    }

    fn field(&self, key: &str) -> Option<&Field> {
        let attribute = key.strip_prefix(ATTRIBUTES);
        self.built_in
            .get(key)
            .or_else(|| self.attributes.get(key))
            .or_else(|| self.attributes.get(attribute?))
    }

    /// Names that a filter may use, for messages.
    fn known(&self) -> String {
        let all = self.built_in.keys().chain(self.attributes.keys());
        let all: Vec<_> = all.map(String::as_str).collect();
        all.join(", ")
    }
}

impl Field {
    fn new(kind: AttributeType) -> Self {
        let column = match kind {
            AttributeType::Keyword | AttributeType::Bool => Column::Keyword(KeywordColumn::exact()),
            AttributeType::Category => Column::Keyword(KeywordColumn::category()),
            AttributeType::Integer | AttributeType::Float | AttributeType::Datetime => {
                Column::Numeric(NumericColumn::default())
            }
            AttributeType::Text => Column::Text,
        };
        Self {
            kind,
            present: RoaringBitmap::new(),
            column,
        }
    }

    /// Bytes in memory, about: a few for each item that has a value, more for each value there is.
    fn bytes(&self) -> u64 {
        let items = self.present.len();
        match &self.column {
            Column::Keyword(column) => {
                ROW_BYTES * items + column.bytes() + column.forward_bytes() as u64
            }
            Column::Numeric(column) => {
                let values = NUMBER_BYTES * column.values() as u64;
                ROW_BYTES * items + values + column.forward_bytes() as u64
            }
            Column::Text => items,
        }
    }

    fn insert(&mut self, row: u32, value: &Value) {
        if check_scalar(self.kind, value).is_err() {
            return;
        }
        self.present.insert(row);
        match &mut self.column {
            Column::Keyword(column) => column.insert(row, &keyword::text(value)),
            Column::Numeric(column) => {
                if let Some(key) = numeric::key(self.kind, value) {
                    column.insert(row, key);
                }
            }
            Column::Text => {}
        }
    }

    fn remove(&mut self, row: u32, value: &Value) {
        self.present.remove(row);
        match &mut self.column {
            Column::Keyword(column) => column.remove(row, &keyword::text(value)),
            Column::Numeric(column) => {
                if let Some(key) = numeric::key(self.kind, value) {
                    column.remove(row, key);
                }
            }
            Column::Text => {}
        }
    }
}

/// Returns a filter as a tree.
///
/// # Errors
/// The string form is not valid.
pub fn tree_of(spec: &FilterSpec) -> crate::Result<Filter> {
    match spec {
        FilterSpec::Text(text) => parse::parse(text),
        FilterSpec::Tree(tree) => Ok(tree.clone()),
    }
}

/// Checks a value against the type of its attribute: a scalar or an array of scalars. The message
/// contains a hint.
pub fn check_value(ty: AttributeType, value: &Value) -> Result<(), String> {
    if let Value::Array(all) = value {
        if all.len() > MAX_VALUES && ty != AttributeType::Text {
            let count = all.len();
            return Err(format!("expected at most {MAX_VALUES} values, got {count}"));
        }
        for (at, value) in all.iter().enumerate() {
            check_bounded(ty, value).map_err(|e| format!("value {at} {e}"))?;
        }
        return Ok(());
    }
    check_bounded(ty, value)
}

fn check_bounded(ty: AttributeType, value: &Value) -> Result<(), String> {
    check_scalar(ty, value)?;
    match (ty, value) {
        (AttributeType::Keyword, Value::String(text)) => check_length(text),
        (AttributeType::Category, Value::String(path)) => check_path(path),
        _ => Ok(()),
    }
}

fn check_scalar(ty: AttributeType, value: &Value) -> Result<(), String> {
    let (fits, expected) = match ty {
        AttributeType::Keyword | AttributeType::Text => (value.is_string(), "a string"),
        AttributeType::Category => (
            value
                .as_str()
                .is_some_and(|s| !keyword::levels(s).is_empty()),
            "a category path such as \"Clothing > Shoes\"",
        ),
        AttributeType::Integer => (value.is_i64(), "a 64-bit integer"),
        AttributeType::Float => (numeric::key(ty, value).is_some(), "a number"),
        AttributeType::Bool => (value.is_boolean(), "true or false"),
        AttributeType::Datetime => (
            numeric::key(ty, value).is_some(),
            "an RFC 3339 time such as \"2026-01-31T12:00:00Z\", or a day such as \"2026-01-31\"",
        ),
    };
    match value {
        _ if fits => Ok(()),
        Value::Null => Err("is null: leave it out instead".to_owned()),
        Value::Array(_) | Value::Object(_) => {
            Err(format!("is nested: give {expected} or an array of such"))
        }
        _ => Err(format!("is {value}: must be {expected}")),
    }
}
