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
    check_position(event)?;
    if event.kind.is_about_followed() && event.user.is_none() {
        let detail = "expected the user who follows, got none; a session cannot follow";
        return Err(Error::invalid("/user", detail));
    }
    match event.value {
        Some(value) if !value.is_finite() => {
            Err(Error::invalid("/value", "must be a finite number"))
        }
        Some(value) if value < 0.0 && event.kind == EventKind::Purchase => Err(Error::invalid(
            "/value",
            format!(
                "expected an amount of 0 or more, got {value}; send an event of kind `return` instead"
            ),
        )),
        _ => check_quantity(event),
    }
}

fn check_position(event: &Event) -> Result<()> {
    match event.position {
        Some(0) => Err(Error::invalid("/position", "expected 1 or more, got 0")),
        Some(_) if event.items.len() > 1 => {
            let detail = format!(
                "expected an event with one item, got {}; send one event per item",
                event.items.len()
            );
            Err(Error::invalid("/position", detail))
        }
        _ => Ok(()),
    }
}

fn check_quantity(event: &Event) -> Result<()> {
    match event.quantity {
        Some(quantity) if !quantity.is_finite() || quantity <= 0.0 => Err(Error::invalid(
            "/quantity",
            format!("expected a number above 0 (below 0 only for purchases), got {quantity}"),
        )),
        _ => Ok(()),
    }
}

/// Makes a purchase of a negative quantity a return. A quantity of one is the same as none.
pub(crate) fn normalize(event: &mut Event) {
    let takes_back = match event.kind {
        EventKind::Purchase => event.quantity.is_some_and(|quantity| quantity < 0.0),
        EventKind::Return => true,
        _ => false,
    };
    if takes_back {
        event.kind = EventKind::Return;
        event.quantity = event.quantity.map(f64::abs);
    } else {
        event.quantity = event.quantity.filter(|quantity| *quantity != 1.0);
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
