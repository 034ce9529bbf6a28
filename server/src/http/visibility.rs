//! Items that the filter of a user token lets a request see.

use vitrine::{Collection, Error};
use vitrine_schemas::{FilterSpec, Reason, WeightedItem};

/// Text of a reason that was based on items which the user may not see.
const REDACTED: &str = "Recommended for you";

/// The filter of a user token, if it has one. Other items do not exist for its requests: they are
/// not found, and no reason names them.
#[derive(Clone)]
pub struct Visibility(pub Option<FilterSpec>);

impl Visibility {
    /// Returns true if some items are not visible.
    pub fn is_limited(&self) -> bool {
        self.0.is_some()
    }

    /// Returns true for each item that is visible.
    fn sees(&self, collection: &Collection, items: &[&str]) -> vitrine::Result<Vec<bool>> {
        match &self.0 {
            Some(filter) => collection.matches(items, filter),
            None => Ok(vec![true; items.len()]),
        }
    }

    /// Checks that an item of a request is visible.
    ///
    /// # Errors
    /// [`Error::ItemNotFound`], or the filter is not valid.
    pub fn check(&self, collection: &Collection, item: &str) -> vitrine::Result<()> {
        match self.sees(collection, &[item])?[..] {
            [true] => Ok(()),
            _ => Err(Error::ItemNotFound(item.to_owned())),
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
        let ids: Vec<&str> = items.iter().map(|item| item.id.as_str()).collect();
        let mut visible = self.sees(collection, &ids)?.into_iter();
        items.retain(|_| visible.next() == Some(true));
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
        let mut reasons: Vec<&mut Reason> = reasons.into_iter().collect();
        let items = reasons.iter().flat_map(|reason| &reason.items);
        let items: Vec<&str> = items.map(String::as_str).collect();
        let mut visible = self.sees(collection, &items)?.into_iter();
        for reason in &mut reasons {
            let named = reason.items.len();
            reason.items.retain(|_| visible.next() == Some(true));
            if reason.items.len() < named {
                reason.text = REDACTED.to_owned();
            }
        }
        Ok(())
    }
}
