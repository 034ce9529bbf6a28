//! Validation of schemas and items. Every error names its field and the fix.

mod config;
mod item;

pub(crate) use config::check_config;
pub(in crate::collection) use item::{check_item, check_vector, check_vectors};

use crate::{Error, Result};

/// Checks the name of a collection or alias.
pub(crate) fn check_name(pointer: &str, name: &str) -> Result<()> {
    let tail = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_' || c == b'-';
    let head = name
        .bytes()
        .next()
        .is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    if head && name.len() <= 64 && name.bytes().all(tail) {
        return Ok(());
    }
    Err(Error::invalid(
        pointer,
        format!(
            "invalid name `{name}`: use 1 to 64 characters of a-z, 0-9, `_` and `-`, starting with a letter or digit"
        ),
    ))
}

pub(in crate::collection) fn limit(pointer: &str, len: usize, max: usize) -> Result<()> {
    if len > max {
        return Err(Error::invalid(
            pointer,
            format!("is {len} bytes long; the limit is {max}"),
        ));
    }
    Ok(())
}

fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
