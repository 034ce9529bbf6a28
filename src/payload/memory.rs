//! Memory that the filterable values of an item take, estimated before it is indexed.

use serde_json::Value;
use vitrine_schemas::{AttributeType, CollectionConfig, Item, limits};

use super::{
    keyword::{KEYWORD_BYTES, levels},
    row_values::{BUILT_IN, scalars},
};

/// [`KEYWORD_BYTES`] of a number.
pub(super) const NUMBER_BYTES: u64 = 130;

/// Bytes of a row in the bitmap of a value.
pub(super) const ROW_BYTES: u64 = 6;

/// Returns the bytes in memory of the filterable values of an item, as if no other item had them.
pub(crate) fn column_bytes(config: &CollectionConfig, item: &Item) -> u64 {
    let rows = item.variants.len().max(1) as u64;
    let kind = |name: &String| config.attributes.get(name).copied();
    let attribute = |(name, value): (&String, &Value), rows: u64| -> u64 {
        let bytes = |kind| values_bytes(kind, value, rows);
        kind(name).map_or(0, bytes)
    };
    let brand = item.brand.as_deref().map_or(0, keyword);
    let path = item.category.as_deref().map_or(0, category);
    let given = item.attributes.iter();
    let shared: u64 = given.map(|entry| attribute(entry, rows)).sum();
    let own = item.variants.iter().flat_map(|v| v.attributes.iter());
    let own: u64 = own.map(|entry| attribute(entry, 1)).sum();
    let rest = BUILT_IN.len() as u64 * ROW_BYTES * rows + prices(item) * NUMBER_BYTES;
    brand + path + shared + own + rest
}

/// Checks that the filterable values of a stored item can be indexed: they were written by a
/// version with other limits, or limits of the collection's schema.
///
/// # Errors
/// The cause, with its field.
pub(crate) fn check_stored(config: &CollectionConfig, item: &Item) -> Result<(), String> {
    if let Some(path) = &item.category {
        check_path(path).map_err(|e| format!("/category: {e}"))?;
    }
    let bytes = column_bytes(config, item);
    if bytes > limits::MAX_ITEM_INDEX_BYTES {
        return Err(too_large(bytes));
    }
    Ok(())
}

/// Checks the levels and the length of a category path.
pub(crate) fn check_path(path: &str) -> Result<(), String> {
    check_length(path)?;
    match levels(path).len() {
        0..=limits::MAX_CATEGORY_LEVELS => Ok(()),
        count => Err(format!(
            "expected at most {} levels, got {count}; keep the first ones",
            limits::MAX_CATEGORY_LEVELS
        )),
    }
}

/// Checks the length of a filterable string.
pub(crate) fn check_length(text: &str) -> Result<(), String> {
    if text.len() <= limits::MAX_VALUE_BYTES {
        return Ok(());
    }
    Err(format!(
        "expected at most {} bytes, got {}; long texts belong into `description` or a text attribute",
        limits::MAX_VALUE_BYTES,
        text.len()
    ))
}

/// Returns the message for an item whose filterable values take too much memory.
pub(crate) fn too_large(bytes: u64) -> String {
    format!(
        "expected filterable values of at most {} bytes in memory, got about {bytes}; give the \
         item fewer values or variants",
        limits::MAX_ITEM_INDEX_BYTES
    )
}

fn prices(item: &Item) -> u64 {
    let own = item.price.is_some() || item.sale_price.is_some();
    let variants = item.variants.iter();
    let priced = variants.filter(|v| v.price.is_some() || v.sale_price.is_some());
    u64::from(own) + priced.count() as u64
}

fn values_bytes(kind: AttributeType, value: &Value, rows: u64) -> u64 {
    let one = |value: &Value| match kind {
        AttributeType::Text => 0,
        AttributeType::Keyword => keyword(value.as_str().unwrap_or_default()) + ROW_BYTES * rows,
        AttributeType::Category => {
            let path = value.as_str().unwrap_or_default();
            category(path) + ROW_BYTES * rows * levels(path).len() as u64
        }
        AttributeType::Bool => ROW_BYTES * rows,
        AttributeType::Integer | AttributeType::Float | AttributeType::Datetime => {
            NUMBER_BYTES + ROW_BYTES * rows
        }
    };
    scalars(value).iter().map(one).sum()
}

fn keyword(text: &str) -> u64 {
    KEYWORD_BYTES + text.len() as u64
}

/// Returns the bytes of a path and of every path above it.
fn category(path: &str) -> u64 {
    let mut above = 0;
    let paths = levels(path).into_iter().map(|level| {
        above += level.len() as u64 + 3;
        KEYWORD_BYTES + above
    });
    paths.sum::<u64>() + keyword(path)
}
