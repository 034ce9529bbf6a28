//! Evidence of the items for what a query means: which items have a value, which say a phrase.

use roaring::RoaringBitmap;

use super::amounts::PriceRange;

/// Items of a collection, as far as understanding asks for them. Items are internal ids.
pub trait Catalog {
    /// Returns the items with one of the values; of a category also those below it.
    fn with_values(&self, field: &str, values: &[String]) -> RoaringBitmap;

    /// Returns the items that have any value of the field.
    fn with_field(&self, field: &str) -> RoaringBitmap;

    /// Returns true if one of the items has a number of the field within the bounds.
    fn has_within(&self, field: &str, bounds: &PriceRange, items: &RoaringBitmap) -> bool;

    /// Returns the items with the words side by side in the title, or in any text with `anywhere`;
    /// `None` if they are too many to be evidence of anything.
    fn with_phrase(&self, words: &str, anywhere: bool) -> Option<RoaringBitmap>;

    /// Returns the value of the field that most of the items have, and how many have it.
    fn most_common(&self, field: &str, items: &RoaringBitmap) -> Option<(String, u64)>;

    /// Returns the values of an item in a field.
    fn values_of(&self, item: &str, field: &str) -> Vec<String>;
}
