//! Items that own the rows of the columns.

use std::borrow::Cow;

use roaring::RoaringBitmap;

use super::PayloadIndex;

impl PayloadIndex {
    /// Returns the items that own some rows of the columns. Every item has one row, its own.
    #[expect(
        clippy::unused_self,
        reason = "the owners of rows belong to the index; every caller goes through it"
    )]
    pub(super) fn items_of<'a>(&self, rows: &'a RoaringBitmap) -> Cow<'a, RoaringBitmap> {
        Cow::Borrowed(rows)
    }
}
