//! Preconditions of changes, so that one does not overwrite another one unseen (RFC 9110, section
//! 13).

use serde::Serialize;
use vitrine_schemas::Item;

use crate::{Error, Result};

/// Stored version that a change requires.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Precondition {
    /// Any, or none.
    #[default]
    Any,
    /// None: the change adds.
    Absent,
    /// Any, but there must be one.
    Exists,
    /// One with one of these tags.
    Tags(Vec<String>),
}

impl Precondition {
    /// Checks the tag of the stored version; None if there is none. It is asked for only if there
    /// is a condition.
    ///
    /// # Errors
    /// [`Error::PreconditionFailed`].
    pub fn check(&self, stored: impl FnOnce() -> Option<String>) -> Result<()> {
        if *self == Self::Any {
            return Ok(());
        }
        let stored = stored();
        let stored = stored.as_deref();
        let (holds, expected) = match self {
            Self::Any | Self::Exists => (stored.is_some(), "any".to_owned()),
            Self::Absent => (stored.is_none(), "none".to_owned()),
            Self::Tags(tags) => {
                let is_one = |stored| tags.iter().any(|tag| tag == stored);
                let quoted: Vec<_> = tags.iter().map(|tag| format!("\"{tag}\"")).collect();
                (stored.is_some_and(is_one), quoted.join(", "))
            }
        };
        let found = stored.map_or_else(|| "none".to_owned(), |tag| format!("\"{tag}\""));
        match holds {
            true => Ok(()),
            false => Err(Error::PreconditionFailed { expected, found }),
        }
    }
}

/// Returns the tag of a version: 32 hexadecimal digits of the BLAKE3 hash of its JSON.
pub fn version_tag(value: &impl Serialize) -> String {
    let mut hasher = blake3::Hasher::new();
    // A hasher takes all bytes, and what is stored has been JSON.
    let _ = serde_json::to_writer(&mut hasher, value);
    hasher.finalize().to_hex()[..32].to_owned()
}

/// Returns the tag of an item. Vectors do not count: they follow a change of the item later.
pub fn item_tag(item: &Item) -> String {
    version_tag(&Item {
        vectors: Default::default(),
        other_vectors: None,
        fingerprint: None,
        content_hash: None,
        embedding: None,
        ..item.clone()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_hold_for_the_versions_that_they_name() {
        let tags = Precondition::Tags(vec!["a".into(), "b".into()]);
        for (condition, absent, a, c) in [
            (&Precondition::Any, true, true, true),
            (&Precondition::Absent, true, false, false),
            (&Precondition::Exists, false, true, true),
            (&tags, false, true, false),
        ] {
            let holds = [None, Some("a"), Some("c")].map(|tag| {
                let stored = tag.map(str::to_owned);
                condition.check(|| stored).is_ok()
            });
            assert_eq!(holds, [absent, a, c], "{condition:?}");
        }
        let error = tags.check(|| Some("c".into())).unwrap_err().to_string();
        assert!(
            error.contains("expected \"a\", \"b\", got \"c\""),
            "{error}"
        );
    }

    #[test]
    fn the_tag_of_an_item_is_that_of_its_fields() {
        let item = |value| serde_json::from_value::<Item>(value).unwrap();
        let plain = item(serde_json::json!({"id": "a", "title": "lamp"}));
        let embedded = item(serde_json::json!({"id": "a", "title": "lamp", "vectors": {"s": [1]}}));
        let other = item(serde_json::json!({"id": "a", "title": "lamps"}));
        assert_eq!(item_tag(&plain), item_tag(&embedded));
        assert_ne!(item_tag(&plain), item_tag(&other));
    }
}
