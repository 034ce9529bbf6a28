//! Variants that match a filter, and the prices that are asked.

use std::borrow::Cow;

use roaring::RoaringBitmap;
use vitrine_schemas::{Item, Price};

use super::{PayloadIndex, RowValues};

impl PayloadIndex {
    /// Returns true if some item has variants.
    pub(crate) fn has_variants(&self) -> bool {
        !self.rows.is_empty()
    }

    /// Returns the rows of some items.
    pub(crate) fn rows_of<'a>(&self, items: &'a RoaringBitmap) -> Cow<'a, RoaringBitmap> {
        self.rows.rows_of(items)
    }

    /// Returns the items that some rows belong to.
    pub(crate) fn items_of(&self, rows: RoaringBitmap) -> RoaringBitmap {
        match self.rows.items_of(&rows) {
            Cow::Owned(items) => items,
            Cow::Borrowed(_) => rows,
        }
    }

    /// Returns the positions of an item's variants among `rows`, in order; None: all rows.
    pub(crate) fn matching_variants(
        &self,
        internal_id: u32,
        rows: Option<&RoaringBitmap>,
    ) -> Vec<usize> {
        let own = self.rows.of_item(internal_id).iter().enumerate();
        let matching = own.filter(|(_, row)| rows.is_none_or(|rows| rows.contains(**row)));
        matching.map(|(position, _)| position).collect()
    }

    /// Returns the price that is asked for an item, or for one of its variants.
    pub(crate) fn asked_price(
        &self,
        internal_id: u32,
        item: &Item,
        variant: Option<usize>,
    ) -> Option<Price> {
        let variant = variant.and_then(|position| {
            let row = *self.rows.of_item(internal_id).get(position)?;
            Some((row, item.variants.get(position)?))
        });
        let (row, values) = match variant {
            Some((row, variant)) => (row, RowValues::of_variant(item, variant)),
            None => (internal_id, RowValues::of_item(item)),
        };
        values.asked(self.sales.is_on(row))
    }

    /// Returns true if a sale begins or ends by `now`, in microseconds since 1970.
    pub(crate) fn has_due_sales(&self, now: i64) -> bool {
        self.sales.is_due(now)
    }

    /// Changes the prices of the sales that begin or end by `now`; returns true if there were any.
    pub(crate) fn advance_sales(&mut self, now: i64) -> bool {
        let changed = self.sales.advance(now);
        for (row, sale, is_on) in &changed {
            let (old, new) = match is_on {
                true => (sale.regular, Some(sale.reduced)),
                false => (Some(sale.reduced), sale.regular),
            };
            self.replace("price", *row, old.map(Into::into), new.map(Into::into));
            let flag =
                |is_on: bool, price: Option<f64>| price.map(|_| (is_on || sale.is_reduced).into());
            self.replace("on_sale", *row, flag(!is_on, old), flag(*is_on, new));
        }
        !changed.is_empty()
    }

    fn replace(
        &mut self,
        name: &str,
        row: u32,
        old: Option<serde_json::Value>,
        new: Option<serde_json::Value>,
    ) {
        let Some(field) = self.built_in.get_mut(name) else {
            return;
        };
        if let Some(old) = old {
            field.remove(row, &old);
        }
        if let Some(new) = new {
            field.insert(row, &new);
        }
    }
}
