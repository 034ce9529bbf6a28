//! Top-level categories of the items of the event log.

use vitrine_schemas::CategoryPath;

use crate::{Result, behavior::Categories, collection::Collection};

impl Collection {
    /// Returns the top-level categories of items by their ids; unknown items have none.
    ///
    /// # Errors
    /// None.
    pub(in crate::collection) fn categories_of(&self, ids: &[String]) -> Result<Categories> {
        let state = self.state.read();
        let (paths, category_of) = state.numbered_categories();
        let top_level = |id: &String| {
            let category = category_of.get(state.internal_ids.get(id)?)?;
            let path = CategoryPath::new(&paths[*category as usize]);
            Some(path.prefix(1).as_str().to_owned())
        };
        let of_item = ids.iter().map(|id| top_level(id).unwrap_or_default());
        Categories::new(of_item.collect())
    }
}
