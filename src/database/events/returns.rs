//! Returns: the purchases that they take back, wholly or in part.

use vitrine_schemas::{Event, EventKind};

use crate::{
    Error, Result,
    storage::{EventRef, Listing, Store},
};

/// Purchase before and after a return.
pub(super) struct Change {
    pub at: EventRef,
    pub before: Event,
    /// Without the items that were taken back.
    pub after: Event,
}

impl Change {
    /// Returns the items that were taken back.
    pub fn taken(&self) -> impl Iterator<Item = &str> {
        let kept = &self.after.items;
        let items = self.before.items.iter().filter(|item| !kept.contains(item));
        items.map(String::as_str)
    }
}

/// Returns the purchases that a return changes: the latest of its items by the same user, or
/// session without a user, up to its time.
///
/// # Errors
/// No purchase of one of the items is known.
pub(super) fn changes(
    store: &Store,
    collection: u32,
    at: EventRef,
    event: &Event,
) -> Result<Vec<Change>> {
    let (listing, name) = match (&event.user, &event.session) {
        (Some(user), _) => (Listing::User, user),
        (None, Some(session)) => (Listing::Session, session),
        (None, None) => return Err(Error::invalid("/user", "give `user` or `session`")),
    };
    let events = store.listed_events(collection, listing, name, None, usize::MAX)?;
    let bought = |(of, purchase): &(EventRef, Event)| {
        purchase.kind == EventKind::Purchase && of.micros <= at.micros
    };
    let mut purchases: Vec<Change> = events
        .into_iter()
        .filter(bought)
        .map(|(at, before)| Change {
            at,
            after: before.clone(),
            before,
        })
        .collect();
    purchases.reverse();
    let mut items = event.items.clone();
    items.sort_unstable();
    items.dedup();
    for item in &items {
        take(&mut purchases, item, event.quantity)?;
    }
    purchases.retain(|change| change.after != change.before);
    Ok(purchases)
}

/// Takes an item from the latest purchases: `quantity` pieces, or all of the latest purchase.
fn take(purchases: &mut [Change], item: &str, quantity: Option<f64>) -> Result<()> {
    let mut left = quantity;
    let mut found = false;
    for Change { after, .. } in purchases {
        if !after.items.iter().any(|bought| bought == item) {
            continue;
        }
        found = true;
        let pieces = after.quantity.unwrap_or(1.0);
        match left {
            Some(count) if count < pieces => {
                // The quantity of several items cannot differ, so they all stay bought.
                if after.items.len() == 1 {
                    after.quantity = Some(pieces - count);
                }
                return Ok(());
            }
            _ => after.items.retain(|bought| bought != item),
        }
        left = left
            .map(|count| count - pieces)
            .filter(|count| *count > 0.0);
        if left.is_none() {
            break;
        }
    }
    if found {
        return Ok(());
    }
    Err(Error::invalid(
        "/items",
        format!(
            "expected an earlier purchase of `{item}` by the same user or session to take back, got none; \
             import purchases before their returns"
        ),
    ))
}
