//! Validation of an event, independent of its collection.

use vitrine_schemas::{Event, EventKind};

use crate::{Error, Result};

/// Maximum length of an id, in bytes.
const MAX_ID_BYTES: usize = 512;

/// Maximum number of items of an event.
const MAX_ITEMS: usize = 1000;

/// Checks the ids, the items and the value of an event.
///
/// # Errors
/// There is neither a user nor a session, an id is empty or too long, the number of items is out of
/// range, or the value is not finite or negative for a purchase.
pub(crate) fn check(event: &Event) -> Result<()> {
    if event.user.is_none() && event.session.is_none() {
        return Err(Error::invalid("/user", "give `user` or `session`"));
    }
    let named = [
        ("/id", &event.id),
        ("/user", &event.user),
        ("/session", &event.session),
        ("/request_id", &event.request_id),
    ];
    for (pointer, name) in named {
        if let Some(name) = name {
            check_id(pointer, name)?;
        }
    }
    match event.items.len() {
        0 => return Err(Error::invalid("/items", "name at least one item")),
        1..=MAX_ITEMS => {}
        count => {
            let detail = format!("has {count} items; the limit is {MAX_ITEMS}");
            return Err(Error::invalid("/items", detail));
        }
    }
    for (index, item) in event.items.iter().enumerate() {
        check_id(&format!("/items/{index}"), item)?;
    }
    match event.value {
        Some(value) if !value.is_finite() => {
            Err(Error::invalid("/value", "must be a finite number"))
        }
        Some(value) if value < 0.0 && event.kind == EventKind::Purchase => Err(Error::invalid(
            "/value",
            format!("expected an amount of 0 or more, got {value}; leave returns out"),
        )),
        _ => Ok(()),
    }
}

/// Checks the length of an id.
pub(super) fn check_id(pointer: &str, id: &str) -> Result<()> {
    if (1..=MAX_ID_BYTES).contains(&id.len()) {
        return Ok(());
    }
    let detail = format!("is {} bytes long; expected 1 to {MAX_ID_BYTES}", id.len());
    Err(Error::invalid(pointer, detail))
}
