//! Numbers and times of an item by the name of the field.

use vitrine_schemas::{AttributeType, Scalar};

use super::{Column, PayloadIndex, SortValue, ValueOrder, numeric};

impl PayloadIndex {
    /// Returns the least value of a field of numbers, or the earliest time in seconds since 1970;
    /// None if the item has none, or there is no such field.
    pub(crate) fn number(&self, field: &str, internal_id: u32) -> Option<f64> {
        let order = ValueOrder::Ascending;
        let SortValue::Number(key) = self.sort_value(field, order, internal_id, None)? else {
            return None;
        };
        let kind = self.field(field)?.kind;
        if kind == AttributeType::Datetime {
            return Some(key as f64 / 1e9);
        }
        match numeric::scalar(kind, key)? {
            Scalar::Int(number) => Some(number as f64),
            Scalar::Float(number) => Some(number),
            _ => None,
        }
    }

    /// Returns the first value of a field of strings, by the alphabet; None if the item has none,
    /// or there is no such field.
    pub(crate) fn first_text(&self, field: &str, internal_id: u32) -> Option<String> {
        let is_keyword = matches!(self.field(field)?.column, Column::Keyword(_));
        let order = ValueOrder::Ascending;
        let value = self.sort_value(field, order, internal_id, None);
        match value.filter(|_| is_keyword)? {
            SortValue::Text(text) => Some(text),
            SortValue::Number(_) => None,
        }
    }
}
