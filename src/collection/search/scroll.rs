//! All items that match a filter, page by page, in an order.

use vitrine_schemas::{FilterSpec, Item, SortSpec};

use crate::{
    Result,
    collection::{
        Collection,
        ranking::order::{self, KeysetPosition},
        state::read::check_limit,
    },
};

impl Collection {
    /// Returns a page of items in the order of `sort`, and the cursor of the next page.
    ///
    /// # Errors
    /// [`Error::Invalid`](crate::Error::Invalid): a key that items cannot be sorted by, or a cursor
    /// of another request.
    pub fn scroll_sorted(
        &self,
        filter: Option<&FilterSpec>,
        sort: &[SortSpec],
        limit: usize,
        cursor: Option<&str>,
        with_vectors: bool,
    ) -> Result<(Vec<Item>, Option<String>)> {
        check_limit(limit)?;
        let state = self.state.read();
        order::check(sort, &state, false)?;
        let rows = filter.map(|f| state.matching_rows(f)).transpose()?;
        let order = self.item_order(&state, sort, None, rows.as_ref())?;
        let after = cursor
            .map(|cursor| KeysetPosition::decode(cursor, sort.len()))
            .transpose()?;
        let matching = match &rows {
            Some(rows) => state.payload.items_of(rows.clone()),
            None => state.live.clone(),
        };
        let first = order.first(&matching, after.as_ref(), limit + 1);
        let page = &first[..limit.min(first.len())];
        let mut items = Vec::with_capacity(page.len());
        for id in page.iter().filter_map(|item| state.ids.get(item)) {
            items.push(self.load(&state, id, with_vectors)?);
        }
        let last = page.last().filter(|_| first.len() > limit);
        let next = last.and_then(|item| order.position(*item)?.encode());
        Ok((items, next))
    }
}
