//! Rules that an event must meet, whatever its collection.

use vitrine_schemas::{Event, EventKind};

use crate::{Error, Result};

/// Bytes of an id of any kind.
const ID: usize = 512;

/// Items of an event.
const ITEMS: usize = 1000;

pub(super) fn check(event: &Event) -> Result<()> {
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
        1..=ITEMS => {}
        more => {
            let detail = format!("has {more} items, at most {ITEMS} are taken");
            return Err(Error::invalid("/items", detail));
        }
    }
    for (at, item) in event.items.iter().enumerate() {
        check_id(&format!("/items/{at}"), item)?;
    }
    match event.value {
        Some(value) if !value.is_finite() => {
            Err(Error::invalid("/value", "must be a finite number"))
        }
        Some(value) if value < 0.0 && event.kind == EventKind::Purchase => Err(Error::invalid(
            "/value",
            format!("{value} is no amount of a purchase; leave returns out"),
        )),
        _ => Ok(()),
    }
}

pub(super) fn check_id(pointer: &str, id: &str) -> Result<()> {
    if (1..=ID).contains(&id.len()) {
        return Ok(());
    }
    let detail = format!("has {} bytes; give 1 to {ID}", id.len());
    Err(Error::invalid(pointer, detail))
}
