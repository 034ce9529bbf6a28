//! Items that the filter of a user token lets a request see.

use vitrine::{Collection, Error};
use vitrine_schemas::{FilterSpec, Reason, WeightedItem};

/// Text of a reason that was based on items which the user may not see.
const REDACTED: &str = "Recommended for you";

/// The filter of a user token, if it has one. Other items do not exist for its requests: they are
/// not found, and no reason names them.
#[derive(Clone, Default)]
pub struct Visibility(pub Option<FilterSpec>);

impl Visibility {
    /// Returns true if some items are not visible.
    pub fn is_limited(&self) -> bool {
        self.0.is_some()
    }

    /// Checks that an item of a request is visible.
    ///
    /// # Errors
    /// [`Error::ItemNotFound`], or the filter is not valid.
    pub fn check(&self, collection: &Collection, item: &str) -> vitrine::Result<()> {
        match &self.0 {
            Some(filter) if !collection.matches(item, filter)? => {
                Err(Error::ItemNotFound(item.to_owned()))
            }
            _ => Ok(()),
        }
    }

    /// Removes the items of a request that are not visible.
    ///
    /// # Errors
    /// The filter is not valid.
    pub fn retain(
        &self,
        collection: &Collection,
        items: &mut Vec<WeightedItem>,
    ) -> vitrine::Result<()> {
        let Some(filter) = &self.0 else {
            return Ok(());
        };
        let mut kept = Vec::with_capacity(items.len());
        for item in items.drain(..) {
            if collection.matches(&item.id, filter)? {
                kept.push(item);
            }
        }
        *items = kept;
        Ok(())
    }

    /// Removes the items that are not visible from reasons, together with their titles.
    ///
    /// # Errors
    /// The filter is not valid.
    pub fn redact<'a>(
        &self,
        collection: &Collection,
        reasons: impl IntoIterator<Item = &'a mut Reason>,
    ) -> vitrine::Result<()> {
        let Some(filter) = &self.0 else {
            return Ok(());
        };
        for reason in reasons {
            let mut visible = Vec::with_capacity(reason.items.len());
            for item in &reason.items {
                if collection.matches(item, filter)? {
                    visible.push(item.clone());
                }
            }
            if visible.len() < reason.items.len() {
                reason.items = visible;
                reason.text = REDACTED.to_owned();
            }
        }
        Ok(())
    }
}
